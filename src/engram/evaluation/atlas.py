"""An atlas: all images of a collection as the tiles of one picture."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engram.images import Pixels

Picture = NDArray[np.uint8]
"""uint8[height, width, c], c = 1 or 3."""


def grid(count: int) -> tuple[int, int]:
    """(rows, columns) of an atlas of so many tiles, at least one: as near to a square as holds them."""
    columns = math.ceil(math.sqrt(count))
    return math.ceil(count / columns), columns


def tile(images: Pixels) -> Picture:
    """The images, at least one, row by row in one picture; the places left over are zeros."""
    count, height, width, channels = images.shape
    rows, columns = grid(count)
    tiles = np.zeros((rows * columns, height, width, channels), np.uint8)
    tiles[:count] = images
    return _swapped(tiles.reshape(rows, columns, height, width, channels)).reshape(
        rows * height, columns * width, channels
    )


def untile(picture: Picture, count: int, image_shape: tuple[int, int, int]) -> Pixels:
    """uint8[count, h, w, c]: the images of an atlas that `tile` made."""
    height, width, channels = image_shape
    rows, columns = grid(count)
    tiles = _swapped(picture.reshape(rows, height, columns, width, channels))
    return tiles.reshape(rows * columns, height, width, channels)[:count]


def _swapped(tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[rows, columns, h, w, c] from [rows, h, columns, w, c], and back."""
    return tiles.swapaxes(1, 2)
