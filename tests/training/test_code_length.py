"""Training a pixel code: what it learns, that a kill changes nothing, and that whole numbers cost next to nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engram import models
from engram.codecs.freeze import freeze
from engram.codecs.pixel.codec import Pixel
from engram.datasets import wardrobe
from engram.images import ImageSet
from engram.models import Model
from engram.networks.pixel import PixelNetwork
from engram.networks.registry import restore
from engram.training import checkpoint as checkpoint_module
from engram.training.fit import fit

OPTIONS: dict[str, Any] = {"hidden": (12, 12), "components": 2, "radius": 2, "knots": 4}
CHANGES: dict[str, Any] = {"batch_size": 50, "learning_rate": 5e-2}


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(checkpoint_module, "INTERVAL_SECONDS", 0.0)


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return wardrobe.draw(300, 0, (14, 12))


@pytest.fixture(scope="module")
def model(images: ImageSet) -> Model:
    torch.set_num_threads(1)
    return fit(images, "pixel", epochs=8, options=OPTIONS, **CHANGES)


def float_bits(model: Model, images: ImageSet) -> float:
    """What the network in floats says the images cost."""
    network = restore(model)
    assert isinstance(network, PixelNetwork)
    around, step = network.neighbourhood, network.step
    symbols = (images.images.astype(np.int64) + step // 2) // step
    canvases = torch.from_numpy(around.canvas(np.minimum(symbols * step, 255).astype(np.uint8))).float()
    taps, positions = torch.from_numpy(around.taps), torch.from_numpy(around.positions).float() / 255
    nats = 0.0
    with torch.no_grad():
        for canvas, wanted in zip(canvases, torch.from_numpy(symbols.reshape(len(images), -1)), strict=True):
            nats += float(network.nats(network(network.inputs(canvas, taps, positions)), wanted).sum())
    return nats / float(np.log(2))


def test_the_bits_fall_and_so_does_the_archive(model: Model, images: ImageSet) -> None:
    losses = model.facts["losses"]
    assert len(losses) == 8
    assert losses[-1] < 0.9 * losses[0]
    unseen = wardrobe.draw(100, 1, (14, 12))
    early = freeze(fit(images, "pixel", epochs=1, options=OPTIONS, **CHANGES), images)
    codec = freeze(model, images)
    assert len(codec.encode(unseen.images)) < 0.9 * len(early.encode(unseen.images))


def test_the_loss_is_what_a_value_costs(model: Model, images: ImageSet) -> None:
    """An epoch's loss is estimated from the values drawn; the last epochs are near the end's network."""
    bits = float_bits(model, images) / images.images.size
    assert model.facts["losses"][-1] == pytest.approx(bits, rel=0.05)


@pytest.mark.parametrize("max_error", [0, 2])
def test_whole_numbers_cost_at_most_half_a_per_cent(max_error: int, model: Model, images: ImageSet) -> None:
    if max_error:
        model = fit(images, "pixel", epochs=8, options=OPTIONS | {"max_error": max_error}, **CHANGES)
    unseen = wardrobe.draw(150, 1, (14, 12))
    codec = freeze(model, images)
    assert isinstance(codec, Pixel)
    assert codec.max_error == max_error
    assert codec.estimated_bits(unseen.images) <= 1.005 * float_bits(model, unseen)
    data = codec.encode(unseen.images)
    assert data[:1] == b"\0"
    assert np.abs(codec.decode(data, 150).astype(int) - unseen.images).max() <= max_error


class Killed(Exception):
    pass


@pytest.mark.parametrize("stop", [1, 3])
def test_a_stopped_training_goes_on_to_the_same_weights(stop: int, images: ImageSet, tmp_path: Path) -> None:
    whole = fit(images, "pixel", epochs=4, options=OPTIONS, **CHANGES)

    def kill(done: int, total: int) -> None:
        if done == stop:
            raise Killed

    state = tmp_path / "state"
    with pytest.raises(Killed):
        fit(images, "pixel", epochs=4, options=OPTIONS, checkpoint=state, progress=kill, **CHANGES)
    continued = fit(images, "pixel", epochs=4, options=OPTIONS, checkpoint=state, **CHANGES)
    assert continued.facts["losses"] == whole.facts["losses"]
    for mine, other in zip(continued.network.prior, whole.network.prior, strict=True):
        assert np.array_equal(mine.weight, other.weight)  # type: ignore[union-attr]
        assert np.array_equal(mine.bias, other.bias)  # type: ignore[union-attr]


def test_seeds_decide(images: ImageSet) -> None:
    first, again, other = (
        fit(images[:50], "pixel", seed, epochs=2, options=OPTIONS, **CHANGES).facts["losses"] for seed in (0, 0, 1)
    )
    assert first == again != other


def test_colour_images_and_a_model_file(images: ImageSet, tmp_path: Path) -> None:
    """Channels that are alike cost less than as many gray images."""
    gray = images.images[:150]
    tinted = ImageSet(np.concatenate([gray, gray // 2, 255 - gray], axis=3))
    model = fit(tinted, "pixel", epochs=8, options=OPTIONS, **CHANGES)
    model.save(tmp_path / "model")
    codec = freeze(models.load(tmp_path / "model"), tinted)
    assert codec.model == freeze(model, tinted).model
    data = codec.encode(tinted.images)
    assert np.array_equal(codec.decode(data, 150), tinted.images)
    assert len(data) < 0.6 * tinted.images.size


def test_images_without_a_value_other_than_0() -> None:
    black = ImageSet(np.zeros((20, 6, 6, 1), np.uint8))
    model = fit(black, "pixel", epochs=2, options=OPTIONS, **CHANGES)
    codec = freeze(model, black)
    assert np.array_equal(codec.decode(codec.encode(black.images), 20), black.images)
