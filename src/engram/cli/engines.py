"""What runs the work of `engram pack`: this process, or Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engram.storage import is_url

if TYPE_CHECKING:
    from engram.archive import Packed


class Engine(StrEnum):
    """Where images are encoded; the bytes are the same."""

    local = "local"
    ray = "ray"


def place_of(out: str) -> Path:
    """The path of what is to be written. Raises UsageError for a URL."""
    from engram.errors import UsageError

    if is_url(out):
        raise UsageError(f"{out}: archives are written to a path; pack to a folder that all nodes see, then copy it")
    return Path(out)


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
