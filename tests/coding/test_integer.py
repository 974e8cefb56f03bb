from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.coding.integer import (
    EXACT32,
    EXACT64,
    InexactNetwork,
    IntegerLayer,
    IntegerNetwork,
    MisfitNetwork,
    reach_of,
    with_numbers,
)
from engram.layers import Convolution, Crop, Dense, Reshape, TransposedConvolution

NONE = np.zeros(0, np.float32)


def dense(weight, bias, shift=0, low=0, high=255, table=None):
    return IntegerLayer(
        with_numbers(Dense(NONE, NONE, "none"), np.array(weight), np.array(bias)), shift, low, high, table
    )


def network(layers, largest, shape=(1, 1, 1)):
    return IntegerNetwork((len(largest),), np.array(largest), (*layers, Reshape((shape[2], *shape[:2]))), shape)


def run(layer, codes):
    codes = np.array(codes, np.int32)
    return network([layer], np.abs(codes).max(axis=0).tolist(), (1, len(layer.linear.bias), 1))(codes)[:, 0, :, 0]


@given(st.integers(-(10**6), 10**6), st.integers(0, 20))
def test_rounding_is_floor_of_half_added(value, shift):
    layer = dense([[1]], [0], shift, -32767, 32767, None)
    expected = min(max(floor(Fraction(value, 2**shift) + (Fraction(1, 2) if shift else 0)), -32767), 32767)
    assert layer(np.array([[value]], np.float32)).tolist() == [[expected]]


def test_halves_round_up_also_below_zero():
    layer = dense([[1]], [0], 2, -9, 9)
    assert layer(np.array([[-6], [-2], [2], [6]], np.float32)).ravel().tolist() == [-1, 0, 1, 2]


def test_a_table_is_indexed_from_its_lowest_value():
    layer = dense([[1]], [0], 0, -2, 1, np.array([10, 20, 30, 40]))
    assert run(layer, [[-9], [-2], [-1], [0], [1], [7]]).ravel().tolist() == [10, 10, 20, 30, 40, 40]


@given(st.integers(0, 2**32 - 1))
def test_sums_are_those_of_whole_numbers_in_either_dtype(seed):
    random = np.random.default_rng(seed)
    for size in (100, 20000):
        weight, bias = random.integers(-size, size, (50, 9)), random.integers(-size, size, 9)
        codes = random.integers(-300, 300, (7, 50))
        layer = dense(weight, bias, 12, 0, 255)
        expected = ((codes @ weight + bias + 2048) >> 12).clip(0, 255)
        assert np.array_equal(run(layer, codes), expected)


def dtype_of(weight, largest):
    return network([dense([[weight]], [0])], [largest]).layers[0].linear.weight.dtype


