"""Rate-distortion curves: bytes at a PSNR, and the Bjontegaard rate between two curves.

A curve goes through measured points as a monotone piecewise cubic of log rate over PSNR (Fritsch and Carlson, 1980;
end slopes and weights as in PCHIP), so it never swings between points as the polynomial of Bjontegaard's first proposal
(VCEG-M33, 2001) does, and is defined between its first and last point only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from engram.errors import UsageError

Point = tuple[float, float]
"""(rate in bytes, PSNR in dB)."""


class NoCurve(UsageError):
    """Points that make no curve: fewer than two, of no rate, infinite, or not rising together."""


class OutsideCurve(UsageError):
    """A PSNR that a curve does not reach, or two curves of which one ends where the other has not begun."""


def front(points: Iterable[Point]) -> list[Point]:
    """The points that no other equals in both figures or better, from the lowest rate up: PSNR rises with the rate."""
    best: list[Point] = []
    for rate, psnr_db in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or psnr_db > best[-1][1]:
            best.append((rate, psnr_db))
    return best


@final
@dataclass(frozen=True, eq=False)
class Curve:
    """Log rate over PSNR through points given in any order. Raises NoCurve; `front` takes out what falls."""

    points: tuple[Point, ...]

    def __init__(self, points: Iterable[Point]) -> None:
        object.__setattr__(self, "points", tuple(sorted(points)))
        if len(self.points) < 2:
            raise NoCurve(f"a curve needs two points, not {len(self.points)}")
        rates, decibels = np.array(self.points).T
        if not (np.isfinite(rates).all() and np.isfinite(decibels).all() and rates[0] > 0):
            raise NoCurve("the points of a curve are finite, and their rates above 0")
        if (np.diff(rates) <= 0).any() or (np.diff(decibels) <= 0).any():
            raise NoCurve(f"PSNR must rise with the rate, which it does not in {self.points}; take their front")

    @property
    def psnr_db(self) -> NDArray[np.float64]:
        """The PSNR of each point, rising."""
        return np.array([psnr_db for _, psnr_db in self.points])

    def rate_at(self, psnr_db: float) -> float:
        """The bytes at a PSNR. Raises OutsideCurve."""
        first, last = self.points[0][1], self.points[-1][1]
        if not first <= psnr_db <= last:
            raise OutsideCurve(f"the curve runs from {first:.2f} to {last:.2f} dB, which leaves out {psnr_db:.2f}")
        return float(np.exp(self.log_rates(np.array([psnr_db])))[0])

    def log_rates(self, psnr_db: NDArray[np.float64]) -> NDArray[np.float64]:
        """The natural logarithm of the rate at PSNRs within the curve."""
        x, y = self.psnr_db, np.log([rate for rate, _ in self.points])
        slopes = _slopes(np.diff(x), np.diff(y) / np.diff(x))
        left = np.clip(np.searchsorted(x, psnr_db, side="right") - 1, 0, len(x) - 2)
        width = np.diff(x)[left]
        t = (psnr_db - x[left]) / width
        values: NDArray[np.float64] = (  # Hermite's cubic
            (1 + 2 * t) * (1 - t) ** 2 * y[left]
            + t * (1 - t) ** 2 * width * slopes[left]
            + t**2 * (3 - 2 * t) * y[left + 1]
            + t**2 * (t - 1) * width * slopes[left + 1]
        )
        return values


def bjontegaard_rate(anchor: Curve, other: Curve) -> float:
    """By how many per cent the other's rate differs from the anchor's at equal PSNR; -50 is half the bytes.

    The mean, in the logarithm, over the PSNRs that both curves reach. Raises OutsideCurve where there are none.
    """
    low = max(anchor.psnr_db[0], other.psnr_db[0])
    high = min(anchor.psnr_db[-1], other.psnr_db[-1])
    if low >= high:
        raise OutsideCurve(
            f"the curves share no PSNR: {anchor.psnr_db[0]:.2f} to {anchor.psnr_db[-1]:.2f} dB "
            f"and {other.psnr_db[0]:.2f} to {other.psnr_db[-1]:.2f}"
        )
    knots = np.unique(np.concatenate([anchor.psnr_db, other.psnr_db, [low, high]]))
    knots = knots[(low <= knots) & (knots <= high)]
    between = (knots[:-1] + knots[1:]) / 2
    at_knots, at_middles = (other.log_rates(at) - anchor.log_rates(at) for at in (knots, between))
    # Between two knots the difference is one cubic, of which Simpson's rule is the exact integral.
    area = (np.diff(knots) / 6 * (at_knots[:-1] + 4 * at_middles + at_knots[1:])).sum()
    return 100 * math.expm1(float(area) / float(high - low))


def _slopes(widths: NDArray[np.float64], secants: NDArray[np.float64]) -> NDArray[np.float64]:
    """The slope at each point, for secants that are all above 0: a weighted harmonic mean of the secants beside it."""
    if len(secants) == 1:
        return np.repeat(secants, 2)
    before, after = widths[:-1] + 2 * widths[1:], 2 * widths[:-1] + widths[1:]
    inner = (before + after) / (before / secants[:-1] + after / secants[1:])
    first = _end_slope(widths[0], widths[1], secants[0], secants[1])
    last = _end_slope(widths[-1], widths[-2], secants[-1], secants[-2])
    return np.concatenate([[first], inner, [last]])


def _end_slope(width: float, next_width: float, secant: float, next_secant: float) -> float:
    """The parabola's slope through the last three points, kept from falling and from overshooting."""
    slope = ((2 * width + next_width) * secant - width * next_secant) / (width + next_width)
    return min(max(slope, 0.0), 3 * secant)
