"""Distortion, from its definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engram.errors import UsageError
from engram.evaluation import distortion
from engram.evaluation.distortion import max_error, mean_squared_error, psnr_db, ssim

SETS = hnp.arrays(np.uint8, st.tuples(st.integers(0, 5), st.integers(1, 4), st.integers(1, 4), st.sampled_from([1, 3])))


@given(SETS)
def test_equal_images_have_no_distortion(images: np.ndarray) -> None:
    assert (mean_squared_error(images, images), max_error(images, images)) == (0, 0)
    assert psnr_db(images, images) == math.inf
    assert ssim(images, images) == pytest.approx(1)


@given(SETS, st.integers(0, 255))
def test_the_definitions(images: np.ndarray, seed: int) -> None:
    other = np.random.default_rng(seed).integers(0, 256, images.shape, np.uint8)
    difference = images.astype(float) - other
    if images.size == 0:
        assert mean_squared_error(images, other) == 0
        return
    assert mean_squared_error(images, other) == pytest.approx(np.mean(difference**2) / 255**2)
    assert max_error(images, other) == np.abs(difference).max()


def test_the_set_is_pooled_over_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distortion, "CHUNK", 2)
    originals, recovered = np.zeros((5, 1, 1, 1), np.uint8), np.zeros((5, 1, 1, 1), np.uint8)
    recovered[4] = 255
    assert mean_squared_error(originals, recovered) == pytest.approx(0.2)
    assert psnr_db(originals, recovered) == pytest.approx(10 * math.log10(5))
    assert max_error(originals, recovered) == 255


@pytest.mark.parametrize("measure", [mean_squared_error, max_error, psnr_db, ssim])
def test_other_shapes_are_refused(measure) -> None:
    with pytest.raises(UsageError, match=r"cannot compare images of shape \(1, 2, 2, 1\) with \(1, 2, 3, 1\)"):
        measure(np.zeros((1, 2, 2, 1), np.uint8), np.zeros((1, 2, 3, 1), np.uint8))


@given(SETS, st.integers(0, 255))
def test_structural_similarity_is_symmetric_and_at_most_1(images: np.ndarray, seed: int) -> None:
    other = np.random.default_rng(seed).integers(0, 256, images.shape, np.uint8)
    assert ssim(images, other) == pytest.approx(ssim(other, images))
    assert -1 <= ssim(images, other) <= 1 + 1e-9


def test_structural_similarity_is_that_of_scikit_image(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = pytest.importorskip("skimage.metrics")
    monkeypatch.setattr(distortion, "CHUNK", 2)
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (5, 16, 21, 3), np.uint8)
    noisy = (images + draw.normal(0, 30, images.shape)).clip(0, 255).astype(np.uint8)
    theirs = [
        metrics.structural_similarity(
            x, y, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
        )
        for x, y in zip(images, noisy, strict=True)
    ]
    assert ssim(images, noisy) == pytest.approx(np.mean(theirs), rel=1e-6)