def test_the_bound_picks_the_dtype():
    assert dtype_of(1, EXACT32 - 1) == np.float32
    assert dtype_of(2, EXACT32 // 2 - 1) == np.float32
    assert dtype_of(2, EXACT32 // 2) == np.float64


def test_a_network_without_a_proof_is_refused():
    network([dense([[(1 << 29) - 1]], [0])], [EXACT32 - 1])
    with pytest.raises(InexactNetwork, match=f"^a dense layer's sums may reach {EXACT64}, beyond {EXACT64 - 1}$"):
        network([dense([[1 << 30]], [0])], [EXACT32 // 2])
    with pytest.raises(InexactNetwork, match=r"^codes may reach 16777216, beyond 16777215$"):
        network([dense([[1]], [0])], [EXACT32])


@pytest.mark.parametrize("make", [Convolution, TransposedConvolution])
@given(seed=st.integers(0, 2**32 - 1))
def test_the_bound_of_a_convolution_is_what_the_worst_codes_reach(make, seed):
    """Asked of the map's matrix; codes that are large enough have an output with all taps, so the bound is met."""
    random = np.random.default_rng(seed)
    kernel, stride = random.integers(1, 4, 2), int(random.integers(1, 4))
    linear = with_numbers(make(NONE, NONE, stride, 0, "none"), random.integers(-9, 10, (2, 2, *kernel)), np.zeros(2))
    largest = np.repeat(random.integers(1, 9, 2), 36)
    layer = IntegerLayer(linear, 0, -32767, 32767)
    matrix = layer(np.eye(72, dtype=np.float32).reshape(72, 2, 6, 6)).reshape(72, -1)
    assert (np.abs(matrix) * largest[:, None]).sum(axis=0).max() == reach_of(linear, largest)


def test_the_bound_counts_the_bias():
    linear = dense([[2, -3], [1, 4]], [5, -100]).linear
    assert reach_of(linear, np.array([10, 20])) == 100 + 3 * 10 + 4 * 20


CONVOLUTION = IntegerLayer(
    with_numbers(Convolution(NONE, NONE, 1, 0, "none"), np.ones((1, 2, 3, 3)), np.zeros(1)), 0, 0, 255
)


@pytest.mark.parametrize(
    ("shape", "layers", "message"),
    [
        ((3,), [dense([[1]], [0])], r"^a dense layer of 1 inputs cannot take \[3\]$"),
        ((3,), [CONVOLUTION], r"^a convolution of 2 channels cannot take \[3\]$"),
        ((1, 4, 4), [CONVOLUTION], r"^a convolution of 2 channels cannot take \[1, 4, 4\]$"),
        ((2, 2, 2), [CONVOLUTION], r"^a convolution leaves nothing of \[2, 2, 2\]$"),
        ((2, 3000, 3000), [CONVOLUTION], r"^a convolution needs \d+ numbers for one image; the limit is 4194304$"),
        ((3,), [Reshape((2, 2))], r"^\[3\] numbers cannot take the shape \[2, 2\]$"),
        ((1, 3, 3), [Crop(4, 1)], r"^\[1, 3, 3\] numbers cannot be cropped to 4 x 1$"),
        ((3,), [Crop(1, 1)], r"^\[3\] numbers cannot be cropped to 1 x 1$"),
        (
            (1,),
            [dense([[1]], [0], 0, 0, 256), Reshape((1, 1, 1))],
            r"gives \[1, 1, 1\] numbers from 0 to 256, not pixels",
        ),
        ((1,), [dense([[1]], [0], 0, -1, 9), Reshape((1, 1, 1))], r"from -1 to 9, not pixels"),
        ((1,), [dense([[1]], [0], 0, 0, 1, np.array([0, 300])), Reshape((1, 1, 1))], r"from 0 to 300, not pixels"),
        ((1,), [dense([[1]], [0])], r"^the last layer gives \[1\] numbers from 0 to 255, not pixels of \[1, 1, 1\]"),
        ((1, 1, 1), [], r"not pixels"),
    ],
)
def test_layers_that_do_not_fit_are_refused(shape, layers, message):
    with pytest.raises(MisfitNetwork, match=message):
        IntegerNetwork(shape, np.ones(np.prod(shape), np.int64), tuple(layers), (1, 1, 1))


def test_no_images_make_no_pixels():
    assert network([dense([[1]], [0])], [9])(np.zeros((0, 1), np.int32)).shape == (0, 1, 1, 1)


def test_pixels_do_not_depend_on_how_many_are_decoded_at_once():
    random = np.random.default_rng(0)
    layer = dense(random.integers(-99, 99, (300, 3000)), random.integers(-99, 99, 3000), 8)
    many = network([layer], [500] * 300, (50, 60, 1))
    codes = random.integers(-500, 500, (400, 300)).astype(np.int32)
    together = many(codes)
    assert len(np.unique(together)) == 256
    assert np.array_equal(together[7:8], many(codes[7:8]))
    assert np.array_equal(together, np.concatenate([many(codes[i : i + 37]) for i in range(0, 400, 37)]))


def test_a_bound_beyond_64_bits_does_not_wrap_around():
    weight = np.full((4096, 1), 2**30, np.int64)  # 2^12 weights of 2^30 times 2^22 is 2^64, which is 0 in 64 bits
    layer = with_numbers(Dense(NONE, NONE, "none"), weight, np.zeros(1, np.int64))
    assert reach_of(layer, np.full(4096, 2**22)) == 2.0**64
    with pytest.raises(InexactNetwork, match=r"^a dense layer's sums may reach 184467440737\d{8}, beyond"):
        network([IntegerLayer(layer, 22, 0, 255, None)], [2**22] * 4096)
