"""A matplotlib figure as SVG: text stays text, equal drawings are equal bytes, and no setting of the caller counts."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from io import StringIO
from typing import TYPE_CHECKING, Any

from engram.report.ink import color

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def paint(width: float, height: float, brush: Callable[[Axes], None]) -> str:
    """The SVG, `width` by `height` pixels, of what `brush` draws on one pair of axes."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a glyph that the layout's font lacks is in the reader's
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_style())
        figure = Figure(figsize=(width / 72, height / 72), layout="constrained")
        brush(figure.subplots())
        svg = StringIO()
        figure.savefig(svg, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return svg.getvalue()


def _style() -> dict[Any, Any]:
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": "engram",
        "text.parse_math": False,
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 12,
        "text.color": color("ink"),
        "figure.facecolor": color("paper"),
        "axes.facecolor": "none",
        "axes.edgecolor": color("muted"),
        "axes.labelcolor": color("muted"),
        "axes.labelsize": 12,
        "axes.titlesize": 12,
        "axes.titlecolor": color("muted"),
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.axisbelow": True,
        "grid.color": color("rule"),
        "xtick.color": color("muted"),
        "ytick.color": color("muted"),
        "ytick.left": False,
        "lines.linewidth": 1.8,
        "lines.markersize": 7,
        "axes.xmargin": 0.01,
        "legend.frameon": False,
        "legend.handlelength": 3.2,
    }
