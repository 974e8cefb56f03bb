"""Curves with their bands over seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engram.document import LineChart, Series
from engram.report.canvas import paint
from engram.report.ink import SERIES, color
from engram.report.wording import label, tick

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

DASHES = ("solid", (0, (5, 1.5)), (0, (1, 1.5)), (0, (6, 1.5, 1, 1.5)), (0, (9, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
MARKERS_PER_CURVE = 6


def draw(chart: LineChart, width: int) -> str:
    """The chart as SVG: a curve is told by its colour, its dashes and its marker."""
    longest = max((len(label(series.label)) for series in chart.series), default=0)
    columns = max(1, width // (70 + 7 * longest))
    rows = -(-len(chart.series) // columns)

    def brush(axes: Axes) -> None:
        lines = [_curve(axes, series, index) for index, series in enumerate(chart.series)]
        axes.set_title(label(chart.y_label, 60))
        axes.set_xlabel(label(chart.x_label, 60))
        if chart.logarithmic and _has_positive(chart):
            _make_logarithmic(axes)
        axes.xaxis.set_major_formatter(_named)
        axes.yaxis.set_major_formatter(_named)
        if lines:
            names = [label(series.label) for series in chart.series]
            axes.figure.legend(lines, names, loc="outside upper left", ncols=columns)

    return paint(width, 0.3 * width + 170 + 18 * rows, brush)


def _curve(axes: Axes, series: Series, index: int) -> Line2D:
    hue = color(SERIES[index % len(SERIES)])
    x, y, low, high = (_drawable(values) for values in (series.x, series.y, series.low, series.high))
    if len(low):
        axes.fill_between(x, low, high, color=hue, alpha=0.18, linewidth=0)
    step = max(1, len(x) // MARKERS_PER_CURVE)
    (line,) = axes.plot(
        x,
        y,
        color=hue,
        linestyle=DASHES[index % len(DASHES)],
        marker=MARKERS[index % len(MARKERS)],
        markeredgecolor=color("paper"),
        markevery=(index * step // 4 % step, step),  # so that curves on top of each other show their own
    )
    return line


def _drawable(values: tuple[float, ...]) -> NDArray[np.float64]:
    """The values, with a gap (NaN) for an infinite one."""
    found = np.array(values, dtype=np.float64)
    return np.where(np.isfinite(found), found, np.nan)


def _has_positive(chart: LineChart) -> bool:
    return any(np.isfinite(y) and y > 0 for series in chart.series for y in series.y)


def _make_logarithmic(axes: Axes) -> None:
    from matplotlib.ticker import LogLocator, NullLocator

    axes.set_yscale("log", nonpositive="mask")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())


def _named(value: float, _: float) -> str:
    return tick(value)
