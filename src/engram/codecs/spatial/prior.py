"""The prior of a spatial code in whole numbers: which table each symbol is coded by, from the symbols before it.

    c[1] = first(around) + features        c[2] = second(c[1])        around: the symbols of the cells that are seen
    h[1] = third(c[2], own)                h[2] = fourth(h[1])        own: the cell's own symbols
    centre, scale = ends(h[2], c[2], around, own)

Number j of h, of H in all, sees the own symbols before unit floor(j * units / H); unit u's centre and scale see the own
symbols before u, and the numbers of h that do. `contexts` says which table follows from a centre and a scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.codecs.spatial.contexts import Contexts, nearest_of
from engram.coding.grid import FINEST, MARGIN, OFFSETS, Grid, Indices, largest_sums
from engram.coding.integer import EXACT32, EXACT64, InexactNetwork, IntegerLayer, Integers, MisfitNetwork, reach_of
from engram.coding.linear import Floats
from engram.coding.rangecoder import Symbols

Choose = Callable[[int, NDArray[np.int32], Contexts], NDArray[np.int32]]
"""(unit, nearest[rows], contexts[rows]) to the unit's symbols[rows]: the cells of a wave, image after image."""
_TOGETHER = 1 << 13
"""About how many cells are looked at together where all symbols are known."""


