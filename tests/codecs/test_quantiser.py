import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.codecs.quantiser import Quantiser
from engram.codecs.quantiser import fit as fit_shaped
from engram.codecs.shaping import Shaping

GRID = np.array([1.0, 3.0, 0.5])


def unshaped(units):
    return Shaping(np.arange(units), np.zeros((units, units)), np.ones(units))


def fit(codes, grid, offsets, bits):
    return fit_shaped(codes, grid, offsets, unshaped(3), bits)


def laplacian(count=3000, units=3, seed=0):
    return np.random.default_rng(seed).laplace(0, 4, (count, units)).astype(np.float32)


@pytest.mark.parametrize("bits", [0.3, 1.0, 2.5, 5.0])
def test_the_rate_is_what_the_dial_says(bits):
    codes = laplacian()
    quantiser = fit(codes, GRID, np.zeros(3), bits)
    assert quantiser.ideal_bits(quantiser.symbols(codes)) / 3 == pytest.approx(bits, abs=0.005)
    assert quantiser.steps / GRID == pytest.approx(np.full(3, quantiser.steps[0]))


def test_more_bits_less_error():
    codes = laplacian()
    errors = []
    for bits in (0.5, 1, 2, 3, 4):
        quantiser = fit(codes, GRID, np.zeros(3), bits)
        errors.append(np.square(quantiser.values(quantiser.symbols(codes)) - codes).mean())
    assert (np.diff(errors) < 0).all()


def test_values_are_within_a_step_of_codes_in_range():
    codes = laplacian()
    quantiser = fit(codes, GRID, np.array([0.1, -2, 7]), 3)
    values = quantiser.values(quantiser.symbols(codes))
    assert (np.abs(values - codes) <= quantiser.steps * 0.9).all()


def test_codes_out_of_range_are_clipped():
    quantiser = fit(laplacian(), GRID, np.zeros(3), 2)
    symbols = quantiser.symbols(np.array([[-1e6] * 3, [1e6] * 3], np.float32))
    assert symbols.T.tolist() == [[0, 0, 0], (quantiser.sizes - 1).tolist()]


def test_a_likely_symbol_is_taken_from_further_away():
    levels = (np.array([20, 255, 20], np.uint8),)
    quantiser = Quantiser(np.array([1.0]), np.array([0.0]), np.array([-1]), levels, unshaped(1))
    codes = np.array([[-0.8], [-0.6], [0.0], [0.6], [0.8]], np.float32)
    assert quantiser.symbols(codes).ravel().tolist() == [0, 1, 1, 1, 2]


def test_with_even_tables_the_nearest_is_taken():
    quantiser = Quantiser(np.array([2.0]), np.array([1.0]), np.array([0]), (np.full(4, 9, np.uint8),), unshaped(1))
    codes = np.array([[0.9], [1.9], [2.1], [3.9], [4.1], [99]], np.float32)
    assert quantiser.symbols(codes).ravel().tolist() == [0, 0, 1, 1, 2, 3]
    assert quantiser.values(np.array([[0, 3]])).ravel().tolist() == [1, 7]


def test_ideal_bits_are_those_of_the_tables():
    levels = np.full(4, 9, np.uint8), np.full(2, 9, np.uint8)
    quantiser = Quantiser(np.ones(2), np.zeros(2), np.zeros(2, int), levels, unshaped(2))
    assert quantiser.ideal_bits(np.array([[0, 3], [0, 1]])) == pytest.approx(3, abs=1e-6)
    assert quantiser.ideal_bits(np.zeros((2, 0), np.int32)) == 0


def test_a_unit_that_never_speaks_costs_nothing():
    codes = laplacian()
    codes[:, 1] = 5
    quantiser = fit(codes, GRID, np.array([0, 5.0, 0]), 1)
    assert quantiser.sizes[1] == 1
    assert quantiser.values(quantiser.symbols(codes))[:, 1].tolist() == [5] * 3000


def test_codes_that_are_all_equal_have_a_quantiser():
    quantiser = fit(np.full((1, 3), 2, np.float32), GRID, np.full(3, 2.0), 4)
    assert quantiser.sizes.tolist() == [1, 1, 1]


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.2, 2.0, 6.0]))
def test_symbols_are_in_their_alphabets(seed, bits):
    quantiser = fit(laplacian(200, seed=seed % 7), GRID, np.zeros(3), bits)
    codes = np.random.default_rng(seed).normal(0, 30, (20, 3)).astype(np.float32)
    symbols = quantiser.symbols(codes)
    assert symbols.dtype == np.int32
    for row, size in zip(symbols, quantiser.sizes, strict=True):
        assert 0 <= row.min() <= row.max() < size


def test_an_error_is_fed_back_to_the_units_that_follow():
    """Units of one effect: what the last loses by rounding the first makes good, so the sum comes out."""
    even = (np.zeros(40, np.uint8),) * 2
    shaping = Shaping(np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 0.0]]), np.ones(2))
    quantiser = Quantiser(np.array([1.0, 4.0]), np.zeros(2), np.array([-20, -20]), even, shaping)
    codes = np.random.default_rng(0).uniform(-9, 9, (50, 2)).astype(np.float32)
    values = quantiser.values(quantiser.symbols(codes))
    assert np.abs(values[:, 1] - codes[:, 1]).max() > 1.5
    assert np.abs(values.sum(axis=1) - codes.sum(axis=1)).max() <= 0.5 + 1e-5


def test_groups_of_units_are_an_affair_of_speed_alone(monkeypatch):
    random = np.random.default_rng(0)
    units = 70
    feedback = np.triu(random.integers(-1, 2, (units, units)), 1) / 4
    shaping = Shaping(random.permutation(units), feedback, np.ones(units))
    levels = (np.zeros(64, np.uint8),) * units
    quantiser = Quantiser(np.ones(units), np.zeros(units), np.full(units, -32), levels, shaping)
    codes = (random.integers(-60, 60, (20, units)) / 8).astype(np.float32)
    symbols = quantiser.symbols(codes)
    monkeypatch.setattr("engram.codecs.quantiser._GROUP", 1)
    assert np.array_equal(symbols, quantiser.symbols(codes))
