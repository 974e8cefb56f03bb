"""Symbols to bytes and back: one range-coded stream for a block, unit after unit, closed with the fewest bytes.

The coder is constriction's (32-bit words, 64-bit state, 24-bit tables), as FORMAT.md writes it down. The
encoder's final interval [low, low + range) holds numbers of few digits; the stream is the shortest byte string whose
value, with zeros after it without end, lies in there. So a stream costs about 0.3 bytes beyond its information.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from constriction import stream
from numpy.typing import NDArray

from engram.coding.tables import PRECISION, TableWeights
from engram.errors import CorruptData

Symbols = NDArray[np.int32]

_RUN = 1 << 12
"""How many symbols' tables are spread out in memory at once."""


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
        return shortest(encoder)

    def decode(self, data: bytes, count: int) -> Symbols:
        """int32[units, count]. Raises CorruptStream for data that is longer than any such stream, or in no interval."""
        symbols = np.zeros((self.units, count), np.int32)
        decoder = _decoder(data, len(self._models) * count, f"{self.units} x {count}")
        try:
            for unit, model in self._models if count else ():
                symbols[unit] = decoder.decode(model, count)
        except AssertionError:
            raise CorruptStream(f"a stream of {self.units} x {count} symbols leaves the coder's range") from None
        return symbols


class ContextCoder:
    """A coder of symbols each of which says by which of the tables[contexts, K] it is coded, 2 <= K."""

    def __init__(self, tables: TableWeights) -> None:
        self.tables = tables
        self._family = stream.model.Categorical(perfect=False)
        self._chances = (tables - 1).astype(np.float64)

    def __reduce__(self) -> tuple[type[ContextCoder], tuple[TableWeights]]:
        """How it is pickled: its tables."""
        return ContextCoder, (self.tables,)

    def encode(self, symbols: Symbols, contexts: NDArray[np.intp]) -> bytes:
        """The stream of symbols[n], each by the table of its context."""
        encoder = stream.queue.RangeEncoder()
        for first in range(0, len(symbols), _RUN):
            run = slice(first, first + _RUN)
            encoder.encode(symbols[run], self._family, self._chances[contexts[run]])
        return shortest(encoder)

    def reader(self, data: bytes, count: int) -> ContextReader:
        """What reads the stream of `count` symbols, some at a time. Raises CorruptStream for data too long for it."""
        return ContextReader(_decoder(data, count, str(count)), self._family, self._chances)


class ContextReader:
    """A stream that is being read."""

    def __init__(self, decoder: stream.queue.RangeDecoder, family: Any, chances: NDArray[np.float64]) -> None:
        self._decoder, self._family, self._chances = decoder, family, chances

    def read(self, contexts: NDArray[np.intp]) -> Symbols:
        """int32[n], the next symbols, by the tables of their contexts[n]. Raises CorruptStream."""
        if not len(contexts):
            return np.zeros(0, np.int32)
        try:
            symbols: Symbols = self._decoder.decode(self._family, self._chances[contexts])
        except AssertionError:
            raise CorruptStream(f"a stream leaves the coder's range within {len(contexts)} symbols") from None
        return symbols


def _decoder(data: bytes, symbols: int, described: str) -> stream.queue.RangeDecoder:
    """constriction's decoder of the stream of so many symbols. Raises CorruptStream for data that cannot be one."""
    longest = 4 * longest_words(symbols)
    if len(data) > longest or data[-1:] == b"\0":
        raise CorruptStream(f"{len(data)} bytes are no stream of {described} symbols")
    return stream.queue.RangeDecoder(np.frombuffer(data.ljust(longest, b"\0"), ">u4").astype(np.uint32))


def longest_words(symbols: int) -> int:
    """How many 32-bit words a stream of so many symbols can reach: each symbol narrows by 2^24 at most."""
    return -(-symbols * PRECISION // 32) + 2


def shortest(encoder: stream.queue.RangeEncoder) -> bytes:
    """The shortest byte string that names a point of the encoder's final interval."""
    words = encoder.get_compressed()
    position, (lower, width) = encoder.pos()
    size = 4 * (position + 2)
    # constriction's own choice lies in the interval and tells carries settled; go from it to the interval's start.
    point = int.from_bytes(words.astype(">u4").tobytes().ljust(size, b"\0"), "big")
    return shortest_within(point - ((point - lower) & (2**64 - 1)), width, size)


def shortest_within(start: int, width: int, size: int) -> bytes:
    """The shortest byte string that names a point of [start, start + width), given in units of its byte `size`."""
    keep = size
    while keep and -(-start >> 8 * (size - keep + 1)) << 8 * (size - keep + 1) < start + width:
        keep -= 1
    drop = 8 * (size - keep)
    shortest: int = -(-start >> drop)
    return shortest.to_bytes(keep, "big")
