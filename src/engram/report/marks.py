"""How a curve is told from another: its group by colour and dashes, the curve within its group by its mark."""

from __future__ import annotations

from typing import NamedTuple
from xml.etree.ElementTree import Element

from engram.document import RateChart
from engram.report.ink import color
from engram.report.svg import element

HUES = ("blue", "vermillion", "green", "purple", "muted", "orange", "sky")
DASHES = ("none", "7 2.5", "2 2.5", "9 2.5 2 2.5", "none", "5 5", "1 4")
OUTLINES = (
    "M-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0 -6.8 0z",
    "M-3.1 -3.1h6.2v6.2h-6.2z",
    "M0 -4.1L3.9 2.9H-3.9z",
    "M0 -4.4L4.1 0L0 4.4L-4.1 0z",
    "M0 4.1L3.9 -2.9H-3.9z",
    "M-1.3 -3.9h2.6v2.6h2.6v2.6h-2.6v2.6h-2.6v-2.6h-2.6v-2.6h2.6z",
    "M0 -4.3L4.1 -1.2L2.5 3.5H-2.5L-4.1 -1.2z",
)
"""Filled first, then hollow: fourteen marks for the curves of a group."""


class Look(NamedTuple):
    """A curve's colour by name, its dashes, its width, and its mark."""

    hue: str
    dashes: str
    width: float
    outline: str = ""
    hollow: bool = False

    @property
    def line(self) -> str:
        """The line's style."""
        dashes = "" if self.dashes == "none" else f"; stroke-dasharray: {self.dashes}"
        return f"fill: none; stroke: {color(self.hue)}; stroke-width: {self.width}{dashes}"

    @property
    def words(self) -> str:
        """The ink of words in this colour."""
        return self.hue if self.hue == "muted" else f"{self.hue}-words"

    def mark(self, x: float, y: float, **attributes: object) -> Element:
        """The mark at a place."""
        fill, edge = ("paper", self.hue) if self.hollow else (self.hue, "paper")
        style = f"fill: {color(fill)}; stroke: {color(edge)}; stroke-width: {1.5 if self.hollow else 0.9}"
        return element("path", d=self.outline, transform=f"translate({x:.2f} {y:.2f})", style=style, **attributes)


def groups(chart: RateChart) -> list[str]:
    """The groups in the order of their colours."""
    return list(dict.fromkeys([*chart.groups, *(curve.group for curve in chart.curves)]))


def group_look(chart: RateChart, group: str) -> Look:
    """The look that all curves of a group share."""
    place = groups(chart).index(group)
    return Look(HUES[place % len(HUES)], DASHES[place % len(DASHES)], 1.4 if place else 2.4)


def looks(chart: RateChart) -> list[Look]:
    """The look of each curve."""
    found, seen = [], dict.fromkeys(groups(chart), 0)
    for curve in chart.curves:
        place = seen[curve.group]
        seen[curve.group] += 1
        kinds = len(OUTLINES)
        outline, hollow = OUTLINES[place % kinds], place // kinds % 2 == 1
        found.append(group_look(chart, curve.group)._replace(outline=outline, hollow=hollow))
    return found
