"""Files read in pieces, wherever they lie: on this machine, or behind a URL of any scheme that fsspec knows."""

from __future__ import annotations

import glob as files
from pathlib import Path

from engram.storage.local import LocalFile
from engram.storage.location import Location, is_url, shown
from engram.storage.storage import Span, Storage

__all__ = [
    "Location",
    "Span",
    "Storage",
    "beside",
    "check_free",
    "glob",
    "is_url",
    "open",
    "put",
    "read_whole",
    "shown",
]


def open(location: Location, size: int | None = None) -> Storage:
    """The file that lies there, or its first bytes, as it was before it grew.

    Raises UsageError where there is none, and what `transport` raises.
    """
    file: Storage
    if is_url(location):
        from engram.storage.remote import RemoteFile

        file = RemoteFile(str(location))
    else:
        file = LocalFile(location)
    if size is not None:
        file.size = min(file.size, size)
    return file


def read_whole(location: Location) -> bytes:
    """All bytes of a small file, in one request. Raises what `open` raises."""
    if not is_url(location):
        with LocalFile(location) as file:
            return file.read(0, file.size)
    from engram.storage.transport import Transport

    return Transport(str(location)).whole()


def beside(location: Location, name: str) -> Location:
    """The file of that name in the same folder; of a URL with the same query, in which credentials may stand."""
    if not is_url(location):
        return Path(location).with_name(name)
    path, question, query = str(location).partition("?")
    return f"{path.rpartition('/')[0]}/{name}{question}{query}"


def check_free(url: str, force: bool) -> None:
    """Raises OutputExists where something lies at a URL and may not be replaced, and what `put` raises."""
    from engram.storage import sending

    sending.check_free(url, force)


def put(place: Path, url: str, last: str = "") -> None:
    """Copies a file to a URL, or the files of a folder, the one called `last` after all others. Raises CannotWrite."""
    from engram.storage import sending

    sending.put(place, url, last)


def glob(pattern: str) -> list[Location]:
    """All files that match, sorted by name; none for a URL of a scheme that cannot list."""
    if not is_url(pattern):
        return [Path(path).absolute() for path in sorted(files.glob(pattern))]
    from engram.storage.transport import Transport

    return list(Transport(pattern).matching())
