"""Each claim of the paper, held against our numbers. A verdict is computed, never written."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from engram.document import Spread, Verdict
from engram.experiments.reproduction import paper
from engram.experiments.reproduction.plan import JUDGE, PAPER

CLOSE = 0.035
"""How far apart two accuracies may be to be called "very close": the paper calls 73 % and 70 %, rounded, so."""

Rows = Sequence[dict[str, Any]]


def spread(values: Sequence[float]) -> Spread:
    """Mean and sample standard deviation (0 for one value)."""
    return Spread(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0, len(values))


def by_method(rows: Rows, key: str) -> dict[str, Spread]:
    """The spread over seeds of a number of Table 3, for each method that was run."""
    return {
        method: spread([row[key] for row in rows if row["purpose"] == PAPER and row["method"] == method])
        for method in paper.METHODS
        if any(row["purpose"] == PAPER and row["method"] == method for row in rows)
    }


@dataclass(frozen=True)
class Measured:
    """What the claims are about: spreads by method, and the classifier's accuracy on originals."""

    accuracy: dict[str, Spread]
    loss: dict[str, Spread]
    seconds: dict[str, Spread]
    originals: Spread


Answer = bool | None
"""Whether something is so; None where the spread over seeds leaves it open, as one seed always does."""


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper, where it stands, its own numbers, and whether ours bear it out."""

    text: str
    source: str
    published: str
    holds: Callable[[Measured], Answer]
    shown: Callable[[Measured], str]


def below(low: Spread, high: Spread) -> Answer:
    """Whether the first mean is the lower, by more than the root of the sum of both deviations' squares."""
    if min(low.n, high.n) < 2:
        return None
    noise = math.hypot(low.deviation, high.deviation)
    difference = high.mean - low.mean
    return None if abs(difference) <= noise else difference > 0


def every(*answers: Answer) -> Answer:
    """Whether all are so: one that is not decides, then one that is open."""
    return False if False in answers else None if None in answers else True


def exactly(value: float) -> Spread:
    """A number without a spread, to compare with."""
    return Spread(value, 0.0, 2)


def percent(values: dict[str, Spread]) -> str:
    return ", ".join(f"{name} {100 * value.mean:.1f} ± {100 * value.deviation:.1f} %" for name, value in values.items())


def numbers(values: dict[str, Spread], unit: str = "", digits: int = 4) -> str:
    return ", ".join(
        f"{name} {value.mean:.{digits}f} ± {value.deviation:.{digits}f}{unit}" for name, value in values.items()
    )


def _ranked(values: dict[str, Spread], *order: str) -> Answer:
    """Whether the means rise in this order."""
    return every(*(below(values[low], values[high]) for low, high in pairwise(order)))


def _close(a: Spread, b: Spread, most: float) -> Answer:
    """Whether two means lie within `most` of each other."""
    distance = Spread(abs(a.mean - b.mean), math.hypot(a.deviation, b.deviation), min(a.n, b.n))
    return below(distance, exactly(most))


CLAIMS = (
    Claim(
        "All three methods keep the classifier above 70 %.",
        "section 3",
        "cnn 81 %, ann 73 %, tied 70 %",
        lambda m: every(*(below(exactly(0.70), value) for value in m.accuracy.values())),
        lambda m: percent(m.accuracy),
    ),
    Claim(
        "The CNN method is the most accurate.",
        "abstract; section 3, Table 3",
        "cnn 81 %, ann 73 %, tied 70 %",
        lambda m: every(*(below(m.accuracy[other], m.accuracy["cnn"]) for other in ("ann", "tied"))),
        lambda m: percent(m.accuracy),
    ),
    Claim(
        "The CNN method has the lowest final loss.",
        "section 3, Table 3",
        "cnn 0.4968, ann 0.7037, tied 0.8070",
        lambda m: every(*(below(m.loss["cnn"], m.loss[other]) for other in ("ann", "tied"))),
        lambda m: numbers(m.loss),
    ),
    Claim(
        "The final losses rank CNN, then ANN, then shared weights.",
        "section 3, Figure 7, Table 3",
        "cnn 0.4968, ann 0.7037, tied 0.8070",
        lambda m: _ranked(m.loss, "cnn", "ann", "tied"),
        lambda m: numbers(m.loss),
    ),
    Claim(
        "Shared weights train fastest, the CNN slowest.",
        "abstract; section 3, Table 3",
        "cnn 622.6 s, ann 597.5 s, tied 584.9 s",
        lambda m: _ranked(m.seconds, "tied", "ann", "cnn"),
        lambda m: numbers(m.seconds, " s", 1),
    ),
    Claim(
        "ANN and shared weights have very close accuracy.",
        "section 3",
        "ann 73 %, tied 70 %",
        lambda m: _close(m.accuracy["ann"], m.accuracy["tied"], CLOSE),
        lambda m: percent({name: m.accuracy[name] for name in ("ann", "tied")}),
    ),
    Claim(
        "The classifier reaches 85 % on the original test images.",
        "section 3, Table 2",
        "85 %",
        lambda m: below(exactly(0.85), m.originals),
        lambda m: f"{100 * m.originals.mean:.1f} ± {100 * m.originals.deviation:.1f} %",
    ),
)


def comparable(results: dict[str, Any]) -> bool:
    """Whether a run is the paper's experiment: its data, and as many images of each kind."""
    return bool(results["data"]["is_papers"]) and not results["quick"] and results["data"]["counts"] == paper.COUNTS


def verdicts(results: dict[str, Any], reasons: dict[str, str] | None = None) -> tuple[Verdict, ...]:
    """A verdict on each claim; "not compared" where the run is not the paper's, or leaves a method out.

    A difference counts where it is larger than the standard deviations over seeds together; else it is "undecided".
    reasons: by a claim's text, what to add where it does not hold.
    """
    rows = results["rows"]
    if not comparable(results) or len(results["methods"]) < len(paper.METHODS):
        return tuple(Verdict(item.text, item.source, item.published, "-", "not compared") for item in CLAIMS)
    measured = Measured(
        by_method(rows, "accuracy"),
        by_method(rows, "loss"),
        by_method(rows, "training_seconds"),
        spread([row["accuracy"] for row in rows if row["purpose"] == JUDGE]),
    )
    return tuple(_verdict(item, measured, (reasons or {}).get(item.text, "")) for item in CLAIMS)


def _verdict(claim: Claim, measured: Measured, reason: str) -> Verdict:
    parts = claim.text, claim.source, claim.published, claim.shown(measured)
    holds = claim.holds(measured)
    if holds is None:
        return Verdict(*parts, "undecided", "The difference is within the spread over seeds.")
    return Verdict(*parts, "holds") if holds else Verdict(*parts, "does not hold", reason)
