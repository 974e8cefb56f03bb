"""Training a strong classifier: stochastic gradient descent over images that are shifted and mirrored at random.

What is usual in the field: Nesterov momentum, weight decay, smoothed labels, and a learning rate that rises for a while
and falls to 0 by the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from engram.networks.judge import JudgeNetwork
from engram.training.device import rounding
from engram.training.distributed import batch_mean, world
from engram.training.recipe import Recipe
from engram.training.steps import Step, descend, optimiser_state, restore_optimiser

SHIFT = 2
"""Images are moved by at most so many pixels each way; what comes in at an edge repeats it."""
WEIGHT_DECAY = 5e-4
SMOOTHING = 0.1
RISING = 0.15
"""The share of all steps in which the learning rate rises."""


@final
class ClassificationStep(Step):
    """Steps over all epochs of the recipe. The loss is the cross-entropy in nats with smoothed labels."""

    def __init__(self, network: JudgeNetwork, recipe: Recipe, images: Tensor, seed: int) -> None:
        self.network, self.recipe, self.seed = network, recipe, seed
        self.steps = recipe.epochs * -(-len(images) // recipe.batch_size)
        self.done = 0
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if world().size > 1:
            for module in network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.__class__ = WholeBatchNorm
        weights = [parameter for parameter in network.parameters() if parameter.ndim > 1]
        others = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
        self.parameters = [*weights, *others]  # as the optimiser counts them
        groups = [{"params": weights, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
        self.optimiser = torch.optim.SGD(
            groups, recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.momentum > 0
        )

    def __call__(self, inputs: Tensor, targets: Tensor) -> Tensor:
        share = (self.done + 0.5) / self.steps
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.learning_rate * min(share / RISING, (1 - share) / (1 - RISING))
        part = world().part(len(inputs))
        seen = part.of(varied(inputs, np.random.default_rng((self.seed, self.done))))
        with rounding(inputs.device, self.recipe.precision):
            scores = self.network(seen)
        loss = functional.cross_entropy(scores, part.of(targets), label_smoothing=SMOOTHING)
        self.done += 1
        return descend([self.optimiser], loss * part.weight)

    def state(self) -> dict[str, Tensor]:
        return {"done": torch.tensor(self.done)} | optimiser_state(self.optimiser)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        rest = dict(state)
        self.done = int(rest.pop("done"))
        restore_optimiser(self.optimiser, rest)


@final
class WholeBatchNorm(nn.BatchNorm2d):
    """Batch normalisation by the mean and variance over all ranks' parts of a batch."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        values = x.float().permute(0, 2, 3, 1).flatten(0, 2)
        mean = batch_mean(values)
        variance = batch_mean((values - mean).square())
        count = world().total(torch.tensor(float(len(values)), device=x.device)).item()
        for running, seen in ((self.running_mean, mean), (self.running_var, variance * count / max(1, count - 1))):
            assert running is not None
            assert self.momentum is not None
            running.lerp_(seen.detach(), self.momentum)
        scale = self.weight / (variance + self.eps).sqrt()
        return (x.float() * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]).to(x.dtype)

    def _get_name(self) -> str:
        return "BatchNorm2d"  # as checkpoints know it: they pass from any number of ranks to any other


def varied(images: Tensor, draw: np.random.Generator) -> Tensor:
    """The images float32[n, c, h, w], each moved by up to SHIFT pixels, and mirrored or not, at random."""
    count, _, height, width = images.shape
    down, right = draw.integers(-SHIFT, SHIFT + 1, (2, count, 1))
    rows = (np.arange(height) + down).clip(0, height - 1)
    columns = (np.arange(width) + right).clip(0, width - 1)
    columns = np.where(draw.integers(2, size=(count, 1)), columns, columns[:, ::-1])
    places = torch.from_numpy(rows[:, :, None] * width + columns[:, None, :]).to(images.device)
    taken = places.view(count, 1, height * width).expand(-1, images.shape[1], -1)
    return images.flatten(2).gather(2, taken).view_as(images)
