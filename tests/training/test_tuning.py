"""Training on what is left of a network: it gets better, and what was pruned stays 0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engram.codecs.pruning import pruned
from engram.codecs.reduction import reduced
from engram.datasets import wardrobe
from engram.errors import UsageError
from engram.layers import Dense
from engram.networks.registry import restore
from engram.training.fit import fit
from engram.training.tuning import TUNING, tune

IMAGES = wardrobe.draw(300, 0)


@pytest.mark.parametrize(
    ("method", "options"), [("ann", {"hidden": 12}), ("tied", {"hidden": 12}), ("deep", {"widths": [20, 8]})]
)
def test_pruned_weights_stay_0_and_the_others_learn(method: str, options: dict) -> None:
    trained = fit(IMAGES, method, options=options, epochs=4)
    small = pruned(trained.network, 0.3)
    tuned = tune(small, IMAGES, trained.facts["options"], recipe=replace(TUNING, batch_size=32))
    for before, after in zip(small.synthesis, tuned.network.synthesis, strict=True):
        if isinstance(before, Dense):
            assert isinstance(after, Dense)
            assert np.array_equal(before.weight != 0, after.weight != 0)
            assert not np.array_equal(before.weight, after.weight)
    assert tuned.facts["losses"][-1] < tuned.facts["losses"][0]
    assert restore(tuned).options == restore(trained).options


def test_a_reduced_network_is_tuned_with_the_units_it_has() -> None:
    trained = fit(IMAGES, "tied", options={"hidden": 12}, epochs=4)
    *_, (smaller, _) = reduced(trained.network, IMAGES, 5)
    tuned = tune(smaller, IMAGES)
    assert (tuned.network.method, tuned.network.code_numbers, tuned.facts["options"]["hidden"]) == ("ann", 5, 5)
    assert len(tuned.facts["losses"]) == TUNING.epochs


def test_a_classifier_is_not_tuned() -> None:
    classifier = fit(IMAGES, "classifier", epochs=1)
    with pytest.raises(UsageError, match="classifier returns no images to be tuned by"):
        tune(classifier.network, IMAGES, classifier.facts["options"])
