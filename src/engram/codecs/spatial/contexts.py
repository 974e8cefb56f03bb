"""Contexts: which table codes a symbol, and what the tables are.

A symbol is a whole number near its distribution's centre, which the prior gives in FRACTIONS of a step; what is coded
is the distance from the centre, by a table for the centre's fraction and the distribution's scale.

    nearest  = floor((centre + FRACTIONS / 2) / FRACTIONS)
    fraction = centre - FRACTIONS * nearest                    -FRACTIONS / 2 up to FRACTIONS / 2 - 1
    context  = scale * FRACTIONS + fraction + FRACTIONS / 2
    symbol   = nearest + distance, within the unit's limit
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engram.coding import tables
from engram.coding.integer import Integers
from engram.coding.linear import Floats
from engram.coding.rangecoder import Symbols
from engram.coding.tables import Levels, TableWeights

FRACTIONS = 16
STORED = FRACTIONS // 2 + 1
"""How many tables of a scale are stored; those of the other fractions are these, mirrored."""
LARGEST_REACH = 1 << 9
LOWEST_SCALE, SCALES_A_UNIT, SCALES = -3.0, 6, 44
"""Scale s is the logistic distribution of scale exp(LOWEST_SCALE + s / SCALES_A_UNIT)."""
PRIOR_COUNTS = 400
"""How many sightings the logistic distribution is worth in a table."""

Contexts = NDArray[np.intp]


def nearest_of(centre: Floats, scale: Floats) -> tuple[NDArray[np.int32], Contexts]:
    """The nearest whole number to each centre, and the context."""
    whole = centre.astype(np.int32) + FRACTIONS // 2
    nearest = whole // FRACTIONS
    return nearest, scale.astype(np.intp) * FRACTIONS + (whole - nearest * FRACTIONS)


def tables_of(levels: Levels) -> TableWeights:
    """int64[scales * FRACTIONS, 2 reach + 1], the weights of each context's table, of levels[scales, STORED, ...].

    Table [scale, i] is that of fraction i - FRACTIONS / 2, and, where i is neither end, mirrored that of the opposite
    fraction.
    """
    mirrored = levels[:, -2:0:-1, ::-1]
    every = np.concatenate([levels, mirrored], axis=1).reshape(-1, levels.shape[2])
    return np.stack([tables.weights_of(row) for row in every])


def fitted_tables(distances: Symbols, contexts: Contexts) -> tuple[Levels, float]:
    """levels[SCALES, STORED, 2 reach + 1] fitted to the distances in their contexts, and their mean bits an image."""
    reach = int(np.abs(distances).max(initial=1).clip(1, LARGEST_REACH))
    size = 2 * reach + 1
    found = distances.clip(-reach, reach).ravel() + reach
    counts = np.bincount(contexts.ravel() * size + found, minlength=SCALES * FRACTIONS * size)
    counts = counts.reshape(SCALES, FRACTIONS, size)
    stored = counts[:, :STORED].copy()
    stored[:, 1 : STORED - 1] += counts[:, : STORED - 1 : -1, ::-1]
    levels = np.stack([_levels(row, scale, i) for scale in range(SCALES) for i, row in enumerate(stored[scale])])
    levels = levels.reshape(SCALES, STORED, size)
    cost = tables.bits_of(tables_of(levels))
    return levels, float(cost[contexts.ravel(), found].sum() / max(1, len(distances)))


def _levels(counts: Integers, scale: int, index: int) -> Levels:
    """The levels of one table: what was counted, and the logistic distribution as if it had been seen as well."""
    size = len(counts)
    width = np.exp(LOWEST_SCALE + scale / SCALES_A_UNIT)
    edges = np.arange(size + 1) - size / 2 - (index - FRACTIONS // 2) / FRACTIONS
    chances = np.diff(0.5 * np.tanh(edges / width / 2))
    share = counts + PRIOR_COUNTS * chances / chances.sum() + 1e-9
    levels: Levels = np.rint(np.sqrt(share / share.max()) * 256 - 1).clip(0, 255).astype(np.uint8)
    return levels
