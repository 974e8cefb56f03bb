import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.coding import tables

levels = st.lists(st.integers(0, 255), min_size=1, max_size=300).map(lambda values: np.array(values, np.uint8))


@given(levels)
def test_weights_are_positive_and_sum_to_a_power_of_two(levels):
    weights = tables.weights_of(levels)
    assert weights.min() >= 1
    assert weights.sum() == 1 << 24


@given(levels)
def test_a_higher_level_never_weighs_less(levels):
    weights = tables.weights_of(levels)
    order = np.argsort(levels, kind="stable")
    assert (np.diff(weights[order])[np.diff(levels[order].astype(int)) > 0] >= 0).all()


def test_weights_of_the_largest_alphabet():
    weights = tables.weights_of(np.full(tables.LARGEST_ALPHABET, 255, np.uint8))
    assert weights.sum() == 1 << 24
    assert set(weights.tolist()) == {512}


def test_the_formula_by_hand():
    assert tables.weights_of(np.array([9, 255, 80], np.uint8)).tolist() == [23239, 15229325, 1524652]
    assert tables.weights_of(np.array([7], np.uint8)).tolist() == [1 << 24]


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=200).filter(any))
def test_a_fit_costs_little_more_than_the_counts_entropy(counts):
    counts = np.array(counts)
    total = counts.sum()
    bits = tables.bits_of(tables.weights_of(tables.fit(counts))) @ counts
    entropy = -(counts[counts > 0] * np.log2(counts[counts > 0] / total)).sum()
    assert bits <= 1.1 * entropy + 12 * (counts < tables.ENOUGH).sum() + 0.02 * total


def test_a_spike_is_kept_and_its_neighbours_stay_seldom():
    weights = tables.weights_of(tables.fit(np.array([0, 3, 4990, 5, 2, 0])))
    assert weights[2] > 0.99 * 2**24
    assert weights[[0, 1, 3, 4, 5]].max() < 0.005 * 2**24


def test_unseen_symbols_between_seen_ones_are_expected_as_their_neighbours():
    counts = np.array([2, 0, 3, 0, 2, 1, 0, 3, 0, 2, 2, 0])
    weights = tables.weights_of(tables.fit(counts))
    assert weights.max() < 3 * weights.min()


@pytest.mark.parametrize("size", [1, 2, 100])
def test_no_counts_at_all_make_an_even_table(size):
    weights = tables.weights_of(tables.fit(np.zeros(size, np.int64)))
    assert weights.max() - weights.min() <= size
