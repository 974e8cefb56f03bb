"""Learning to judge a collection: a sample of labelled images and a time to learn in, a classifier out."""

from __future__ import annotations

from collections.abc import Callable

from engram.images import ImageSet
from engram.models import Model
from engram.training.fit import fit

MOMENTUM = 0.9
"""The paper's classifier is trained without; with it, it learns in few epochs what takes it twenty."""
MOST_EPOCHS = 12

Progress = Callable[[int, int], None]
"""Called with (epochs done, epochs in all)."""


def learn_judge(sample: ImageSet, budget_seconds: float, *, seed: int = 0, progress: Progress | None = None) -> Model:
    """The paper's classifier after as many epochs as fit into the time, one at least, MOST_EPOCHS at most."""
    first = fit(sample, "classifier", seed, epochs=1, momentum=MOMENTUM)
    epochs = min(MOST_EPOCHS, int(budget_seconds / first.facts["epoch_seconds"][0]) - 1)
    if epochs <= 1:
        return first
    return fit(sample, "classifier", seed, epochs=epochs, momentum=MOMENTUM, progress=progress)
