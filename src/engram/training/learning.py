"""Learning a collection: a sample of its images and a time to learn in, a codec out.

How many images there are says how large a network pays, for its model's bytes count as much as theirs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engram.codecs.pixel.codec import Pixel
from engram.codecs.pixel.rounding import freeze_pixel
from engram.codecs.restored.freezing import freeze_restoration
from engram.codecs.restored.network import Restoration
from engram.codecs.spatial.codec import Spatial
from engram.codecs.spatial.freezing import freeze_spatial
from engram.coding.neighbourhood import Neighbourhood
from engram.errors import UsageError
from engram.images import ImageSet
from engram.models import Model
from engram.networks.pixel import PixelNetwork
from engram.networks.registry import make
from engram.networks.restoration import RestorationNetwork
from engram.networks.running import to_tensor
from engram.networks.spatial import Spatial as SpatialNetwork
from engram.training.budget import Budget
from engram.training.loop import epoch_order, matrix_products
from engram.training.pixel import AMONG_OTHERS, AMONG_ZEROS, CodeLengthStep
from engram.training.recipe import RECIPES, Recipe
from engram.training.restoration import RestorationStep
from engram.training.spatial import SpatialStep

SIZES: tuple[tuple[int, ...], ...] = (
    (8,),
    (16, 16),
    (24, 24),
    (32, 32),
    (48, 48),
    (64, 64),
    (64, 64, 64),
    (96, 96, 96),
)
"""Hidden layers of the networks that may be learned, by size."""
RADIUS, KNOTS, COMPONENTS = 3, 8, 3
RECIPE = replace(RECIPES["pixel"], batch_size=24)
"""For minutes: steps from fewer images, of which more are not at hand."""
WORTH = 0.01 * 0.3
"""The weights, of about a byte each, that a value pays for: one per cent of its own 0.3 bytes or so."""
SPATIAL_SIZES: tuple[dict[str, int], ...] = (
    {"analysis_width": 48, "synthesis_width": 48, "context": 64, "hidden": 96},
    {"analysis_width": 96, "synthesis_width": 96, "context": 128, "hidden": 192},
    {"analysis_width": 96, "synthesis_width": 128, "context": 160, "hidden": 256},
)
"""Widths of the spatial networks that may be learned, by size."""
SPATIAL_WORTH = 0.2 * 0.05
"""The weights that a value pays for: a fifth of its own 0.05 bytes or so, for such codes save a third and more."""
TRAINED, LOSS_DB = 0.8, 0.03
"""The share of the time that a spatial network is trained in, the rest being freezing; and what that may cost."""
LEAST_STEPS = 400
"""Where fewer fit into the time, a smaller network learns more."""
OVERTIME = 1.1
"""No step begins after so much of the time, whatever the first steps promised."""
MOST_PASSES = 40
"""How often each value is looked at, at most, where time is left over."""

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""


def weights_of_smallest(image_shape: tuple[int, int, int]) -> int:
    """How many weights the smallest pixel network has for images of this shape."""
    return _weights(image_shape, SIZES[0])


def _weights(image_shape: tuple[int, int, int], hidden: tuple[int, ...]) -> int:
    around = Neighbourhood(image_shape, RADIUS, KNOTS)
    taken, outputs = around.inputs + around.features, 1 + 3 * COMPONENTS
    return image_shape[2] * (sum(i * o for i, o in pairwise((taken, *hidden))) + (hidden[-1] + taken) * outputs)


def sizes_for(image_shape: tuple[int, int, int], values: int) -> list[dict[str, Any]]:
    """The options of the pixel networks that pay for a collection of so many values, at least the smallest."""
    paying = [SIZES[0], *(hidden for hidden in SIZES[1:] if _weights(image_shape, hidden) <= values * WORTH)]
    return [{"hidden": hidden, "components": COMPONENTS, "radius": RADIUS, "knots": KNOTS} for hidden in paying]


def learn(
    sample: ImageSet,
    budget: Budget,
    *,
    images: int | None = None,
    max_error: int = 0,
    seed: int = 0,
    progress: Progress | None = None,
) -> Pixel:
    """The codec that learned from images of a collection until the budget was spent, or each value was seen often.

    images: how many the collection has in all. No value of a decoded image is off by more than max_error.
    Raises UsageError for an empty sample.
    """
    _check(sample)
    shape, started = sample.image_shape, time.perf_counter()
    count = len(sample) if images is None else images
    inputs = to_tensor(sample.images)
    for number, options in enumerate(reversed(sizes := sizes_for(shape, count * int(np.prod(shape)))), 1):
        network = make("pixel", shape, seed, max_error=max_error, **options)
        assert isinstance(network, PixelNetwork)
        step = CodeLengthStep(network, RECIPE, inputs, seed)
        step.steps = int(MOST_PASSES * len(inputs) * np.prod(shape) / (AMONG_OTHERS + AMONG_ZEROS)) + LEAST_STEPS
        if _take(step, inputs, RECIPE, budget.since(started), progress, least=LEAST_STEPS * (number < len(sizes))):
            break
    return freeze_pixel(Model(network.describe(), {"options": network.options}), sample, count)


def spatial_options_for(image_shape: tuple[int, int, int], values: int) -> dict[str, int] | None:
    """The options of the largest spatial network that pays for a collection of so many values; None where none does."""
    fitting = None
    for options in SPATIAL_SIZES:
        layers = make("spatial", image_shape, **options).describe()
        if sum(layer.parameters for layer in layers.synthesis + layers.prior) <= values * SPATIAL_WORTH:
            fitting = options
    return fitting


def learn_spatial(
    sample: ImageSet,
    budget: Budget,
    *,
    images: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Spatial | None:
    """The spatial codec, of all its rates, that the budget was spent on; None where its model would not pay.

    images: how many the collection has in all. Raises UsageError for an empty sample.
    """
    _check(sample)
    count = len(sample) if images is None else images
    options = spatial_options_for(sample.image_shape, count * int(np.prod(sample.image_shape)))
    if options is None:
        return None
    network = make("spatial", sample.image_shape, seed, **options)
    assert isinstance(network, SpatialNetwork)
    recipe, inputs = RECIPES["spatial"], to_tensor(sample.images)
    step = SpatialStep(network, recipe, inputs, seed)
    step.steps = MOST_PASSES * -(-len(inputs) // recipe.batch_size) + LEAST_STEPS
    _take(step, inputs, recipe, budget.part(TRAINED), progress)
    return freeze_spatial(network.describe(), sample, LOSS_DB)


def learn_restoration(
    sample: ImageSet, budget: Budget, max_error: int, *, seed: int = 0, progress: Progress | None = None
) -> Restoration:
    """What restores the images that a pixel code of this largest error, 1 to 63, gives back.

    Raises UsageError for an empty sample.
    """
    _check(sample)
    network = make("restoration", sample.image_shape, seed, max_error=max_error)
    assert isinstance(network, RestorationNetwork)
    recipe, inputs = RECIPES["restoration"], to_tensor(sample.images)
    step = RestorationStep(network, recipe, inputs, seed)
    step.steps = MOST_PASSES * -(-len(inputs) // recipe.batch_size) + LEAST_STEPS
    _take(step, inputs, recipe, budget, progress)
    return freeze_restoration(network.describe(), sample, max_error)


def _check(sample: ImageSet) -> None:
    if not len(sample):
        raise UsageError("there is no image to learn from")


def _take(
    step: CodeLengthStep | RestorationStep | SpatialStep,
    inputs: Tensor,
    recipe: Recipe,
    budget: Budget,
    progress: Progress | None,
    least: int = 0,
) -> bool:
    """Take steps until the budget is spent, one at least and `step.steps` at most; False where `least` will not fit.

    Steps are timed whenever their number doubles, the first apart, which is slower; `step.steps` is set to what the
    time allows, so that the learning rate falls in time.
    """
    most = step.steps if budget.steps is None else min(step.steps, budget.steps)
    step.steps, epoch = max(1, most), 0
    started = after_first = time.perf_counter()
    with matrix_products(recipe.precision):
        while step.done < step.steps:
            for part in torch.split(epoch_order(len(inputs), step.seed, epoch), recipe.batch_size):
                step(inputs[part], inputs[part])
                now = time.perf_counter()
                if step.done == 1:
                    after_first = now
                elif step.done & (step.done - 1) == 0 and budget.seconds < math.inf:
                    left, each = started + budget.seconds - now, (now - after_first) / (step.done - 1)
                    step.steps = max(step.done, min(most, step.done + int(left / each)))
                    if step.steps < min(least, most):
                        return False
                if progress:
                    progress(step.done, step.steps)
                if step.done >= step.steps or now > started + OVERTIME * budget.seconds:
                    return True
            epoch += 1
    return True
