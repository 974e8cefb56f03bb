"""From a network's code, floats, to symbols: where the dial turns.

    value x of unit u   ->   z = (x - offset[u]) / step[u] - low[u]
                        ->   symbol: one of the two whole numbers around z less the feedback, in 0 .. size[u] - 1

The decoder knows the symbol alone and puts offset + step * (low + symbol) in the place of x. Steps are such that one
step of any unit changes the pixels by as much: for fine steps no other choice has less distortion at an equal rate.
The feedback is that of `shaping`. Of the two whole numbers the encoder takes the one with the lower
distortion + slope * bits, so a likely symbol is taken from a little further away.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import inf, log2

import numpy as np
from numpy.typing import NDArray

from engram.codecs.shaping import Shaping
from engram.coding import tables
from engram.coding.linear import Floats
from engram.coding.rangecoder import Symbols
from engram.coding.tables import LARGEST_ALPHABET, Levels

SLOPE = 0.06
"""What a bit is worth, in squared steps. For fine steps theory says ln 2 / 6 = 0.116 (step^2 / 12 against -log2(step));
half of that does best on real codes at 0.25 to 1 bit, where the decoder's values are bins' centres, not means."""
_FINE = 2.0**-14
"""z and the feedback are multiples of this, so sums of their products are exact, the same in any order."""
_GROUP, _CHUNK = 32, 1500


@dataclass(frozen=True, eq=False)
class Quantiser:
    """steps, offsets: float64[units]; low: int64[units]; levels: a probability table for each unit."""

    steps: NDArray[np.float64]
    offsets: NDArray[np.float64]
    low: NDArray[np.int64]
    levels: tuple[Levels, ...]
    shaping: Shaping

    def symbols(self, codes: Floats) -> Symbols:
        """int32[units, n] of codes[n, units]; each image's symbols are its own, whatever the others are."""
        symbols = np.empty(codes.shape[::-1], np.int32)
        for start in range(0, len(codes), _CHUNK):
            symbols[:, start : start + _CHUNK] = self._shaped(codes[start : start + _CHUNK])
        return symbols

    def _shaped(self, codes: Floats) -> Symbols:
        order, feedback = self.shaping.order, self._feedback
        z = codes[:, order].T / self.steps[order, None] - (self.offsets / self.steps + self.low)[order, None]
        z = np.rint(z / _FINE) * _FINE
        aims, errors, symbols = z.copy(), np.empty_like(z), np.empty(z.shape, np.int32)
        for end in range(len(z), 0, -_GROUP):  # errors reach the units of other groups in one product
            start = max(0, end - _GROUP)
            for i in range(end - 1, start - 1, -1):
                aim = aims[i] - feedback[i, i + 1 : end] @ errors[i + 1 : end]
                symbols[order[i]] = self._nearest(order[i], aim)
                errors[i] = symbols[order[i]] - z[i]
            aims[:start] -= feedback[:start, start:end] @ errors[start:end]
        return symbols

    def _nearest(self, unit: int, aim: NDArray[np.float64]) -> NDArray[np.int32]:
        """The symbols of least distortion and rate; overwrites `aim`."""
        thresholds = self._thresholds[unit]
        np.maximum(aim, 0, out=aim)
        np.minimum(aim, len(thresholds) - 1, out=aim)
        below = aim.astype(np.int32)
        aim -= below
        below += aim > thresholds[below]
        return below

    def values(self, symbols: Symbols) -> Floats:
        """float32[n, units] of symbols[units, n]: what the decoder puts in the codes' place."""
        return (self.offsets + self.steps * (symbols.T + self.low)).astype(np.float32)

    def ideal_bits(self, symbols: Symbols) -> float:
        """The ideal code length of symbols[units, n], in bits an image."""
        bits = sum(float(unit[row].sum()) for unit, row in zip(self._bits, symbols, strict=True))
        images: int = max(1, symbols.shape[1])
        return bits / images

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """How many symbols each unit has."""
        return np.array([len(levels) for levels in self.levels], np.int64)

    @cached_property
    def _bits(self) -> list[NDArray[np.float64]]:
        return [tables.bits_of(tables.weights_of(levels)) for levels in self.levels]

    @cached_property
    def _thresholds(self) -> list[NDArray[np.float64]]:
        """Above which fraction the upper of two neighbours is taken; the last symbol has none above."""
        return [np.append(0.5 + SLOPE / 2 * np.diff(bits), inf) for bits in self._bits]

    @cached_property
    def _feedback(self) -> NDArray[np.float64]:
        """The shaping's feedback between errors in steps."""
        steps = self.steps[self.shaping.order]
        between: NDArray[np.float64] = self.shaping.feedback * np.divide.outer(1 / steps, 1 / steps)
        return np.rint(between / _FINE) * _FINE


def fit(
    codes: Floats, grid: NDArray[np.float64], offsets: NDArray[np.float64], shaping: Shaping, bits: float
) -> Quantiser:
    """The quantiser with steps a common multiple of grid[units], at `bits` a unit in the mean over codes[n, units].

    The rate is met within 0.005 bits where any multiple meets it.
    """
    octaves, finer, coarser = 2.0 - bits - log2(grid.max()), -inf, inf
    best: tuple[float, Quantiser] | None = None
    for _ in range(24):
        quantiser = _fit_steps(codes, grid * 2**octaves, offsets, shaping)
        excess = quantiser.ideal_bits(quantiser.symbols(codes)) / codes.shape[1] - bits
        if best is None or abs(excess) < best[0]:
            best = abs(excess), quantiser
        if abs(excess) < 0.005:
            break
        finer, coarser = (octaves, coarser) if excess > 0 else (finer, octaves)
        octaves += 1.2 * max(-1.0, min(1.0, excess))  # an octave of the steps is one bit, for fine steps
        if not finer < octaves < coarser:
            octaves = (finer + coarser) / 2
    assert best is not None
    return best[1]


def _fit_steps(codes: Floats, steps: NDArray[np.float64], offsets: NDArray[np.float64], shaping: Shaping) -> Quantiser:
    """The quantiser of these steps: ranges and tables from the codes, twice, as the choice of symbols follows them."""
    q = (codes - offsets) / steps
    low, high = np.floor(q.min(axis=0)).astype(np.int64), np.ceil(q.max(axis=0)).astype(np.int64)
    room = 1 + (high - low) // 2  # for what feedback adds
    low, high = low - room, np.minimum(high + room, low - room + LARGEST_ALPHABET - 1)
    even = tuple(np.zeros(size, np.uint8) for size in (high - low + 1).tolist())
    quantiser = Quantiser(steps, offsets, low, even, shaping)
    for _ in range(2):
        seen = quantiser.symbols(codes) + quantiser.low[:, None]
        low, high = seen.min(axis=1), seen.max(axis=1)
        margin = np.where(high > low, 1 + (high - low) // 8, 0)  # for other images; a silent unit stays silent
        low, high = low - margin, np.minimum(high + margin, low - margin + LARGEST_ALPHABET - 1)
        counts = [np.bincount(row) for row in np.minimum(seen, high[:, None]) - low[:, None]]
        levels = [
            tables.fit(np.pad(row, (0, size - len(row)))) for row, size in zip(counts, high - low + 1, strict=True)
        ]
        quantiser = Quantiser(steps, offsets, low, tuple(levels), shaping)
    return quantiser
