"""Deflated bytes from strangers: how much they can hold at most, and one gzip file read strictly, piece by piece."""

from __future__ import annotations

import zlib
from typing import BinaryIO

from engram.errors import CorruptData

LARGEST_EXPANSION = 1032
"""What one deflated byte can hold: 258 bytes come from two bits."""
_PIECE = 1 << 16


class BrokenGzip(CorruptData):
    """The gzip wrapping is damaged or cut."""


class TrailingBytes(CorruptData):
    """More bytes than were declared."""


class GzipReader:
    """The plain bytes of a file that is one gzip member; no more of them are made than are asked for."""

    def __init__(self, file: BinaryIO, source: str) -> None:
        self._file, self._source = file, source
        self._inflater = zlib.decompressobj(wbits=31)
        self._done = 0

    def read(self, size: int) -> bytes:
        """The next `size` bytes, fewer where the member ends before. Raises BrokenGzip."""
        found = bytearray()
        while len(found) < size and not self._inflater.eof:
            packed = self._inflater.unconsumed_tail or self._file.read(_PIECE)
            try:
                piece = self._inflater.decompress(packed, size - len(found))
            except zlib.error as error:
                raise BrokenGzip(f"{self._source}: the gzip data is damaged ({error})") from error
            if not (packed or piece):
                raise BrokenGzip(f"{self._source}: the gzip data is cut after {self._done:,} bytes")
            self._done += len(piece)
            found += piece
        return bytes(found)

    def skip(self, size: int) -> None:
        """Passes over the next `size` bytes. Raises BrokenGzip."""
        for first in range(0, size, _PIECE):
            self.read(min(_PIECE, size - first))

    def check_end(self) -> None:
        """Raises TrailingBytes unless the member, all read, is all of the file."""
        left = len(self._inflater.unused_data)
        while piece := self._file.read(_PIECE):
            left += len(piece)
        if left:
            raise TrailingBytes(f"{self._source}: {left:,} bytes left over after the gzip data")
