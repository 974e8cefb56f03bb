"""A confusion matrix as a heat map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engram.document import Confusion
from engram.report.canvas import paint
from engram.report.ink import color
from engram.report.wording import label, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLASSES_WITH_COUNTS = 20
STRONGEST = 0.6  # the opacity up to which ink stays readable on any colour, light or dark


def draw(confusion: Confusion, width: int) -> str:
    """The matrix as SVG: what was judged right is blue, what was mistaken is vermillion, deeper with its share.

    The share is that of the true class; depth grows with its square root, so that rare mistakes show.
    """
    side = min(width, 520)
    classes = len(confusion.class_names)
    digits = max((len(number(int(count), 0)) for count in confusion.counts.flat), default=1)
    size = min(10.5, side * 0.7 / max(classes, 1) / digits * 1.45)

    def brush(axes: Axes) -> None:
        from matplotlib.colors import to_rgba
        from matplotlib.patches import Rectangle

        for true, row in enumerate(confusion.counts):
            for judged, count in enumerate(row):
                if not count:
                    continue
                hue = color("blue" if true == judged else "vermillion")
                opacity = STRONGEST * (count / row.sum()) ** 0.5
                axes.add_patch(Rectangle((judged - 0.48, true - 0.48), 0.96, 0.96, facecolor=to_rgba(hue, opacity)))
                if classes <= CLASSES_WITH_COUNTS:
                    axes.text(judged, true, number(int(count), 0), ha="center", va="center_baseline", fontsize=size)
        limits = (-0.5, max(classes, 1) - 0.5)
        axes.set(aspect="equal", xlim=limits, ylim=limits[::-1], xlabel="judged", ylabel="true")
        names = [label(name, 16) for name in confusion.class_names]
        axes.set_xticks(range(classes), names, rotation=50, ha="right", rotation_mode="anchor", fontsize=10)
        axes.set_yticks(range(classes), names, fontsize=10)
        axes.tick_params(length=0)
        axes.grid(False)
        axes.spines[:].set_visible(False)

    return paint(side, side, brush)
