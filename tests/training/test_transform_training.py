"""Training for rate and distortion: the rate that was asked for, and a resume that changes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engram.datasets import wardrobe
from engram.errors import UsageError
from engram.images import ImageSet
from engram.networks.classifier import Classifier
from engram.networks.registry import restore
from engram.networks.running import to_tensor
from engram.networks.transform import Transform
from engram.training import checkpoint as checkpoint_module
from engram.training import transform as transform_module
from engram.training.fit import fit
from engram.training.transform import bits_of, confusion, start_of

SMALL = {"units": 12, "hidden": 32, "context": 24}


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return wardrobe.draw(200, seed=0, shape=(12, 10))


def test_it_learns_at_the_rate_asked_for(images: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(transform_module, "WARM_UP", 5)
    monkeypatch.setattr(transform_module, "STEERING_BEGINS", 10)
    monkeypatch.setattr(transform_module, "STEERING", 0.05)
    rates, errors = [], []

    def watch(done: int, network: torch.nn.Module) -> None:
        assert isinstance(network, Transform)
        with torch.no_grad():
            inputs = to_tensor(images.images)
            symbols = network.analysis(inputs).round()
            rates.append(bits_of(symbols, *network.distributions(symbols)).sum(1).mean().item() / 8)
            errors.append((network.synthesis(symbols) - inputs).square().mean().item())

    for wanted in (3.0, 6.0):
        fit(images, "transform", options=SMALL, epochs=40, batch_size=25, bytes_per_image=wanted, watch=watch)
    assert rates[39] == pytest.approx(3.0, rel=0.25)
    assert rates[-1] == pytest.approx(6.0, rel=0.25)
    assert errors[-1] < errors[39]


def test_a_training_that_stopped_goes_on_to_the_same_result(
    images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint_module, "INTERVAL_SECONDS", 0.0)

    class Stopped(Exception):
        pass

    def stop(done: int, epochs: int) -> None:
        if done == 2:
            raise Stopped

    settings = {"options": SMALL, "epochs": 4, "batch_size": 40, "bytes_per_image": 4.0, "checkpoint": tmp_path / "c"}
    with pytest.raises(Stopped):
        fit(images, "transform", progress=stop, **settings)  # type: ignore[arg-type]
    resumed = fit(images, "transform", **settings)  # type: ignore[arg-type]
    whole = fit(images, "transform", **(settings | {"checkpoint": None}))  # type: ignore[arg-type]
    for mine, other in zip(resumed.network.synthesis, whole.network.synthesis, strict=True):
        assert np.array_equal(getattr(mine, "weight", 0), getattr(other, "weight", 0))


def test_bits_are_those_of_a_distribution() -> None:
    symbols = torch.arange(-200, 201).double()
    for mean, log_scale in ((0.3, -2.0), (-4.2, 0.5), (0.0, 2.0)):
        bits = bits_of(symbols, torch.tensor(mean).double(), torch.tensor(log_scale).double())
        likely = bits < 20  # unlikely ones are counted as 1e-7
        assert (2 ** -bits[likely]).sum().item() == pytest.approx(1, abs=1e-3)


def test_a_step_for_more_bits_is_finer(images: ImageSet) -> None:
    inputs = to_tensor(images.images)
    assert start_of(inputs, 100) < start_of(inputs, 50) < 1


def test_a_rate_must_be_one(images: ImageSet) -> None:
    with pytest.raises(UsageError, match="takes the bytes an image that it is for"):
        fit(images, "transform", options=SMALL, bytes_per_image=None)
    with pytest.raises(UsageError, match="a code takes more than 0 bytes an image, not -1"):
        fit(images, "transform", options=SMALL, bytes_per_image=-1.0)


def test_a_task_spares_what_its_classifier_sees(images: ImageSet) -> None:
    task = fit(images, "classifier", epochs=20, learning_rate=0.1, batch_size=20)
    classifier = restore(task)
    assert isinstance(classifier, Classifier)
    settings = {"options": SMALL, "epochs": 30, "batch_size": 25, "bytes_per_image": 3.0}
    lost = []
    for weighed in ({}, {"task": task, "task_weight": 200.0}):
        network = restore(fit(images, "transform", **settings, **weighed))  # type: ignore[arg-type]
        assert isinstance(network, Transform)
        with torch.no_grad():
            inputs = to_tensor(images.images)
            lost.append(confusion(classifier, network.synthesis(network.analysis(inputs).round()), inputs).item())
    assert lost[1] < 0.8 * lost[0]


def test_a_task_and_its_weight_go_together(images: ImageSet) -> None:
    task = fit(images, "classifier", epochs=1)
    for weighed in ({"task": task}, {"task_weight": 1.0}):
        with pytest.raises(UsageError, match="a task and its weight go together"):
            fit(images, "transform", options=SMALL, **weighed)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="transform and spatial can be trained for one"):
        fit(images, "tied", task=task)
    with pytest.raises(UsageError, match="a task's weight is 0 or more, not -1"):
        fit(images, "transform", options=SMALL, task=task, task_weight=-1.0)
