"""Learning to judge a collection: a sample of labelled images and a time to learn in, a classifier out."""

from __future__ import annotations

from collections.abc import Callable

from engram.images import ImageSet
from engram.models import Model
from engram.training.budget import Budget
from engram.training.fit import fit
from engram.training.recipe import RECIPES

MOMENTUM = 0.9
"""The paper's classifier is trained without; with it, it learns in few epochs what takes it twenty."""
MOST_EPOCHS = 12

Progress = Callable[[int, int], None]
"""Called with (epochs done, epochs in all)."""


def learn_judge(sample: ImageSet, budget: Budget, *, seed: int = 0, progress: Progress | None = None) -> Model:
    """The paper's classifier after as many epochs as the budget holds, one at least, MOST_EPOCHS at most."""
    first = fit(sample, "classifier", seed, epochs=1, momentum=MOMENTUM)
    fitting = budget.seconds / first.facts["epoch_seconds"][0] - 1
    if budget.steps is not None:
        fitting = budget.steps / -(-len(sample) // RECIPES["classifier"].batch_size)
    epochs = int(min(MOST_EPOCHS, fitting))
    if epochs <= 1:
        return first
    return fit(sample, "classifier", seed, epochs=epochs, momentum=MOMENTUM, progress=progress)
