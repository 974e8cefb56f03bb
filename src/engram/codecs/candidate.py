"""A codec measured for a collection: what it takes, its model counted, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from engram.codecs.contract import Codec
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

    model_bytes: those that it adds to the collection's. name: what tells it from others, in words. The images come back
    only where something asks for them.
    """

    codec: Codec
    measured: Pixels
    count: int
    model_bytes: int
    name: str = ""

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
        return self.measured if self.codec.lossless else np.concatenate(self.codec.decode_many(self._blocks))

    @cached_property
    def psnr_db(self) -> float:
        """Of the images that come back."""
        return decibels(self.measured, self.recovered)


def decibels(originals: Pixels, recovered: Pixels) -> float:
    """The peak signal-to-noise ratio over all images; infinite where they are equal."""
    error = np.square(recovered.astype(np.float64) - originals).mean() if originals.size else 0.0
    return float("inf") if error == 0 else float(-10 * np.log10(error / 255**2))


def divide(sample: ImageSet, images: int, seed: int = 0) -> tuple[ImageSet, ImageSet]:
    """(what to learn from, what to measure on) for a collection of so many images: all of the sample, and some of it.

    Where the sample is not the whole collection these are disjoint, for most of the collection will not have been seen.
    """
    if len(sample) < images:
        return hold_back(sample, seed)
    chosen = np.random.default_rng(seed).permutation(len(sample))[: min(MEASURED, _fitting(sample))]
    return sample, sample[np.sort(chosen)]


def hold_back(sample: ImageSet, seed: int = 0, most: int = MEASURED) -> tuple[ImageSet, ImageSet]:
    """(what to learn from, what to measure on): disjoint but where the sample has less than ten images."""
    count = min(most, int(len(sample) * HELD_BACK), _fitting(sample))
    order = np.random.default_rng(seed).permutation(len(sample))
    if not count:
        return sample, sample
    return sample[np.sort(order[count:])], sample[np.sort(order[:count])]


def _fitting(sample: ImageSet) -> int:
    """How many images have MEASURED_VALUES."""
    return max(1, MEASURED_VALUES // prod(sample.image_shape))
