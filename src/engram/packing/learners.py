"""What is learned of a collection where no model is given.

Each learner says whether it may have something to offer, and makes candidates for a goal in its part of the budget. A
new kind of code becomes one more Learner in LEARNERS.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engram.codecs.candidate import Candidate
from engram.codecs.choice import at_goal
from engram.codecs.contract import Codec
from engram.codecs.dial import largest_error_for, largest_error_of
from engram.codecs.goals import Fidelity, Goal, LargestError, Quality, Size
from engram.datasets.notices import Advice
from engram.images import ImageSet
from engram.training.budget import Budget

if TYPE_CHECKING:
    from engram.codecs.restored.network import Restoration

Progress = Callable[[int, int], None]

SHARE_OF_DEFLATED = 0.55
"""What a pixel code takes, about, of what deflate takes for the same values."""
FIRST_TRY = 0.35
"""The share of the time in which a pixel code is learned to see what it takes, before the one that is aimed well."""
RESTORING = 0.25
"""The share of a pixel code's time in which its restoration is learned, where there is one."""
COARSER = 1.25, 1.12
"""By how much larger the largest error may be that a restoration makes up for; tried in this order."""
RESTORED_ERRORS = range(2, 33)
"""The largest errors that are worth restoring: finer codes leave little to guess, coarser ones are no good."""
RESTORATION_BYTES = 7000
"""What a restoration adds to a model, about."""
BYTES_A_WEIGHT = 0.7
"""What a weight of a small pixel network takes, at least."""


@dataclass(frozen=True, eq=False)
class Sample:
    """A sample divided into what is learned from and what is measured on, and how many images there are in all.

    counts: float64[n, 256], how much each value counts in the quality of each image of the sample; None where all count
    alike.
    """

    rest: ImageSet
    measured: ImageSet
    images: int
    counts: NDArray[np.float64] | None = None

    @cached_property
    def known(self) -> NDArray[np.float64]:
        """The counts of the whole sample."""
        if self.counts is not None:
            return self.counts
        is_all = len(self.rest) >= self.images or self.rest is self.measured
        images = [*self.rest.images, *([] if is_all else self.measured.images)]
        return np.array([np.bincount(image.ravel(), minlength=256) for image in images], np.float64)

    def candidate(self, codec: Codec) -> Candidate:
        """A codec that brings its model with it."""
        counts = None if codec.lossless else self.known
        return Candidate(codec, self.measured.images, self.images, len(codec.model), f"{codec.id}, learned now", counts)

    def largest_error(self, goal: Fidelity) -> int:
        """The largest that a pixel code may make and still meet the goal; 0 where it may make none."""
        if isinstance(goal, Quality):
            return largest_error_of(goal, self.known)
        return largest_error_for(goal, self.measured.images)


Learn = Callable[[Goal, Sample, Budget, Progress | None], list[Candidate]]


@dataclass(frozen=True)
class Learner:
    """learn: (goal, sample, budget, progress) to candidates. offers: whether some may be worth it."""

    learn: Learn
    offers: Callable[[Goal, Sample], bool] = lambda goal, sample: True


def _of_any_error(goal: Goal, sample: Sample) -> bool:
    return not isinstance(goal, LargestError)


def principal(goal: Goal, sample: Sample, budget: Budget, progress: Progress | None) -> list[Candidate]:
    """Principal components at the rate that meets the goal: a small model, for low rates and few images."""
    from engram.codecs.principal import principal_components

    return principal_components(goal, sample.rest, sample.candidate, budget.seconds / 2)


def _smallest_pays(goal: Goal, sample: Sample) -> bool:
    """Whether the smallest pixel network takes less than it may save of the whole collection, deflated."""
    from engram.codecs.raw import Raw
    from engram.training.learning import weights_of_smallest

    shape = sample.measured.image_shape
    deflated = Candidate(Raw(shape), sample.measured.images, sample.images, 0)
    return BYTES_A_WEIGHT * weights_of_smallest(shape) < (1 - SHARE_OF_DEFLATED) * deflated.bytes_in_all


