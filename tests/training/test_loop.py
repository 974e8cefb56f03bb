"""Training: what it learns, what it refuses, and that a kill neither loses nor repeats an epoch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import run

from engram import models
from engram.datasets.noise import with_noise
from engram.errors import UsageError
from engram.images import ImageSet
from engram.networks.registry import make, restore
from engram.networks.running import recover
from engram.training import checkpoint as checkpoint_module
from engram.training.errors import CorruptCheckpoint, ForeignCheckpoint, TrainingDiverged
from engram.training.fit import fit
from engram.training.loop import epoch_order, matrix_products, train
from engram.training.recipe import Recipe


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(checkpoint_module, "INTERVAL_SECONDS", 0.0)


@pytest.fixture
def images() -> ImageSet:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 90)
    pixels = generator.integers(0, 60, (90, 16, 16, 1), np.uint8)
    pixels[np.arange(90), 4 * labels] += 190  # a bright row says the class
    return ImageSet(pixels, labels, ("a", "b", "c"))


@pytest.mark.parametrize("method", ["cnn", "ann", "tied", "sparse", "bidirectional", "deep", "stacked"])
def test_the_loss_falls(method: str, images: ImageSet) -> None:
    losses = fit(images, method, epochs=8, batch_size=10).facts["losses"]
    assert len(losses) == 8
    assert losses[-1] < 0.9 * losses[0]


def test_with_noise_the_clean_image_is_learned(images: ImageSet) -> None:
    noisy = with_noise(images.images, "salt-and-pepper", 0.3, np.random.default_rng(9))
    changes = {"epochs": 40, "batch_size": 10, "learning_rate": 0.003, "options": {"widths": [16, 4]}}
    errors = []
    for noise in ({"noise": "salt-and-pepper", "noise_strength": 0.3}, {}):
        network = restore(fit(images, "deep", **changes, **noise))
        errors.append(np.square(recover(network, noisy).astype(float) - images.images).mean())
    assert errors[0] < 0.7 * errors[1]


def test_noise_is_checked_and_has_a_usual_strength(images: ImageSet) -> None:
    assert Recipe(1, "sgd", 0.1, noise="blocks").noise_strength == 0.3
    with pytest.raises(UsageError, match="there is no noise 'rain'"):
        fit(images, "ann", noise="rain")
    with pytest.raises(UsageError, match="the strength of gaussian noise lies in 0 to 255, not 300"):
        fit(images, "ann", noise="gaussian", noise_strength=300)
    with pytest.raises(UsageError, match="a noise strength of 3 takes a noise"):
        fit(images, "ann", noise_strength=3)
    for method in ("classifier", "pixel", "spatial"):
        with pytest.raises(
            UsageError, match="noise in training is for networks whose whole aim is to return the image"
        ):
            fit(images, method, epochs=1, noise="gaussian")


def test_a_classifier_learns_labels(images: ImageSet) -> None:
    from engram.evaluation.judge import Judge, accuracy

    model = fit(images, "classifier", epochs=40, learning_rate=0.1, batch_size=10)
    assert accuracy(Judge(model).confusion(images)) > 0.9
    assert accuracy(Judge(fit(images, "classifier", epochs=1, learning_rate=1e-6)).confusion(images)) < 0.7


def test_seeds_decide(images: ImageSet) -> None:
    first, again, other = (fit(images, "tied", seed, epochs=2).facts["losses"] for seed in (0, 0, 1))
    assert first == again != other


def test_an_epochs_order_is_a_function_of_seed_and_epoch() -> None:
    draws = [epoch_order(50, seed, epoch).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert len({tuple(draw) for draw in draws}) == 4
    assert draws[0] == epoch_order(50, 0, 0).tolist()
    assert sorted(draws[3]) == list(range(50))


class Killed(Exception):
    pass


@pytest.mark.parametrize("method", ["cnn", "ann", "tied", "classifier", "bidirectional", "stacked", "deep, noise"])
@pytest.mark.parametrize("stop", [1, 3])
def test_a_stopped_training_goes_on_to_the_same_weights(
    method: str, stop: int, images: ImageSet, tmp_path: Path
) -> None:
    method, *noise = method.split(", ")
    changes = {"noise": "gaussian"} if noise else {}
    whole = fit(images, method, epochs=4, **changes)

    def kill(done: int, total: int) -> None:
        if done == stop:
            raise Killed

    with pytest.raises(Killed):
        fit(images, method, epochs=4, checkpoint=tmp_path / "state", progress=kill, **changes)
    seen: list[int] = []

    def watch(done: int, total: int) -> None:
        seen.append(done)

    continued = fit(images, method, epochs=4, checkpoint=tmp_path / "state", progress=watch, **changes)
    assert seen == list(range(stop + 1, 5))
    assert continued.facts["losses"] == whole.facts["losses"]
    for mine, other in zip(restore(continued).parameters(), restore(whole).parameters(), strict=True):
        assert torch.equal(mine, other)


def test_a_killed_command_goes_on_to_the_same_model(images: ImageSet, tmp_path: Path) -> None:
    np.savez(tmp_path / "images.npz", images=images.images, labels=images.labels, class_names=np.array(["a", "b", "c"]))
    command = ["train", str(tmp_path / "images.npz"), "--method", "cnn", "--epochs", "400"]
    assert run(*command, "-o", tmp_path / "whole").returncode == 0
    state = tmp_path / "killed.checkpoint"
    real = [sys.executable, "-m", "engram", *command, "-o", tmp_path / "killed"]
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}  # as many add up in the same order
    with subprocess.Popen(real, env=environment, stdout=-3, stderr=-3) as process:
        deadline = time.monotonic() + 60
        while not state.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert state.exists(), "killed too late to prove anything"
    assert not (tmp_path / "killed").exists()
    assert run(*command, "-o", tmp_path / "killed").returncode == 0
    assert not state.exists()
    whole, killed = models.load(tmp_path / "whole"), models.load(tmp_path / "killed")
    assert killed.facts["losses"] == whole.facts["losses"]
    assert len(killed.facts["losses"]) == 400


def test_a_diverging_training_says_where_and_what_to_do(images: ImageSet) -> None:
    with pytest.raises(
        TrainingDiverged, match=r"the training loss became nan in epoch \d+ of 9 with sgd, learning rate 1e\+30"
    ):
        fit(images, "cnn", epochs=9, optimiser="sgd", learning_rate=1e30)


def test_a_checkpoint_of_another_training_is_refused(images: ImageSet, tmp_path: Path) -> None:
    fit(images, "tied", epochs=1, checkpoint=tmp_path / "state")
    for images_, changes in ((images, {"seed": 1}), (images[1:], {}), (images, {"options": {"hidden": 7}})):
        with pytest.raises(ForeignCheckpoint, match="belongs to another training"):
            fit(images_, "tied", epochs=1, checkpoint=tmp_path / "state", **changes)
    with pytest.raises(ForeignCheckpoint):
        fit(images, "tied", epochs=1, learning_rate=1.0, checkpoint=tmp_path / "state")


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"\xff" * 100])
def test_a_damaged_checkpoint_is_refused(damage, images: ImageSet, tmp_path: Path) -> None:
    state = tmp_path / "state"
    fit(images, "tied", epochs=1, checkpoint=state)
    state.write_bytes(damage(state.read_bytes()))
    with pytest.raises(CorruptCheckpoint, match=r"is not a whole checkpoint .* delete it to start again"):
        fit(images, "tied", epochs=1, checkpoint=state)


def test_what_cannot_be_trained_is_refused(images: ImageSet) -> None:
    with pytest.raises(UsageError, match="there is no image to train on"):
        fit(images[:0], "tied", epochs=1)
    with pytest.raises(UsageError, match="a classifier needs labels"):
        train(make("classifier", (16, 16, 1)), ImageSet(images.images), Recipe(1, "sgd", 0.1), 0)
    with pytest.raises(UsageError, match="there is no method 'vae' to train"):
        fit(images, "vae")
    with pytest.raises(UsageError, match="a recipe has no such setting"):
        fit(images, "tied", epoch=3)
    for changes in ({"epochs": 0}, {"learning_rate": 0}, {"learning_rate": float("nan")}, {"momentum": 1.0}):
        with pytest.raises(UsageError, match="a recipe needs epochs >= 1"):
            fit(images, "tied", **changes)
    with pytest.raises(UsageError, match="there is no optimiser 'rmsprop'"):
        fit(images, "tied", optimiser="rmsprop")
    with pytest.raises(UsageError, match="there is no precision 'int8'"):
        fit(images, "tied", precision="int8")


def test_the_permission_to_round_ends_with_the_training() -> None:
    before = torch.get_float32_matmul_precision()
    with matrix_products("bfloat16"):
        assert torch.get_float32_matmul_precision() == "medium"
    assert torch.get_float32_matmul_precision() == before
