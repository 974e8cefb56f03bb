"""What an autoregressive pixel code knows of a pixel before it is decoded, and in which order pixels come.

Of three channels green comes first, then red, then blue, for green says most of the others: `ordered` swaps the first
two. Values are numbered in that order, v = (y * width + x) * channels + c. The neighbours of a pixel at (y, x) are
those at (y + dy, x + dx) where

    -radius <= dy <= 0,  |dy| + |dx| <= radius + 2,  -radius <= dx <= 2 for dy < 0,  -radius <= dx <= -1 for dy = 0

in the order of (dy, dx), each with all its channels, then the channels of the pixel itself that come before c. What
is not yet known is 0, and so is what lies outside of the image, or else the nearest known pixel stands for it. All
neighbours of (y, x) come before step x + 3 y, so the values of one step and channel, a *wave*, are decoded together:
an image of 28 x 28 takes 109 steps, not 784.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engram.images import Pixels

AHEAD = 2
"""How far to the right neighbours of the rows above reach."""
MARGIN = 2
LARGEST_RADIUS = 16
LARGEST_KNOTS = 64
LARGEST_VALUES = 1 << 18
"""Of one image: at most 256 x 256 x 3 pixels, about."""
LARGEST_PREPARED = 1 << 26
"""How many numbers are kept ready for the values of one image."""
Edges = Literal["zero", "nearest"]
FULL = 255
"""What a position feature is at its knot."""

Indices = NDArray[np.int64]


def ordered(images: Pixels) -> Pixels:
    """uint8[n, h, w, c] with the channels in the order in which they are coded, or of these in the usual order."""
    return images.take([1, 0, 2], -1) if images.shape[-1] == 3 else images


@dataclass(frozen=True)
class Neighbourhood:
    """The neighbours and the position of every value of images of one shape.

    radius: 1 to 16. knots: 2 to 64; along each axis, position is given by so many triangular features. edges: what
    stands for a neighbour outside of the image, "zero" or the "nearest" pixel that comes before.
    """

    image_shape: tuple[int, int, int]
    radius: int
    knots: int
    edges: Edges = "nearest"

    @cached_property
    def offsets(self) -> list[tuple[int, int]]:
        """(dy, dx) of each neighbour."""
        reach = self.radius
        return [
            (dy, dx)
            for dy in range(-reach, 1)
            for dx in range(-reach, AHEAD + 1 if dy else 0)
            if abs(dy) + abs(dx) <= reach + MARGIN
        ]

    @property
    def inputs(self) -> int:
        """How many neighbouring values a value has."""
        channels = self.image_shape[2]
        return len(self.offsets) * channels + channels - 1

    @property
    def features(self) -> int:
        """How many numbers say where a value lies: the row's knots and the column's."""
        return 2 * self.knots

    def fits(self, units: int) -> bool:
        """Whether images are small enough, where each value has its inputs and so many units of its own kept ready."""
        values = prod(self.image_shape)
        return values <= LARGEST_VALUES and values * (self.inputs + units) <= LARGEST_PREPARED

    @property
    def _stride(self) -> int:
        return (self.image_shape[1] + self.radius + AHEAD) * self.image_shape[2]

    @property
    def canvas_size(self) -> int:
        """How many values an image has with the zeros around it."""
        return (self.image_shape[0] + self.radius) * self._stride

    def canvas(self, images: Pixels) -> Pixels:
        """uint8[n, canvas_size] of uint8[n, h, w, c]; its value 0 is 0."""
        n = len(images)
        height, width, channels = self.image_shape
        canvas = np.zeros((n, height + self.radius, width + self.radius + AHEAD, channels), np.uint8)
        canvas[:, self.radius :, self.radius : self.radius + width] = images
        return canvas.reshape(n, self.canvas_size)

    @cached_property
    def places(self) -> Indices:
        """int64[values]: where each value of the image lies in the canvas."""
        height, width, channels = self.image_shape
        y, x, c = np.indices((height, width, channels)).reshape(3, -1)
        places: Indices = (y + self.radius) * self._stride + (x + self.radius) * channels + c
        return places

    @cached_property
    def taps(self) -> Indices:
        """int64[values, inputs]: where the neighbours of each value lie in the canvas; 0 for what is not yet known."""
        height, width, channels = self.image_shape
        y, x, c = np.indices((height, width, channels)).reshape(3, -1)
        pixel = self.places - c
        columns = []
        for dy, dx in self.offsets:
            near = pixel + dy * self._stride + dx * channels
            if self.edges == "nearest":
                row = np.maximum(np.where((dy == 0) & (x == 0), y - 1, y + dy), 0)
                column = np.minimum(np.clip(x + dx, 0, width - 1), np.where(row == y, x - 1, width))
                near = np.where(column < 0, 0, near + (row - y - dy) * self._stride + (column - x - dx) * channels)
            columns += [np.where(near > 0, near + k, 0) for k in range(channels)]
        columns += [np.where(k < c, pixel + k, 0) for k in range(channels - 1)]
        return np.stack(columns, 1)

    @cached_property
    def positions(self) -> NDArray[np.int64]:
        """int64[values, features], 0 to 255: triangles around the knots, which lie evenly from edge to edge."""
        height, width, channels = self.image_shape
        y, x, _ = np.indices((height, width, channels)).reshape(3, -1)
        return np.concatenate([self._triangles(y, height), self._triangles(x, width)], 1)

    def _triangles(self, at: Indices, size: int) -> NDArray[np.int64]:
        """int64[values, knots] of coordinates 0 to size - 1."""
        span = max(1, size - 1)
        away = np.abs(at[:, None] * (self.knots - 1) - np.arange(self.knots) * span)
        triangles: NDArray[np.int64] = np.maximum(0, FULL - FULL * away // span)
        return triangles

    @cached_property
    def waves(self) -> list[Indices]:
        """The values that are decoded together, in order of time; within a wave from the top down."""
        height, width, channels = self.image_shape
        y, x, c = np.indices((height, width, channels)).reshape(3, -1)
        time = (x + (AHEAD + 1) * y) * channels + c
        order = np.argsort(time, kind="stable")
        starts = np.flatnonzero(np.diff(time[order])) + 1
        return np.split(order, starts)
