"""What follows from the rows: curves, Bjontegaard rates, the Pareto front, and when a model has paid for itself."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from engram.evaluation.curves import Curve, NoCurve, OutsideCurve, Point, bjontegaard_rate, front
from engram.experiments.comparison.row import Row

ANCHORS = "avif-atlas", "avif-shared"
"""What Bjontegaard rates are taken against: the strongest rival, and the strongest with random access."""
LOSSLESS = "jxl-lossless-atlas"
"""What lossless rows must beat to pay for their model, and others the first of the anchors."""
MEANS = (
    *("bytes_per_image", "bytes_per_image_with_model", "model_bytes", "total_bytes", "psnr_db", "ssim", "max_error"),
    *("encode_images_per_second", "decode_images_per_second"),
)
SPREADS = "psnr_db", "bytes_per_image"
OURS = "engram"
"""The family of our own codes, and the name of what they are together: the best of them at each quality."""
KEYS = {"without_model": "bytes_per_image", "with_model": "bytes_per_image_with_model"}


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """points: the rows, seeds taken together, with `front` and `break_even_images`; bjontegaard: against anchors."""
    points = list(over_seeds(rows))
    measured = [row for row in points if "error" not in row]
    _mark_front(measured)
    anchor = curve_of(measured, ANCHORS[0])
    lossless = min((row["bytes_per_image"] for row in measured if row["method"] == LOSSLESS), default=None)
    for row in measured:
        row["break_even_images"] = _break_even(row, anchor, lossless)
    return {"points": points, "bjontegaard": list(_rates(measured))}


def over_seeds(rows: Sequence[Row]) -> Iterator[Row]:
    """One row for each setting of each method: `seeds` says of how many trainings, numbers are means over them.

    `deviation` has the sample standard deviation of psnr_db, of bytes_per_image and of each accuracy.
    """
    together: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if "error" not in row:
            together.setdefault((row["method"], row["setting"]), []).append(row)
    for runs in together.values():
        first = {name: value for name, value in runs[0].items() if name != "seed"} | {"seeds": len(runs)}
        if len(runs) > 1:
            first |= {name: _mean([run[name] for run in runs]) for name in MEANS if first[name] is not None}
            first["accuracy"] = {name: _mean([run["accuracy"][name] for run in runs]) for name in first["accuracy"]}
            first["deviation"] = {
                name: statistics.stdev(run[name] for run in runs) for name in SPREADS if first[name] is not None
            }
            first["deviation"] |= {
                name: statistics.stdev(run["accuracy"][name] for run in runs) for name in first["accuracy"]
            }
        yield first
    yield from (dict(row) for row in rows if "error" in row)


def _mean(values: Sequence[float]) -> float:
    return statistics.fmean(values)


def front_of(points: Iterable[Row]) -> Iterator[Row]:
    """The points that no other beats without its model, from the fewest bytes up."""
    measured = [row for row in points if "error" not in row and "without_model" in row["front"]]
    yield from sorted(measured, key=lambda row: row["bytes_per_image"])


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
    """The front of a method's rows that lose something, or of a family's; None where they make no curve."""
    own = [row for row in rows if method in (row["method"], row["family"])]
    points: list[Point] = [(row[key], row["psnr_db"]) for row in own if row["psnr_db"]]
    try:
        return Curve(front(points))
    except NoCurve:
        return None


def _rates(rows: list[Row]) -> Iterable[Row]:
    for anchor in ANCHORS:
        base = curve_of(rows, anchor)
        for method in (OURS, *dict.fromkeys(row["method"] for row in rows)):
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
