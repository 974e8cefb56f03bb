"""Curves of measured points, each with its name beside it where there is room."""

from __future__ import annotations

import json
import math
from itertools import groupby
from typing import NamedTuple, final
from xml.etree.ElementTree import Element, tostring

from engram.document import Curve, RateChart
from engram.report.ink import color, themed
from engram.report.labels import Box, Line, Pixel, Place, place
from engram.report.marks import Look, group_look, groups, looks, members
from engram.report.scale import Scale
from engram.report.svg import document, element, text
from engram.report.wording import label, tick

ENDLESS = 26  # pixels above the highest value, where what is infinite stands
LETTER = 7.2  # the width of a tick's digit, at most
TICK_ROOM = 64  # along an axis, for each tick
LEGEND_LINE = 20
MARGIN = 16
LONGEST = 30  # letters of a label


def draw(chart: RateChart, width: int, alone: bool = True) -> str:
    """The chart as SVG; alone, it has a margin, and the legend that a page has in its boxes."""
    margin = MARGIN if alone else 0
    return _Drawing(chart, width - 2 * margin, alone).svg(margin)


def details(chart: RateChart) -> str:
    """What a point says when asked, as JSON: of each curve its name, and of each point title and details."""
    told = [[curve.label, [[point.title, *point.details] for point in curve.points]] for curve in chart.curves]
    return json.dumps(told, separators=(",", ":"))


class Choice(NamedTuple):
    """A curve that can be shown or hidden: its place in the chart, its name, and its key as inline SVG."""

    place: int
    name: str
    key: str


class Group(NamedTuple):
    """Curves that can be shown or hidden together."""

    name: str
    key: str
    curves: tuple[Choice, ...]


def keys(chart: RateChart) -> tuple[Group, ...]:
    """The groups that have curves."""
    of_curve = looks(chart)
    found = []
    for group, curves in members(chart).items():
        choices = tuple(Choice(place, curve.label, _key(of_curve[place], curve.joined)) for place, curve in curves)
        look = of_curve[curves[0][0]] if len(curves) == 1 else group_look(chart, group)
        found.append(Group(group, _key(look, any(curve.joined for _, curve in curves)), choices))
    return tuple(found)


def _key(look: Look, joined: bool) -> str:
    line = [element("line", x1=1, x2=27, y1=6, y2=6, style=look.line)] if joined else []
    mark = [look.mark(14, 6)] if look.outline or not joined else []
    for part in (parts := line + mark):
        part.set("style", themed(part.get("style", "")))
    root = element("svg", *parts, width=28, height=12, viewBox="0 0 28 12", aria_hidden="true")
    return tostring(root, encoding="unicode")


