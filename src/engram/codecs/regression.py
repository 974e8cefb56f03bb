"""Least squares, in closed form: from codes to pixels and back where a method has no way back of its own."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from engram.codecs.analysis import floats_of
from engram.coding.linear import Floats
from engram.images import ImageSet
from engram.layers import Dense


def rows_of(images: ImageSet) -> Floats:
    """float32[n, pixels] in [0, 1], as networks see them, flat."""
    return floats_of(images.images).reshape(len(images), prod(images.image_shape))


def regression(x: Floats, y: NDArray[np.floating], ridge: float = 1e-6) -> Dense:
    """The linear map with the least squared error from x[n, inputs] to y[n, outputs].

    ridge: what each weight's square costs, as a share of the inputs' mean variance; it keeps constant inputs at 0.
    """
    centre, target = x.mean(axis=0, dtype=np.float64), y.mean(axis=0, dtype=np.float64)
    # In float64: the ridge is smaller than what float32 loses, and the weights would be those of one processor's sums.
    x, y = x - centre, y - target
    square = x.T @ x
    square[np.diag_indices_from(square)] += ridge * np.trace(square) / len(square) or 1.0
    weight = np.linalg.solve(square, x.T @ y)
    return Dense(weight.astype(np.float32), (target - centre @ weight).astype(np.float32), "none")


def ramps(x: Floats, count: int, random: Generator) -> Dense:
    """`count` rectified features of x[n, inputs]: each rises from one of its rows towards where another two differ.

    Two random rows give the direction and its scale, a third where the ramp starts: nothing is trained, yet features
    lie where the data does. A regression on them is a network of one hidden layer.
    """
    first, second, start = (x[rows] for rows in random.integers(len(x), size=(3, count)))
    along = second - first
    along /= np.maximum(np.square(along).sum(axis=1, keepdims=True), 1e-6)
    return Dense(np.ascontiguousarray(along.T), -(along * start).sum(axis=1), "relu")
