"""The index of a segment: how long each of its pieces is, and its checksum. As parse and emit."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engram.archive.errors import CorruptDirectory
from engram.archive.format import Directory
from engram.errors import UsageError


@dataclass(frozen=True, eq=False)
class Index:
    """The lengths and checksums of all pieces. Where a piece lies follows by addition: none can overlap another."""

    lengths: NDArray[np.int64]
    checksums: NDArray[np.uint32]

    @classmethod
    def of(cls, pieces: Sequence[bytes]) -> Index:
        """That of pieces in memory."""
        return cls(
            np.array([len(piece) for piece in pieces], np.int64),
            np.array([zlib.crc32(piece) for piece in pieces], np.uint32),
        )

    @property
    def width(self) -> int:
        """The fewest bytes that hold the longest length, at least 1."""
        return max(1, -(-int(self.lengths.max(initial=0)).bit_length() // 8))


def emit_index(index: Index) -> bytes:
    """All lengths, each in `width` bytes, then all checksums; little-endian. Raises UsageError above 4 GiB a piece."""
    if index.width > 4:
        raise UsageError(f"a piece of {index.lengths.max():,} bytes; an archive's pieces have less than 4 GiB")
    lengths = index.lengths.astype("<u4").view(np.uint8).reshape(-1, 4)[:, : index.width]
    return lengths.tobytes() + index.checksums.astype("<u4").tobytes()


def parse_index(data: bytes, directory: Directory) -> Index:
    """Raises CorruptDirectory."""
    pieces, width = directory.pieces, directory.width
    if len(data) != directory.index_bytes or zlib.crc32(data) != directory.index_crc32:
        raise CorruptDirectory("the index's checksum is wrong")
    lengths = np.zeros((pieces, 4), np.uint8)
    lengths[:, :width] = np.frombuffer(data, np.uint8, pieces * width).reshape(pieces, width)
    checksums = np.frombuffer(data, "<u4", offset=pieces * width).copy()
    index = Index(lengths.view("<u4")[:, 0].astype(np.int64), checksums)
    if index.width != width:
        raise CorruptDirectory(f"lengths of pieces have {width} bytes where {index.width} would do")
    return index
