"""The pixel network: a distribution over symbols, and a description that can be frozen."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from engram.codecs.pixel import form
from engram.errors import CorruptData, UsageError
from engram.networks.pixel import EFFORTS, LARGEST_DEPTH, LARGEST_WIDTH, LEAST_CHANCE, PixelNetwork
from engram.networks.registry import make


def small(shape: tuple[int, int, int] = (6, 5, 1), seed: int = 0, **options: Any) -> PixelNetwork:
    network = make("pixel", shape, seed, **({"hidden": (8, 7), "components": 3, "radius": 2, "knots": 3} | options))
    assert isinstance(network, PixelNetwork)
    return network


def random_outputs(network: PixelNetwork, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 1 + 3 * network.components, generator=generator) * torch.tensor(
        [3.0] + [1.0] * 2 * network.components + [4.0] * network.components
    )


@pytest.mark.parametrize("max_error", [0, 1, 7, 63])
def test_the_chances_of_all_symbols_sum_to_1(max_error: int) -> None:
    network = small(max_error=max_error)
    symbols = (255 + max_error) // network.step + 1
    outputs = random_outputs(network, 200)
    nats = network.nats(outputs.repeat_interleave(symbols, 0), torch.arange(symbols).repeat(200))
    sums = torch.exp(-nats.double()).view(200, symbols).sum(1)
    assert bool((sums <= 1 + 1e-5).all())
    assert bool((sums >= 1 - LEAST_CHANCE - 1e-5).all())
    assert bool((nats > -1e-6).all())


def test_each_output_says_what_it_is_called() -> None:
    """Not 0, mostly; component 2 of 3; a mean of 200 gray levels; a narrow scale."""
    network = small()
    outputs = torch.tensor([[5.0, -9.0, 9.0, -9.0, -0.9, (200 - 128) / 128, 0.9, -2.0, -5.0, -2.0]])
    chances = torch.exp(-network.nats(outputs.expand(256, -1), torch.arange(256)))
    assert chances[0].item() == pytest.approx(1 / (1 + np.exp(5)), rel=1e-4)
    assert int(chances.argmax()) == 200
    assert chances[198:203].sum() > 0.85


@pytest.mark.parametrize("shape", [(6, 5, 1), (4, 4, 3)])
def test_the_description_is_the_network_on_gray_levels(shape: tuple[int, int, int]) -> None:
    network = small(shape)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.3)
    around, images = network.neighbourhood, np.random.default_rng(0).integers(0, 256, (3, *shape), np.uint8)
    canvases = torch.from_numpy(around.canvas(images)).float()
    taps = torch.from_numpy(around.taps)
    positions = torch.from_numpy(around.positions).float() / 255
    layers, depth = network.describe().prior, 3
    for image, channel in product(range(3), range(shape[2])):
        mine = slice(channel, None, shape[2])
        expected = network(network.inputs(canvases[image], taps[mine], positions[mine]), channel).detach().numpy()
        x = np.concatenate([around.canvas(images)[image][around.taps[mine]], around.positions[mine]], 1)
        h = x.astype(np.float32)
        *hidden, head = layers[channel * depth : (channel + 1) * depth]
        for layer in hidden:
            assert layer.activation == "relu"  # type: ignore[union-attr]
            h = np.maximum(h @ layer.weight + layer.bias, 0)  # type: ignore[union-attr]
        found = np.concatenate([h, x], 1) @ head.weight + head.bias  # type: ignore[union-attr]
        assert np.allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_absorb_undoes_describe() -> None:
    source, target = small(seed=1), small(seed=2)
    before = [parameter.clone() for parameter in source.parameters()]
    target.absorb(source.describe())
    for mine, other in zip(target.describe().prior, source.describe().prior, strict=True):
        assert np.allclose(mine.weight, other.weight, rtol=1e-5, atol=1e-7)  # type: ignore[union-attr]
        assert np.allclose(mine.bias, other.bias, rtol=1e-5, atol=1e-7)  # type: ignore[union-attr]
    x = torch.rand(50, source.neighbourhood.inputs + source.neighbourhood.features)
    assert torch.allclose(target(x), source(x), atol=1e-4)
    for mine, kept in zip(source.parameters(), before, strict=True):
        assert torch.equal(mine, kept), "a description shares no memory with its network"
    description = target.describe()
    assert description.method == "pixel"
    assert description.image_shape == (6, 5, 1)


def test_absorbing_another_size_is_refused() -> None:
    with pytest.raises(CorruptData, match=r"weights of shapes .* this network needs"):
        small(hidden=(8, 8)).absorb(small().describe())


def test_options_make_the_same_network_again() -> None:
    network = small((4, 4, 3), max_error=2)
    assert [p.shape for p in make("pixel", (4, 4, 3), **network.options).parameters()] == [
        p.shape for p in network.parameters()
    ]
    for effort in EFFORTS.values():
        assert small(**effort).options["hidden"] == list(effort["hidden"])


@pytest.mark.parametrize(
    "options",
    [
        {"hidden": ()},
        {"hidden": (0,)},
        {"hidden": (1,) * 9},
        {"hidden": (1025,)},
        {"components": 0},
        {"components": 9},
        {"radius": 0},
        {"radius": 17},
        {"knots": 1},
        {"knots": 65},
        {"max_error": -1},
        {"max_error": 64},
    ],
)
def test_sizes_that_no_codec_takes_are_refused_before_training(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="a pixel network takes 1 to 8 hidden layers of 1 to 1024 units, 1 to 8 comp"):
        small(**options)


def test_images_that_no_codec_takes_are_refused_before_training() -> None:
    with pytest.raises(UsageError, match="images of 600 x 500 are too large for a pixel code"):
        small((600, 500, 1))


def test_the_limits_are_the_codecs() -> None:
    assert (form.LARGEST_DEPTH, form.LARGEST_WIDTH) == (LARGEST_DEPTH, LARGEST_WIDTH)
    assert form.LARGEST_STEP == 2 * 63 + 1
