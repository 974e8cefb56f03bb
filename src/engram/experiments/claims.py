"""Each claim of the paper, held against our numbers. A verdict is computed, never written."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from engram.document import Spread, Verdict
from engram.experiments import paper
from engram.experiments.plan import JUDGE, PAPER

CLOSE = 0.03
"""How far apart two accuracies may be to be called "very close": the paper's own 73 % and 70 %."""

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


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper, where it stands, its own numbers, and when ours bear it out."""

    text: str
    source: str
    published: str
    holds: Callable[[Measured], bool]
    shown: Callable[[Measured], str]


def percent(values: dict[str, Spread]) -> str:
    return ", ".join(f"{name} {100 * value.mean:.1f} %" for name, value in values.items())


def numbers(values: dict[str, Spread], unit: str = "", digits: int = 4) -> str:
    return ", ".join(f"{name} {value.mean:.{digits}f}{unit}" for name, value in values.items())


def _ranked(values: dict[str, Spread], *order: str) -> bool:
    """Whether the means rise strictly in this order."""
    means = [values[name].mean for name in order]
    return all(low < high for low, high in pairwise(means))


CLAIMS = (
    Claim(
        "All three methods keep the classifier above 70 %.",
        "section 3",
        "cnn 81 %, ann 73 %, tied 70 %",
        lambda m: min(value.mean for value in m.accuracy.values()) > 0.70,
        lambda m: percent(m.accuracy),
    ),
    Claim(
        "The CNN method is the most accurate.",
        "abstract; section 3, Table 3",
        "cnn 81 %, ann 73 %, tied 70 %",
        lambda m: m.accuracy["cnn"].mean > max(m.accuracy["ann"].mean, m.accuracy["tied"].mean),
        lambda m: percent(m.accuracy),
    ),
    Claim(
        "The CNN method has the lowest final loss.",
        "section 3, Table 3",
        "cnn 0.4968, ann 0.7037, tied 0.8070",
        lambda m: m.loss["cnn"].mean < min(m.loss["ann"].mean, m.loss["tied"].mean),
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
        lambda m: round(abs(m.accuracy["ann"].mean - m.accuracy["tied"].mean), 4) <= CLOSE,
        lambda m: percent({name: m.accuracy[name] for name in ("ann", "tied")}),
    ),
    Claim(
        "The classifier reaches 85 % on the original test images.",
        "section 3, Table 2",
        "85 %",
        lambda m: round(m.originals.mean, 2) >= 0.85,
        lambda m: f"{100 * m.originals.mean:.1f} %",
    ),
)


def verdicts(results: dict[str, Any], reasons: dict[str, str] | None = None) -> tuple[Verdict, ...]:
    """A verdict on each claim; "not compared" on other data, in a quick run, or with a method left out.

    reasons: by a claim's text, what to add where it does not hold.
    """
    rows = results["rows"]
    comparable = results["data"]["is_papers"] and not results["quick"] and len(results["methods"]) == 3
    measured = Measured(
        by_method(rows, "accuracy"),
        by_method(rows, "loss"),
        by_method(rows, "training_seconds"),
        spread([row["accuracy"] for row in rows if row["purpose"] == JUDGE]),
    )
    found = []
    for claim in CLAIMS:
        if not comparable:
            found.append(Verdict(claim.text, claim.source, claim.published, "-", "not compared"))
            continue
        if claim.holds(measured):
            found.append(Verdict(claim.text, claim.source, claim.published, claim.shown(measured), "holds"))
        else:
            why = (reasons or {}).get(claim.text, "")
            found.append(
                Verdict(claim.text, claim.source, claim.published, claim.shown(measured), "does not hold", why)
            )
    return tuple(found)
