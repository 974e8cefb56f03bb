"""Every verdict is computed: each claim holds on some numbers and fails on others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engram.document import Spread
from engram.experiments.reproduction import paper
from engram.experiments.reproduction.claims import CLAIMS, Measured, below, every, spread, verdicts
from engram.experiments.reproduction.plan import JUDGE, PAPER


def spreads(cnn: float, ann: float, tied: float) -> dict[str, Spread]:
    return {"cnn": Spread(cnn, 0, 3), "ann": Spread(ann, 0, 3), "tied": Spread(tied, 0, 3)}


PUBLISHED = Measured(
    spreads(*(paper.TABLE_3[method].accuracy for method in paper.METHODS)),
    spreads(*(paper.TABLE_3[method].loss for method in paper.METHODS)),
    spreads(*(paper.TABLE_3[method].seconds for method in paper.METHODS)),
    Spread(paper.TABLE_2[-1].accuracy + 0.001, 0, 3),
)
CONTRARY = Measured(spreads(0.65, 0.72, 0.85), spreads(0.9, 0.5, 0.4), spreads(1, 2, 3), Spread(0.84, 0, 3))


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.text)
def test_a_claim_follows_the_numbers(claim) -> None:
    if claim.text.startswith("All three"):
        assert claim.holds(PUBLISHED) is None, "tied has just 70 % in Table 3, which is not above 70 %"
        assert claim.holds(Measured(spreads(0.8, 0.71, 0.701), PUBLISHED.loss, PUBLISHED.seconds, PUBLISHED.originals))
    else:
        assert claim.holds(PUBLISHED) is True
    assert claim.holds(CONTRARY) is False
    assert claim.shown(PUBLISHED) != claim.shown(CONTRARY)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.text)
@pytest.mark.parametrize("change", [lambda value: replace(value, n=1), lambda value: replace(value, deviation=1000.0)])
def test_one_seed_or_a_wide_spread_decides_nothing(claim, change) -> None:
    parts = [
        {name: change(value) for name, value in values.items()}
        for values in (PUBLISHED.accuracy, PUBLISHED.loss, PUBLISHED.seconds)
    ]
    assert claim.holds(Measured(*parts, change(PUBLISHED.originals))) is None


def test_three_valued_answers() -> None:
    low, high, wide = Spread(1.0, 0.1, 3), Spread(2.0, 0.1, 3), Spread(1.5, 0.6, 3)
    assert (below(low, high), below(high, low), below(low, wide), below(wide, high)) == (True, False, None, None)
    assert (every(), every(True, None), every(True, None, False), every(True, True)) == (True, None, False, True)


def results(**changes) -> dict:
    rows = [
        {
            "purpose": PAPER,
            "method": method,
            "accuracy": 0.8 + i / 100,
            "loss": 1.0 - i / 10,
            "training_seconds": 3.0 - i,
        }
        for i, method in enumerate(paper.METHODS)
    ]
    rows.append({"purpose": JUDGE, "method": "classifier", "accuracy": 0.86})
    data = {"is_papers": True, "counts": dict(paper.COUNTS)}
    return {"rows": 2 * rows, "data": data, "quick": False, "methods": list(paper.METHODS)} | changes


def test_outcomes_and_reasons() -> None:
    found = {verdict.claim: verdict for verdict in verdicts(results(), {claim.text: "because" for claim in CLAIMS})}
    assert {claim: (v.outcome, v.why) for claim, v in found.items()} == {
        "All three methods keep the classifier above 70 %.": ("holds", ""),
        "The CNN method is the most accurate.": ("does not hold", "because"),
        "The CNN method has the lowest final loss.": ("does not hold", "because"),
        "The final losses rank CNN, then ANN, then shared weights.": ("does not hold", "because"),
        "Shared weights train fastest, the CNN slowest.": ("holds", ""),
        "ANN and shared weights have very close accuracy.": ("holds", ""),
        "The classifier reaches 85 % on the original test images.": ("holds", ""),
    }
    assert (
        found["The CNN method is the most accurate."].measured
        == "cnn 80.0 ± 0.0 %, ann 81.0 ± 0.0 %, tied 82.0 ± 0.0 %"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"quick": True},
        {"data": {"is_papers": False, "counts": dict(paper.COUNTS)}},
        {"data": {"is_papers": True, "counts": paper.COUNTS | {"networks_test": 100}}},
        {"methods": ["cnn", "ann"]},
    ],
)
def test_other_runs_are_not_compared(changes: dict) -> None:
    assert {verdict.outcome for verdict in verdicts(results(**changes))} == {"not compared"}


def test_spread() -> None:
    assert spread([2.0]) == Spread(2.0, 0.0, 1)
    assert spread([1.0, 3.0]) == Spread(2.0, pytest.approx(2**0.5), 2)
