"""Noise: as strong as it says, the same for the same seed, and within the range of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.datasets.noise import STRENGTHS, Noise, check, with_noise
from engram.errors import UsageError

kinds = pytest.mark.parametrize("kind", STRENGTHS)


def gray(level: int, count: int = 50, shape: tuple[int, int, int] = (20, 24, 3)) -> np.ndarray:
    return np.full((count, *shape), level, np.uint8)


@given(
    kind=st.sampled_from(list(STRENGTHS)),
    strength=st.floats(0, 1),
    shape=st.tuples(st.integers(0, 3), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3])),
)
def test_any_images_keep_their_shape_and_are_left_alone(kind: Noise, strength: float, shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    before = images.copy()
    noisy = with_noise(images, kind, strength, np.random.default_rng(0))
    assert noisy.shape == images.shape
    assert noisy.dtype == np.uint8
    assert np.array_equal(images, before)
    assert np.array_equal(with_noise(images, kind, 0.0, np.random.default_rng(0)), images)


@kinds
def test_a_seed_decides(kind: Noise) -> None:
    first, again, other = (
        with_noise(gray(99, 1200), kind, STRENGTHS[kind], np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[0], first[1]), "each image has its own"
    assert not np.array_equal(first[:100], first[1000:1100]), "in every part"


@pytest.mark.parametrize("deviation", [5.0, 25.0])
def test_gaussian_noise_has_its_standard_deviation(deviation: float) -> None:
    noisy = with_noise(gray(128), "gaussian", deviation, np.random.default_rng(0)).astype(float)
    assert noisy.mean() == pytest.approx(128, abs=0.5)
    assert noisy.std() == pytest.approx(deviation, rel=0.02)
    assert with_noise(gray(0), "gaussian", 200.0, np.random.default_rng(0)).min() == 0


@pytest.mark.parametrize("share", [0.1, 0.6, 1.0])
def test_salt_and_pepper_turn_their_share_of_pixels(share: float) -> None:
    noisy = with_noise(gray(128), "salt-and-pepper", share, np.random.default_rng(0))
    assert set(np.unique(noisy)) <= {0, 128, 255}
    assert (noisy == noisy[..., :1]).all(), "a pixel turns in all its channels"
    for end in (0, 255):
        assert (noisy == end).mean() == pytest.approx(share / 2, abs=0.01)


@pytest.mark.parametrize(("share", "missing"), [(0.5, 10 * 12), (1.0, 20 * 24), (0.01, 0)])
def test_a_block_of_its_size_is_missing_anywhere(share: float, missing: int) -> None:
    noisy = with_noise(gray(128, 3000), "blocks", share, np.random.default_rng(0))
    gone = (noisy == 0).all(axis=3)
    assert (gone.sum(axis=(1, 2)) == missing).all()
    assert gone.any(axis=0).all() or not missing
    for image in gone[:50]:
        rows, columns = image.any(axis=1).sum(), image.any(axis=0).sum()
        assert rows * columns == missing, "one block, not scattered pixels"


def test_noise_that_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no noise 'rain'; there are gaussian, salt-and-pepper, blocks"):
        check("rain", 1.0)
    for kind, strength, largest in (("gaussian", 256.0, 255), ("blocks", 1.5, 1), ("salt-and-pepper", -0.1, 1)):
        with pytest.raises(UsageError, match=f"the strength of {kind} noise lies in 0 to {largest}, not {strength}"):
            check(kind, strength)
    with pytest.raises(UsageError, match="not nan"):
        with_noise(gray(1), "gaussian", float("nan"), np.random.default_rng(0))
