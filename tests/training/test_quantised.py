"""Training with quantisation in the loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engram.codecs.freeze import freeze
from engram.datasets import wardrobe
from engram.errors import UsageError
from engram.evaluation.distortion import psnr_db
from engram.images import ImageSet
from engram.models import Model
from engram.networks.registry import make
from engram.training.fit import fit
from engram.training.quantised import Quantised, fit_quantised


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return wardrobe.draw(600, 0)


@pytest.fixture(scope="module")
def model(images: ImageSet) -> Model:
    torch.set_num_threads(1)
    return fit(images, "cnn", epochs=40, learning_rate=3e-3)


def frozen_psnr_db(model: Model, images: ImageSet, bits: float) -> tuple[float, float]:
    codec = freeze(model.network, images, bits=bits)
    data = codec.encode(images.images)
    return psnr_db(images.images, codec.decode(data, len(images))), 8 * len(data) / len(images) / 40


def test_it_wins_what_rounding_costs(model: Model, images: ImageSet) -> None:
    longer = fit(images, "cnn", epochs=60, learning_rate=3e-3)  # as many epochs, none of them with rounding
    trained = fit_quantised(model, images, 0.5, epochs=20)
    (before, rate_before), (without, _), (after, rate_after) = (
        frozen_psnr_db(each, images, 0.5) for each in (model, longer, trained)
    )
    assert after > max(before, without) + 0.3
    assert rate_after == pytest.approx(rate_before, rel=0.05)
    assert trained.facts["quantised"]["bits"] == 0.5
    assert len(trained.facts["quantised"]["losses"]) == 20
    assert trained.facts["losses"] == model.facts["losses"]


def test_progress_and_repetition(model: Model, images: ImageSet) -> None:
    seen: list[tuple[int, int]] = []
    first = fit_quantised(model, images[:50], 3.0, epochs=4, progress=lambda *at: seen.append(at))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    again = fit_quantised(model, images[:50], 3.0, epochs=4)
    assert first.facts["quantised"]["losses"] == again.facts["quantised"]["losses"]


def test_the_code_is_rounded_and_the_gradient_is_not() -> None:
    network = make("ann", (4, 4, 1), hidden=3)
    wrapped = Quantised(network, torch.full((3,), 0.5), torch.full((3,), 0.5))
    inputs = torch.rand(20, 1, 4, 4)
    code = wrapped.analysis(inputs).detach()
    for unit in code.T:
        assert len(np.unique(unit.numpy().round(5))) < 12
    wrapped(inputs).sum().backward()
    assert bool((network.analysis_weight.grad != 0).any())


def test_what_cannot_be_is_refused(model: Model, images: ImageSet) -> None:
    with pytest.raises(UsageError, match="takes at least 4 epochs, not 3"):
        fit_quantised(model, images, 3.0, epochs=3)
    with pytest.raises(UsageError, match="classifier has no code to quantise"):
        fit_quantised(fit(images, "classifier", epochs=1), images, 3.0)
    with pytest.raises(UsageError, match="bits a unit must be above 0"):
        fit_quantised(model, images, 0.0)
