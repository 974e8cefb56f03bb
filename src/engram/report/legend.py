"""The groups of a chart and their curves, each with its sign: beside the boxes of a page, or in a line of a file."""

from __future__ import annotations

from typing import NamedTuple
from xml.etree.ElementTree import Element, tostring

from engram.document import RateChart
from engram.report.ink import themed
from engram.report.marks import Look, group_look, groups, looks
from engram.report.svg import element, text, text_width
from engram.report.wording import label

LINE = 20  # height of one
SIGN = 28  # width of one
LONGEST = 30  # letters of a group's name in a file


class Entry(NamedTuple):
    """A curve that can be shown or hidden: its place in the chart, its name, and its sign as inline SVG."""

    place: int
    name: str
    sign: str


class Group(NamedTuple):
    """Curves that can be shown or hidden together."""

    name: str
    look: Look
    joined: bool
    curves: tuple[Entry, ...]

    @property
    def sign(self) -> str:
        """The group's sign as inline SVG."""
        return _inline(self.look, self.joined)


def entries(chart: RateChart) -> tuple[Group, ...]:
    """The groups that have curves; a curve alone lends its group its mark."""
    of_curve = looks(chart)
    found = []
    for name in groups(chart):
        places = [place for place, curve in enumerate(chart.curves) if curve.group == name]
        if not places:
            continue
        look = of_curve[places[0]] if len(places) == 1 else group_look(chart, name)
        joined = [chart.curves[place].joined for place in places]
        curves = tuple(
            Entry(place, chart.curves[place].label, _inline(of_curve[place], is_joined))
            for place, is_joined in zip(places, joined, strict=True)
        )
        found.append(Group(name, look, any(joined), curves))
    return tuple(found)


def lines(chart: RateChart, width: float) -> list[Element]:
    """The groups' signs and names in as few lines as the width allows, each a `g` below the other."""
    made = [element("g")]
    x = 0.0
    for group in entries(chart):
        name = label(group.name, LONGEST)
        needed = SIGN + 8 + text_width(name, bold=True)
        if x and x + needed > width:
            made.append(element("g"))
            x = 0.0
        middle = LINE * (len(made) - 1) + 10.0
        made[-1].extend(_sign(group.look, group.joined, x, middle))
        made[-1].append(text(x + SIGN + 8, middle + 4, name, ink=group.look.words, more="font-weight: 600"))
        x += needed + 18
    return made


def _sign(look: Look, joined: bool, x: float, y: float) -> list[Element]:
    line = [element("line", x1=x, x2=x + SIGN, y1=y, y2=y, style=look.line)] if joined else []
    return line + ([look.mark(x + SIGN / 2, y)] if look.outline or not joined else [])


def _inline(look: Look, joined: bool) -> str:
    parts = _sign(look, joined, 0.0, 6.0)
    for part in parts:
        part.set("style", themed(part.get("style", "")))
    root = element("svg", *parts, width=SIGN, height=12, viewBox=f"0 0 {SIGN} 12", aria_hidden="true")
    return tostring(root, encoding="unicode")
