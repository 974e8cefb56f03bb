"""The shapes that the paper gives, and those for any other small image."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engram import layers
from engram.errors import CorruptData, UsageError
from engram.networks.registry import NETWORKS, make

IMAGES_IN = [name for name in NETWORKS if name != "pixel"]
"""Those that take whole images."""
CLASSIFIERS = ("classifier", "judge")


def test_the_cnn_has_the_papers_shapes() -> None:
    network = make("cnn", (28, 28, 1)).describe()
    down = layers.shapes(network.analysis, network.input_shape)
    up = layers.shapes(network.synthesis, network.code_shape)
    assert down == [(1, 28, 28), (25, 10, 10), (25, 5, 5), (10, 3, 3), (10, 2, 2)]
    assert up == [(10, 2, 2), (25, 5, 5), (10, 15, 15), (1, 28, 28)]
    assert [layer.weight.shape[2:] for layer in network.analysis if isinstance(layer, layers.Convolution)] == [
        (3, 3)
    ] * 2
    assert network.code_numbers == 40


@pytest.mark.parametrize(("method", "parameters"), [("ann", 2 * 784 * 400 + 1184), ("tied", 784 * 400 + 1184)])
def test_the_fully_connected_networks_are_784_400_784(method: str, parameters: int) -> None:
    network = make(method, (28, 28, 1))
    assert network.describe().code_shape == (400,)
    assert network.describe().parameters == parameters
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def test_the_classifier_has_the_papers_shapes() -> None:
    network = make("classifier", (28, 28, 1)).describe()
    assert layers.shapes(network.analysis, network.input_shape) == [
        (1, 28, 28),
        (10, 24, 24),
        (10, 12, 12),
        (20, 8, 8),
        (20, 4, 4),
        (320,),
        (10,),
    ]


@settings(max_examples=25, deadline=None)
@given(
    method=st.sampled_from(IMAGES_IN),
    height=st.integers(8, 48),
    width=st.integers(8, 48),
    channels=st.sampled_from([1, 3]),
    count=st.integers(0, 3),
)
def test_any_small_image_fits_and_the_description_has_the_modules_shapes(
    method: str, height: int, width: int, channels: int, count: int
) -> None:
    network = make(method, (height, width, channels)).eval()
    images = torch.rand(count, channels, height, width)
    description = network.describe()
    output = network(images)
    expected = (10,) if method in CLASSIFIERS else (channels, height, width)
    assert output.shape == (count, *expected)
    assert layers.shapes(description.analysis + description.synthesis, description.input_shape)[-1] == expected
    if method != "judge":  # whose normalisations are gone
        assert description.parameters == sum(parameter.numel() for parameter in network.parameters())
    if method not in CLASSIFIERS:
        assert network.analysis(images).shape == (count, *description.code_shape)
        assert bool(((output >= 0) & (output <= 1)).all())


@pytest.mark.parametrize("method", IMAGES_IN)
def test_absorb_takes_what_describe_gave(method: str) -> None:
    source, target = make(method, (20, 17, 3), seed=1).eval(), make(method, (20, 17, 3), seed=2).eval()
    images = torch.rand(4, 3, 20, 17)
    with torch.no_grad():
        for parameter in source.parameters():  # for networks that start as the identity, whatever the seed
            parameter.add_(0.05 * torch.randn(parameter.shape))
    assert not torch.equal(source(images), target(images))
    target.absorb(source.describe())
    tolerance = 1e-5 if method == "judge" else 0  # which takes normalisations in
    assert torch.allclose(source(images), target(images), rtol=0, atol=tolerance)


def test_absorbing_another_size_is_refused() -> None:
    with pytest.raises(CorruptData, match=r"weights of shapes .* this network needs"):
        make("ann", (8, 8, 1)).absorb(make("ann", (9, 9, 1)).describe())


def test_a_seed_decides_the_weights_and_leaves_the_callers_random_state() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, again, other = make("cnn", (28, 28, 1), 0), make("cnn", (28, 28, 1), 0), make("cnn", (28, 28, 1), 1)
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(first.first.weight, again.first.weight)
    assert not torch.equal(first.first.weight, other.first.weight)
    assert torch.equal(make("cnn", (28, 28, 1), 0, 2.0).first.weight, 2 * first.first.weight)


def test_a_first_stride_of_2_leads_to_the_same_code_and_only_up_to_28_pixels() -> None:
    assert make("cnn", (28, 28, 1), first_stride=2).describe().code_shape == (10, 2, 2)
    with pytest.raises(UsageError, match="first stride of 3, or of 2 up to 28 x 28"):
        make("cnn", (32, 32, 1), first_stride=2)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UsageError, match="there is no method 'vae' to train; there are cnn, ann, tied, sparse"):
        make("vae", (28, 28, 1))
    with pytest.raises(UsageError, match="cnn takes no such option"):
        make("cnn", (28, 28, 1), hidden=3)
