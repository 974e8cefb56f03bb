"""The strong classifier: what is saved is the network that was trained, without shortcuts and normalisations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engram import layers
from engram.codecs.analysis import evaluate
from engram.errors import CorruptData, UsageError
from engram.networks.judge import JudgeNetwork
from engram.networks.registry import make


def trained(shape: tuple[int, int, int], seed: int, **options: object) -> JudgeNetwork:
    """As if it had been: its normalisations have seen images."""
    network = make("judge", shape, seed, **options)
    assert isinstance(network, JudgeNetwork)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        network.train()
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        for _ in range(3):
            network(3 * torch.rand(8, shape[2], *shape[:2]) - 1)
    return network.eval()


@settings(max_examples=15, deadline=None)
@given(
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    channels=st.sampled_from([1, 3]),
    widths=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    seed=st.integers(0, 9),
)
def test_the_plain_layers_compute_what_the_network_does(
    height: int, width: int, channels: int, widths: list[int], seed: int
) -> None:
    network = trained((height, width, channels), seed, classes=4, widths=widths)
    images = np.random.default_rng(seed).random((3, channels, height, width), np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(images)).numpy()
    scale = max(1.0, float(np.abs(expected).max()))
    assert np.allclose(evaluate(network.describe().analysis, images) / scale, expected / scale, rtol=0, atol=1e-4)


def test_on_28_x_28_it_is_a_few_hundred_thousand_weights() -> None:
    network = make("judge", (28, 28, 1)).describe()
    assert layers.shapes(network.analysis, network.input_shape)[-3:] == [(96, 3, 3), (864,), (10,)]
    assert 4 * network.parameters < 900_000


def test_weights_of_another_size_are_refused() -> None:
    with pytest.raises(CorruptData, match="this network needs"):
        make("judge", (8, 8, 1), widths=[4]).absorb(make("judge", (8, 8, 1), widths=[5]).describe())
    with pytest.raises(UsageError, match=r"at least one stage of at least one channel, not \[\]"):
        make("judge", (8, 8, 1), widths=[])