def ready(unit: int, hidden: int, units: int) -> int:
    """How many of the numbers of h see no own symbol from `unit` on."""
    return -(-(unit + 1) * hidden // units)


@dataclass(frozen=True, eq=False)
class Prior:
    """limits: int64[units], the largest |symbol|. features: int64[features, numbers of c].

    layers: first, second, third, fourth, centre, scale. Raises MisfitNetwork when made where they do not fit or a
    weight looks ahead, InexactNetwork where a sum may leave the range in which floats are exact.
    """

    grid: Grid
    limits: Integers
    features: Integers
    layers: tuple[IntegerLayer, ...]

    def __post_init__(self) -> None:
        units, around = self.grid.units, np.tile(self.limits, len(OFFSETS))
        c1, c2, h1, h2 = (np.full(len(layer.linear.bias), layer.high) for layer in self.layers[:4])
        if self.features.shape != (self.grid.features, len(c1)) or len(h1) != len(h2):
            raise MisfitNetwork(f"features of {list(self.features.shape)} do not fit a prior of {len(c1)}, {len(h1)}")
        ends = np.concatenate([h2, c2, around, self.limits])
        reach, added = 0.0, float(largest_sums(self.features).max())
        for layer, largest, allowed in zip(
            self.layers,
            [around, c1, np.concatenate([c2, self.limits]), h1, ends, ends],
            _allowed(units, len(around), len(c1), len(c2), len(h1)),
            strict=True,
        ):
            if layer.linear.weight.shape != allowed.shape or len(layer.linear.bias) != allowed.shape[1]:
                raise MisfitNetwork(
                    f"a prior's layer of {list(layer.linear.weight.shape)} weights is to have {list(allowed.shape)}"
                )
            if layer.linear.weight[~allowed].any():
                raise MisfitNetwork("a prior's weight takes a symbol that is not decoded yet")
            reach = max(reach, reach_of(layer.linear, largest) + layer.half + added)
            added = 0.0
        if reach >= EXACT64:
            raise InexactNetwork(f"the prior's sums may reach {reach:.0f}, beyond {EXACT64 - 1}")
        dtype: Any = np.float32 if reach < EXACT32 else np.float64
        object.__setattr__(self, "layers", tuple(layer.in_dtype(dtype) for layer in self.layers))

    @property
    def scales(self) -> int:
        """How many scales there are."""
        return self.layers[5].high + 1

    def limits_at(self, step: int) -> Integers:
        """int64[units]: the largest |symbol| at a step, in half gray levels."""
        return np.maximum(1, self.limits * FINEST // step)

    def _canvas(self, count: int) -> Floats:
        """[count, rows and columns with a margin, units], all 0."""
        grid = self.grid
        size = count, grid.rows + MARGIN, grid.columns + 2 * MARGIN, grid.units
        return np.zeros(size, self.layers[0].linear.weight.dtype)

    def _seen(self, canvas: Floats, y: Indices, x: Indices, features: Floats) -> tuple[Floats, Floats]:
        """(c[2], around), a row for each cell of each image; features: those of each cell, times their matrix."""
        near = [canvas[:, MARGIN + y + dy, MARGIN + x + dx] for dy, dx in OFFSETS]
        around = np.concatenate(near, axis=2).reshape(len(canvas) * len(y), -1)
        first, second = self.layers[:2]
        sums = around @ first.linear.weight
        sums += np.tile(features[y, x] + first.linear.bias, (len(canvas), 1))
        return second(first.rounded(sums)), around

    def _features(self, step: int) -> Floats:
        """[rows, columns, numbers of c]."""
        whole = self.grid.features_at(step).transpose(1, 2, 0) @ self.features
        return whole.astype(self.layers[0].linear.weight.dtype)

    def contexts(self, symbols: Symbols, step: int) -> tuple[NDArray[np.int32], Contexts]:
        """The nearest whole number to each centre, and the context, of symbols[n, rows, columns, units], as many."""
        chunk = max(1, _TOGETHER // (self.grid.rows * self.grid.columns))
        parts = [self._contexts(symbols[first : first + chunk], step) for first in range(0, len(symbols), chunk)]
        nearest, contexts = zip(*parts, strict=True) if parts else ([symbols], [symbols.astype(np.intp)])
        return np.concatenate(nearest), np.concatenate(contexts)

    def _contexts(self, symbols: Symbols, step: int) -> tuple[NDArray[np.int32], Contexts]:
        grid = self.grid
        canvas = self._canvas(len(symbols))
        canvas[:, MARGIN:, MARGIN : MARGIN + grid.columns] = symbols
        y, x = np.indices((grid.rows, grid.columns)).reshape(2, -1)
        c, around = self._seen(canvas, y, x, self._features(step))
        own = symbols.reshape(-1, grid.units).astype(canvas.dtype)
        _, _, third, fourth, centre, scale = self.layers
        hidden = fourth(third(np.concatenate([c, own], axis=1)))
        everything = np.concatenate([hidden, c, around, own], axis=1)
        nearest, contexts = nearest_of(centre(everything), scale(everything))
        return nearest.reshape(symbols.shape), contexts.reshape(symbols.shape)

    def walk(self, count: int, step: int, choose: Choose) -> Symbols:
        """symbols[count, rows, columns, units], wave after wave and unit after unit, as `choose` says."""
        grid, units = self.grid, self.grid.units
        canvas, features, limits = self._canvas(count), self._features(step), self.limits_at(step)
        _, _, third, fourth, *ends = self.layers
        thirds, fourths, *outs = (np.ascontiguousarray(layer.linear.weight.T) for layer in self.layers[2:])
        width, context = len(fourths), third.linear.weight.shape[0] - units
        for y, x in grid.waves if count else ():
            c, around = self._seen(canvas, y, x, features)
            seen = np.concatenate([c, around], axis=1).T
            sums = thirds[:, :context] @ seen[:context] + third.linear.bias[:, None]
            last = [out[:, width:-units] @ seen + end.linear.bias[:, None] for out, end in zip(outs, ends, strict=True)]
            own = np.zeros((units, seen.shape[1]), canvas.dtype)
            h1, h2 = np.empty_like(sums), np.empty_like(sums)
            for unit in range(units):
                known = ready(unit, width, units)
                new = slice(ready(unit - 1, width, units), known)
                h1[new] = third.rounded(sums[new] + thirds[new, context : context + unit] @ own[:unit])
                h2[new] = fourth.rounded(fourths[new, :known] @ h1[:known] + fourth.linear.bias[new, None])
                found = [
                    end.rounded(base[unit] + out[unit, :known] @ h2[:known] + out[unit, -units:][:unit] @ own[:unit])
                    for end, out, base in zip(ends, outs, last, strict=True)
                ]
                own[unit] = choose(unit, *nearest_of(*found)).clip(-limits[unit], limits[unit])
            canvas[:, MARGIN + y, MARGIN + x] = own.T.reshape(count, len(y), units)
        return canvas[:, MARGIN:, MARGIN : MARGIN + grid.columns].astype(np.int32)


def _allowed(units: int, around: int, c1: int, c2: int, hidden: int) -> list[NDArray[np.bool_]]:
    """Which weights of each layer may be other than 0."""
    own, sees = np.arange(units), np.arange(hidden) * units // hidden
    free = np.ones((c2, hidden), np.bool_)
    third = np.concatenate([free, own[:, None] < sees])
    rest = np.ones((c2 + around, units), np.bool_)
    ends = np.concatenate([sees[:, None] <= own, rest, own[:, None] < own])
    return [np.ones((around, c1), np.bool_), np.ones((c1, c2), np.bool_), third, sees[:, None] <= sees, ends, ends]
