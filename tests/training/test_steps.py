"""The written-out step computes what automatic differentiation and torch's optimiser compute."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional

from engram.networks.bidirectional import BidirectionalAutoencoder
from engram.networks.registry import make
from engram.training.bidirectional import BidirectionalStep
from engram.training.recipe import RECIPES, Recipe
from engram.training.steps import AutogradStep, FullyConnectedDescent, step_for

PLAIN = Recipe(epochs=1, optimiser="sgd", learning_rate=30.0)


@pytest.mark.parametrize("method", ["ann", "tied", "sparse", "bidirectional", "bidirectional, backwards"])
@pytest.mark.parametrize("batch", [1, 7])
def test_descent_equals_autograd_and_sgd(method: str, batch: int) -> None:
    method, *backwards = method.split(", ")
    ours = make(method, (6, 5, 1), hidden=11)
    if backwards:
        assert isinstance(ours, BidirectionalAutoencoder)
        ours.backwards = True
    theirs = copy.deepcopy(ours)
    fast, plain = step_for(ours, PLAIN, functional.mse_loss), AutogradStep(theirs, PLAIN, functional.mse_loss)
    assert isinstance(fast, FullyConnectedDescent)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        inputs = torch.rand(batch, 1, 6, 5, generator=generator)
        targets = torch.rand(batch, 1, 6, 5, generator=generator)  # not the inputs: noise is trained so
        torch.testing.assert_close(fast(inputs, targets), plain(inputs, targets))
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("method", "changes", "options"),
    [
        ("cnn", {}, {}),
        ("ann", {"momentum": 0.9}, {}),
        ("tied", {"optimiser": "adam"}, {}),
        ("ann", {}, {"output": "none"}),
        ("classifier", {}, {}),
        ("sparse", {"optimiser": "adam"}, {}),
        ("deep", {}, {}),
        ("stacked", {}, {}),
    ],
)
def test_everything_else_goes_through_autograd(method: str, changes: dict, options: dict) -> None:
    network = make(method, (16, 16, 1), **options)
    recipe = Recipe(**{"epochs": 1, "optimiser": "sgd", "learning_rate": 0.1} | changes)
    assert isinstance(step_for(network, recipe, functional.mse_loss), AutogradStep)


@pytest.mark.parametrize("changes", [{"momentum": 0.9}, {"optimiser": "adam"}])
def test_an_optimisers_state_is_restored(changes: dict) -> None:
    recipe = Recipe(**{"epochs": 1, "optimiser": "sgd", "learning_rate": 0.1} | changes)
    images = torch.rand(4, 1, 16, 16)
    network = make("cnn", (16, 16, 1))
    step = AutogradStep(network, recipe, functional.mse_loss)
    step(images, images)
    twin = copy.deepcopy(network)
    twin_step = AutogradStep(twin, recipe, functional.mse_loss)
    twin_step.restore({name: value.clone() for name, value in step.state().items()})
    for _ in range(3):
        assert torch.equal(step(images, images), twin_step(images, images))


def test_a_draw_says_which_way_a_batch_goes() -> None:
    network = make("bidirectional", (6, 5, 1), hidden=4)
    assert isinstance(network, BidirectionalAutoencoder)
    ways: list[bool] = []

    class Watched(AutogradStep):
        def __call__(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            ways.append(network.backwards)
            return super().__call__(inputs, targets)

    images = torch.rand(4, 1, 6, 5)
    for seed in (0, 0, 1):
        step = BidirectionalStep(network, Watched(network, PLAIN, functional.mse_loss), seed)
        for _ in range(40):
            step(images, images)
        assert not network.backwards
    assert ways[:40] == ways[40:80] != ways[80:]
    assert 8 < sum(ways[:40]) < 32
    later = BidirectionalStep(network, Watched(network, PLAIN, functional.mse_loss), 1)
    later.restore(step.state())
    assert later.done == 40


def test_the_papers_recipes() -> None:
    assert (RECIPES["cnn"].optimiser, RECIPES["cnn"].epochs) == ("adam", 200)
    for method in ("ann", "tied"):
        assert (RECIPES[method].optimiser, RECIPES[method].momentum, RECIPES[method].epochs) == ("sgd", 0, 200)
    assert RECIPES["classifier"].epochs == 20
