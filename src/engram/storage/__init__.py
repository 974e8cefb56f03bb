"""Files read in pieces, wherever they lie: on this machine, or behind a URL of any scheme that fsspec knows."""

from __future__ import annotations

from engram.storage.local import LocalFile
from engram.storage.location import Location, is_url, shown
from engram.storage.storage import Span, Storage

__all__ = ["Location", "Span", "Storage", "is_url", "open", "read_whole", "shown"]


def open(location: Location) -> Storage:
    """The file that lies there. Raises UsageError where there is none, and what `transport` raises."""
    if not is_url(location):
        return LocalFile(location)
    from engram.storage.remote import RemoteFile

    return RemoteFile(str(location))


def read_whole(location: Location) -> bytes:
    """All bytes of a small file, in one request. Raises what `open` raises."""
    if not is_url(location):
        with LocalFile(location) as file:
            return file.read(0, file.size)
    from engram.storage.transport import Transport

    return Transport(str(location)).whole()
