"""Probability tables in integers: what symbols cost is decided by whole numbers, the same on every machine.

A table is stored as one level (uint8) a symbol. Its weights, which the range coder uses, follow by integer arithmetic:

    share  = (level + 1)^2
    weight = 1 + floor(share * (2^24 - K) / sum of shares)      K symbols; each weight >= 1
    the first symbol of the largest weight takes what is missing to 2^24

The square gives 8 bits a range of 1 to 65536 with a relative error that falls as a symbol grows likelier.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PRECISION = 24
"""The weights of a table sum to 2^24."""
LARGEST_ALPHABET = 1 << 15
ENOUGH = 16
"""A count that is taken as it is."""

Levels = NDArray[np.uint8]
TableWeights = NDArray[np.int64]


def weights_of(levels: Levels) -> TableWeights:
    """int64[K], each at least 1, summing to 2^24 exactly: levels[K], 1 <= K <= 2^15."""
    share = (levels.astype(np.int64) + 1) ** 2
    weights: TableWeights = 1 + share * ((1 << PRECISION) - len(levels)) // share.sum()
    weights[np.argmax(weights)] += (1 << PRECISION) - weights.sum()
    return weights


def fit(counts: NDArray[np.int64]) -> Levels:
    """The levels that code symbols of these counts[K] in about the fewest bits, K >= 1, also when unseen ones come.

    Symbols seen often keep their counts. The seldom ones, seen less than 16 times, share theirs: each gets the mean
    over the seldom ones in the narrowest window around it that holds 16 of their sightings.
    """
    size = len(counts)
    seldom = counts < ENOUGH
    seen = np.concatenate(([0], np.cumsum(np.where(seldom, counts, 0))))
    symbols = np.concatenate(([0], np.cumsum(seldom)))
    smooth = np.where(seldom, 0.0, counts)
    waiting = np.flatnonzero(seldom)
    radius = 0
    while len(waiting):
        low, high = np.maximum(waiting - radius, 0), np.minimum(waiting + radius + 1, size)
        sightings = seen[high] - seen[low]
        ready = (sightings >= ENOUGH) | (high - low == size)
        smooth[waiting[ready]] = (sightings / (symbols[high] - symbols[low]))[ready]
        waiting = waiting[~ready]
        radius += 1 + radius // 4
    smooth += 1 / ENOUGH / size
    levels: Levels = np.rint(np.sqrt(smooth / smooth.max()) * 256 - 1).clip(0, 255).astype(np.uint8)
    return levels


def bits_of(weights: TableWeights) -> NDArray[np.float64]:
    """The ideal code length of each symbol in bits, a float: for measuring and for choosing, never for decoding."""
    return PRECISION - np.log2(weights)
