"""The grid of a spatial code: its order, its cosines, its features, and what sums of these can reach."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engram.coding.grid import BLOCK, COARSEST, FINEST, FULL, KNOTS, OFFSETS, Grid, coarseness, largest_sums

sides = st.integers(1, 150)


@given(sides, sides)
@settings(max_examples=50)
def test_every_neighbour_lies_in_an_earlier_wave(height: int, width: int) -> None:
    grid = Grid((height, width, 1))
    wave = np.full((grid.rows, grid.columns), -1)
    for number, (y, x) in enumerate(grid.waves):
        assert len(y)
        assert (wave[y, x] == -1).all(), "a cell comes once"
        assert (np.diff(y) > 0).all(), "from the top down"
        wave[y, x] = number
    assert wave.min() == 0
    for dy, dx in OFFSETS:
        for y, x in np.ndindex(wave.shape):
            if y + dy >= 0 and 0 <= x + dx < grid.columns:
                assert wave[y + dy, x + dx] < wave[y, x]


def test_a_grid_of_7_x_7_takes_19_steps() -> None:
    assert len(Grid((28, 28, 1)).waves) == 19
    assert [list(zip(*map(np.ndarray.tolist, cells), strict=True)) for cells in Grid((9, 9, 3)).waves] == [
        [(0, 0)],
        [(0, 1)],
        [(0, 2), (1, 0)],
        [(1, 1)],
        [(1, 2), (2, 0)],
        [(2, 1)],
        [(2, 2)],
    ]


@pytest.mark.parametrize("channels", [1, 3])
def test_cosines_are_orthonormal_and_rise_in_frequency(channels: int) -> None:
    grid = Grid((5, 9, channels))
    cosines = grid.cosines()
    assert (grid.rows, grid.columns, grid.units, grid.neighbours) == (2, 3, 16 * channels, 144 * channels)
    np.testing.assert_allclose(cosines @ cosines.T, np.eye(grid.units), atol=1e-12)
    blocks = cosines.reshape(BLOCK * BLOCK, channels, channels, BLOCK, BLOCK)
    gray = blocks[:, 0, 0]
    np.testing.assert_allclose(gray[0], channels**-0.5 / BLOCK)
    changes = [(np.diff(np.sign(gray), axis=axis) != 0).sum(axis=(1, 2)) for axis in (1, 2)]
    assert (np.diff(np.sum(changes, axis=0)) >= 0).all()
    assert np.sum(changes) == 2 * BLOCK * BLOCK * sum(range(BLOCK))
    np.testing.assert_allclose(blocks[:, 0], np.repeat(gray[:, None], channels, 1))
    np.testing.assert_allclose(blocks[:, 1:].sum(axis=2), 0, atol=1e-12)  # what gray has none of


@given(st.integers(FINEST, COARSEST))
@example(FINEST)
@example(COARSEST)
@example(COARSEST - 1)
def test_a_step_lies_between_two_powers_of_two(step: int) -> None:
    features = coarseness(step)
    assert (features.sum(), features.min() >= 0) == (FULL, True)
    assert 1 <= np.count_nonzero(features) <= 2
    low = int(np.flatnonzero(features)[0])
    assert FINEST << low <= step
    at = (FINEST << np.arange(len(features))) @ features / FULL
    assert at <= step < at + (FINEST << low) / FULL


@given(sides, sides, st.integers(FINEST, COARSEST), st.integers(0, 2**32 - 1))
@settings(max_examples=100)
@example(32, 4, 64, 0)  # triangles of its second row sum to FULL + 1
def test_no_sum_of_features_exceeds_the_largest(height: int, width: int, step: int, seed: int) -> None:
    grid = Grid((height, width, 1))
    features = grid.features_at(step)
    assert features.shape == (grid.features, grid.rows, grid.columns)
    assert 0 <= features.min() <= features.max() <= FULL
    matrix = np.random.default_rng(seed).choice([-1000, -3, 0, 5, 999], (grid.features, 4))
    matrix[:, 3] = 1000
    sums = np.abs(features.transpose(1, 2, 0) @ matrix)
    assert (sums <= largest_sums(matrix)).all()
    assert sums[..., 3].min() >= 3 * FULL * 1000


@given(st.integers(1, 1024))
def test_triangles_hold_the_place(rows: int) -> None:
    """At most two of them are above 0, and together they are FULL, or by rounding 1 more."""
    positions = Grid((BLOCK * rows, 1, 1)).positions[:KNOTS, :, 0]
    assert set(positions.sum(axis=0)) <= {FULL, FULL + 1}
    assert ((positions > 0).sum(axis=0) <= 2).all()
    assert positions[0, 0] == FULL
    assert len(positions.T) == 1 or positions[-1, -1] == FULL
