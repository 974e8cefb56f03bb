"""A sequence of whole numbers as few bytes: zigzag, byte planes, LZMA2.

    number v, -2^31 <= v < 2^31   ->   z = 2v where v >= 0, -2v - 1 where v < 0      uint32
    four planes: the lowest byte of every z, then the next byte of every z, ...      4 * count bytes
    LZMA2, a raw stream without container, dictionary of 2^20 bytes

Small numbers leave the upper planes zero, which cost nothing; the weights of a network come within some per cent of
their entropy.
"""

from __future__ import annotations

import lzma

import numpy as np
from numpy.typing import NDArray

from engram.errors import CorruptData

Numbers = NDArray[np.int32]

_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 20, "lc": 0, "lp": 0, "pb": 0}]


class CorruptNumbers(CorruptData):
    """Bytes that are not as many whole numbers as they should be."""


def pack(numbers: Numbers) -> bytes:
    """The bytes of int32[count]."""
    zigzag = ((numbers << 1) ^ (numbers >> 31)).astype("<i4")
    planes = zigzag.view(np.uint8).reshape(-1, 4).T
    return lzma.compress(np.ascontiguousarray(planes).data, lzma.FORMAT_RAW, filters=_FILTERS)


def unpack(data: bytes, count: int) -> Numbers:
    """int32[count]. Raises CorruptNumbers unless the bytes hold that many and nothing else."""
    stream = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS)
    try:
        planes = stream.decompress(data, 4 * count + 1)
    except lzma.LZMAError as error:
        raise CorruptNumbers(f"{count} numbers are not an LZMA2 stream: {error}") from None
    if len(planes) != 4 * count or not stream.eof or stream.unused_data:
        raise CorruptNumbers(f"the stream must hold {count} numbers exactly, and end there")
    zigzag = np.frombuffer(planes, np.uint8).reshape(4, count).T.copy().view("<u4").reshape(count)
    return (zigzag >> 1).astype(np.int32) ^ -(zigzag & 1).astype(np.int32)
