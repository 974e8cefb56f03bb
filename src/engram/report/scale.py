"""Numbers along an axis: where each stands, and which are named."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

MARGIN = 0.04  # of an axis's length, beyond the outermost values
MANTISSAS = ((1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))
STEPS = (1, 2, 5, 10, 20)


@dataclass(frozen=True)
class Scale:
    """An axis from `low` to `high`, drawn from pixel `start` to pixel `end`, which may be the smaller."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    @classmethod
    def around(cls, values: Iterable[float], start: float, end: float, logarithmic: bool = False) -> Scale:
        """The axis on which all the values find room, of sizes up to those that a chart takes."""
        found = [math.log10(value) if logarithmic else value for value in values] or [0.0, 1.0]
        low, high = min(found), max(found)
        if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300):
            room = 0.3 if logarithmic else max(abs(high) / 2, 1e-6) if high else 1.0
        else:
            room = MARGIN * (high - low)
        return cls(low - room, high + room, start, end, logarithmic)

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        place = math.log10(value) if self.logarithmic else value
        return self.start + (place - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, most: int) -> list[float]:
        """Round values along the axis, `most` of them or fewer; at least 1 is asked for."""
        if not self.logarithmic:
            return _multiples(self.low, self.high, most)
        found = self._powers(most)
        return found if len(found) > 1 or self.high - self.low > 1 else _multiples(10**self.low, 10**self.high, most)

    def _powers(self, most: int) -> list[float]:
        decades = range(max(math.floor(self.low), -307), min(math.floor(self.high), 307) + 1)  # as floats reach
        for mantissas in MANTISSAS:
            found = [
                float(f"{mantissa}e{decade}")
                for decade in decades
                for mantissa in mantissas
                if self.low <= decade + math.log10(mantissa) <= self.high
            ]
            if len(found) <= most:
                return found
        return found[:: -(-len(found) // most)]


def _multiples(low: float, high: float, most: int) -> list[float]:
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    for step in (factor * power for factor in STEPS):
        first, last = math.ceil(low / step), math.floor(high / step)
        if last - first < most:
            return [float(f"{place * step:.12g}") for place in range(first, last + 1)]
    return []
