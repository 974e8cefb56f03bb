"""wardrobe: the same pixels everywhere and for ever, in any portion; half background, ten classes, not too easy."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engram.datasets import wardrobe
from engram.errors import UsageError

MANY = wardrobe.draw(2100, 0)


def test_the_images_are_those_of_every_release() -> None:
    first = wardrobe.draw(256, 0)
    assert first.labels is not None
    assert (
        hashlib.sha256(first.images.tobytes()).hexdigest()
        == "19bb8c393ef6d11d69857db1c8c4579039df73b1d4cc874d0387e841c8400833"
    )
    assert (
        hashlib.sha256(first.labels.astype("<i8").tobytes()).hexdigest()
        == "edc21051a01a0b07b8314aa230ec4ded4bc9f425ce0607fc2e13d6c8ec411f61"
    )


@settings(max_examples=8)
@given(st.integers(0, 2100), st.integers(0, 2100))
def test_any_portion_is_a_portion_of_the_whole(start: int, stop: int) -> None:
    start, stop = min(start, stop), max(start, stop)
    portion = wardrobe.draw(stop - start, 0, start=start)
    assert portion.fingerprint() == MANY[start:stop].fingerprint()


@pytest.mark.parametrize("count", [0, 1])
def test_few_images(count: int) -> None:
    drawn = wardrobe.draw(count, 0)
    assert drawn.images.shape == (count, 28, 28, 1)
    assert drawn.fingerprint() == MANY[:count].fingerprint()


@pytest.mark.parametrize("shape", [(1, 1), (9, 16), (64, 48)])
def test_any_size(shape: tuple[int, int]) -> None:
    drawn = wardrobe.draw(20, 3, shape)
    assert drawn.images.shape == (20, *shape, 1)
    np.testing.assert_array_equal(drawn.labels, wardrobe.draw(20, 3).labels)


def test_a_seed_is_another_row() -> None:
    assert not np.array_equal(wardrobe.draw(20, 1).images, MANY.images[:20])


def test_every_class_is_there_about_equally_often() -> None:
    assert MANY.labels is not None
    assert MANY.class_names == wardrobe.CLASS_NAMES
    shares = np.bincount(MANY.labels, minlength=10) / len(MANY)
    assert shares.min() > 0.07
    assert shares.max() < 0.13


def test_about_half_the_pixels_are_background() -> None:
    assert 0.45 < (MANY.images == 0).mean() < 0.6
    for label in range(10):
        images = MANY.images[MANY.labels == label]
        assert 0.35 < (images == 0).mean() < 0.8
        assert (images > 0).any(axis=(1, 2, 3)).all()  # none is empty


def test_no_image_comes_twice() -> None:
    assert len({image.tobytes() for image in MANY}) == len(MANY)


def test_classes_overlap_but_can_be_told_apart() -> None:
    """The nearest class mean is right for most images, and far from all."""
    train, test = MANY[:1600], MANY[1600:]
    means = np.stack([train.images[train.labels == label].mean(axis=0).ravel() for label in range(10)])
    flat = test.images.reshape(len(test), -1).astype(np.float64)
    nearest = np.argmin((means**2).sum(axis=1) - 2 * flat @ means.T, axis=1)
    assert 0.5 < (nearest == test.labels).mean() < 0.9


def test_the_halves_are_of_different_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wardrobe.COUNTS == {"train": 60_000, "test": 10_000}
    monkeypatch.setattr(wardrobe, "COUNTS", {"train": 30, "test": 20})
    train, test = (wardrobe.load_half(half) for half in ("train", "test"))
    assert train.fingerprint() == wardrobe.load_half("train").fingerprint() == MANY[:30].fingerprint()
    assert test.fingerprint() == wardrobe.load_half("test").fingerprint() == wardrobe.draw(20, 1).fingerprint()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": -1, "seed": 0}, "count, seed and start are at least 0, not -1, 0, 0"),
        ({"count": 1, "seed": -2}, "count, seed and start are at least 0, not 1, -2, 0"),
        ({"count": 1, "seed": 0, "start": -3}, "count, seed and start are at least 0, not 1, 0, -3"),
        ({"count": 1, "seed": 0, "shape": (0, 28)}, "images of 0 x 28 pixels hold nothing"),
    ],
)
def test_what_cannot_be_drawn(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=f"^{message}$"):
        wardrobe.draw(**arguments)


@pytest.mark.parametrize("rows", [range(2500), range(0), range(990, 1010), range(3, 2500, 7), range(2000, 2000)])
def test_a_half_is_drawn_as_it_passes(rows: range, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(wardrobe.COUNTS, "test", 2500)
    whole, half = wardrobe.load_half("test"), wardrobe.stream("test")
    assert half.known.labels is not None
    assert whole.labels is not None
    assert half.known.labels.tolist() == whole.labels.tolist()
    pieces = list(half.pieces(rows))
    assert np.array_equal(
        np.concatenate([piece.images for piece in pieces]), whole.images[rows.start : rows.stop : rows.step]
    )
