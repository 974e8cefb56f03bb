"""Symbols to bytes and back: one range-coded stream for a block, unit after unit, closed with the fewest bytes.

The coder is constriction's (32-bit words, 64-bit state, 24-bit tables), as FORMAT.md writes it down. The
encoder's final interval [low, low + range) holds numbers of few digits; the stream is the shortest byte string whose
value, with zeros after it without end, lies in there. So a stream costs about 0.3 bytes beyond its information.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from constriction import stream
from numpy.typing import NDArray

from engram.coding.tables import PRECISION, TableWeights
from engram.errors import CorruptData

Symbols = NDArray[np.int32]


class CorruptStream(CorruptData):
    """Bytes that no encoder made of as many symbols."""


class RangeCoder:
    """A coder of symbols[units, n], unit u by its own table; a unit whose table has one symbol costs nothing."""

    def __init__(self, tables: Sequence[TableWeights]) -> None:
        self.tables, self.units = tables, len(tables)
        self._models = [
            (unit, stream.model.Categorical((weights - 1).astype(np.float64), perfect=False))
            for unit, weights in enumerate(tables)
            if len(weights) > 1
        ]

    def __reduce__(self) -> tuple[type[RangeCoder], tuple[Sequence[TableWeights]]]:
        """How it is pickled: its tables; constriction's models are made of them again."""
        return RangeCoder, (self.tables,)

    def encode(self, symbols: Symbols) -> bytes:
        """The stream of symbols[units, n], each below its table's size."""
        encoder = stream.queue.RangeEncoder()
        if symbols.shape[1]:
            for unit, model in self._models:
                encoder.encode(symbols[unit], model)
        return _shortest(encoder)

    def decode(self, data: bytes, count: int) -> Symbols:
        """int32[units, count]. Raises CorruptStream for data that is longer than any such stream, or in no interval."""
        longest = 4 * longest_words(len(self._models) * count)
        if len(data) > longest or data[-1:] == b"\0":
            raise CorruptStream(f"{len(data)} bytes are no stream of {self.units} x {count} symbols")
        words = np.frombuffer(data.ljust(longest, b"\0"), ">u4").astype(np.uint32)
        symbols = np.zeros((self.units, count), np.int32)
        decoder = stream.queue.RangeDecoder(words)
        try:
            for unit, model in self._models if count else ():
                symbols[unit] = decoder.decode(model, count)
        except AssertionError:
            raise CorruptStream(f"a stream of {self.units} x {count} symbols leaves the coder's range") from None
        return symbols


def longest_words(symbols: int) -> int:
    """How many 32-bit words a stream of so many symbols can reach: each symbol narrows by 2^24 at most."""
    return -(-symbols * PRECISION // 32) + 2


def _shortest(encoder: stream.queue.RangeEncoder) -> bytes:
    """The shortest byte string that names a point of the encoder's final interval."""
    words = encoder.get_compressed()
    position, (lower, width) = encoder.pos()
    size = 4 * (position + 2)
    # constriction's own choice lies in the interval and tells carries settled; go from it to the interval's start.
    point = int.from_bytes(words.astype(">u4").tobytes().ljust(size, b"\0"), "big")
    start: int = point - ((point - lower) & (2**64 - 1))
    keep = size
    while keep and -(-start >> 8 * (size - keep + 1)) << 8 * (size - keep + 1) < start + width:
        keep -= 1
    drop = 8 * (size - keep)
    shortest: int = -(-start >> drop)
    return shortest.to_bytes(keep, "big")