@final
class _Drawing:
    """A sheet on which the axes, then the curves, then the names are drawn."""

    def __init__(self, chart: RateChart, width: int, legend: bool) -> None:
        self.chart, self.width = chart, width
        self.looks = looks(chart)
        points = [point for curve in chart.curves for point in curve.points]
        finite = [point.y for point in points if math.isfinite(point.y)]
        finite += [reference.y for reference in chart.references]
        endless = len(finite) < len(points) + len(chart.references)
        self.legend = self._legend() if legend else []
        head = LEGEND_LINE * len(self.legend) + 26  # the y axis's label
        height = head + (430 if width >= 600 else 400)
        self.size = width, height
        bottom = height - 44
        self.top = head + 6
        self.y = Scale.around(finite, bottom, self.top + (ENDLESS if endless else 0))
        self.endless = self.top + 4.0 if endless else None
        rows = self.y.ticks(7)
        self.left = 10 + LETTER * max((len(tick(value)) for value in rows), default=1)
        self.x = Scale.around((point.x for point in points), self.left, width - 18, chart.logarithmic_x)
        self.rows = rows

    def svg(self, margin: int) -> str:
        parts = [*self._grid(), *self._references()]
        order = sorted(range(len(self.looks)), key=lambda index: -groups(self.chart).index(self._curve(index).group))
        parts += [self._drawn(index) for index in order]
        parts += self._names()
        return document(*self.size, parts, margin=margin)

    def _curve(self, index: int) -> Curve:
        return self.chart.curves[index]

    def _marks(self, index: int) -> list[Pixel]:
        """Where the points of a curve stand."""
        return [
            (self.x(point.x), self.y(point.y) if math.isfinite(point.y) else self.endless or 0)
            for point in self._curve(index).points
        ]

    def _runs(self, index: int) -> list[list[Pixel]]:
        """The points of a curve that one line joins: none that is infinite."""
        curve = self._curve(index)
        pairs = zip(self._marks(index), curve.points, strict=True) if curve.joined else ()
        runs = groupby(pairs, key=lambda pair: math.isfinite(pair[1].y))
        return [[mark for mark, _ in run] for finite, run in runs if finite]

    def _legend(self) -> list[list[tuple[float, str]]]:
        """Lines of (x, group)."""
        lines: list[list[tuple[float, str]]] = [[]]
        x = 0.0
        for group in members(self.chart):
            needed = 36 + LETTER * len(label(group, LONGEST)) + 16
            if lines[-1] and x + needed > self.width:
                lines.append([])
                x = 0.0
            lines[-1].append((x, group))
            x += needed
        return lines

    def _grid(self) -> list[Element]:
        left, right, bottom = self.left, self.width, self.y.start
        parts = []
        for row, line in enumerate(self.legend):
            y = LEGEND_LINE * row + 10.0
            for x, group in line:
                look = group_look(self.chart, group)
                parts.append(element("line", x1=x, x2=x + 28, y1=y, y2=y, style=look.line))
                parts.append(text(x + 36, y + 4, label(group, LONGEST), ink=look.words, more="font-weight: 600"))
        parts.append(text(0, self.top - 12, label(self.chart.y_label, 60), ink="muted"))
        heights = [(self.y(value), tick(value)) for value in self.rows]
        if self.endless is not None:
            heights.append((self.endless, "∞"))
        for y, name in heights:
            style = f"stroke: {color('rule')}" + ("; stroke-dasharray: 1 3" if name == "∞" else "")
            parts.append(element("line", x1=left, x2=right, y1=y, y2=y, style=style))
            parts.append(text(left - 8, y + 4, name, ink="muted", more="text-anchor: end"))
        parts.append(element("line", x1=left, x2=right, y1=bottom, y2=bottom, style=f"stroke: {color('muted')}"))
        for value in self.x.ticks(int((right - left) // TICK_ROOM)):
            x = self.x(value)
            anchor = "end" if x + LETTER * len(tick(value)) / 2 > right else "middle"
            parts.append(element("line", x1=x, x2=x, y1=bottom, y2=bottom + 5, style=f"stroke: {color('muted')}"))
            parts.append(text(x, bottom + 19, tick(value), ink="muted", more=f"text-anchor: {anchor}"))
        x_label = label(self.chart.x_label, 60)
        return [*parts, text(right, bottom + 38, x_label, ink="muted", more="text-anchor: end")]

    def _references(self) -> list[Element]:
        parts = []
        for reference, box in zip(self.chart.references, self._reference_boxes(), strict=True):
            y = self.y(reference.y)
            style = f"stroke: {color('muted')}; stroke-width: 1.2; stroke-dasharray: 4 3"
            parts.append(element("line", x1=self.left, x2=self.width, y1=y, y2=y, style=style))
            parts.append(_name(label(reference.label, LONGEST), box, "start", "muted"))
        return parts

    def _reference_boxes(self) -> list[Box]:
        boxes = []
        for reference in self.chart.references:
            bottom = self.y(reference.y) - 3
            width = 6.3 * len(label(reference.label, LONGEST))
            boxes.append(Box(self.left + 2, bottom - 13, self.left + 2 + width, bottom))
        return boxes

    def _drawn(self, index: int) -> Element:
        look = self.looks[index]
        parts = [
            element("path", d="M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in run), style=look.line, class_="line")
            for run in self._runs(index)
            if len(run) > 1
        ]
        parts += [
            look.mark(x, y, class_="point", data_point=number) for number, (x, y) in enumerate(self._marks(index))
        ]
        return element("g", *parts, class_="curve", data_curve=index)

    def _width(self, index: int) -> float:
        letter = 7.0 if self.looks[index].width > 2 else 6.3
        return letter * len(label(self._curve(index).label, LONGEST))

    def _names(self) -> list[Element]:
        names = [label(curve.label, LONGEST) for curve in self.chart.curves]
        lines = [Line(self._width(index), self._marks(index), self._runs(index)) for index in range(len(names))]
        frame = Box(self.left + 2, self.top - 6, self.width, self.y.start - 2)
        found: list[Place | None] = place(lines, frame, self._reference_boxes())
        parts = []
        for index, (name, room) in enumerate(zip(names, found, strict=True)):
            if room is None:
                continue
            look = self.looks[index]
            part = _name(name, room.box, room.anchor, look.words, "font-weight: 600" if look.width > 2 else "")
            corners = " ".join(f"{side:.0f}" for side in room.box)
            part.attrib |= {"class": "name", "data-curve": str(index), "data-room": corners}
            if room.spare:
                part.attrib |= {"class": "name spare", "visibility": "hidden"}
            parts.append(part)
        return parts


def _name(words: str, box: Box, anchor: str, hue: str, more: str = "") -> Element:
    """Words in a box, with a rim of paper that keeps lines off them."""
    x = {"start": box.left, "middle": (box.left + box.right) / 2, "end": box.right}[anchor]
    rim = f"paint-order: stroke; stroke: {color('paper')}; stroke-width: 3px; stroke-linejoin: round"
    style = f"font-size: 11px; {rim}; text-anchor: {anchor}; {more}".rstrip("; ")
    return text(x, box.bottom - 3, words, ink=hue, more=style)
