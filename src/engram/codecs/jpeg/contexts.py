"""What is known of a coefficient before it is decoded, and by which table its magnitude is coded.

A magnitude's symbol is itself below 16, else 12 plus its highest bit's number. Of DC coefficients, what is coded is
the difference from the mean of those of the blocks to the left and above. The symbols that are known already, of the
same block at lower frequencies and of those two blocks, say how large the next is likely to be: a weighted sum, with
weights for each frequency of luma and of chroma, in 1/128 of a symbol. Its size decides the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engram.coding.jpeg import SIDE

Integers = NDArray[np.int64]

ALPHABET = 24
CONTEXTS = 40
"""Tables of each of the four classes: DC and others, of luma and of chroma."""
UNIT = 128
LARGEST_SUM = 2047
DIRECT = 16
_BELOW = ((0, -1), (-1, 0), (-1, -1), (0, -2), (-2, 0), (-1, 1), (-2, 1), (1, -2))
"""(vertical, horizontal) steps to lower frequencies that are known."""
TAPS = len(_BELOW) + 2


def symbols_of(magnitudes: Integers) -> Integers:
    """0 to 23 of 0 to 4095."""
    highest = np.frexp(np.maximum(magnitudes, 1).astype(np.float64))[1].astype(np.int64) - 1
    return np.where(magnitudes < DIRECT, magnitudes, highest + 12)


def bits_below(symbols: Integers) -> Integers:
    """How many bits of a magnitude its symbol leaves open."""
    return np.where(symbols < DIRECT, 0, symbols - 12)


def context_of(sums: Integers) -> Integers:
    """0 to 39 of sums of any size: four to each doubling."""
    sums = np.clip(sums, 0, LARGEST_SUM)
    length = np.frexp(sums.astype(np.float64))[1].astype(np.int64)
    return np.where(sums < 4, sums, 4 * (length - 2) + (sums >> np.maximum(length - 3, 0) & 3))


@dataclass(frozen=True)
class Order:
    """The units, which are the coefficients of an image: component by component, block by block, row by row.

    grids: (rows, columns) of the blocks of each component.
    """

    grids: tuple[tuple[int, int], ...]

    @cached_property
    def places(self) -> Integers:
        """int64[units, 5]: component, row, column, vertical, horizontal frequency."""
        parts = [np.indices((1, *grid, SIDE, SIDE)).reshape(5, -1).T for grid in self.grids]
        for component, part in enumerate(parts):
            part[:, 0] = component
        return np.concatenate(parts)

    @property
    def units(self) -> int:
        return len(self.places)

    @cached_property
    def kinds(self) -> Integers:
        """int64[units]: 0 to 63 by frequency for luma, 64 to 127 for chroma."""
        component, _, _, v, u = self.places.T
        kinds: Integers = (component > 0) * SIDE**2 + v * SIDE + u
        return kinds

    @cached_property
    def classes(self) -> Integers:
        """int64[units], 0 to 3: 2 for chroma, and 1 for other than DC."""
        return 2 * (self.kinds // SIDE**2) + (self.kinds % SIDE**2 > 0)

    @cached_property
    def taps(self) -> Integers:
        """int64[units, 10]: the units whose symbols are looked at; `units`, where there is none, stands for 0."""
        component, row, column, v, u = self.places.T
        this = np.arange(self.units)
        columns = np.array([count for _, count in self.grids])[component]
        taps = [
            np.where(
                (v + dv >= 0) & (u + du >= 0) & (u + du < SIDE) & (v + dv < SIDE), this + dv * SIDE + du, self.units
            )
            for dv, du in _BELOW
        ]
        taps.append(np.where(column > 0, this - SIDE**2, self.units))
        taps.append(np.where(row > 0, this - columns * SIDE**2, self.units))
        return np.stack(taps, 1)

    @cached_property
    def waves(self) -> list[Integers]:
        """The units that are decoded together, those of one row + column + 3 v + 2 u: all their taps come before."""
        _, row, column, v, u = self.places.T
        time = row + column + 3 * v + 2 * u
        order = np.argsort(time, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(time[order])) + 1)

    def differences(self, coefficients: Integers) -> Integers:
        """What is coded of int64[n, units]: of DC, how far it is from the mean of its neighbours' in the plane."""
        coded = coefficients.copy()
        for unit, expected in self._expected(coefficients):
            coded[:, unit] -= expected
        return coded

    def coefficients(self, differences: Integers) -> Integers:
        """What `differences` made these of."""
        found = differences.copy()
        for unit, expected in self._expected(found):
            found[:, unit] += expected
        return found

    def _expected(self, coefficients: Integers) -> Iterator[tuple[int, Integers]]:
        """(unit, what is expected of it) of each DC coefficient but a plane's first, in order; reads those before."""
        for unit in np.flatnonzero(self.kinds % SIDE**2 == 0).tolist():
            near = [tap for tap in self.taps[unit, -2:].tolist() if tap < self.units]
            if near:
                yield unit, coefficients[:, near].sum(1) // len(near)

    def sums(self, symbols: Integers, units: Integers, weights: Integers) -> Integers:
        """int64[n, len(units)] of the symbols int64[n, units + 1], the last 0; weights[kinds, 11]."""
        mine = weights[self.kinds[units]]
        sums: Integers = np.einsum("nut,ut->nu", symbols[:, self.taps[units]], mine[:, :-1]) + mine[:, -1]
        return sums
