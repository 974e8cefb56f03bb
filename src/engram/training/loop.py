"""The training loop: the whole set as one tensor on the device, shuffled once an epoch, steps on slices of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from engram.datasets.noise import with_noise
from engram.errors import UsageError
from engram.images import ImageSet
from engram.networks.autoassociative import AutoAssociative
from engram.networks.bidirectional import BidirectionalAutoencoder
from engram.networks.classifier import Classifier
from engram.networks.judge import JudgeNetwork
from engram.networks.pixel import PixelNetwork
from engram.networks.restoration import RestorationNetwork
from engram.networks.running import to_tensor
from engram.networks.spatial import Spatial
from engram.training.bidirectional import BidirectionalStep
from engram.training.checkpoint import Checkpoint, identity_of
from engram.training.classification import ClassificationStep
from engram.training.distributed import world
from engram.training.errors import TrainingDiverged
from engram.training.pixel import CodeLengthStep
from engram.training.recipe import Recipe
from engram.training.restoration import RestorationStep
from engram.training.spatial import SpatialStep
from engram.training.steps import Objective, Step, step_for


@dataclass
class History:
    """Mean training loss and wall-clock seconds of each finished epoch."""

    losses: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


AfterEpoch = Callable[[int, History], None]
"""Called with the number of finished epochs; its time is not counted as training."""


def train(
    network: nn.Module,
    images: ImageSet,
    recipe: Recipe,
    seed: int,
    *,
    device: str = "cpu",
    checkpoint: Path | None = None,
    after_epoch: AfterEpoch | None = None,
    after_step: Callable[[], None] | None = None,
    task: Classifier | JudgeNetwork | None = None,
) -> History:
    """The history of the training that turns `network` (in place) into a trained one.

    An auto-associative network learns to return the images, a classifier their labels. Epoch e is shuffled by
    (seed, e) alone, so a training continued from `checkpoint` ends with the same weights, bit for bit, as one that
    never stopped, where the processor and its number of threads are the same. `after_step` may set weights anew.
    Where several ranks train (`distributed.joined`), each takes its part of every batch, to the same result up to
    rounding.

    Raises TrainingDiverged when the loss is not finite, UsageError for an empty set or missing labels, and
    ForeignCheckpoint or CorruptCheckpoint for a checkpoint that does not fit, RanksDisagree for ranks that do not.
    """
    if len(images) == 0:
        raise UsageError("there is no image to train on")
    network.to(device).train()
    inputs = to_tensor(images.images).to(device)
    targets = inputs
    objective: Objective = functional.mse_loss
    if not isinstance(network, AutoAssociative | PixelNetwork):
        if images.labels is None:
            raise UsageError("a classifier needs labels: use a folder with one sub-folder for each class")
        targets, objective = torch.from_numpy(images.labels).to(device), functional.cross_entropy
    identity = identity_of(network, recipe, seed, images, task)
    world().agree(identity)
    step = _step_of(network, recipe, inputs, objective, seed, task)
    world().share(network)
    history = History()
    saved = None if checkpoint is None else Checkpoint(checkpoint, identity, recipe.epochs)
    if saved is not None:
        history.losses, history.seconds = saved.restore(network, step)
    shuffled = torch.empty_like(inputs)
    with matrix_products(recipe.precision):
        for epoch in range(len(history.losses), recipe.epochs):
            started = time.perf_counter()
            order = epoch_order(len(inputs), seed, epoch).to(device)
            torch.index_select(inputs, 0, order, out=shuffled)
            wanted = shuffled if targets is inputs else targets[order]
            seen = shuffled if recipe.noise is None else _noisy(images, order, recipe, seed, epoch).to(device)
            total = torch.zeros((), device=device)
            for first in range(0, len(seen), recipe.batch_size):
                batch = seen[first : first + recipe.batch_size]
                total += step(batch, wanted[first : first + recipe.batch_size]) * len(batch)
                if after_step is not None:
                    after_step()
            loss = total.item() / len(inputs)
            if not math.isfinite(loss):
                raise TrainingDiverged(
                    f"the training loss became {loss} in epoch {epoch + 1} of {recipe.epochs} with {recipe.optimiser}, "
                    f"learning rate {recipe.learning_rate:g}; try a tenth of that learning rate"
                )
            history.losses.append(loss)
            history.seconds.append(time.perf_counter() - started)
            if saved is not None:
                saved.keep(network, step, history.losses, history.seconds)
            if after_epoch is not None:
                after_epoch(epoch + 1, history)
    network.eval()
    return history


def _step_of(
    network: nn.Module,
    recipe: Recipe,
    images: Tensor,
    objective: Objective,
    seed: int,
    task: Classifier | JudgeNetwork | None,
) -> Step:
    """How the network takes a step: its own way, or else the fastest that computes what the recipe says."""
    own = Spatial | RestorationNetwork | PixelNetwork | Classifier | JudgeNetwork
    if recipe.noise is not None and isinstance(network, own):
        raise UsageError("noise in training is for networks whose whole aim is to return the image, clean")
    if isinstance(network, Spatial):
        return SpatialStep(network, recipe, images, seed, task)
    if isinstance(network, RestorationNetwork):
        return RestorationStep(network, recipe, images, seed)
    if isinstance(network, PixelNetwork):
        return CodeLengthStep(network, recipe, images, seed)
    if isinstance(network, JudgeNetwork):
        return ClassificationStep(network, recipe, images, seed)
    step = step_for(network, recipe, objective)
    return BidirectionalStep(network, step, seed) if isinstance(network, BidirectionalAutoencoder) else step


def epoch_order(count: int, seed: int, epoch: int) -> Tensor:
    """int64[count], the order of an epoch's images: a function of (seed, epoch), the same on every device."""
    return torch.from_numpy(np.random.default_rng((seed, epoch)).permutation(count))


def _noisy(images: ImageSet, order: Tensor, recipe: Recipe, seed: int, epoch: int) -> Tensor:
    """The images of an epoch in its order with noise of its own: a function of (seed, epoch) too."""
    assert recipe.noise is not None
    assert recipe.noise_strength is not None
    random = np.random.default_rng((seed, epoch, 1))
    return to_tensor(with_noise(images.images[order.cpu().numpy()], recipe.noise, recipe.noise_strength, random))


@contextmanager
def matrix_products(precision: str) -> Iterator[None]:
    """Allow float32 matrix products to round their factors to bfloat16 within, or forbid it; sums stay float32.

    A permission, not an order: a processor without such instructions goes on in float32.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium" if precision == "bfloat16" else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
