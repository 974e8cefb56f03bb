"""Canvases: every image is on one, at its own size, and few pixels are put around it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.datasets.canvases import FEWEST, in_order, lay, share

SIZES = st.lists(st.tuples(st.integers(1, 300), st.integers(1, 300)), max_size=200)


@given(SIZES, st.integers(1, 70))
def test_every_image_is_on_one_canvas_that_it_fits(sizes: list[tuple[int, int]], fewest: int) -> None:
    array = np.array(sizes, np.int32).reshape(-1, 2)
    canvases = share(array, fewest)
    assert sorted(np.concatenate([np.empty(0, int), *(canvas.images for canvas in canvases)])) == list(
        range(len(sizes))
    )
    for canvas in canvases:
        assert (np.diff(canvas.images) > 0).all()
        assert (array[canvas.images] <= canvas.size).all()
        assert array[canvas.images].max(axis=0).tolist() == list(canvas.size)  # no larger than it has to be
    assert [canvas.images[0] for canvas in canvases] == sorted(canvas.images[0] for canvas in canvases)
    assert sum(len(canvas.images) < fewest for canvas in canvases) <= 1
    numbers = in_order(canvases, len(sizes))
    assert all((numbers[canvas.images] == number).all() for number, canvas in enumerate(canvases))


@pytest.mark.parametrize("count", [1, FEWEST - 1, FEWEST, 1000])
def test_images_of_one_size_share_a_canvas_of_it(count: int) -> None:
    [canvas] = share(np.full((count, 2), (32, 24), np.int32))
    assert (canvas.size, len(canvas.images)) == ((32, 24), count)


def test_common_sizes_are_never_padded() -> None:
    sizes = np.array([(32, 24)] * 64 + [(24, 32)] * 64 + [(31, 24)] * 3, np.int32)
    canvases = share(np.random.default_rng(0).permutation(sizes))
    assert sorted((canvas.size, len(canvas.images)) for canvas in canvases) == [
        ((24, 32), 64),
        ((31, 24), 3),
        ((32, 24), 64),
    ]


def test_a_size_for_every_image_makes_few_canvases() -> None:
    """10,000 images, most of a size of their own, up to 128 a side."""
    sizes = np.random.default_rng(0).integers(32, 129, (10_000, 2)).astype(np.int32)
    canvases = share(sizes)
    assert len(canvases) < 200
    stored = sum(len(canvas.images) * canvas.size[0] * canvas.size[1] for canvas in canvases)
    assert stored < 1.25 * sizes.astype(int).prod(axis=1).sum()


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 3), (5, 7, 1)])
def test_what_is_put_around_an_image_is_its_edge(shape: tuple[int, int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    canvas = np.zeros((5, 7, shape[2]), np.uint8)
    lay(image, canvas)
    height, width = shape[:2]
    assert np.array_equal(canvas, np.pad(image, ((0, 5 - height), (0, 7 - width), (0, 0)), "edge"))
