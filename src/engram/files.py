"""Files that are whole or not there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from engram.errors import EngramError


class WriteFailed(EngramError):
    """A file could not be written: a full disk, no permission, a missing folder."""


def write_atomically(path: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write a temporary sibling, then rename it to `path`; on any failure the sibling is removed.

    Raises WriteFailed, with the reason, for what the operating system refuses.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        try:
            fill(part)
            with part.open("rb") as written:
                os.fsync(written.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise WriteFailed(f"cannot write {path}: {reason}; free some space or choose another place") from error