def pixels(goal: Goal, sample: Sample, budget: Budget, progress: Progress | None) -> list[Candidate]:
    """A pixel code with the largest error that meets the goal, or with a larger one and a restoration."""
    from engram.codecs.dial import LARGEST_ERROR, deflated_bytes
    from engram.codecs.pixel.codec import Pixel
    from engram.codecs.restored.codec import Restored
    from engram.training.learning import learn, learn_restoration

    def learned(max_error: int, budget: Budget) -> Candidate:
        images = sample.images
        return sample.candidate(learn(sample.rest, budget, images=images, max_error=max_error, progress=progress))

    measured, started = sample.measured.images, time.perf_counter()
    if isinstance(goal, LargestError):
        return [learned(goal.max_error, budget)]
    if isinstance(goal, Fidelity):
        restored = _restoration_for(goal, sample, budget.part(RESTORING), progress)
        if restored is None:
            return [learned(sample.largest_error(goal), budget.since(started))]
        found = learned(restored.largest_change, budget.since(started))
        assert isinstance(found.codec, Pixel)
        return [sample.candidate(Restored(found.codec, restored))]
    assert isinstance(goal, Size)

    def aimed(share: float) -> int:
        """The smallest error at which so much of what deflate takes is no more than is asked for."""
        fitting, more = LARGEST_ERROR, -1
        while fitting - more > 1:
            middle = (fitting + more) // 2
            fits = share * deflated_bytes(measured, middle) <= goal.bytes_per_image
            fitting, more = (middle, more) if fits else (fitting, middle)
        return fitting

    if SHARE_OF_DEFLATED * deflated_bytes(measured, LARGEST_ERROR) > goal.bytes_per_image:
        return []
    max_error = aimed(SHARE_OF_DEFLATED)
    first = learned(max_error, budget.part(FIRST_TRY))
    better = aimed(first.bytes_per_image / deflated_bytes(measured, max_error))
    restores = better in RESTORED_ERRORS
    second = learned(better, budget.part(1 - RESTORING * restores).since(started))
    if not restores:
        return [first, second]
    assert isinstance(second.codec, Pixel)
    restoration = learn_restoration(sample.rest, budget.since(started), better, progress=progress)
    return [first, second, sample.candidate(Restored(second.codec, restoration))]


def _restoration_for(goal: Fidelity, sample: Sample, budget: Budget, progress: Progress | None) -> Restoration | None:
    """The restoration of the coarsest of some pixel codes with which the goal is still met; None where none pays."""
    from engram.codecs.dial import deflated_bytes, rounded
    from engram.training.learning import learn_restoration

    measured = sample.measured.images
    alone = sample.largest_error(goal)
    for factor in COARSER:
        error = max(alone + 1, round(factor * alone))
        if alone not in RESTORED_ERRORS or error not in RESTORED_ERRORS:
            continue
        saved = SHARE_OF_DEFLATED * (deflated_bytes(measured, alone) - deflated_bytes(measured, error))
        if saved * sample.images <= RESTORATION_BYTES:
            continue
        restoration = learn_restoration(sample.rest, budget.part(1 / len(COARSER)), error, progress=progress)
        if goal.is_kept(measured, restoration.restored(rounded(measured, error))):
            return restoration
    return None


def jpeg_files(goal: Goal, sample: Sample, budget: Budget, progress: Progress | None) -> list[Candidate]:
    """The coefficients of images that were JPEG files, which take fewer bytes than their pixels at any high quality."""
    from engram.codecs.jpeg.fitting import fit_jpeg

    codec = fit_jpeg(sample.rest.images)
    return [] if codec is None else [sample.candidate(codec)]


def _spatial_pays(goal: Goal, sample: Sample) -> bool:
    from engram.training.learning import spatial_options_for

    shape = sample.measured.image_shape
    return _of_any_error(goal, sample) and spatial_options_for(shape, sample.images * prod(shape)) is not None


def spatial(goal: Goal, sample: Sample, budget: Budget, progress: Progress | None) -> list[Candidate]:
    """A spatial code at the step that meets the goal: for low rates and many images."""
    from engram.training.learning import learn_spatial

    codec = learn_spatial(sample.rest, budget, images=sample.images, progress=progress)
    if codec is None:
        return []
    return [at_goal(sample.candidate(codec), goal)]


LEARNERS = (
    Learner(jpeg_files),
    Learner(principal, _of_any_error),
    Learner(pixels, _smallest_pays),
    Learner(spatial, _spatial_pays),
)


def learned(goal: Goal, sample: Sample, budget: Budget, progress: Progress | None) -> list[Candidate]:
    """What all learners make that have something to offer, each in an equal part of the time that is left."""
    started, found, torchless, offering = time.perf_counter(), list[Candidate](), False, list[Learner]()
    for learner in LEARNERS:
        try:
            offering += [learner] * learner.offers(goal, sample)
        except ModuleNotFoundError as error:
            torchless = _is_torch(error)
    for number, learner in enumerate(offering):
        try:
            part = budget.since(started).part(1 / (len(offering) - number))
            found += learner.learn(goal, sample, part, progress)
        except ModuleNotFoundError as error:
            torchless = _is_torch(error)
        if goal == LargestError(0) and learner.learn is jpeg_files and found:
            break  # the pixels of JPEG files take several times as many bytes
    if torchless:
        words = "Less is learned without torch; `pip install 'engram-images[train]'` saves bytes"
        warnings.warn(words, Advice, stacklevel=2)
    return found


def _is_torch(missing: ModuleNotFoundError) -> bool:
    """True. Raises the error where anything but torch is missing."""
    if missing.name != "torch":
        raise missing
    return True
