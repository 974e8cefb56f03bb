"""Training a strong classifier: how images are varied, and that a training goes on as if it had never stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engram import models
from engram.evaluation.judge import Judge, accuracy
from engram.images import ImageSet
from engram.training import checkpoint as checkpoint_module
from engram.training.classification import SHIFT, varied
from engram.training.fit import fit

SMALL = {"widths": [6, 8]}


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> ImageSet:
    torch.set_num_threads(1)
    monkeypatch.setattr(checkpoint_module, "INTERVAL_SECONDS", 0.0)
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 3, 90)
    pixels = draw.integers(0, 60, (90, 16, 16, 1), np.uint8)
    for thickness in range(4):
        pixels[np.arange(90), 4 * labels + thickness] += 190  # a bright bar says the class
    return ImageSet(pixels, labels, ("a", "b", "c"))


@given(
    count=st.integers(0, 5),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    channels=st.sampled_from([1, 3]),
    seed=st.integers(0, 99),
)
def test_an_image_is_moved_and_mirrored_as_a_whole(
    count: int, height: int, width: int, channels: int, seed: int
) -> None:
    images = torch.from_numpy(np.random.default_rng(seed).random((count, channels, height, width), np.float32))
    padded = torch.nn.functional.pad(images, (SHIFT,) * 4, mode="replicate") if count else images
    for found, around in zip(varied(images, np.random.default_rng(seed)), padded, strict=True):
        moved = [around[:, y : y + height, x : x + width] for y in range(2 * SHIFT + 1) for x in range(2 * SHIFT + 1)]
        assert any(torch.equal(found, each) or torch.equal(found.flip(2), each) for each in moved)


def test_every_way_occurs() -> None:
    images = torch.arange(49.0).reshape(1, 1, 7, 7).expand(2000, -1, -1, -1)
    found = varied(images, np.random.default_rng(0))[:, 0, 3, 2:5]
    assert len({tuple(row.tolist()) for row in found}) == 2 * (2 * SHIFT + 1) ** 2


def test_it_learns_labels(images: ImageSet) -> None:
    model = fit(images, "judge", epochs=12, batch_size=15, options=dict(SMALL))
    assert accuracy(Judge(model).confusion(images)) > 0.9


def test_a_training_goes_on_where_it_was(images: ImageSet, tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(done: int, _: object) -> None:
        if done == 2:
            raise Stopped

    settings = {"epochs": 4, "batch_size": 20, "options": SMALL}
    whole = fit(images, "judge", **settings)
    with pytest.raises(Stopped):
        fit(images, "judge", checkpoint=tmp_path / "c", watch=stop, **settings)
    rest = fit(images, "judge", checkpoint=tmp_path / "c", **settings)
    whole.save(tmp_path / "whole")
    assert rest.facts["losses"] == whole.facts["losses"]
    saved = models.load(tmp_path / "whole").network.analysis
    for found, expected in zip(rest.network.analysis, saved, strict=True):
        if found.parameters:
            assert np.array_equal(found.weight, expected.weight)


def test_seeds_decide(images: ImageSet) -> None:
    losses = [fit(images, "judge", seed, epochs=1, options=dict(SMALL)).facts["losses"] for seed in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]
