"""Training a spatial code for all rates at once: each image of a batch has a quantisation step of its own.

The loss is bits + weight * mean squared error, where the weight is what a step is worth at high rates. Coarse steps
count for more, or the fine ones' many bits would drown them.

Rounding has no gradient. While the analysis learns, its code plus uniform noise of one step stands for the symbols
where bits are counted, and the rounded code, with the gradient passed through, where pixels are made. Later the
analysis rests, and synthesis and prior learn from the symbols that there will be.

For a task, a third term says how much a classifier of the images loses, and only the coarse steps are learned. That
classifier must not judge the result: it sees the images shifted and with noise, or the code would learn to write what
no other classifier reads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor
from torch.nn import functional

from engram.errors import UsageError
from engram.networks.classifier import Classifier
from engram.networks.judge import JudgeNetwork
from engram.networks.spatial import MIDDLE_STEP, Spatial
from engram.training.device import rounding
from engram.training.distributed import Part, world
from engram.training.recipe import Recipe
from engram.training.steps import Step, descend, optimiser_state, restore_optimiser

STEPS = 14.0, 450.0
"""The quantisation steps that are learned, in gray levels; each octave is drawn as often."""
TASK_STEPS = 36.0, 450.0
"""Those that are learned for a task: finer ones lose nothing that a classifier sees."""
TASK_SHIFT, TASK_NOISE = 1, 4 / 255
"""By how many pixels images are shifted for the task's classifier, at most, and the deviation of the noise."""
WARM_UP = 200
"""Steps until the learning rate is what the recipe says; it falls from FALLING on, by a cosine."""
FALLING = 0.3
ANALYSIS_RESTS = 0.88
"""From this share of all steps on, symbols are whole."""
COUNTED = 0.9
"""An image counts by its step to this power: bits fall about so as steps grow."""
LOG_SCALES = -4.0, 5.0
"""The natural logarithms of the narrowest and the widest scale of a distribution, in steps."""
LARGEST_GRADIENT = 5.0


@final
class SpatialStep(Step):
    """Steps towards the fewest errors at every rate, over all epochs of the recipe. The loss is in bits for a value."""

    def __init__(
        self,
        network: Spatial,
        recipe: Recipe,
        images: Tensor,
        seed: int,
        task: Classifier | JudgeNetwork | None = None,
    ) -> None:
        if (task is None) != (recipe.task_weight == 0):
            raise UsageError("a task and its weight go together: give both, or neither")
        self.task = None if task is None else task.to(images.device).requires_grad_(False)
        self.network, self.recipe, self.seed, self.done = network, recipe, seed, 0
        self.values = math.prod(network.image_shape)
        self.steps = recipe.epochs * -(-len(images) // recipe.batch_size)
        self.optimiser = torch.optim.Adam(network.parameters(), recipe.learning_rate, fused=True)
        self.draws = torch.Generator(images.device)

    def __call__(self, inputs: Tensor, targets: Tensor) -> Tensor:
        share = self.done / self.steps
        rate = min(1.0, (self.done + 1) / min(WARM_UP, 1 + self.steps // 5))
        falling = max(0.0, share - FALLING) / (1 - FALLING)
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.learning_rate * rate * (0.505 + 0.495 * math.cos(math.pi * falling))
        self.draws.manual_seed((self.seed << 32) + self.done)
        part = world().part(len(inputs))
        loss = self._loss(part.of(inputs), part, share > ANALYSIS_RESTS)
        self.done += 1
        return descend([self.optimiser], loss * part.weight, LARGEST_GRADIENT)

    def _loss(self, images: Tensor, part: Part, whole: bool) -> Tensor:
        network = self.network
        drawn = part.of(torch.rand(part.count, generator=self.draws, device=images.device))
        finest, coarsest = STEPS if self.task is None else TASK_STEPS
        steps = finest * (coarsest / finest) ** drawn
        with rounding(images.device, self.recipe.precision):
            with torch.set_grad_enabled(not whole):
                code = network.analysis(images, steps).float()
            rounded = code + (code.round() - code).detach()
            noise = torch.rand((part.count, *code.shape[1:]), generator=self.draws, device=code.device)
            counted = rounded if whole else code + (part.of(noise) - 0.5)
            mean, log_scale = network.distributions(counted, steps)
            made = network.synthesis(rounded, steps).float()
        bits = bits_of(counted, mean, log_scale).flatten(1).sum(1)
        errors = (255 * (made - images)).square().flatten(1).sum(1)
        losses = bits + 6 / math.log(2) / steps.square() * errors
        if self.task is not None:
            losses = losses + self.recipe.task_weight * self._confusions(self.task, made, images, part)
        return (losses * (steps / MIDDLE_STEP) ** COUNTED).mean() / self.values

    def _confusions(self, task: Classifier | JudgeNetwork, made: Tensor, images: Tensor, part: Part) -> Tensor:
        """How far the classes seen in each image that came back are from those in the original, in nats."""
        shift = torch.randint(-TASK_SHIFT, TASK_SHIFT + 1, (2,), generator=self.draws, device=images.device).tolist()
        noise = torch.randn((part.count, *images.shape[1:]), generator=self.draws, device=images.device)
        noise = part.of(noise) * TASK_NOISE
        seen = [(some.roll(shift, (2, 3)) + noise) for some in (made.clamp(0, 1), images)]
        with rounding(images.device, self.recipe.precision):
            return confusions(task, *seen)

    def state(self) -> dict[str, Tensor]:
        return {"done": torch.tensor(self.done)} | optimiser_state(self.optimiser)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        rest = dict(state)
        self.done = int(rest.pop("done"))
        restore_optimiser(self.optimiser, rest)


def confusions(task: Classifier | JudgeNetwork, made: Tensor, images: Tensor) -> Tensor:
    """How far the classes that a classifier sees in each image that came back are from those in the original.

    The Kullback-Leibler divergences, in nats.
    """
    with torch.no_grad():
        wanted = task(images).float().log_softmax(1)
    found: Tensor = task(made).float().log_softmax(1)
    return functional.kl_div(found, wanted, reduction="none", log_target=True).sum(1)


def bits_of(symbols: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """The bits of each symbol under a logistic distribution integrated over its step."""
    narrow = torch.exp(-log_scale.clamp(*LOG_SCALES))
    upper, lower = (symbols + 0.5 - mean) * narrow, (symbols - 0.5 - mean) * narrow
    sign = torch.where(upper + lower > 0, -1.0, 1.0)  # the tail where a difference of sigmoids loses nothing
    chance = (torch.sigmoid(sign * upper) - torch.sigmoid(sign * lower)).abs()
    return -torch.log2(chance.clamp_min(1e-7))
