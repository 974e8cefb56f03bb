"""The synthesis of a spatial code in whole numbers: from the symbols of a grid to pixels.

a      = symbol * step                                  in half gray levels
h[1]   = first(a) + features                            3 x 3 convolutions over the grid, 0 around it
h[2]   = second(h[1])
values = output(h[2], a)                                0 to 255, BLOCK x BLOCK of them for each cell
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engram.coding.grid import BLOCK, COARSEST, FINEST, Grid, largest_sums
from engram.coding.integer import EXACT32, EXACT64, InexactNetwork, IntegerLayer, Integers, MisfitNetwork, reach_of
from engram.coding.linear import Floats
from engram.coding.rangecoder import Symbols
from engram.images import Pixels

KERNEL = 3
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
    _convolutions: list[_Convolution] = field(init=False, default_factory=list)

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
        self._convolutions.extend(_Convolution(*each) for each in zip(self.layers, taken, added, strict=True))

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


class _Convolution:
    """A convolution in whole numbers, on float32[n, rows, columns, inputs], with zeros around the grid.

    One matrix product for each tap of the kernel. Taps whose sums together stay below 2^24 are summed in float32, and
    such groups in float64; each is exact, so the grouping decides nothing but the speed.
    """

    def __init__(self, layer: IntegerLayer, largest: Integers, added: float) -> None:
        """largest: of each input; added: the largest of what is added to the sums. Raises InexactNetwork."""
        self.layer, self.bias = layer, layer.linear.bias.astype(np.float64)
        reach = reach_of(layer.linear, largest) + layer.half + added
        if reach >= EXACT64:
            raise InexactNetwork(f"the synthesis' sums may reach {reach:.0f}, beyond {EXACT64 - 1}")
        weight = np.ascontiguousarray(layer.linear.weight.transpose(2, 3, 1, 0))
        self.groups, room = list[list[tuple[int, int, Floats]]](), 0.0
        for i, j in np.ndindex(KERNEL, KERNEL):
            needed = float((largest @ np.abs(weight[i, j].astype(np.float64))).max())
            if needed >= EXACT32:
                raise InexactNetwork(f"the sums of one tap may reach {needed:.0f}, beyond {EXACT32 - 1}")
            if not self.groups or needed >= room:
                self.groups.append([])
                room = EXACT32
            room -= needed
            self.groups[-1].append((i, j, weight[i, j].astype(np.float32)))

    def __call__(self, x: Floats, features: Integers | None = None) -> Floats:
        """float32[n, rows, columns, outputs]; features[rows, columns, outputs] are added to the sums."""
        n, rows, columns, inputs = x.shape
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        sums: Any = np.empty((n, rows, columns, len(self.bias)))
        sums[:] = self.bias if features is None else self.bias + features
        sums = sums.reshape(n * rows * columns, -1)
        for group in self.groups:
            whole = np.zeros(sums.shape, np.float32)
            for i, j, weight in group:
                whole += padded[:, i : i + rows, j : j + columns].reshape(-1, inputs) @ weight
            sums += whole
        return self.layer.rounded(sums).reshape(n, rows, columns, -1)


def images_of(cells: Pixels, grid: Grid) -> Pixels:
    """uint8[n, h, w, c] of uint8[n, rows, columns, values of a cell]; what lies beyond the image is cut off."""
    height, width, channels = grid.image_shape
    blocks = cells.reshape(len(cells), grid.rows, grid.columns, channels, BLOCK, BLOCK)
    whole = blocks.transpose(0, 1, 4, 2, 5, 3).reshape(len(cells), grid.rows * BLOCK, grid.columns * BLOCK, channels)
    return whole[:, :height, :width]
