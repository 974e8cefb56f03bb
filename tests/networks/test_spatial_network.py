"""The spatial network: its prior looks back only, its description is what it computes, and where it starts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engram.codecs.analysis import activate
from engram.codecs.spatial.codec import codes_of
from engram.coding import linear
from engram.coding.grid import COARSEST, FINEST, FULL
from engram.errors import CorruptData, UsageError
from engram.layers import shapes
from engram.models import Model
from engram.networks.registry import make, restore
from engram.networks.running import to_tensor
from engram.networks.spatial import Spatial

SMALL = {"analysis_width": 5, "synthesis_width": 6, "context": 7, "hidden": 20}


def spatial(shape: tuple[int, int, int] = (10, 13, 1), seed: int = 0, **options: int) -> Spatial:
    network = make("spatial", shape, seed, **(SMALL | options))
    assert isinstance(network, Spatial)
    with torch.no_grad():  # what starts at 0 is to be seen as well
        network.prior.output.weight.copy_(torch.randn_like(network.prior.output.weight) * 0.1)
        network.prior.output.bias.uniform_(-1, 1)
    return network


@pytest.mark.parametrize("hidden", [3, 20, 32])
def test_a_distribution_depends_on_what_came_before_it_alone(hidden: int) -> None:
    network = spatial((12, 12, 1), hidden=hidden)
    order = np.empty((3, 3), int)
    for wave, cells in enumerate(network.grid.waves):
        order[cells] = wave
    symbols = torch.randint(-5, 6, (1, 16, 3, 3)).float().requires_grad_()
    for part in network.distributions(symbols, torch.tensor([30.0])):
        for unit, y, x in ((0, 2, 1), (7, 1, 1), (15, 2, 0)):
            (gradient,) = torch.autograd.grad(part[0, unit, y, x], symbols, retain_graph=True)
            seen = gradient[0].numpy() != 0
            assert not seen[unit:, y, x].any()
            assert unit == 0 or seen[unit - 1, y, x]
            others = seen.any(axis=0)
            others[y, x] = False
            assert (order[others] < order[y, x]).all()
            assert others[y - 1, x]


@pytest.mark.parametrize("shape", [(10, 13, 1), (28, 28, 1), (4, 1, 3), (33, 5, 3)])
def test_features_are_those_of_the_grid(shape: tuple[int, int, int]) -> None:
    """Straight lines where the grid's are rounded down to whole numbers; equal where these are exact."""
    network = spatial(shape)
    steps = np.array([*range(FINEST, 33), 48, 64, 100, 300, 777, COARSEST])
    found = network.features(torch.from_numpy(steps / 2).float()).numpy() * FULL
    for features, step in zip(found, steps.tolist(), strict=True):
        expected = network.grid.features_at(step)
        exact = FULL * step % (FINEST << (step.bit_length() - FINEST.bit_length())) == 0
        np.testing.assert_allclose(features, expected, atol=1e-3 if exact else 1)
        np.testing.assert_allclose(features[:14], expected[:14], atol=1e-5)
        assert features.shape == expected.shape


@pytest.mark.parametrize("shape", [(10, 13, 1), (5, 4, 3)])
@pytest.mark.parametrize("step", [FINEST, 96, COARSEST])
def test_the_description_computes_what_the_network_computes(shape: tuple[int, int, int], step: int) -> None:
    network = spatial(shape)
    images = np.random.default_rng(0).integers(0, 256, (5, *shape), np.uint8)
    described, steps = network.describe(), torch.full((5,), step / 2)
    with torch.no_grad():
        code = network.analysis(to_tensor(images), steps)
        codes = codes_of(described.analysis, network.grid, images, step)
        np.testing.assert_allclose(codes.transpose(0, 3, 1, 2), code.numpy(), rtol=1e-4, atol=1e-4)
        means, log_scales = network.distributions(code.round(), steps)
    matrix, first, second, third, fourth, output = described.prior
    y, x = network.grid.rows - 1, network.grid.columns - 1
    around = torch.nn.functional.pad(code.round(), (2, 2, 2, 0)).numpy()
    offsets = [(-2, -1), (-2, 0), (-2, 1), (-1, -2), (-1, -1), (-1, 0), (-1, 1), (0, -2), (0, -1)]
    near = np.concatenate([around[:, :, 2 + y + dy, 2 + x + dx] for dy, dx in offsets], axis=1)
    own = code.round()[:, :, y, x].numpy()
    c = linear.apply(first, near) + network.grid.features_at(step)[:, y, x] @ matrix.weight
    c = activate(linear.apply(second, activate(c, "relu")), "relu")
    h = activate(linear.apply(third, np.concatenate([c, own], 1)), "relu")
    h = activate(linear.apply(fourth, h), "relu")
    found = linear.apply(output, np.concatenate([h, c, near, own], 1))
    expected = torch.cat([means[:, :, y, x], log_scales[:, :, y, x]], 1)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-3, atol=1e-3)


def test_what_is_described_is_absorbed() -> None:
    network = spatial((7, 6, 3))
    described = network.describe()
    again = restore(Model(described, {"options": network.options}))
    assert isinstance(again, Spatial)
    for half in ("analysis", "synthesis", "prior"):
        for mine, other in zip(getattr(described, half), getattr(again.describe(), half), strict=True):
            assert type(mine) is type(other)
            for part in ("weight", "bias"):
                np.testing.assert_allclose(getattr(mine, part, 0), getattr(other, part, 0), rtol=1e-6)
    images, steps = torch.rand(3, 3, 7, 6), torch.tensor([12.0, 40.0, 400.0])
    with torch.no_grad():
        torch.testing.assert_close(again.analysis(images, steps), network.analysis(images, steps))
        torch.testing.assert_close(again(images), network(images))
    assert shapes(described.analysis, (3, 7, 6))[-1] == (48, 2, 2)
    assert shapes(described.synthesis, (48, 2, 2))[-1] == (3, 7, 6)
    with pytest.raises(CorruptData, match="the description has weights of shapes"):
        spatial((7, 6, 3), context=8).absorb(described)


@pytest.mark.parametrize("shape", [(10, 13, 1), (9, 8, 3)])
def test_it_starts_near_the_cosine_transform(shape: tuple[int, int, int]) -> None:
    network = make("spatial", shape, **SMALL)
    assert isinstance(network, Spatial)
    images = np.random.default_rng(0).integers(0, 256, (20, *shape), np.uint8)
    with torch.no_grad():
        for half in (network.analysis_layers, network.synthesis_layers):
            half.output.weight[:, : -half.inputs] = 0
        made = network.synthesis(network.analysis(to_tensor(images)), None)
        torch.testing.assert_close(made, to_tensor(images), atol=1e-5, rtol=0)
        flat = network.analysis(torch.full((1, shape[2], *shape[:2]), 0.5), torch.tensor([10.0]))
    assert flat[0, 0].flatten().tolist() == pytest.approx([12.75 * 4 * shape[2] ** 0.5] * flat[0, 0].numel())
    assert flat[0, 1:].abs().max() < 1e-4


def test_every_part_has_a_size() -> None:
    for name in SMALL:
        with pytest.raises(UsageError, match=r"^a spatial network's widths are all at least 1$"):
            spatial(**{name: 0})
    assert spatial().options == SMALL
