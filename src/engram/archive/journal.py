"""How long an archive was before an append that is under way, or was cut off: the file `x.egm.append` beside it."""

from __future__ import annotations

from pathlib import Path

from engram import storage
from engram.errors import EngramError
from engram.files import replacing_file
from engram.storage import Location

SUFFIX = ".append"


def begin(path: Path, size: int) -> None:
    """Says so: from here on readers take the first `size` bytes, until what follows is whole. Raises CannotWrite."""
    with replacing_file(_of(path)) as file:
        file.write(b"%d" % size)


def end(path: Path) -> None:
    """Nothing is under way any more."""
    _of(path).unlink(missing_ok=True)


def size_before(location: Location) -> int | None:
    """The bytes that the archive had; None where nothing is under way."""
    name = Path(str(location).partition("?")[0]).name + SUFFIX
    try:
        digits = storage.read_whole(storage.beside(location, name))
    except EngramError:
        return None
    return int(digits) if digits.isdigit() and len(digits) < 20 else None


def _of(path: Path) -> Path:
    return path.with_name(path.name + SUFFIX)
