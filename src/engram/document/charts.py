"""Numbers as curves."""

from __future__ import annotations

import math
from dataclasses import dataclass

from engram.document.malformed import check, check_name

LARGEST = 1e300
"""The largest number on an axis, and over 1 the smallest on a logarithmic one: room around them stays finite."""


@dataclass(frozen=True)
class Series:
    """One curve; `low` and `high` are the band over seeds, where there is one."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.x)
        check(len(self.y) == n, f"curve {self.label!r}: {n} x for {len(self.y)} y")
        check(
            len(self.low) == len(self.high) and len(self.low) in (0, n),
            f"curve {self.label!r}: a band of {len(self.low)} low and {len(self.high)} high values around {n} points",
        )


@dataclass(frozen=True)
class LineChart:
    name: str
    caption: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    logarithmic: bool = False  # the y axis; what is not above zero is left out

    def __post_init__(self) -> None:
        check_name(self.name)


@dataclass(frozen=True)
class Point:
    """A place in a RateChart. `title` and `details`, (name, printed value), are shown when a reader asks for it.

    y may be infinity, as the PSNR of what is lossless: such a point stands on a line of its own, above all others.
    """

    x: float
    y: float
    title: str
    details: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        check(
            abs(self.x) <= LARGEST and (abs(self.y) <= LARGEST or self.y == math.inf),
            f"point {self.title!r}: ({self.x}, {self.y}) has no place in a chart; leave it out",
        )


@dataclass(frozen=True)
class Curve:
    """What one method reaches: its points in the order in which they are joined, or not joined at all."""

    label: str
    group: str
    points: tuple[Point, ...]
    joined: bool = True


@dataclass(frozen=True)
class Reference:
    """A horizontal line across a RateChart, such as the accuracy on the originals."""

    label: str
    y: float

    def __post_init__(self) -> None:
        check(abs(self.y) <= LARGEST, f"reference {self.label!r}: no line can be drawn at {self.y}")


@dataclass(frozen=True)
class RateChart:
    """Up to some forty curves whose points can be read and which can be shown or hidden, alone or by group.

    A group has one colour, a curve in it one mark. `groups` is the order of the groups and so of their colours, equal
    in all charts with equal `groups`; one that it lacks follows, in the order of the curves. The first group stands
    out. Of curves that have no room for their labels, those that come first keep them.
    """

    name: str
    caption: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    groups: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    logarithmic_x: bool = False

    def __post_init__(self) -> None:
        check_name(self.name)
        for titles, what in (
            ([curve.label for curve in self.curves], "curves"),
            (list(self.groups), "groups"),
        ):
            check(len(set(titles)) == len(titles), f"chart {self.name!r}: two {what} have one name")
        for point in (point for curve in self.curves for point in curve.points):
            check(
                point.x * LARGEST >= 1 or not self.logarithmic_x,
                f"chart {self.name!r}: point {point.title!r} at x = {point.x} has no place on a logarithmic axis",
            )
