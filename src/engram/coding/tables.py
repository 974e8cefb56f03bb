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

    A symbol seen seldom shares its count with its neighbours: it gets the mean over the narrowest window around it
    that holds at least 16 symbols seen.
    """
    size = len(counts)
    total = np.concatenate(([0], np.cumsum(counts)))
    smooth = np.zeros(size)
    open_ = np.ones(size, bool)
    position = np.arange(size)
    radius = 0
    while open_.any():
        low, high = np.maximum(position - radius, 0), np.minimum(position + radius + 1, size)
        seen = total[high] - total[low]
        ready = open_ & ((seen >= 16) | (high - low == size))
        smooth[ready] = (seen / (high - low))[ready]
        open_ &= ~ready
        radius += 1 + radius // 4
    smooth += 1 / 16 / size
    levels: Levels = np.rint(np.sqrt(smooth / smooth.max()) * 256 - 1).clip(0, 255).astype(np.uint8)
    return levels


def bits_of(weights: TableWeights) -> NDArray[np.float64]:
    """The ideal code length of each symbol in bits, a float: for measuring and for choosing, never for decoding."""
    return PRECISION - np.log2(weights)
