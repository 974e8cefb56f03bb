"""Noise on images, drawn from a seed: what a camera, a dead pixel or a lost packet does to them (paper 4.2).

kind              strength
gaussian          its standard deviation, in gray levels                                    0 to 255
salt-and-pepper   the share of pixels that turn black or white, each with half the chance   0 to 1
blocks            the side of a square that is missing (black), as a share of the image's   0 to 1
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.random import Generator

from engram.errors import UsageError
from engram.images import Pixels

Noise = Literal["gaussian", "salt-and-pepper", "blocks"]
STRENGTHS: dict[Noise, float] = {"gaussian": 25.0, "salt-and-pepper": 0.1, "blocks": 0.3}
"""What is usual, and taken where none is said."""
_PART = 1000


def check(kind: str, strength: float) -> None:
    """Raises UsageError for an unknown kind, or a strength that it cannot have."""
    if kind not in get_args(Noise):
        raise UsageError(f"there is no noise {kind!r}; there are {', '.join(get_args(Noise))}")
    largest = 255 if kind == "gaussian" else 1
    if not 0 <= strength <= largest:
        raise UsageError(f"the strength of {kind} noise lies in 0 to {largest}, not {strength}")


def with_noise(images: Pixels, kind: Noise, strength: float, random: Generator) -> Pixels:
    """uint8[n, h, w, c] of the images with noise, a function of the images and the generator's state.

    A pixel of several channels turns black or white, or is missing, in all of them. Raises UsageError.
    """
    check(kind, strength)
    noisy = np.empty_like(images)
    for first in range(0, len(images), _PART):  # bounded memory
        noisy[first : first + _PART] = _NOISE[kind](images[first : first + _PART], strength, random)
    return noisy


def _gaussian(images: Pixels, deviation: float, random: Generator) -> Pixels:
    levels = random.standard_normal(images.shape, np.float32)
    levels *= np.float32(deviation)
    levels += images
    np.rint(levels, out=levels)
    return levels.clip(0, 255, out=levels).astype(np.uint8)


def _salt_and_pepper(images: Pixels, share: float, random: Generator) -> Pixels:
    draws = random.random((*images.shape[:3], 1), np.float32)
    noisy = np.where(draws < share / 2, np.uint8(0), images)
    return np.where(draws >= 1 - share / 2, np.uint8(255), noisy)


def _blocks(images: Pixels, share: float, random: Generator) -> Pixels:
    count, height, width, _ = images.shape
    missing = np.ones((count, 1, 1, 1), bool)
    for axis, side in ((1, height), (2, width)):
        length = round(share * side)
        start = random.integers(0, side - length + 1, (count, 1))
        inside = (np.arange(side) >= start) & (np.arange(side) < start + length)
        missing = missing & np.expand_dims(inside, (3 - axis, 3))
    return np.where(missing, np.uint8(0), images)


_NOISE = {"gaussian": _gaussian, "salt-and-pepper": _salt_and_pepper, "blocks": _blocks}
