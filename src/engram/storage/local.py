"""A file of this machine. Every read names its offset, so the open file is shared without harm."""

from __future__ import annotations

import os
import stat
import weakref
from collections.abc import Sequence

from engram.errors import UsageError
from engram.storage.location import Location
from engram.storage.storage import Span, Storage


class LocalFile(Storage):
    """Raises UsageError where there is no such file."""

    def __init__(self, path: Location) -> None:
        self.shown = str(path)
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise UsageError(f"{path} cannot be opened: {error.strerror}") from None
        status = os.fstat(self._file)
        if not stat.S_ISREG(status.st_mode):
            os.close(self._file)
            raise UsageError(f"{path} is no file, so it is no archive")
        self.size = status.st_size
        self._close = weakref.finalize(self, os.close, self._file)

    @property
    def closed(self) -> bool:
        return not self._close.alive

    def read_many(self, spans: Sequence[Span]) -> list[bytes]:
        return [self._read(start, stop) for start, stop in spans]

    def expect(self, spans: Sequence[Span]) -> None:
        """Nothing to do: the system reads ahead."""

    def close(self) -> None:
        self._close()

    def _read(self, start: int, stop: int) -> bytes:
        try:
            return os.pread(self._file, stop - start, start)
        except OSError:  # a sector that the disk cannot read is damage like any other
            return b""
