"""Training a spatial code: it learns, a resume changes nothing, and whole numbers cost next to nothing of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engram.codecs.freeze import freeze
from engram.codecs.spatial.codec import Spatial
from engram.datasets import wardrobe
from engram.errors import UsageError
from engram.images import ImageSet
from engram.models import Model
from engram.networks import spatial as networks
from engram.networks.classifier import Classifier
from engram.networks.registry import restore
from engram.networks.running import to_tensor
from engram.training import checkpoint as checkpoint_module
from engram.training.fit import fit
from engram.training.spatial import bits_of, confusions

SMALL = {"analysis_width": 8, "synthesis_width": 8, "context": 12, "hidden": 20}


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return wardrobe.draw(300, seed=0, shape=(14, 12))


@pytest.fixture(scope="module")
def trained(images: ImageSet) -> Model:
    torch.set_num_threads(1)
    return fit(images, "spatial", options=SMALL, epochs=12, batch_size=50)


def test_it_learns(trained: Model) -> None:
    losses = trained.facts["losses"]
    assert losses[-1] < 0.75 * losses[0]
    assert trained.facts["options"] == SMALL


def test_a_training_that_stopped_goes_on_to_the_same_result(
    images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop lies before the point from which symbols are whole and the analysis rests, and the end after it."""
    monkeypatch.setattr(checkpoint_module, "INTERVAL_SECONDS", 0.0)

    class Stopped(Exception):
        pass

    def stop(done: int, epochs: int) -> None:
        if done == 2:
            raise Stopped

    settings = {"options": SMALL, "epochs": 4, "batch_size": 25, "checkpoint": tmp_path / "c"}
    with pytest.raises(Stopped):
        fit(images, "spatial", progress=stop, **settings)  # type: ignore[arg-type]
    resumed = fit(images, "spatial", **settings)  # type: ignore[arg-type]
    whole = fit(images, "spatial", **(settings | {"checkpoint": None}))  # type: ignore[arg-type]
    for half in ("analysis", "synthesis", "prior"):
        for mine, other in zip(getattr(resumed.network, half), getattr(whole.network, half), strict=True):
            for part in ("weight", "bias"):
                assert np.array_equal(getattr(mine, part, 0), getattr(other, part, 0))
    assert resumed.facts["losses"] == whole.facts["losses"]


def test_whole_numbers_cost_next_to_nothing(trained: Model, images: ImageSet) -> None:
    network = restore(trained)
    codec = freeze(trained, images)
    assert isinstance(network, networks.Spatial)
    assert isinstance(codec, Spatial)
    others = wardrobe.draw(300, seed=1, shape=(14, 12)).images
    lost, more = [], []
    for step in (32, 64, 128, 256):
        at = codec.at(step)
        data = at.encode(others)
        steps = torch.full((len(others),), step / 2)
        with torch.no_grad():
            symbols = network.analysis(to_tensor(others), steps).round()
            bits = bits_of(symbols, *network.distributions(symbols, steps)).sum().item()
            made = (network.synthesis(symbols, steps).clamp(0, 1) * 255).round()
        made = made.permute(0, 2, 3, 1).numpy()
        errors = [np.square(one.astype(float) - others).mean() for one in (at.decode(data, len(others)), made)]
        lost.append(10 * np.log10(errors[0] / errors[1]))
        more.append(8 * len(data) / bits)
    assert np.mean(lost) < 0.05
    assert max(lost) < 0.1
    assert np.mean(more) < 1.02


def test_a_trained_model_is_trained_on(trained: Model, images: ImageSet) -> None:
    more = fit(images, "spatial", epochs=1, batch_size=50, learning_rate=1e-4, start=trained)
    assert more.facts["losses"][0] < 0.75 * trained.facts["losses"][0]
    assert more.facts["options"] == SMALL
    assert more.facts["start"] == trained.identity
    with pytest.raises(UsageError, match="to start from has another hidden; leave that out"):
        fit(images, "spatial", options={"hidden": 21}, start=trained)
    with pytest.raises(UsageError, match="is spatial for images of 14 x 12 x 1, not tied for 14 x 12 x 1"):
        fit(images, "tied", start=trained)
    with pytest.raises(UsageError, match="pca is solved, not trained: it starts from nothing"):
        fit(images, "pca", start=trained)


def test_a_task_spares_what_its_classifier_sees(trained: Model, images: ImageSet) -> None:
    task = fit(images, "classifier", epochs=20, learning_rate=0.1, batch_size=20)
    classifier = restore(task)
    assert isinstance(classifier, Classifier)
    lost = []
    for weighed in ({}, {"task": task, "task_weight": 1000.0}):
        network = restore(fit(images, "spatial", epochs=8, batch_size=25, start=trained, **weighed))  # type: ignore[arg-type]
        assert isinstance(network, networks.Spatial)
        with torch.no_grad():
            inputs, steps = to_tensor(images.images), torch.full((len(images),), 150.0)
            made = network.synthesis(network.analysis(inputs, steps).round(), steps)
            lost.append(confusions(classifier, made.clamp(0, 1), inputs).mean().item())
    assert lost[1] < 0.8 * lost[0]
    for alone in ({"task": task}, {"task_weight": 1.0}):
        with pytest.raises(UsageError, match="a task and its weight go together"):
            fit(images, "spatial", options=SMALL, **alone)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="a task is a classifier, and spatial can be trained for one"):
        fit(images, "tied", task=task)
    with pytest.raises(UsageError, match="a task's weight is 0 or more, not -1"):
        fit(images, "spatial", options=SMALL, task=task, task_weight=-1.0)


def test_bits_are_those_of_a_distribution() -> None:
    symbols = torch.arange(-200, 201).double()
    for mean, log_scale in ((0.3, -2.0), (-4.2, 0.5), (0.0, 2.0)):
        bits = bits_of(symbols, torch.tensor(mean).double(), torch.tensor(log_scale).double())
        likely = bits < 20  # unlikely ones are counted as 1e-7
        assert (2 ** -bits[likely]).sum().item() == pytest.approx(1, abs=1e-3)
