"""The auto-associative networks as plain layers: what NumPy computes is what torch computes, whatever the options."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engram import layers
from engram.codecs.analysis import evaluate
from engram.errors import UsageError
from engram.networks.autoassociative import AutoAssociative
from engram.networks.bidirectional import BidirectionalAutoencoder
from engram.networks.registry import make
from engram.networks.sparse import SparseAutoencoder

fully_connected = st.tuples(
    st.sampled_from(["ann", "tied", "sparse", "bidirectional"]), st.fixed_dictionaries({"hidden": st.integers(1, 9)})
)
deep = st.tuples(
    st.just("deep"), st.fixed_dictionaries({"widths": st.lists(st.integers(1, 9), min_size=1, max_size=4)})
)
stacked = st.tuples(
    st.just("stacked"), st.fixed_dictionaries({"depth": st.integers(1, 4), "code_channels": st.integers(1, 5)})
)


@settings(max_examples=40)
@given(
    network=fully_connected | deep | stacked,
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    channels=st.sampled_from([1, 3]),
    count=st.integers(0, 2),
)
def test_the_plain_layers_compute_what_the_network_does(
    network: tuple[str, dict[str, Any]], height: int, width: int, channels: int, count: int
) -> None:
    method, options = network
    module = make(method, (height, width, channels), **options)
    assert isinstance(module, AutoAssociative)
    assert module.options.items() >= options.items()
    plain = module.describe()
    images = np.random.default_rng(0).random((count, channels, height, width), np.float32)
    with torch.no_grad():
        code, output = module.analysis(torch.from_numpy(images)), module(torch.from_numpy(images))
    assert code.shape == (count, *plain.code_shape)
    assert np.allclose(evaluate(plain.analysis, images), code.numpy(), atol=1e-5)
    assert np.allclose(evaluate(plain.analysis + plain.synthesis, images), output.numpy(), atol=1e-5)


def test_a_deep_networks_synthesis_mirrors_its_analysis() -> None:
    network = make("deep", (28, 28, 1)).describe()
    down = layers.shapes(network.analysis, network.input_shape)
    up = layers.shapes(network.synthesis, network.code_shape)
    assert down == [(1, 28, 28), (784,), (512,), (128,), (32,)]
    assert up == [(32,), (128,), (512,), (784,), (1, 28, 28)]


@pytest.mark.parametrize(("depth", "code_shape"), [(1, (8, 14, 14)), (2, (8, 7, 7)), (3, (8, 4, 4)), (4, (8, 2, 2))])
def test_each_convolution_of_a_stack_halves_the_sides(depth: int, code_shape: tuple[int, int, int]) -> None:
    assert make("stacked", (28, 28, 1), depth=depth).describe().code_shape == code_shape


def test_backwards_is_the_transpose_of_forwards() -> None:
    network = make("bidirectional", (4, 5, 1), hidden=6)
    assert isinstance(network, BidirectionalAutoencoder)
    first, second = network.analysis_weight, network.synthesis_weight
    images = torch.rand(3, 1, 4, 5)
    network.backwards = True
    code = torch.sigmoid(images.flatten(1) @ second.t() + network.analysis_bias)
    torch.testing.assert_close(network.analysis(images), code)
    torch.testing.assert_close(
        network(images).flatten(1), torch.sigmoid(code @ first.t() + network.synthesis_bias), rtol=1e-4, atol=1e-5
    )
    network.backwards = False
    torch.testing.assert_close(
        network.analysis(images), torch.sigmoid(images.flatten(1) @ first + network.analysis_bias)
    )


def test_a_penalty_is_0_at_the_wanted_activation_alone_and_finite_at_the_ends() -> None:
    network = make("sparse", (4, 5, 1), hidden=3, sparsity=0.25, weight=2.0)
    assert isinstance(network, SparseAutoencoder)
    assert network.penalty(torch.full((7, 3), 0.25)).item() == pytest.approx(0, abs=1e-7)
    for activation in (0.0, 0.2, 0.3, 1.0):
        assert 1e-4 < network.penalty(torch.full((7, 3), activation)).item() < 100
        assert bool(torch.isfinite(network.penalty_slope(torch.full((7, 3), activation))).all())
    expected = 2 * 2 / 20 * 3 * (0.25 * np.log(0.25 / 0.5) + 0.75 * np.log(0.75 / 0.5))
    assert network.penalty(torch.full((7, 3), 0.5)).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("deep", {"widths": []}, r"each of at least one number; not widths of \[\]"),
        ("deep", {"widths": [5, 0]}, r"each of at least one number; not widths of \[5, 0\]"),
        ("stacked", {"depth": 0}, "1 to 4 convolutions and at least 1 channel in its code, not 0 and 8"),
        ("stacked", {"depth": 5}, "not 5 and 8"),
        ("stacked", {"code_channels": 0}, "not 3 and 0"),
        ("sparse", {"sparsity": 0.0}, "between 0 and 1, its weight is 0 or more; not 0.0 and"),
        ("sparse", {"sparsity": 1.0}, "not 1.0 and"),
        ("sparse", {"weight": -1.0}, "and -1.0"),
        ("sparse", {"weight": float("nan")}, "and nan"),
        ("bidirectional", {"hidden": 0}, "a code has at least one number, not 0"),
    ],
)
def test_options_that_make_no_network_are_refused(method: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make(method, (8, 8, 1), **options)
