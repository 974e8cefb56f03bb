"""Pictures that are drawn for the tests of packing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.datasets import wardrobe

IMAGES = wardrobe.draw(40, 0)
PIXELS = IMAGES.images
LAYERS: dict[str, tuple[int, Any]] = {
    "gray": (1, np.uint8),
    "gray-alpha": (2, np.uint8),
    "rgb": (3, np.uint8),
    "rgba": (4, np.uint8),
    "gray16": (1, np.uint16),
    "rgb16": (3, np.uint16),
}
"""The channels and the type of each kind's pixels."""


def smooth(count: int, size: tuple[int, int], seed: int = 0, noise: float = 6.0) -> NDArray[np.uint8]:
    """Soft gradients with noise: what a coarse code gives back well, and exactly only at a price."""
    random = np.random.default_rng(seed)
    height, width = size
    y, x = np.mgrid[:height, :width]
    slope = random.uniform(-3, 3, (2, count, 1, 1))
    pixels = 128 + slope[0] * y + slope[1] * x + random.normal(0, noise, (count, height, width))
    return np.rint(pixels).clip(0, 255).astype(np.uint8)[..., None]


def of_kind(kind: str, count: int, size: tuple[int, int] = (16, 12), seed: int = 0) -> NDArray[Any]:
    """Soft pictures of a kind. Alpha is a disk with a soft edge, and of no colour beyond it."""
    channels, dtype = LAYERS[kind]
    pixels = np.concatenate([smooth(count, size, seed + k) for k in range(channels)], axis=-1)
    if dtype == np.uint16:
        return (pixels.astype(np.uint16) << 6) + pixels % 61
    if channels in (2, 4):
        y, x = np.mgrid[: size[0], : size[1]]
        away = np.hypot(y - size[0] / 2, x - size[1] / 2)
        pixels[..., -1] = np.clip(40 * (0.45 * min(size) - away), 0, 255)
    return pixels


def nothing_may_be_learned(*arguments: Any, **options: Any) -> None:
    raise AssertionError("it was learned before everything was looked at")
