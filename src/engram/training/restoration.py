"""Training a restoration: images rounded as the pixel code rounds them go in, the images are what should come out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor

from engram.networks.restoration import RestorationNetwork
from engram.training.device import rounding
from engram.training.distributed import world
from engram.training.recipe import Recipe
from engram.training.steps import Step, descend, optimiser_state, restore_optimiser

WARM_UP = 200
"""Steps until the learning rate is what the recipe says, or a fifth of all: at full rate from the start, all hidden
numbers may fall to 0 for ever."""
LARGEST_GRADIENT = 1.0


@final
class RestorationStep(Step):
    """Steps towards the least mean squared error, over all epochs of the recipe. The loss is in squared gray levels."""

    def __init__(self, network: RestorationNetwork, recipe: Recipe, images: Tensor, seed: int) -> None:
        self.network, self.recipe, self.seed, self.done = network, recipe, seed, 0
        self.steps = recipe.epochs * -(-len(images) // recipe.batch_size)
        self.optimiser = torch.optim.Adam(network.parameters(), recipe.learning_rate, fused=True)

    def __call__(self, inputs: Tensor, targets: Tensor) -> Tensor:
        rate = self.recipe.learning_rate * min(1.0, (self.done + 1) / min(WARM_UP, 1 + self.steps // 5))
        for group in self.optimiser.param_groups:
            group["lr"] = rate * (0.505 + 0.495 * math.cos(math.pi * self.done / self.steps))
        part = world().part(len(inputs))
        coded = self.network.analysis(part.of(inputs))
        with rounding(inputs.device, self.recipe.precision):
            change = self.network.changes(coded)
        loss = (255 * (coded + change.float() - part.of(targets))).square().mean()
        self.done += 1
        return descend([self.optimiser], loss * part.weight, LARGEST_GRADIENT)

    def state(self) -> dict[str, Tensor]:
        return {"done": torch.tensor(self.done)} | optimiser_state(self.optimiser)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        rest = dict(state)
        self.done = int(rest.pop("done"))
        restore_optimiser(self.optimiser, rest)
