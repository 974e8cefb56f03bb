"""The axes of a chart of rates: round values, and a line above all of them for what is infinite."""

from __future__ import annotations

import math
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from engram.document import Point, RateChart
from engram.report.ink import color
from engram.report.scale import Scale
from engram.report.svg import element, text, text_width
from engram.report.wording import label, tick

HEAD, FOOT = 32, 44  # pixels above and below the plot, for the names of the axes
ENDLESS = 22  # between the highest value and what is infinite
TICK_ROOM = 64  # along the x axis, for each tick
EDGE = 18  # right of the last value, for half of a tick's name


@dataclass(frozen=True)
class Axes:
    """Where points stand. `endless` is the height of what is infinite."""

    x: Scale
    y: Scale
    right: float
    endless: float
    y_ticks: tuple[float, ...]

    @classmethod
    def of(cls, chart: RateChart, top: float, width: float, height: float) -> Axes:
        """The axes on which all of a chart finds room, with their names, between `top` and `top` + `height`."""
        points = [point for curve in chart.curves for point in curve.points]
        finite = [point.y for point in points if math.isfinite(point.y)]
        crown = ENDLESS if len(finite) < len(points) else 0
        values = finite + [reference.y for reference in chart.references]
        y = Scale.around(values, top + height - FOOT, top + HEAD + crown)
        y_ticks = tuple(y.ticks(7))
        left = 10 + max((text_width(tick(value)) for value in y_ticks), default=8)
        x = Scale.around((point.x for point in points), left, width - EDGE, chart.logarithmic_x)
        return cls(x, y, width, top + HEAD, y_ticks)

    def place(self, point: Point) -> tuple[float, float]:
        """The pixel of a point."""
        return self.x(point.x), self.y(point.y) if math.isfinite(point.y) else self.endless

    def across(self, y: float, **style: str) -> Element:
        """A line through the plot at a height."""
        written = "; ".join(f"{key.replace('_', '-')}: {value}" for key, value in style.items())
        return element("line", x1=self.x.start, x2=self.right, y1=y, y2=y, style=written)

    def drawn(self, chart: RateChart) -> list[Element]:
        """The axes with their ticks and names."""
        left, bottom = self.x.start, self.y.start
        parts = [text(0, self.endless - 18, label(chart.y_label, 60), ink="muted")]
        for value in self.y_ticks:
            parts.append(self.across(self.y(value), stroke=color("rule")))
            parts.append(text(left - 8, self.y(value) + 4, tick(value), ink="muted", more="text-anchor: end"))
        if self.y.end > self.endless:
            parts.append(self.across(self.endless, stroke=color("rule"), stroke_dasharray="1 3"))
            parts.append(text(left - 8, self.endless + 4, "∞", ink="muted", more="text-anchor: end"))
        parts.append(self.across(bottom, stroke=color("muted")))
        for value in self.x.ticks(max(1, int((self.right - left) // TICK_ROOM))):
            x = self.x(value)
            parts.append(element("line", x1=x, x2=x, y1=bottom, y2=bottom + 5, style=f"stroke: {color('muted')}"))
            parts.append(text(x, bottom + 19, tick(value), ink="muted", more="text-anchor: middle"))
        x_label = label(chart.x_label, 60)
        return [*parts, text(self.right, bottom + 38, x_label, ink="muted", more="text-anchor: end")]
