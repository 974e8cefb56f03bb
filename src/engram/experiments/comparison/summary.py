"""What follows from the rows: curves, Bjontegaard rates, the Pareto front, and when a model has paid for itself."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from engram.evaluation.curves import Curve, NoCurve, OutsideCurve, Point, bjontegaard_rate, front
from engram.experiments.comparison.row import Row

ANCHORS = "avif-atlas", "avif-shared"
"""What Bjontegaard rates are taken against: the strongest rival, and the strongest with random access."""
LOSSLESS = "jxl-lossless-atlas"
"""What lossless rows must beat to pay for their model, and others the first of the anchors."""
KEYS = {"without_model": "bytes_per_image", "with_model": "bytes_per_image_with_model"}


def summary(rows: Iterable[Row]) -> dict[str, Any]:
    """bjontegaard: of each method against each anchor; and in each row `front`, and `break_even_images`."""
    measured = [row for row in rows if "error" not in row]
    _mark_front(measured)
    anchor = curve_of(measured, ANCHORS[0])
    lossless = min((row["bytes_per_image"] for row in measured if row["method"] == LOSSLESS), default=None)
    for row in measured:
        row["break_even_images"] = _break_even(row, anchor, lossless)
    return {"bjontegaard": list(_rates(measured))}


def _mark_front(rows: list[Row]) -> None:
    """Of all rows without a model, and of all with: those that no other equals in both figures or better."""
    for counted, key in KEYS.items():
        points = {(row[key], _decibels(row)) for row in rows}
        best = set(front(points))
        for row in rows:
            row.setdefault("front", []).extend([counted] if (row[key], _decibels(row)) in best else [])


def _decibels(row: Row) -> float:
    return math.inf if row["psnr_db"] is None else row["psnr_db"]


def curve_of(rows: Iterable[Row], method: str, key: str = "bytes_per_image") -> Curve | None:
    """The front of a method's rows that lose something; None where they make no curve."""
    points: list[Point] = [(row[key], row["psnr_db"]) for row in rows if row["method"] == method and row["psnr_db"]]
    try:
        return Curve(front(points))
    except NoCurve:
        return None


def _rates(rows: list[Row]) -> Iterable[Row]:
    for anchor in ANCHORS:
        base = curve_of(rows, anchor)
        for method in dict.fromkeys(row["method"] for row in rows):
            for counted, key in KEYS.items():
                other = curve_of(rows, method, key)
                if base is None or other is None or method == anchor:
                    continue
                with suppress(OutsideCurve):
                    yield {
                        "anchor": anchor,
                        "method": method,
                        "counted": counted,
                        "percent": bjontegaard_rate(base, other),
                        "from_db": float(max(base.psnr_db[0], other.psnr_db[0])),
                        "to_db": float(min(base.psnr_db[-1], other.psnr_db[-1])),
                    }


def _break_even(row: Row, anchor: Curve | None, lossless: float | None) -> int | None:
    """From how many images on the archive with its model is smaller than the rival at equal quality.

    0 where there is no model and it is smaller; None where it never is, or there is nothing to compare it with.
    """
    if row["psnr_db"] is None:
        rival = lossless
    else:
        rival = None
        if anchor is not None:
            with suppress(OutsideCurve):
                rival = anchor.rate_at(row["psnr_db"])
    if rival is None or row["bytes_per_image"] >= rival:
        return None
    return math.ceil(float(row["model_bytes"] / (rival - row["bytes_per_image"])))
