"""Which trainings a reproduction consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engram.experiments.reproduction import paper
from engram.experiments.reproduction.trial import Trial

PAPER, JUDGE, EQUAL, CHOICES = "paper", "judge", "equal code", "choice"
"""The purposes: Table 3, Table 2, the comparison at equal code size, and the choices that the paper leaves open."""


@dataclass(frozen=True)
class Choice:
    """One departure from a method's recipe: which open question it answers, and how it is called."""

    method: str
    question: str
    answer: str
    recipe: dict[str, Any]
    options: dict[str, Any]


def choice(method: str, question: str, answer: str, options: dict[str, Any] | None = None, **recipe: Any) -> Choice:
    """A Choice, with its recipe changes as keywords."""
    return Choice(method, question, answer, recipe, options or {})


DECISIVE = (
    *(choice(method, "learning rate", "SGD, learning rate 1", learning_rate=1.0) for method in ("ann", "tied")),
    *(
        choice(method, "optimiser", "SGD, learning rate 10, momentum 0.9", learning_rate=10.0, momentum=0.9)
        for method in ("ann", "tied")
    ),
    choice("cnn", "optimiser", "SGD, learning rate 1", optimiser="sgd", learning_rate=1.0),
)
"""What turns the ranking of the three methods."""

OPEN = (
    *(choice(method, "learning rate", "SGD, learning rate 10", learning_rate=10.0) for method in ("ann", "tied")),
    *(
        choice(method, "optimiser", "Adam, learning rate 0.001", optimiser="adam", learning_rate=1e-3)
        for method in ("ann", "tied")
    ),
    choice("cnn", "learning rate", "Adam, learning rate 0.003", learning_rate=3e-3),
    *(choice(method, "batch size", "batches of 16", batch_size=16) for method in ("ann", "tied")),
    *(choice(method, "batch size", "batches of 256", batch_size=256) for method in ("cnn", "ann", "tied")),
    *(
        choice(method, "initialisation", "first weights twice as large", initial_scale=2.0)
        for method in ("cnn", "ann", "tied")
    ),
    *(
        choice(method, "output", "no sigmoid at the output, learning rate 10", {"output": "none"}, learning_rate=rate)
        for method, rate in (("ann", 10.0), ("tied", 10.0))
    ),
    choice("cnn", "stride", "first stride 2 instead of 3", {"first_stride": 2}),
)
"""What else the paper leaves open; measured with `--influence`."""

QUICK = {"cnn": 40, "ann": 40, "tied": 40, "classifier": 10}
"""Epochs of a quick run."""


def plan(seeds: int, methods: tuple[str, ...], code_numbers: int, *, quick: bool, influence: bool) -> list[Trial]:
    """All trainings. code_numbers: the size of the cnn's code."""

    def epochs(method: str) -> dict[str, Any]:
        return {"epochs": QUICK[method]} if quick else {}

    last = QUICK["cnn"] if quick else paper.EPOCHS
    snapshots = (1, last // 2, last)
    judged = (1, QUICK["classifier"]) if quick else tuple(item.epoch for item in paper.TABLE_2)
    trials = [
        Trial(JUDGE, "classifier", "classifier", seed, epochs("classifier"), snapshots=judged) for seed in range(seeds)
    ]
    for seed in range(seeds):
        for method in methods:
            trials.append(Trial(PAPER, method, method, seed, epochs(method), snapshots=snapshots))
            if method != "cnn" and "cnn" in methods:
                label = f"{method}, {code_numbers} hidden units"
                trials.append(Trial(EQUAL, label, method, seed, epochs(method), {"hidden": code_numbers}))
    choices = () if quick else DECISIVE + (OPEN if influence else ())
    trials += [
        Trial(CHOICES, f"{item.method}, {item.answer}", item.method, 0, item.recipe, item.options)
        for item in choices
        if item.method in methods
    ]
    return trials
