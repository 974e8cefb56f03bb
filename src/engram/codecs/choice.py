"""Which of several codecs takes the fewest bytes for a collection, the bytes of its model among them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from engram.codecs.contract import Codec
from engram.images import ImageSet, Pixels

HELD_BACK, MOST_HELD_BACK = 0.1, 256
"""The share, and the number, of images of a sample that codecs are measured on, and none learns from."""
_BLOCK = 64


class Candidate(NamedTuple):
    """A codec, and what it is expected to take: for an image, and for all images with the model it brings."""

    codec: Codec
    bytes_per_image: float
    bytes_in_all: float


def hold_back(sample: ImageSet, seed: int = 0) -> tuple[ImageSet, ImageSet]:
    """(what to learn from, what to measure on): disjoint but where the sample has less than ten images."""
    count = min(MOST_HELD_BACK, int(len(sample) * HELD_BACK))
    order = np.random.default_rng(seed).permutation(len(sample))
    if not count:
        return sample, sample
    return sample[np.sort(order[count:])], sample[np.sort(order[:count])]


def cheapest(measured: Pixels, images: int, codecs: Iterable[tuple[Codec, int]]) -> Candidate:
    """The best of (codec, bytes of the model it brings) for so many images like those measured, one at least."""
    blocks = [measured[first : first + _BLOCK] for first in range(0, len(measured), _BLOCK)]
    candidates = []
    for codec, model_bytes in codecs:
        each = sum(map(len, codec.encode_many(blocks))) / len(measured)
        candidates.append(Candidate(codec, each, each * images + model_bytes))
    return min(candidates, key=lambda candidate: candidate.bytes_in_all)
