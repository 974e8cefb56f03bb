"""The synthesis of a spatial code in whole numbers: from the symbols of a grid to pixels.

a      = symbol * step                                  in half gray levels
h[1]   = first(a) + features                            3 x 3 convolutions over the grid, 0 around it
h[2]   = second(h[1])
values = output(h[2], a)                                0 to 255, BLOCK x BLOCK of them for each cell
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from engram.coding.convolution import KERNEL, ExactConvolution
from engram.coding.grid import BLOCK, COARSEST, FINEST, Grid, largest_sums
from engram.coding.integer import EXACT32, InexactNetwork, IntegerLayer, Integers, MisfitNetwork
from engram.coding.rangecoder import Symbols
from engram.images import Pixels

_TOGETHER = 1 << 12
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
    _convolutions: list[ExactConvolution] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        units = self.grid.units
        codes = np.maximum(self.limits * FINEST, COARSEST)
        if codes.max() >= EXACT32:
            raise InexactNetwork(f"codes may reach {codes.max()}, beyond {EXACT32 - 1}")
        h1, h2 = (np.full(len(layer.linear.bias), layer.high) for layer in self.layers[:2])
        if self.features.shape != (self.grid.features, len(h1)):
            raise MisfitNetwork(f"features of {list(self.features.shape)} do not fit a synthesis of {len(h1)}")
        taken, outputs = [codes, h1, np.concatenate([h2, codes])], (len(h1), len(h2), units)
        for layer, largest, made in zip(self.layers, taken, outputs, strict=True):
            if layer.linear.weight.shape != (made, len(largest), KERNEL, KERNEL):
                raise MisfitNetwork(f"a convolution of {list(layer.linear.weight.shape)} cannot take {len(largest)}")
        added = [float(largest_sums(self.features).max()), 0.0, 0.0]
        self._convolutions.extend(ExactConvolution(*each) for each in zip(self.layers, taken, added, strict=True))

    def pixels(self, symbols: Symbols, step: int) -> Pixels:
        """uint8[n, h, w, c] of symbols[n, rows, columns, units] at a step in half gray levels."""
        height, width, channels = self.grid.image_shape
        pixels = np.empty((len(symbols), height, width, channels), np.uint8)
        chunk = max(1, _TOGETHER // (self.grid.rows * self.grid.columns))
        for first in range(0, len(symbols), chunk):
            cells = self._cells(symbols[first : first + chunk], step)
            pixels[first : first + chunk] = images_of(cells, self.grid)
        return pixels

    def _cells(self, symbols: Symbols, step: int) -> Pixels:
        """uint8[n, rows, columns, values of a cell]."""
        first, second, output = self._convolutions
        codes = symbols.astype(np.float32) * np.float32(step)
        features = self.grid.features_at(step).transpose(1, 2, 0) @ self.features
        hidden = second(first(codes, features))
        cells: Pixels = output(np.concatenate([hidden, codes], axis=3)).astype(np.uint8)
        return cells


def images_of(cells: Pixels, grid: Grid) -> Pixels:
    """uint8[n, h, w, c] of uint8[n, rows, columns, values of a cell]; what lies beyond the image is cut off."""
    height, width, channels = grid.image_shape
    blocks = cells.reshape(len(cells), grid.rows, grid.columns, channels, BLOCK, BLOCK)
    whole = blocks.transpose(0, 1, 4, 2, 5, 3).reshape(len(cells), grid.rows * BLOCK, grid.columns * BLOCK, channels)
    return whole[:, :height, :width]
