"""Training a restoration: it improves what a pixel code gives back, in whole numbers too, and can be resumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engram.codecs.candidate import decibels
from engram.codecs.dial import rounded
from engram.codecs.freeze import freeze
from engram.codecs.pixel.codec import Pixel
from engram.codecs.restored.freezing import with_restoration
from engram.datasets import wardrobe
from engram.errors import CorruptData, UsageError
from engram.images import ImageSet
from engram.models import Model
from engram.networks.registry import make, restore
from engram.networks.restoration import RestorationNetwork
from engram.networks.running import to_tensor
from engram.training import checkpoint as checkpoint_module
from engram.training.fit import fit

OPTIONS = {"width": 8, "max_error": 20}


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return wardrobe.draw(200, seed=0, shape=(14, 12))


@pytest.fixture(scope="module")
def trained(images: ImageSet) -> Model:
    torch.set_num_threads(1)
    return fit(images, "restoration", options=OPTIONS, epochs=25, batch_size=20)


def test_it_restores(trained: Model, images: ImageSet) -> None:
    """Images it has not seen, through the codec with its whole numbers."""
    others = wardrobe.draw(60, seed=5, shape=(14, 12)).images
    code = freeze(fit(images, "pixel", options={"hidden": [4], "radius": 1, "max_error": 20}, epochs=1), images)
    assert isinstance(code, Pixel)
    codec = with_restoration(code, trained, images)
    made = codec.decode(codec.encode(others), len(others))
    assert decibels(others, made) > decibels(others, rounded(others, 20)) + 0.6
    network = restore(trained)
    with torch.no_grad():
        floats = network(to_tensor(others)).permute(0, 2, 3, 1).numpy()  # type: ignore[operator]
    assert decibels(others, made) > decibels(others, np.rint(255 * floats).clip(0, 255).astype(np.uint8)) - 0.05


@pytest.mark.parametrize("max_error", [1, 8, 20, 63])
def test_it_takes_what_a_pixel_code_gives_back(max_error: int) -> None:
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    network = make("restoration", (16, 16, 1), max_error=max_error)
    assert isinstance(network, RestorationNetwork)
    wanted = rounded(images, max_error)
    for found in (network.analysis(to_tensor(images)), network.eval()(to_tensor(images))):  # it starts by no change
        assert np.array_equal(np.rint(255 * found.detach().permute(0, 2, 3, 1).numpy()), wanted)


def test_a_model_restores_the_network(trained: Model) -> None:
    network = restore(trained)
    assert network.options == OPTIONS | {"depth": 3}  # type: ignore[union-attr]
    again = network.describe()
    for mine, theirs in zip(again.synthesis, trained.network.synthesis, strict=True):
        assert np.array_equal(mine.weight, theirs.weight)  # type: ignore[union-attr]
    with pytest.raises(CorruptData, match="weights of shapes"):
        make("restoration", (14, 12, 1), width=9).absorb(trained.network)


@pytest.mark.parametrize("options", [{"width": 0}, {"depth": 1}, {"max_error": 0}, {"max_error": 64}, {"width": 257}])
def test_options_out_of_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=r"^a restoration takes a width of 1 to 256, a depth of 2 to 8"):
        make("restoration", (8, 8, 1), **options)


def test_a_training_that_stopped_goes_on_to_the_same_result(
    images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint_module, "INTERVAL_SECONDS", 0.0)

    class Stopped(Exception):
        pass

    def stop(done: int, epochs: int) -> None:
        if done == 1:
            raise Stopped

    settings = {"options": OPTIONS, "epochs": 2, "batch_size": 50, "checkpoint": tmp_path / "c"}
    with pytest.raises(Stopped):
        fit(images, "restoration", progress=stop, **settings)  # type: ignore[arg-type]
    resumed = fit(images, "restoration", **settings)  # type: ignore[arg-type]
    whole = fit(images, "restoration", **(settings | {"checkpoint": None}))  # type: ignore[arg-type]
    for mine, theirs in zip(resumed.network.synthesis, whole.network.synthesis, strict=True):
        assert np.array_equal(mine.weight, theirs.weight)  # type: ignore[union-attr]
