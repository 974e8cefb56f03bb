"""Noise shaping: an error made in one unit of the code is made good in the others, so that the pixels suffer least.

Rounding the code by e changes the pixels by about J e, J the synthesis's Jacobian, and their squared error is
e' H e with H = J' J, mean over images. Units whose effects overlap make H far from diagonal; then it is better to
round one unit after the other, each with what the errors so far call for:

    H = U' D U,  U upper triangular with ones on its diagonal      (Cholesky)
    e' H e = SUM over u of D[u] * (e[u] + SUM over v after u of U[u, v] * e[v])^2

Taking the last unit first and aiming unit u at  x[u] - SUM of U[u, v] * e[v]  leaves D[u] * (its own rounding)^2.
This is an encoder's affair alone; known as noise shaping, as successive cancellation, and for weights as GPTQ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engram.codecs.analysis import evaluate
from engram.coding.linear import Floats
from engram.layers import Network

REGULAR = 0.1
"""Added to the diagonal of H when that is scaled to ones: effects are known roughly, and of small changes only."""
_NUDGE = 0.05
_IMAGES, _NUMBERS = 32, 1 << 24


@dataclass(frozen=True, eq=False)
class Shaping:
    """order: int64[units], of falling worth, the last rounded first; feedback: U - 1, [units, units] in that order.

    effects: sqrt(D) of each unit, not in that order: by how much pixels change, root mean square, for a rounding of 1.
    """

    order: NDArray[np.int64]
    feedback: NDArray[np.float64]
    effects: NDArray[np.float64]


def shape_noise(network: Network, codes: Floats, spread: NDArray[np.float64]) -> Shaping:
    """The shaping for a network's synthesis around codes[n, units], of which spread[units] is the usual size."""
    jacobian = _jacobian(network, codes, spread)
    alone = np.sqrt(np.square(jacobian).sum(axis=1, dtype=np.float64))
    alone = np.maximum(alone, 1e-4 * alone.max()) if alone.max() > 0 else np.ones_like(alone)
    order = np.argsort(-alone * spread, kind="stable")
    scaled = (jacobian / alone[:, None])[order]
    lower = np.linalg.cholesky((scaled @ scaled.T).astype(np.float64) + REGULAR * np.eye(len(scaled)))
    own = np.diag(lower)
    feedback = (lower / own).T * np.divide.outer(1 / alone[order], 1 / alone[order]) - np.eye(len(own))
    effects = np.empty_like(alone)
    effects[order] = own * alone[order]
    return Shaping(order, feedback, effects)


def _jacobian(network: Network, codes: Floats, spread: NDArray[np.float64]) -> Floats:
    """float32[units, images * pixels], by small changes of one unit at a time; the root mean square over images."""
    pixels = int(np.prod(network.image_shape))
    images = int(np.clip(_NUMBERS // (codes.shape[1] * pixels), 4, _IMAGES))
    codes = codes[:: -(-len(codes) // images)]
    before = evaluate(network.synthesis, codes.reshape(-1, *network.code_shape)).ravel()
    jacobian = np.empty((codes.shape[1], before.size), np.float32)
    for unit, nudge in enumerate(_NUDGE * spread):
        nudged = codes.copy()
        nudged[:, unit] += nudge
        after = evaluate(network.synthesis, nudged.reshape(-1, *network.code_shape)).ravel()
        jacobian[unit] = (after - before) / nudge
    jacobian /= np.sqrt(len(codes))
    return jacobian
