"""Training a transform code for rate and distortion: bits + weight * mean squared error.

For a task, a third term says how much a classifier of the images loses. That classifier must not judge the result.

Rounding has no gradient. While the analysis learns, its code plus uniform noise of one step stands for the symbols
where bits are counted, and the rounded code, with the gradient passed through, where pixels are made. In the last
fifth the analysis rests, and synthesis and prior learn from the symbols that there will be.

The weight of distortion is steered until the bits are those asked for.
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
from engram.networks.transform import LOG_SCALES, Transform
from engram.training.device import rounding
from engram.training.distributed import Part, world
from engram.training.recipe import Recipe
from engram.training.steps import Step, descend, optimiser_state, restore_optimiser

WARM_UP = 200
"""Steps until the learning rate is what the recipe says; half of all steps later it begins to fall, by a cosine."""
STEERING_BEGINS = 300
STEERING = 3e-3
"""By how much of the deviation of the rate, in logarithms, the weight follows at each step."""
ANALYSIS_RESTS = 0.8
"""From this share of all steps on, symbols are whole."""
LARGEST_GRADIENT = 5.0


@final
class RateDistortionStep(Step):
    """Steps towards the fewest errors at `recipe.bytes_per_image` bytes an image, over all epochs of the recipe.

    state: steps done, and the weight of distortion (bits for one squared gray level in the mean over an image's
    numbers). The loss is in bits for a number of an image.
    """

    def __init__(
        self,
        network: Transform,
        recipe: Recipe,
        images: Tensor,
        seed: int,
        task: Classifier | JudgeNetwork | None = None,
    ) -> None:
        if recipe.bytes_per_image is None:
            raise UsageError("training a transform code takes the bytes an image that it is for: bytes_per_image")
        if (task is None) != (recipe.task_weight == 0):
            raise UsageError("a task and its weight go together: give both, or neither")
        self.network, self.recipe, self.seed = network, recipe, seed
        self.task = None if task is None else task.to(images.device).requires_grad_(False)
        self.bits = 8 * recipe.bytes_per_image
        self.steps = recipe.epochs * -(-len(images) // recipe.batch_size)
        step = start_of(images, self.bits)
        network.start_from_components(images, step)
        self.done = 0
        self.weight = 12 / (2 * math.log(2)) * network.pixels / (255 * step) ** 2  # the best, at high rates
        self.optimiser = torch.optim.Adam(network.parameters(), recipe.learning_rate, fused=True)
        self.noise = torch.Generator(images.device)

    def __call__(self, inputs: Tensor, targets: Tensor) -> Tensor:
        share = self.done / self.steps
        falling = max(0.0, 2 * share - 1)
        rate = min(1.0, (self.done + 1) / WARM_UP) * (0.51 + 0.49 * math.cos(math.pi * falling))
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.learning_rate * rate
        self.noise.manual_seed((self.seed << 32) + self.done)
        part = world().part(len(inputs))
        inputs = part.of(inputs)
        bits, made = self._bits_and_images(inputs, part, share > ANALYSIS_RESTS)
        loss = bits + self.weight * (255 * (made - inputs)).square().mean()
        if self.task is not None:
            loss = loss + self.recipe.task_weight * confusion(self.task, made, inputs)
        loss = descend([self.optimiser], loss / self.network.pixels * part.weight, LARGEST_GRADIENT)
        self.done += 1
        if self.done > STEERING_BEGINS and share < ANALYSIS_RESTS:
            taken = world().total(bits.detach() * part.weight).item()
            self.weight *= math.exp(STEERING * math.log(self.bits / max(1e-3, taken)))
        return loss

    def _bits_and_images(self, images: Tensor, part: Part, whole: bool) -> tuple[Tensor, Tensor]:
        """The mean bits of an image, and the images that come back."""
        network = self.network
        with rounding(images.device, self.recipe.precision):
            with torch.set_grad_enabled(not whole):
                code = network.analysis(images).float()
            rounded = code + (code.round() - code).detach()
            noise = torch.rand((part.count, *code.shape[1:]), generator=self.noise, device=code.device)
            counted = rounded if whole else code + (part.of(noise) - 0.5)
            mean, log_scale = network.distributions(counted)
            made = network.synthesis(rounded).float()
        bits = bits_of(counted, mean, log_scale).sum(1).mean()
        return bits, made

    def state(self) -> dict[str, Tensor]:
        own = {"done": torch.tensor(self.done), "weight": torch.tensor(self.weight, dtype=torch.float64)}
        return own | optimiser_state(self.optimiser)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        rest = dict(state)
        self.done, self.weight = int(rest.pop("done")), float(rest.pop("weight"))
        restore_optimiser(self.optimiser, rest)


def confusion(task: Classifier | JudgeNetwork, made: Tensor, images: Tensor) -> Tensor:
    """How far the classes that a classifier sees in images that came back are from those in the originals.

    The mean over the images of the Kullback-Leibler divergence, in nats.
    """
    return confusions(task, made, images).mean()


def confusions(task: Classifier | JudgeNetwork, made: Tensor, images: Tensor) -> Tensor:
    """`confusion` of each image by itself."""
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


def start_of(images: Tensor, bits: float) -> float:
    """The step, in units of a pixel, at which the principal components of the images would take about `bits`."""
    flat = images.flatten(1)
    variances = torch.linalg.eigvalsh((flat - flat.mean(0)).T @ (flat - flat.mean(0)) / len(flat)).clamp_min(0).double()
    low, high = 1e-4, 10.0
    for _ in range(60):
        middle = math.sqrt(low * high)
        taken = 0.5 * torch.log2(1 + 12 * variances / middle**2 / (2 * math.pi * math.e)).sum().item()
        low, high = (middle, high) if taken > bits else (low, middle)
    return math.sqrt(low * high)
