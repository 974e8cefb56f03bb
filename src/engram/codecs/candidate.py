"""A codec measured for a collection: what it takes, its model counted, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from engram.codecs.contract import Codec
from engram.codecs.pixel.codec import Pixel, squared_errors
from engram.images import ImageSet, Pixels

MEASURED = 512
"""How many images codecs are measured on, at most."""
HELD_BACK = 0.1
"""The share of a sample that is measured on where that has to be other images than those that are learned from."""
MEASURED_VALUES = 1 << 19
"""The values that these images have in all, at most, but for one image: what measuring takes goes with them."""
_BLOCK = 64


@dataclass(frozen=True, eq=False)
class Candidate:
    """A codec measured on images, at least one, for a collection of `count` like them.

    model_bytes: those that it adds to the collection's. name: what tells it from others, in words. counts: how much
    each value counts in the quality of each image that is known, float64[n, 256]: what a pixel code loses follows from
    that. The images come back only where something asks for them.
    """

    codec: Codec
    measured: Pixels
    count: int
    model_bytes: int
    name: str = ""
    counts: NDArray[np.float64] | None = None

    @cached_property
    def _blocks(self) -> list[tuple[bytes, int]]:
        cut = [self.measured[first : first + _BLOCK] for first in range(0, len(self.measured), _BLOCK)]
        return list(zip(self.codec.encode_many(cut), map(len, cut), strict=True))

    @property
    def bytes_per_image(self) -> float:
        """Of the blocks alone."""
        return sum(len(data) for data, _ in self._blocks) / len(self.measured)

    @property
    def bytes_in_all(self) -> float:
        """What the whole collection will take, the model with it."""
        return self.bytes_per_image * self.count + self.model_bytes

    @cached_property
    def recovered(self) -> Pixels:
        """The measured images as they come back."""
        if isinstance(self.codec, Pixel):
            return self.codec.recovered(self.measured)
        return self.measured if self.codec.lossless else np.concatenate(self.codec.decode_many(self._blocks))

    @cached_property
    def errors(self) -> NDArray[np.float64]:
        """float64[n]: the squared errors of the images, over the values of a mean one; of all that are known, or else
        of those that are measured."""
        if isinstance(self.codec, Pixel) and self.counts is not None:
            return squared_errors(self.counts, self.codec.step)
        return mean_squares(self.measured, self.recovered)

    @cached_property
    def psnr_db(self) -> float:
        """Of the images that come back."""
        return decibels(self.measured, self.recovered)


def mean_squares(originals: Pixels, recovered: Pixels) -> NDArray[np.float64]:
    """float64[n]: the mean squared error of each image."""
    squares = np.square(recovered.astype(np.float64) - originals).reshape(len(originals), prod(originals.shape[1:]))
    means: NDArray[np.float64] = squares.mean(1)
    return means


def decibels(originals: Pixels, recovered: Pixels) -> float:
    """The peak signal-to-noise ratio over all images; infinite where they are equal."""
    error = np.square(recovered.astype(np.float64) - originals).mean() if originals.size else 0.0
    return float("inf") if error == 0 else float(-10 * np.log10(error / 255**2))


def divide(sample: ImageSet, images: int, seed: int = 0, share: float = 1.0) -> tuple[ImageSet, ImageSet]:
    """(what to learn from, what to measure on) for a collection of so many images: all of the sample, and some of it.

    Where the sample is not the whole collection these are disjoint, for most of the collection will not have been seen.
    share: of what is measured otherwise.
    """
    if len(sample) < images:
        return hold_back(sample, seed, share=share)
    chosen = np.random.default_rng(seed).permutation(len(sample))[: min(MEASURED, _fitting(sample, share))]
    return sample, sample[np.sort(chosen)]


def hold_back(sample: ImageSet, seed: int = 0, most: int = MEASURED, share: float = 1.0) -> tuple[ImageSet, ImageSet]:
    """(what to learn from, what to measure on): disjoint but where the sample has less than ten images."""
    count = min(most, int(len(sample) * HELD_BACK), _fitting(sample, share))
    order = np.random.default_rng(seed).permutation(len(sample))
    if not count:
        return sample, sample
    return sample[np.sort(order[count:])], sample[np.sort(order[:count])]


def _fitting(sample: ImageSet, share: float) -> int:
    """How many images have that share of MEASURED_VALUES."""
    return max(1, int(share * MEASURED_VALUES) // prod(sample.image_shape))
