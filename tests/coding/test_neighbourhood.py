import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engram.coding.neighbourhood import (
    FULL,
    LARGEST_KNOTS,
    LARGEST_PREPARED,
    LARGEST_RADIUS,
    LARGEST_VALUES,
    Neighbourhood,
    ordered,
)

shapes = st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]))
neighbourhoods = st.builds(
    Neighbourhood, shapes, st.integers(1, 6), st.integers(2, 9), st.sampled_from(["zero", "nearest"])
)


def coordinates(around):
    return np.indices(around.image_shape).reshape(3, -1).T


@given(neighbourhoods)
@settings(max_examples=60)
def test_every_value_is_in_one_wave(around):
    assert np.array_equal(np.sort(np.concatenate(around.waves)), np.arange(np.prod(around.image_shape)))
    assert all(len(wave) for wave in around.waves)


@given(neighbourhoods)
@settings(max_examples=60)
def test_every_tap_lies_in_an_earlier_wave_or_outside(around):
    """The canvas holds at each place the wave in which it becomes known, and outside, where all is 0, -1."""
    wave_of = np.empty(len(around.places), np.int64)
    for number, wave in enumerate(around.waves):
        wave_of[wave] = number
    known = np.full(around.canvas_size, -1)
    known[around.places] = wave_of
    assert around.taps.min() >= 0
    assert (known[around.taps] < wave_of[:, None]).all()


def stands_for(around, y, x, dy, dx):
    """(row, column) of the pixel seen as the neighbour (dy, dx) of (y, x); None where it is 0."""
    width = around.image_shape[1]
    row, column = y + dy, x + dx
    if row >= 0 and 0 <= column < width:
        return row, column
    if around.edges == "zero" or (y, x) == (0, 0):
        return None
    if y == 0:  # the first row: what lies above it, or left of it, is a pixel to the left
        return 0, min(max(column, 0), x - 1)
    if x == 0 and dy == 0:  # left of the first column: the pixel above
        return y - 1, 0
    return max(row, 0), min(max(column, 0), width - 1)


@given(neighbourhoods, st.integers(0, 3))
@settings(max_examples=60)
def test_taps_are_the_neighbours_that_the_formula_names(around, count):
    height, width, channels = around.image_shape
    images = np.random.default_rng(1).integers(1, 256, (count, *around.image_shape), np.uint8)
    seen = around.canvas(images)[:, around.taps]
    assert seen.shape == (count, height * width * channels, around.inputs)
    for value, (y, x, c) in enumerate(coordinates(around)):
        expected = []
        for dy in range(-around.radius, 1):
            for dx in range(-around.radius, 3):
                if abs(dy) + abs(dx) <= around.radius + 2 and (dy < 0 or dx < 0):
                    place = stands_for(around, y, x, dy, dx)
                    expected += [
                        images[(slice(None), *place, k)] if place else 0 * images[:, 0, 0, 0] for k in range(channels)
                    ]
        expected += [images[:, y, x, k] if k < c else np.zeros(count) for k in range(channels - 1)]
        assert np.array_equal(seen[:, value], np.stack(expected, 1))


@given(neighbourhoods, st.integers(0, 3))
@settings(max_examples=40)
def test_a_canvas_holds_the_images_and_zeros(around, count):
    images = np.random.default_rng(2).integers(1, 256, (count, *around.image_shape), np.uint8)
    canvas = around.canvas(images)
    assert np.array_equal(canvas[:, around.places].reshape(images.shape), images)
    assert np.count_nonzero(canvas) == images.size
    assert not canvas[:, 0].any()


@given(neighbourhoods)
@settings(max_examples=60)
def test_position_features_say_where_a_value_lies(around):
    positions, (height, width, channels) = around.positions, around.image_shape
    assert positions.shape == (height * width * channels, around.features)
    assert positions.min() >= 0
    assert positions.max() == FULL
    rows, columns = np.split(positions, [around.knots], axis=1)
    for (y, x, _), row, column in zip(coordinates(around), rows, columns, strict=True):
        for triangle, at, side in ((row, y, height), (column, x, width)):
            assert FULL <= triangle.sum() <= FULL + 1  # two triangles share a point; each is rounded up
            place = triangle @ np.arange(around.knots) / triangle.sum() / (around.knots - 1)
            assert place == pytest.approx(at / max(1, side - 1), abs=0.01)


def test_green_comes_first_and_back():
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 3), np.uint8)
    assert np.array_equal(ordered(images)[..., 0], images[..., 1])
    assert np.array_equal(ordered(ordered(images)), images)
    assert ordered(images).flags.c_contiguous
    assert np.array_equal(ordered(images[..., :1]), images[..., :1])


def test_the_order_of_28_x_28_takes_109_steps():
    around = Neighbourhood((28, 28, 1), 3, 8)
    assert len(around.waves) == 109
    assert len(Neighbourhood((28, 28, 3), 3, 8).waves) == 3 * 109
    assert around.inputs == 20
    assert around.waves[3].tolist() == [3, 28]


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_of_one_pixel(channels):
    around = Neighbourhood((1, 1, channels), 1, 2)
    assert [wave.tolist() for wave in around.waves] == [[c] for c in range(channels)]
    image = np.full((1, 1, 1, channels), 9, np.uint8)
    seen = around.canvas(image)[0][around.taps]
    assert seen.sum(1).tolist() == [9 * c for c in range(channels)]


def test_what_fits():
    assert Neighbourhood((512, 512, 1), 4, 8).fits(96)
    assert Neighbourhood((256, 256, 3), 4, 8).fits(96)
    assert not Neighbourhood((513, 512, 1), 1, 2).fits(1)
    widest = Neighbourhood((256, 256, 3), LARGEST_RADIUS, LARGEST_KNOTS)
    assert not widest.fits(1)
    around = Neighbourhood((512, 512, 1), 4, 8)
    most = LARGEST_PREPARED // LARGEST_VALUES - around.inputs
    assert around.fits(most)
    assert not around.fits(most + 1)
