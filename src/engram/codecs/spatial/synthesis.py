"""The synthesis of a spatial code in whole numbers: from the symbols of a grid to pixels.

a      = symbol * step                                  in half gray levels
h[1]   = first(a) + features                            3 x 3 convolutions over the grid, 0 around it
h[2]   = second(h[1])
values = output(h[2], a)                                0 to 255, BLOCK x BLOCK of them for each cell
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engram.coding import linear
from engram.coding.grid import BLOCK, COARSEST, FINEST, Grid, largest_sums
from engram.coding.integer import EXACT32, EXACT64, InexactNetwork, IntegerLayer, Integers, MisfitNetwork, reach_of
from engram.coding.linear import Floats
from engram.coding.rangecoder import Symbols
from engram.images import Pixels

KERNEL = 3
_TOGETHER = 1 << 14
"""About how many cells are made together."""


@dataclass(frozen=True, eq=False)
class Synthesis:
    """features: int64[features, numbers of h[1]]. layers: first, second, output, convolutions that keep the grid.

    limits: int64[units], the largest |symbol| at the finest step. Raises MisfitNetwork or InexactNetwork when made.
    """

    grid: Grid
    limits: Integers
    features: Integers
    layers: tuple[IntegerLayer, ...]

    def __post_init__(self) -> None:
        units = self.grid.units
        codes = np.maximum(self.limits * FINEST, COARSEST)
        if codes.max() >= EXACT32:
            raise InexactNetwork(f"codes may reach {codes.max()}, beyond {EXACT32 - 1}")
        h1, h2 = (np.full(len(layer.linear.bias), layer.high) for layer in self.layers[:2])
        if self.features.shape != (self.grid.features, len(h1)):
            raise MisfitNetwork(f"features of {list(self.features.shape)} do not fit a synthesis of {len(h1)}")
        reach, outputs = 0.0, (len(h1), len(h2), units)
        for layer, largest, made in zip(self.layers, [codes, h1, np.concatenate([h2, codes])], outputs, strict=True):
            if layer.linear.weight.shape != (made, len(largest), KERNEL, KERNEL):
                raise MisfitNetwork(f"a convolution of {list(layer.linear.weight.shape)} cannot take {len(largest)}")
            reach = max(reach, reach_of(layer.linear, largest) + layer.half)
        reach += float(largest_sums(self.features).max())
        if reach >= EXACT64:
            raise InexactNetwork(f"the synthesis' sums may reach {reach:.0f}, beyond {EXACT64 - 1}")
        dtype: Any = np.float32 if reach < EXACT32 else np.float64
        object.__setattr__(self, "layers", tuple(layer.in_dtype(dtype) for layer in self.layers))

    def pixels(self, symbols: Symbols, step: int) -> Pixels:
        """uint8[n, h, w, c] of symbols[n, rows, columns, units] at a step in half gray levels."""
        height, width, channels = self.grid.image_shape
        pixels = np.empty((len(symbols), height, width, channels), np.uint8)
        chunk = max(1, _TOGETHER // (self.grid.rows * self.grid.columns))
        for first in range(0, len(symbols), chunk):
            cells = self._cells(symbols[first : first + chunk], step)
            pixels[first : first + chunk] = images_of(cells.astype(np.uint8), self.grid)
        return pixels

    def _cells(self, symbols: Symbols, step: int) -> Floats:
        first, second, output = self.layers
        dtype = first.linear.weight.dtype
        codes = symbols.transpose(0, 3, 1, 2).astype(dtype) * dtype.type(step)
        features = (self.features.T @ self.grid.features_at(step).reshape(self.grid.features, -1)).astype(dtype)
        sums = linear.apply(first.linear, codes)
        sums += features.reshape(-1, self.grid.rows, self.grid.columns)
        hidden = second(first.rounded(sums))
        return output(np.concatenate([hidden, codes], axis=1))


def images_of(cells: Pixels, grid: Grid) -> Pixels:
    """uint8[n, h, w, c] of uint8[n, values of a cell, rows, columns]; what lies beyond the image is cut off."""
    height, width, channels = grid.image_shape
    blocks = cells.reshape(len(cells), channels, BLOCK, BLOCK, grid.rows, grid.columns)
    whole = blocks.transpose(0, 4, 2, 5, 3, 1).reshape(len(cells), grid.rows * BLOCK, grid.columns * BLOCK, channels)
    return whole[:, :height, :width]
