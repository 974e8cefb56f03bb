"""Which codec is cheapest, its model counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_networks import pictures

from engram.codecs.choice import MOST_HELD_BACK, cheapest, hold_back
from engram.codecs.raw import Raw
from engram.datasets import wardrobe
from engram.images import ImageSet


@given(st.integers(1, 60), st.integers(0, 3))
def test_what_is_held_back_is_not_learned_from(count: int, seed: int) -> None:
    images = np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)
    rest, measured = hold_back(ImageSet(images), seed)
    assert len(rest)
    assert len(measured)
    if count >= 10:
        assert sorted([*rest.images.ravel(), *measured.images.ravel()]) == list(range(count))
    else:
        assert len(rest) == len(measured) == count


def test_no_more_is_held_back_than_it_takes_to_measure() -> None:
    images = np.zeros((10_000, 1, 1, 1), np.uint8)
    assert len(hold_back(ImageSet(images))[1]) == MOST_HELD_BACK


@pytest.mark.parametrize(("images", "brings", "wins"), [(10, 5_000, "first"), (100_000, 5_000, "second")])
def test_a_model_must_pay_for_itself(images: int, brings: int, wins: str) -> None:
    class Halved(Raw):
        """As if a model of some size halved the bytes."""

        def encode(self, block: np.ndarray) -> bytes:
            coded = super().encode(block)
            return coded[: len(coded) // 2]

    measured = wardrobe.draw(100, 0).images
    first, second = Raw(measured.shape[1:]), Halved(measured.shape[1:])
    best = cheapest(measured, images, [(first, 0), (second, brings)])
    assert best.codec is (first if wins == "first" else second)
    assert best.bytes_in_all == pytest.approx(best.bytes_per_image * images + (0 if wins == "first" else brings))


def test_one_image_is_enough() -> None:
    measured = pictures(1, (8, 8, 1)).images
    assert cheapest(measured, 1, [(Raw((8, 8, 1)), 0)]).codec.id == "raw"
