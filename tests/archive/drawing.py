"""Random collections for the archive's tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engram.images import ImageSet

CLASSES = ("ape", "bee/wasp", "cat")


def draw(count: int, shape: tuple[int, int, int] = (4, 3, 1), seed: int = 0) -> ImageSet:
    """Random images with everything that an ImageSet can have."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, *shape), np.uint8)
    return ImageSet(images, rng.integers(0, 3, count), CLASSES, tuple(f"{index:04}.png" for index in range(count)))


def flip(path: Path, offset: int) -> None:
    """Changes one bit of the byte at an offset."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(data)
