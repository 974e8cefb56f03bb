"""Learning how the coefficients of a collection's images follow from each other: least squares, and counting."""

from __future__ import annotations

import numpy as np

from engram.codecs.jpeg import contexts
from engram.codecs.jpeg.codec import LARGEST_VALUES, LARGEST_WEIGHT, JpegCoefficients
from engram.codecs.jpeg.contexts import ALPHABET, CONTEXTS, TAPS, UNIT, Integers, Order
from engram.codecs.jpeg.recovery import Grid, grid_of
from engram.coding import tables
from engram.coding.jpeg import SIDE
from engram.images import Pixels

MOST = 3000
"""Images that are looked at."""
_STEADY = 10.0
"""How many squares of a symbol speak for weights of 0."""
_ENOUGH = 64
"""Sightings that a table is made of, at least: a context that has fewer borrows its neighbours'."""


def fit_jpeg(images: Pixels, grid: Grid | None = None) -> JpegCoefficients | None:
    """The codec of images that were JPEG files; None where they lie on no grid, or there are none."""
    if not len(images) or np.prod(images.shape[1:]) > LARGEST_VALUES:
        return None
    some = images[:: -(-len(images) // MOST)]
    grid = grid or grid_of(some)
    if grid is None:
        return None
    order = Order(tuple(grid.form.grids))
    symbols = contexts.symbols_of(np.abs(order.differences(grid.recover(some))))
    known = np.pad(symbols, [(0, 0), (0, 1)])
    kinds = min(images.shape[3], 2)
    weights = np.stack([_weights(order, known, kind) for kind in range(kinds * SIDE**2)])
    counts = np.zeros((2 * kinds * CONTEXTS, ALPHABET), np.int64)
    for unit in range(order.units):
        context = contexts.context_of(order.sums(known, np.array([unit]), weights))[:, 0]
        np.add.at(counts, (context + CONTEXTS * order.classes[unit], symbols[:, unit]), 1)
    levels = [tables.fit(row) for part in counts.reshape(-1, CONTEXTS, ALPHABET) for row in _borrowed(part)]
    return JpegCoefficients(grid, weights, np.stack(levels))


def _weights(order: Order, known: Integers, kind: int) -> Integers:
    """int64[11], of the taps of a kind's symbols, and one more, in 1/128."""
    units = np.flatnonzero(order.kinds == kind)
    taps = known[:, order.taps[units]].reshape(-1, TAPS).astype(np.float64)
    x = np.concatenate([taps, np.ones((len(taps), 1))], 1)
    y = known[:, units].ravel().astype(np.float64)
    found = np.linalg.solve(x.T @ x + _STEADY * np.eye(TAPS + 1), x.T @ y)
    whole: Integers = np.clip(np.rint(UNIT * found), -LARGEST_WEIGHT, LARGEST_WEIGHT).astype(np.int64)
    return whole


def _borrowed(counts: Integers) -> Integers:
    """Counts [contexts, symbols], where those of seldom contexts are sums over as many neighbours as it takes."""
    sums = np.concatenate([np.zeros_like(counts[:1]), np.cumsum(counts, 0)])
    borrowed = counts.copy()
    for context in range(len(counts)):
        reach = 0
        while borrowed[context].sum() < _ENOUGH and reach < len(counts):
            reach += 1
            low, high = max(0, context - reach), min(len(counts), context + reach + 1)
            borrowed[context] = sums[high] - sums[low]
    return borrowed
