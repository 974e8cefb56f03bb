"""Where an archive goes: a path, or a URL by way of the current folder. Looked at before anything is learned."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engram import storage
from engram.archive.shards import MANIFEST as NAME
from engram.files import CannotWrite, OutputExists
from engram.storage import is_url


@contextmanager
def place_of(out: Path | str, force: bool, model_apart: bool, learns: bool) -> Iterator[Path]:
    """The path to write to; for a URL a file of its name in the current folder, which goes there when it is whole.

    Raises OutputExists where something lies there and may not be replaced, and what `storage.put` raises.
    """
    if not is_url(out):
        path = Path(out)
        beside = [path.with_name(path.name + ".model")] if model_apart and learns else []  # a given one may lie there
        for taken in (path, *beside):
            if taken.exists() and not force:
                raise OutputExists(f"{taken} exists already; choose another name, or replace it with --force")
        if path.is_dir() and not (path / NAME).exists():
            raise OutputExists(f"{path} is a folder; give the name of a file")
        if not path.absolute().parent.is_dir():
            raise CannotWrite(f"{path}: there is no folder {path.parent}; make it first")
        yield path
        return
    out = str(out)
    storage.check_free(out, force)
    path = Path(storage.shown(out).rstrip("/").rpartition("/")[2])
    model = path.with_name(path.name + ".model")
    for taken in (path, model):
        if taken.exists():
            raise OutputExists(
                f"{storage.shown(out)} is packed here first, to {taken}, which exists already; move it away"
            )
    if model_apart:
        storage.check_free(str(storage.beside(out, model.name)), force)
    yield path
    if model.exists():
        storage.put(model, str(storage.beside(out, model.name)))
        model.unlink()
    storage.put(path, out, last=NAME)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def is_same(data: str | Path, out: str | Path) -> bool:
    """Whether OUT is there, and is DATA."""
    return not is_url(out) and Path(out).exists() and Path(data).samefile(out)
