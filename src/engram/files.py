"""All or nothing under a final name: a file or a folder is written beside it, then renamed into its place."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from engram.errors import EngramError, UsageError


class CannotWrite(EngramError):
    """The disk is full, the folder is missing or read-only; nothing is left under the final name."""


class OutputExists(UsageError):
    """Something already lies under the name that was to be written."""


@contextmanager
def replacing_file(path: Path | str) -> Iterator[BinaryIO]:
    """A file to write, which becomes `path` when the block ends well and vanishes when it does not."""
    path = Path(path)
    part = _sibling(path)
    try:
        with open(part, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path | str, force: bool = False) -> Iterator[Path]:
    """An empty folder to fill, which becomes `path` when the block ends well and vanishes when it does not.

    Raises OutputExists where `path` exists, unless `force` allows a folder to be replaced.
    """
    path = Path(path).absolute()
    if path.exists() and not (force and path.is_dir()):
        kind = "this folder" if path.is_dir() else "a file of this name"
        way_out = "choose another name, or force it" if path.is_dir() else "choose another name"
        raise OutputExists(f"{path}: {kind} exists already; {way_out}")
    part = _sibling(path)
    try:
        part.mkdir(parents=True)
        yield part
        _rename_over(part, path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _rename_over(part: Path, path: Path) -> None:
    """Renames a folder to a name that may be taken by another; the other comes back should the rename fail."""
    if not path.exists():
        part.rename(path)
        return
    old = _sibling(path)
    path.rename(old)
    try:
        part.rename(path)
    except BaseException:
        old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _sibling(path: Path) -> Path:
    """A hidden name in the same folder, hence on the same disk, that nobody else uses."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")


def _cannot_write(path: Path, error: OSError) -> CannotWrite:
    reason = error.strerror or str(error)
    return CannotWrite(
        f"{path}: could not be written ({reason}); nothing was left there. Make room, or write elsewhere"
    )
