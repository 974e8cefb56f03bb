"""Images of many sizes on few canvases: which images share one, and what is put around them.

An image of a size that few have is laid on a larger canvas, at its top left; its last row and column go on to the
edges, which a code that looks at neighbours has little to say of. So a collection of any sizes becomes groups of images
of one size, each large enough for blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engram.images import Pixels

FEWEST = 64
"""Images that a canvas is worth having for, where they can find each other: a block of them."""

Sizes = NDArray[np.int32]
"""int32[n, 2]: the height and width of each image."""


@dataclass(frozen=True, eq=False)
class Canvas:
    """Images that share a canvas of a size: (height, width), and the images' indices, rising."""

    size: tuple[int, int]
    images: NDArray[np.int64]


def share(sizes: Sizes, fewest: int = FEWEST) -> list[Canvas]:
    """Every image on one canvas; the canvases in the order of their first images.

    Images of one size share a canvas of that size, if there are `fewest` of them. Those that are left are asked again
    with their sides rounded up to multiples of 8, then of 16, of 32 and so on, until all are placed; the last canvas
    takes however few are left. A canvas is as large as its images need.
    """
    found, left, grain = list[Canvas](), np.arange(len(sizes), dtype=np.int64), 1
    while len(left):
        rounded = -(-sizes[left].astype(np.int64) // grain)
        last = bool((rounded == 1).all())
        _, group, counts = np.unique(rounded, axis=0, return_inverse=True, return_counts=True)
        order = np.argsort(group.reshape(-1), kind="stable")
        placed = np.zeros(len(left), bool)
        for members, count in zip(np.split(order, np.cumsum(counts)[:-1]), counts, strict=True):
            if last or count >= fewest:
                height, width = sizes[left[members]].max(axis=0).tolist()
                found.append(Canvas((height, width), left[members]))
                placed[members] = True
        left, grain = left[~placed], 8 if grain == 1 else 2 * grain
    return sorted(found, key=lambda canvas: int(canvas.images[0]))


def lay(image: Pixels, canvas: Pixels) -> None:
    """Puts uint8[h, w, c] at the top left of a canvas that is no smaller, and fills the rest from its edges."""
    height, width = image.shape[:2]
    canvas[:height, :width] = image
    canvas[:height, width:] = image[:, -1:]
    canvas[height:] = canvas[height - 1]


def in_order(canvases: Sequence[Canvas], images: int) -> NDArray[np.int64]:
    """The number of the canvas that each image is on."""
    numbers = np.empty(images, np.int64)
    for number, canvas in enumerate(canvases):
        numbers[canvas.images] = number
    return numbers
