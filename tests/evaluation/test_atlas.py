"""Atlases: every image in its own place, and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.evaluation.atlas import grid, tile, untile


@given(st.integers(1, 30), st.integers(1, 4), st.integers(1, 4), st.sampled_from([1, 3]))
def test_untile_gives_what_was_tiled(count: int, height: int, width: int, channels: int) -> None:
    images = np.random.default_rng(count).integers(0, 256, (count, height, width, channels), np.uint8)
    np.testing.assert_array_equal(untile(tile(images), count, images.shape[1:]), images)


def test_images_lie_row_by_row_and_zeros_fill_the_rest() -> None:
    images = np.arange(1, 6, dtype=np.uint8).repeat(2).reshape(5, 1, 2, 1)
    assert tile(images)[..., 0].tolist() == [[1, 1, 2, 2, 3, 3], [4, 4, 5, 5, 0, 0]]


@pytest.mark.parametrize(
    ("count", "shape"), [(1, (1, 1)), (2, (1, 2)), (5, (2, 3)), (5000, (71, 71)), (10_000, (100, 100))]
)
def test_a_grid_is_near_to_a_square_and_has_no_empty_row(count: int, shape: tuple[int, int]) -> None:
    assert grid(count) == shape
