"""Cells: every picture is in one group, its cells give it back, and few pixels are put around it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.datasets.cells import FEWEST, LARGEST, Group, cut, share
from engram.kinds import KINDS

GRAY, ALL = KINDS["gray"], tuple(KINDS.values())
SIDES = st.integers(1, 2 * LARGEST + 3)


def shared(sizes: np.ndarray, fewest: int = FEWEST) -> list[Group]:
    """The groups of gray pictures."""
    return share(np.asarray(sizes, np.int32).reshape(-1, 2), (GRAY,), np.zeros(len(sizes), np.uint8), fewest)


@given(st.lists(st.tuples(SIDES, SIDES, st.integers(0, 5)), max_size=200), st.integers(1, 70))
def test_every_picture_is_in_one_group_that_it_fits(given: list[tuple[int, int, int]], fewest: int) -> None:
    sizes = np.array([each[:2] for each in given], np.int32).reshape(-1, 2)
    numbers = np.array([each[2] for each in given], np.uint8)
    groups = share(sizes, ALL, numbers, fewest)
    assert sorted(np.concatenate([np.empty(0, int), *(group.rows for group in groups)])) == list(range(len(sizes)))
    for group in groups:
        assert {ALL[number] for number in numbers[group.rows]} == {group.kind}
        assert (np.diff(group.rows) > 0).all()
        assert np.array_equal(group.sizes, sizes[group.rows])
        assert max(group.size) <= LARGEST
        tiles = -(-group.sizes // LARGEST)
        assert np.array_equal(group.counts, tiles.prod(axis=1))  # no more cells than LARGEST asks for
        assert (-(-group.sizes // tiles)).max(axis=0).tolist() == list(group.size)  # no larger than they have to be
    assert [group.rows[0] for group in groups] == sorted(group.rows[0] for group in groups)


@pytest.mark.parametrize("count", [1, FEWEST - 1, FEWEST, 1000])
def test_pictures_of_one_size_share_cells_of_it(count: int) -> None:
    [group] = shared(np.full((count, 2), (32, 24)))
    assert (group.size, group.cells) == ((32, 24), count)
    assert group.is_whole(group.sizes)


def test_common_sizes_are_never_padded() -> None:
    sizes = np.array([(32, 24)] * 64 + [(24, 32)] * 64 + [(31, 24)] * 3)
    groups = shared(np.random.default_rng(0).permutation(sizes))
    assert sorted((group.size, group.cells) for group in groups) == [((24, 32), 64), ((31, 24), 3), ((32, 24), 64)]


def test_a_size_for_every_picture_makes_few_groups() -> None:
    """10,000 pictures, most of a size of their own, up to 128 a side."""
    sizes = np.random.default_rng(0).integers(32, 129, (10_000, 2))
    groups = shared(sizes)
    assert len(groups) < 200
    assert sum(group.cells * group.size[0] * group.size[1] for group in groups) < 1.25 * sizes.prod(axis=1).sum()


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 3), (5, 7, 1)])
def test_what_is_put_around_a_picture_is_its_edge(shape: tuple[int, int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    cell = np.zeros((5, 7, shape[2]), np.uint8)
    cut(picture, 0, cell)
    height, width = shape[:2]
    assert np.array_equal(cell, np.pad(picture, ((0, 5 - height), (0, 7 - width), (0, 0)), "edge"))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 12), st.integers(1, 12))
def test_tiles_side_by_side_are_the_picture(height: int, width: int, high: int, wide: int) -> None:
    picture = np.arange(height * width, dtype=np.uint16).reshape(height, width, 1)
    down, across = -(-height // high), -(-width // wide)
    cells = np.zeros((down * across, high, wide, 1), np.uint16)
    for tile, cell in enumerate(cells):
        cut(picture, tile, cell)
    whole = cells.reshape(down, across, high, wide).swapaxes(1, 2).reshape(down * high, across * wide)
    assert np.array_equal(whole[:height, :width], picture[..., 0])
