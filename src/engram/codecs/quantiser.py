"""From a network's code, floats, to symbols: where the dial turns.

    value x of unit u   ->   q = (x - offset[u]) / step[u], to one of the two whole numbers around it
                        ->   symbol = q - low[u], clipped to 0 .. size[u] - 1

The decoder knows q alone and puts offset + step * q in the place of x. Steps are such that one step of any unit
changes the pixels by as much: for fine steps no other choice has less distortion at an equal rate. Of the two whole
numbers the encoder takes the one with the lower distortion + slope * bits, slope being that of the rate-distortion
curve at these steps; so a likely symbol is taken from a little further away.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import inf, log2

import numpy as np
from numpy.typing import NDArray

from engram.coding import tables
from engram.coding.linear import Floats
from engram.coding.tables import LARGEST_ALPHABET, Levels

SLOPE = 0.06
"""What a bit is worth, in squared steps. For fine steps theory says ln 2 / 6 = 0.116 (step^2 / 12 against -log2(step));
half of that does best on real codes at 0.25 to 1 bit, where the decoder's values are bins' centres, not means."""


@dataclass(frozen=True, eq=False)
class Quantiser:
    """steps, offsets: float64[units]; low: int64[units]; levels: a probability table for each unit."""

    steps: NDArray[np.float64]
    offsets: NDArray[np.float64]
    low: NDArray[np.int64]
    levels: tuple[Levels, ...]

    def symbols(self, codes: Floats) -> NDArray[np.int32]:
        """int32[n, units] of codes[n, units]."""
        x = (codes - self.offsets.astype(np.float32)) * (1 / self.steps).astype(np.float32)
        x -= self.low
        np.clip(x, 0, self.sizes - 1, out=x)
        below = x.astype(np.int32)
        x -= below
        below += x > self._thresholds.take(below + self._starts)
        return below

    def values(self, symbols: NDArray[np.int32]) -> Floats:
        """float32[n, units]: what the decoder puts in the codes' place."""
        return (self.offsets + self.steps * (symbols + self.low)).astype(np.float32)

    def ideal_bits(self, symbols: NDArray[np.int32]) -> float:
        """The ideal code length of symbols[n, units], in bits an image."""
        return float(self._bits.take(symbols + self._starts).sum() / max(1, len(symbols)))

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """How many symbols each unit has."""
        return np.array([len(levels) for levels in self.levels], np.int64)

    @cached_property
    def _starts(self) -> NDArray[np.int32]:
        return (np.cumsum(self.sizes) - self.sizes).astype(np.int32)

    @cached_property
    def _bits(self) -> NDArray[np.float64]:
        return np.concatenate([tables.bits_of(tables.weights_of(levels)) for levels in self.levels])

    @cached_property
    def _thresholds(self) -> NDArray[np.float32]:
        """Above which fraction the upper of two neighbours is taken; the last symbol has none above."""
        thresholds = 0.5 + SLOPE / 2 * np.diff(self._bits, append=0)
        thresholds[self._starts + self.sizes - 1] = np.inf
        return thresholds.astype(np.float32)


def fit(codes: Floats, grid: NDArray[np.float64], offsets: NDArray[np.float64], bits: float) -> Quantiser:
    """The quantiser with steps a common multiple of grid[units], at `bits` a unit in the mean over codes[n, units].

    The rate is met within 0.005 bits where any multiple meets it.
    """
    octaves, finer, coarser = 2.0 - bits - log2(grid.max()), -inf, inf
    best: tuple[float, Quantiser] | None = None
    for _ in range(24):
        quantiser = _fit_steps(codes, grid * 2**octaves, offsets)
        excess = quantiser.ideal_bits(quantiser.symbols(codes)) / codes.shape[1] - bits
        if best is None or abs(excess) < best[0]:
            best = abs(excess), quantiser
        if abs(excess) < 0.005:
            break
        finer, coarser = (octaves, coarser) if excess > 0 else (finer, octaves)
        octaves += max(-1.0, min(1.0, excess)) * 1.2  # an octave of the steps is one bit, for fine steps
        if not finer < octaves < coarser:
            octaves = (finer + coarser) / 2
    assert best is not None
    return best[1]


def _fit_steps(codes: Floats, steps: NDArray[np.float64], offsets: NDArray[np.float64]) -> Quantiser:
    """The quantiser of these steps: ranges and tables from the codes, twice, as the choice of symbols follows them."""
    q = np.rint((codes - offsets) / steps)
    low, high = q.min(axis=0).astype(np.int64), q.max(axis=0).astype(np.int64)
    margin = np.where(high > low, 1 + (high - low) // 8, 0)  # for codes beyond those seen; a silent unit stays silent
    low -= margin
    high = np.minimum(high + margin, low + LARGEST_ALPHABET - 1)
    symbols = (q - low).astype(np.int64)
    for _ in range(2):
        levels = tuple(
            tables.fit(np.bincount(np.minimum(unit, top), minlength=top + 1))
            for unit, top in zip(symbols.T, (high - low).tolist(), strict=True)
        )
        quantiser = Quantiser(steps, offsets, low, levels)
        symbols = quantiser.symbols(codes)
    return quantiser
