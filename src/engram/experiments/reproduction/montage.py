"""Many small pictures as one."""

from __future__ import annotations

import math

import numpy as np

from engram.images import Pixels

GAP = 1


def montage(images: Pixels) -> Pixels:
    """uint8[rows * (h + 1) - 1, columns * (w + 1) - 1, c]: the images in rows, as square as can be, a gap between."""
    n, height, width, channels = images.shape
    columns = max(1, math.isqrt(max(0, n - 1)) + 1)
    rows = max(1, -(-n // columns))
    sheet = np.zeros((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, channels), np.uint8)
    for index, image in enumerate(images):
        top, left = index // columns * (height + GAP), index % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = image
    return sheet
