"""Networks made smaller: hidden units that say the same, and weights that say little, are removed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_networks import convolutional, deep, dense, pictures, tied

import engram
from engram.codecs.analysis import evaluate, floats_of
from engram.codecs.pruning import pruned
from engram.codecs.reduction import reduced
from engram.errors import UsageError
from engram.layers import Dense, Network

TRAINING = pictures(200, (8, 8, 1))


def output(network: Network) -> np.ndarray:
    return evaluate(network.analysis + network.synthesis, floats_of(TRAINING.images))


def with_twin(network: Network, unit: int, sign: int) -> Network:
    """One unit more, that says the same as another, or the opposite; the weights out of both are halved or so."""
    down, up = network.analysis[-1], network.synthesis[0]
    assert isinstance(down, Dense)
    assert isinstance(up, Dense)
    weight = np.c_[down.weight, sign * down.weight[:, unit]]
    out = np.r_[up.weight, 0.3 * sign * up.weight[[unit]]]
    wider = replace(down, weight=weight, bias=np.r_[down.bias, sign * down.bias[unit]])
    return replace(
        network,
        analysis=(*network.analysis[:-1], wider),
        synthesis=(replace(up, weight=out, shares_weight=False), *network.synthesis[1:]),
    )


@settings(max_examples=20)
@given(unit=st.integers(0, 5), sign=st.sampled_from([1, -1]))
def test_a_unit_that_says_the_same_or_the_opposite_goes_first_and_nothing_changes(unit: int, sign: int) -> None:
    network = with_twin(dense((8, 8, 1), 6), unit, sign)
    smaller, angle = next(reduced(network, TRAINING))
    assert angle == pytest.approx(0, abs=0.01)
    assert smaller.code_numbers == 6
    assert np.allclose(output(smaller), output(network), atol=1e-4)


@pytest.mark.parametrize("network", [dense((8, 8, 1), 9), tied((8, 8, 1), 7)], ids=["ann", "tied"])
def test_units_go_one_by_one_and_what_is_left_freezes(network: Network) -> None:
    found = list(reduced(network, TRAINING, 2))
    assert [smaller.code_numbers for smaller, _ in found] == list(range(network.code_numbers - 1, 1, -1))
    assert all(0 <= angle <= 90 for _, angle in found)
    last = found[-1][0]
    assert (last.method, last.parameters) == ("ann", 2 * 2 * 64 + 2 + 64)
    codec = engram.freeze(last, TRAINING)
    assert codec.decode(codec.encode(TRAINING.images), 200).shape == TRAINING.images.shape


def test_the_mean_output_before_the_last_sigmoid_is_kept() -> None:
    network = dense((8, 8, 1), 9)

    def mean(network: Network) -> np.ndarray:
        up = network.synthesis[0]
        assert isinstance(up, Dense)
        return evaluate((*network.analysis, replace(up, activation="none")), floats_of(TRAINING.images)).mean(axis=0)

    for smaller, _ in reduced(network, TRAINING, 3):
        assert np.allclose(mean(smaller), mean(network), atol=1e-3)


def test_what_cannot_be_reduced_is_refused() -> None:
    for network in (deep((8, 8, 1), 5), convolutional((8, 8, 1))):
        with pytest.raises(UsageError, match="hidden units are removed from ann and its kin"):
            next(reduced(network, TRAINING))
    for units in (0, 7):
        with pytest.raises(UsageError, match=f"at least one image and 1 to 6 units, not 200 and {units}"):
            next(reduced(dense((8, 8, 1), 6), TRAINING, units))
    with pytest.raises(UsageError, match="at least one image"):
        next(reduced(dense((8, 8, 1), 6), TRAINING[:0]))


@settings(max_examples=20)
@given(kept=st.floats(0.001, 1))
def test_the_largest_weights_stay_as_they_were(kept: float) -> None:
    network = deep((8, 8, 1), 5)
    smaller = pruned(network, kept)
    assert smaller.analysis == network.analysis
    for before, after in zip(network.synthesis, smaller.synthesis, strict=True):
        if isinstance(before, Dense):
            assert isinstance(after, Dense)
            left = after.weight != 0
            assert left.sum() == max(1, round(kept * left.size))
            assert np.array_equal(after.weight[left], before.weight[left])
            assert left.all() or np.abs(before.weight[~left]).max() <= np.abs(before.weight[left]).min()


def test_a_shared_matrix_stays_shared() -> None:
    smaller = pruned(tied((8, 10, 1), 7), 0.3)
    down, up = smaller.analysis[0], smaller.synthesis[0]
    assert isinstance(down, Dense)
    assert isinstance(up, Dense)
    assert np.array_equal(down.weight, up.weight.T)
    assert up.shares_weight


def test_fewer_weights_make_a_smaller_model() -> None:
    network, training = dense((16, 16, 1), 24), pictures(200, (16, 16, 1))
    sizes = [len(engram.freeze(pruned(network, kept), training).model) for kept in (1.0, 0.5, 0.2, 0.05)]
    assert sizes == sorted(set(sizes), reverse=True)
    assert sizes[3] < 0.75 * sizes[0]  # tables cost what they cost


def test_what_cannot_be_pruned_is_refused() -> None:
    for kept in (0.0, 1.1, float("nan")):
        with pytest.raises(UsageError, match="a share of the weights above 0 and at most 1, not"):
            pruned(dense((8, 8, 1), 6), kept)
    with pytest.raises(UsageError, match="the synthesis of cnn has no fully connected layer to prune"):
        pruned(convolutional((8, 8, 1)), 0.5)
