"""The dial: bytes an image, or decibels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.codecs.candidate import decibels
from engram.codecs.dial import (
    ERRORS,
    LARGEST_ERROR,
    OutOfReach,
    deflated_bytes,
    freeze_to_bytes,
    freeze_to_psnr,
    largest_error_for,
    largest_error_of,
    rounded,
)
from engram.codecs.goals import Quality
from engram.codecs.pca import fit_pca
from engram.datasets import wardrobe
from engram.errors import UsageError
from engram.evaluation.distortion import psnr_db
from engram.training.budget import Budget
from engram.training.learning import learn

IMAGES = wardrobe.draw(640, 0)
NETWORK = fit_pca(IMAGES, 30)


@pytest.mark.parametrize("wanted", [4.0, 10.0, 20.0])
def test_bytes_are_met_within_three_per_cent(wanted: float) -> None:
    codec = freeze_to_bytes(NETWORK, IMAGES, wanted)
    assert len(codec.encode(IMAGES.images)) / len(IMAGES) == pytest.approx(wanted, rel=0.03)


@pytest.mark.parametrize("wanted", [15.0, 16.5])
def test_decibels_are_met_with_few_bytes(wanted: float) -> None:
    codec = freeze_to_psnr(NETWORK, IMAGES, wanted)
    data = codec.encode(IMAGES.images)
    assert psnr_db(IMAGES.images, codec.decode(data, len(IMAGES))) == pytest.approx(wanted, abs=0.15)
    assert len(data) / len(IMAGES) < 25


@given(st.integers(0, 63), st.integers(0, 255))
def test_rounding_stays_within_the_largest_error(max_error: int, value: int) -> None:
    assert abs(int(rounded(np.array([value], np.uint8), max_error)[0]) - value) <= max_error


def test_rounded_images_are_what_a_pixel_code_gives_back() -> None:
    codec = learn(IMAGES[:40], Budget(steps=100), max_error=9)
    some = IMAGES.images[:5]
    assert np.array_equal(codec.decode(codec.encode(some), 5), rounded(some, 9))


def test_a_pixel_codes_largest_error_follows_the_quality() -> None:
    originals = IMAGES.images
    for wanted in (25.0, 35.0, 45.0):
        error = largest_error_for(Quality(wanted), originals)
        assert Quality(wanted).is_kept(originals, rounded(originals, error))
        assert decibels(originals, rounded(originals, error)) < wanted + 2
    assert largest_error_for(Quality(90), originals) == 0
    assert min(ERRORS) == 1
    assert max(ERRORS) == LARGEST_ERROR
    sizes = [deflated_bytes(originals[:50], error) for error in (0, 3, 20, 63)]
    assert sizes == sorted(sizes, reverse=True)


def test_what_is_out_of_reach_says_what_is_possible() -> None:
    with pytest.raises(OutOfReach, match=r"a code of 30 numbers, which take from 0.188 to 30 bytes an image, not 31"):
        freeze_to_bytes(NETWORK, IMAGES, 31)
    with pytest.raises(OutOfReach, match=r"pca reaches \d\d\.\d\d dB on images like these, not 60"):
        freeze_to_psnr(NETWORK, IMAGES, 60)
    with pytest.raises(UsageError, match="at least one"):
        freeze_to_psnr(NETWORK, IMAGES[:0], 20)


@pytest.mark.parametrize("images", [0, 100_000])
def test_how_often_values_are_there_says_the_largest_error(images: int) -> None:
    """Of all images as of a sample, and an image that counts twice is as two."""
    originals = IMAGES.images
    counts = np.stack([np.bincount(image.ravel(), minlength=256) for image in originals]).astype(float)
    for wanted in (25.0, 35.0, 45.0, 90.0):
        goal = Quality(wanted, images)
        assert largest_error_of(goal, counts) == largest_error_for(goal, originals)
    twice = np.concatenate([counts[:9] * 2, counts[9:]])
    goal = Quality(30.0)
    assert largest_error_of(goal, twice) == largest_error_for(goal, np.concatenate([originals, originals[:9]]))
    assert largest_error_of(goal, 0 * counts) == LARGEST_ERROR
