"""Curves of measured points, each with its name beside it where there is room."""

from __future__ import annotations

import json
import math
from itertools import groupby
from typing import final
from xml.etree.ElementTree import Element

from engram.document import RateChart
from engram.report import legend
from engram.report.axes import Axes
from engram.report.ink import color
from engram.report.labels import Box, Line, Pixel, Room, place
from engram.report.marks import groups, looks
from engram.report.svg import document, element, text, text_width
from engram.report.wording import label

MARGIN = 16  # around a chart that stands alone
HEIGHT = 456
LONGEST = 30  # letters of a name
SIZE = 11  # of their letters


def draw(chart: RateChart, width: int, alone: bool = True) -> str:
    """The chart as SVG; alone, it has a margin, and the legend that a page has beside its boxes."""
    margin = MARGIN if alone else 0
    return _Drawing(chart, width - 2 * margin, alone).svg(margin)


def details(chart: RateChart) -> str:
    """What a point says when asked, as JSON: of each curve its name, and of each point title and details."""
    told = [[curve.label, [[point.title, *point.details] for point in curve.points]] for curve in chart.curves]
    return json.dumps(told, separators=(",", ":"))


@final
class _Drawing:
    """The axes, the curves on them, and the names on those."""

    def __init__(self, chart: RateChart, width: int, alone: bool) -> None:
        self.chart = chart
        self.looks = looks(chart)
        self.names = [label(curve.label, LONGEST) for curve in chart.curves]
        self.legend = legend.lines(chart, width) if alone else []
        top = legend.LINE * len(self.legend)
        self.size = width, HEIGHT + top
        self.axes = Axes.of(chart, top, width, HEIGHT)
        self.marks = [[self.axes.place(point) for point in curve.points] for curve in chart.curves]
        self.runs = [self._joined(index) for index in range(len(chart.curves))]

    def svg(self, margin: int) -> str:
        rank = {group: place for place, group in enumerate(groups(self.chart))}
        order = sorted(range(len(self.looks)), key=lambda index: -rank[self.chart.curves[index].group])
        curves = [self._curve(index) for index in order]  # the first group lies on top
        parts = [*self.legend, *self.axes.drawn(self.chart), *self._references(), *curves, *self._names()]
        return document(*self.size, parts, margin=margin)

    def _joined(self, index: int) -> list[list[Pixel]]:
        """The marks that one line joins: none that is infinite."""
        curve = self.chart.curves[index]
        pairs = zip(self.marks[index], curve.points, strict=True) if curve.joined else ()
        runs = groupby(pairs, key=lambda pair: math.isfinite(pair[1].y))
        return [[mark for mark, _ in run] for finite, run in runs if finite]

    def _curve(self, index: int) -> Element:
        look = self.looks[index]
        lines = [
            element("path", d="M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in run), style=look.line, class_="line")
            for run in self.runs[index]
            if len(run) > 1
        ]
        marks = [look.mark(*mark, class_="point", data_point=number) for number, mark in enumerate(self.marks[index])]
        return element("g", *lines, *marks, class_="curve", data_curve=index)

    def _references(self) -> list[Element]:
        parts = []
        for reference, box in zip(self.chart.references, self._reference_boxes(), strict=True):
            y = self.axes.y(reference.y)
            parts.append(self.axes.across(y, stroke=color("muted"), stroke_width="1.2", stroke_dasharray="4 3"))
            name = _name(label(reference.label, LONGEST), Room(box, "start"), "muted")
            name.attrib |= {"class": "reference", "data-rooms": _written(box)}
            parts.append(name)
        return parts

    def _reference_boxes(self) -> list[Box]:
        left = self.axes.x.start + 2
        bottoms = [self.axes.y(reference.y) - 3 for reference in self.chart.references]
        widths = [text_width(label(reference.label, LONGEST), SIZE) for reference in self.chart.references]
        return [Box(left, bottom - 13, left + width, bottom) for bottom, width in zip(bottoms, widths, strict=True)]

    def _names(self) -> list[Element]:
        """Each name where `place` finds room; one without is there too, hidden, for when its curve is asked for."""
        bold = [look.width > 2 for look in self.looks]
        widths = [text_width(name, SIZE, is_bold) for name, is_bold in zip(self.names, bold, strict=True)]
        lines = list(map(Line, widths, self.marks, self.runs, (look.hue for look in self.looks)))
        frame = Box(self.axes.x.start + 2, self.axes.endless - 6, self.axes.right, self.axes.y.start - 2)
        parts = []
        for index, found in enumerate(place(lines, frame, self._reference_boxes())):
            if found is None:
                continue
            weight = "font-weight: 600" if bold[index] else ""
            part = _name(self.names[index], found.rooms[0], self.looks[index].words, weight)
            rooms = ";".join(f"{_written(room.box)} {room.anchor}" for room in found.rooms)
            part.attrib |= {"class": "name", "data-curve": str(index), "data-rooms": rooms}
            if found.spare:
                part.attrib |= {"class": "name spare", "visibility": "hidden"}
            parts.append(part)
        return parts


def _written(box: Box) -> str:
    return " ".join(f"{side:.0f}" for side in box)


def _name(words: str, room: Room, hue: str, more: str = "") -> Element:
    """Words in a room, with a rim of paper that keeps lines off them."""
    box, anchor = room
    x = {"start": box.left, "middle": (box.left + box.right) / 2, "end": box.right}[anchor]
    rim = f"paint-order: stroke; stroke: {color('paper')}; stroke-width: 3px; stroke-linejoin: round"
    style = f"font-size: {SIZE}px; {rim}; text-anchor: {anchor}; {more}".rstrip("; ")
    return text(x, box.bottom - 3, words, ink=hue, more=style)
