"""What runs the work of `engram pack`: this process, or Ray."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engram import storage
from engram.storage import is_url

if TYPE_CHECKING:
    from engram.archive import Packed


class Engine(StrEnum):
    """Where images are encoded; the bytes are the same."""

    local = "local"
    ray = "ray"


@contextmanager
def place_of(out: str, force: bool) -> Iterator[Path]:
    """The path to write to; for a URL a file of its name in the current folder, which goes there when it is whole.

    Raises OutputExists where something lies there and may not be replaced, and what `storage.put` raises.
    """
    from engram.archive.manifest import NAME
    from engram.files import OutputExists

    if not is_url(out):
        if Path(out).exists() and not force:
            raise OutputExists(f"{out} exists already; choose another name, or replace it with --force")
        yield Path(out)
        return
    storage.check_free(out, force)
    path = Path(storage.shown(out).rstrip("/").rpartition("/")[2])
    if path.exists():
        raise OutputExists(f"{storage.shown(out)} is packed here first, to {path}, which exists already; move it away")
    yield path
    model = path.with_name(path.name + ".model")
    if model.exists():
        storage.put(model, str(storage.beside(out, model.name)))
        model.unlink()
    storage.put(path, out, last=NAME)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


@contextmanager
def opened(
    engine: Engine, data: str, address: str | None = None, shard_images: int | None = None
) -> Iterator[Callable[..., Packed]]:
    """What packs as `archive.pack` does, by an engine that is ready. Raises UsageError for options of another."""
    from engram import archive
    from engram.errors import UsageError

    if engine is Engine.local:
        if address is not None or shard_images is not None:
            raise UsageError(
                "--address and --shard-images go with --engine ray; `engram shard` cuts an archive that is packed here"
            )
        yield archive.pack
        return
    from engram.archive.packing import pack_by
    from engram.integrations.ray import Cluster

    with Cluster(address) as cluster:
        yield partial(pack_by, cluster, data, shard_images=shard_images)
