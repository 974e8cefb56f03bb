"""A distribution of values 0 .. L-1 in whole numbers: a chance of zero, and a mixture of logistics for what is not.

A network says, for each value to come, 1 + 3K whole numbers (K components):

    z          logit of "not zero", in 1/64
    w[k]       logit of component k, in 1/64
    m[k]       its mean, in 1/16 of a gray level
    s[k]       the logarithm of its scale (in gray levels), in 1/32

A value is coded by yes-or-no decisions. The first: is it not 0? Then v = value - 1 is found among 0 .. 2^D - 1 by
halving, the upper bit first, 2^D >= L - 1. With b(v) the boundary below v in 1/16 of a gray level,

    d     = 0 .. 1023, the largest w less w[k]
    e[k]  = EXPONENTIAL[d]                                             2^12 exp(-d / 64)
    u[k]  = (b - m[k]) * INVERSE[s[k]] >> 9                            1024 (b - m) / scale
    F(v)  = SUM e[k] * LOGISTIC[u[k]] + 2^12 v                         2^20 / (1 + exp(-u / 1024))
    F(0)  = 0,  F(v) = SUM e[k] * 2^20 + 2^12 v  for v >= L - 1

and the upper half of lo .. hi around mid is taken with weight 256 (1 + floor(65534 (F(hi) - F(mid)) / (F(hi) - F(lo))))
of 2^24. All these are below 2^53, so float64 holds them exactly, and a quotient of two is floored rightly: it differs
from the next whole number by more than it is rounded.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import cache

import numpy as np
from numpy.typing import NDArray

Outputs = NDArray[np.int32]
Weights = NDArray[np.float64]
"""Whole numbers of 2^24."""
Bits = NDArray[np.int32]
Descent = Generator[Weights, Bits, NDArray[np.int64]]

LOGIT_UNIT, MEAN_UNIT, SCALE_UNIT = 64, 16, 32
LARGEST_LOGIT = 1023
LEAST_MEAN, LARGEST_MEAN = -1024, 5119
LEAST_SCALE, LARGEST_SCALE = -74, 182
LARGEST_COMPONENTS = 8
_SHIFT = 9
_RESOLUTION, _REACH = 1024, 12
_FLOOR = 1 << 12
_ONE = 1 << 20


def limits(components: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """(least, largest) of each of the 1 + 3K outputs; what a network gives beyond is clipped."""
    one, many = np.ones(1, np.int32), np.ones(components, np.int32)
    least = [-LARGEST_LOGIT * one, -LARGEST_LOGIT * many, LEAST_MEAN * many, LEAST_SCALE * many]
    largest = [LARGEST_LOGIT * one, LARGEST_LOGIT * many, LARGEST_MEAN * many, LARGEST_SCALE * many]
    return np.concatenate(least), np.concatenate(largest)


@cache
def nonzero_weights() -> Weights:
    """By z + 1023: the weight of "not zero", of 2^24, at least 256."""
    z = np.arange(-LARGEST_LOGIT, LARGEST_LOGIT + 1) / LOGIT_UNIT
    weights: Weights = np.clip(np.rint(2.0**24 / (1 + np.exp(-z))), 256, 2**24 - 256)
    return weights


@cache
def exponentials() -> NDArray[np.float64]:
    """By the distance to the largest logit, 0 to 1023."""
    shares: NDArray[np.float64] = np.rint(4096 * np.exp(-np.arange(LARGEST_LOGIT + 1) / LOGIT_UNIT))
    return shares


@cache
def inverses() -> NDArray[np.int32]:
    """By s + 74: 2^9 * 1024 / 16 over the scale."""
    s = np.arange(LEAST_SCALE, LARGEST_SCALE + 1) / SCALE_UNIT
    return np.rint((1 << _SHIFT) * _RESOLUTION / MEAN_UNIT * np.exp(-s)).astype(np.int32)


@cache
def logistics() -> NDArray[np.float64]:
    """By u + 12288, u from -12288 to 12287."""
    u = np.arange(-_REACH * _RESOLUTION, _REACH * _RESOLUTION) / _RESOLUTION
    return np.rint(_ONE / (1 + np.exp(-u)))


class Mixture:
    """How values 0 .. len(gray) - 1 are coded, which stand for the gray levels `gray`, increasing, gray[0] = 0."""

    def __init__(self, gray: NDArray[np.int64]) -> None:
        self.values = len(gray)
        self.depth = max(0, int(self.values - 2).bit_length()) if self.values > 1 else 0
        middles = (gray[1:-1] + gray[2:]) * (MEAN_UNIT // 2)
        self.boundaries = np.zeros((1 << self.depth) + 1, np.int32)
        self.boundaries[1 : len(middles) + 1] = middles

    def descend(self, outputs: Outputs) -> Descent:
        """Yields the weight of each decision's "upper" for values known not to be 0, is sent the bits, returns values.

        outputs: int32[n, 1 + 3K], clipped to `limits`. A value that no encoder codes comes back as it was decoded.
        """
        components = outputs.shape[1] // 3
        logits = outputs[:, 1 : 1 + components]
        means = outputs[:, 1 + components : 1 + 2 * components]
        inverse = inverses().take(outputs[:, 1 + 2 * components :] - LEAST_SCALE)
        shares = exponentials().take(logits.max(1, keepdims=True) - logits, mode="clip")
        total = shares.sum(1) * _ONE
        found = np.zeros(len(outputs), np.int64)
        low, high = np.zeros(len(outputs)), total + float(_FLOOR << self.depth)
        for level in range(self.depth - 1, -1, -1):
            middle = found + (1 << level)
            u = self.boundaries.take(middle)[:, None] - means
            u *= inverse
            u >>= _SHIFT
            u += _REACH * _RESOLUTION
            at = np.einsum("nk,nk->n", shares, logistics().take(u, mode="clip"))
            if self.values - 1 < 1 << self.depth:
                at = np.where(middle >= self.values - 1, total, at)
            at += middle * float(_FLOOR)
            weights = (high - at) * 65534
            weights /= high - low
            np.floor(weights, out=weights)
            weights += 1
            weights *= 256
            bits = yield weights
            upper = bits.astype(bool)
            found += (bits << level).astype(np.int64)
            low, high = np.where(upper, at, low), np.where(upper, high, at)
        return found + 1
