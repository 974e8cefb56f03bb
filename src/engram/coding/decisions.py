"""Yes-or-no decisions to bytes and back: one range-coded stream, each decision with a probability of its own.

The coder is that of `rangecoder`. A decision whose "yes" has weight w of 2^24, 1 <= w < 2^24, is a symbol of a table of
two, "no" first: 2^24 - w, w.
"""

from __future__ import annotations

import numpy as np
from constriction import stream
from numpy.typing import NDArray

from engram.coding.rangecoder import CorruptStream, shortest
from engram.coding.tables import PRECISION

_FAMILY = stream.model.Categorical(perfect=False)


def _tables(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The tables as constriction takes them, which gives each symbol the weight it is told, and one more."""
    tables = np.empty((len(weights), 2))
    np.subtract(float((1 << PRECISION) - 1), weights, out=tables[:, 0])
    np.subtract(weights, 1.0, out=tables[:, 1])
    return tables


class Encoder:
    """Gathers decisions in order into a stream."""

    def __init__(self) -> None:
        self._encoder = stream.queue.RangeEncoder()

    def encode(self, bits: NDArray[np.int32], weights: NDArray[np.float64]) -> None:
        """Adds decisions: bits int32[n], 1 is "yes"; weights float64[n], whole numbers."""
        if len(bits):
            self._encoder.encode(bits, _FAMILY, _tables(weights))

    def finish(self) -> bytes:
        """The shortest bytes that hold what was gathered."""
        return shortest(self._encoder)


class Decoder:
    """The decisions of a stream, in order. Raises CorruptStream for bytes that no encoder ends with."""

    def __init__(self, data: bytes) -> None:
        if data[-1:] == b"\0":
            raise CorruptStream("a stream does not end with a byte of 0")
        words = np.frombuffer(data.ljust(-(-len(data) // 4) * 4, b"\0"), ">u4").astype(np.uint32)
        self._decoder = stream.queue.RangeDecoder(words)

    def decode(self, weights: NDArray[np.float64]) -> NDArray[np.int32]:
        """int32[n] of the next n decisions. Raises CorruptStream."""
        try:
            bits: NDArray[np.int32] = self._decoder.decode(_FAMILY, _tables(weights))
        except AssertionError:
            raise CorruptStream("a stream of decisions leaves the coder's range") from None
        return bits
