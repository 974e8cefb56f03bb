"""Progressive compression: hidden units that say the same as others are removed, one after the other (paper, ref. 1).

A unit's activations over the training images, less its middle of one half, are a vector; the angle between two units'
vectors says how distinct they are. Two that are nearly alike become one, and so do two that are nearly opposite: what
goes out of the removed unit goes out of its fellow, and what that misses in the mean goes into the bias.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engram.codecs.analysis import evaluate, floats_of
from engram.errors import UsageError
from engram.images import ImageSet
from engram.layers import Dense, Network, Reshape

MIDDLE = 0.5
"""Of a sigmoid unit's activation."""
SEEN = 5000
"""How many training images' activations are compared."""


def reduced(network: Network, training: ImageSet, units: int = 1) -> Iterator[tuple[Network, float]]:
    """Networks of ever fewer hidden units, down to `units`, each with the angle in degrees that removing a unit cost.

    Of the two units that are least distinct (0 degrees: alike, or opposite) the one that stays is the one that moves
    the pixels more. A matrix that was shared is so no more: the result is of the method `ann`. Raises UsageError for a
    network that is not pixels - sigmoid units - pixels, no images, or more units than there are.
    """
    down, up = _halves(network)
    if not len(training) or not 1 <= units <= up.weight.shape[0]:
        raise UsageError(
            f"reducing takes at least one image and 1 to {up.weight.shape[0]} units, not {len(training)} and {units}"
        )
    images = training.images[:: -(-len(training) // SEEN)]
    activations = evaluate(network.analysis, floats_of(images)).astype(np.float64)
    centred = activations - MIDDLE
    norms = np.sqrt(np.square(centred).sum(axis=0))
    cosines = (centred.T @ centred) / np.maximum(np.outer(norms, norms), 1e-12)
    weight, bias = up.weight.astype(np.float64), up.bias.astype(np.float64)
    kept = np.arange(len(weight))
    while len(kept) > units:
        alike = np.abs(cosines[np.ix_(kept, kept)])
        np.fill_diagonal(alike, -1)
        pair = kept[list(np.unravel_index(alike.argmax(), alike.shape))]
        effects = np.square(weight[pair]).sum(axis=1) * centred[:, pair].var(axis=0)
        stays, goes = pair[np.argsort(-effects, kind="stable")]
        sign = 1.0 if cosines[stays, goes] >= 0 else -1.0
        left_over = activations[:, goes] - sign * activations[:, stays]
        weight[stays] += sign * weight[goes]
        bias += left_over.mean() * weight[goes]
        kept = kept[kept != goes]
        angle = float(np.degrees(np.arccos(min(1.0, alike.max()))))
        yield _of_units(network, down, replace(up, weight=_float32(weight), bias=_float32(bias)), kept), angle


def _halves(network: Network) -> tuple[Dense, Dense]:
    """The layer into the hidden units, and that out of them. Raises UsageError."""
    dense = [layer for layer in network.analysis + network.synthesis if not isinstance(layer, Reshape)]
    if len(dense) == 2:
        down, up = dense
        if isinstance(down, Dense) and isinstance(up, Dense) and down.activation == "sigmoid":
            return down, up
    raise UsageError(f"hidden units are removed from ann and its kin, of one sigmoid layer, not from {network.method}")


def _of_units(network: Network, down: Dense, up: Dense, kept: NDArray[np.intp]) -> Network:
    """The network with these of its hidden units, and the layer out of them anew."""
    fewer = Dense(np.ascontiguousarray(down.weight[:, kept]), down.bias[kept], down.activation)
    after = Dense(np.ascontiguousarray(up.weight[kept]), up.bias, up.activation)
    return Network(
        "ann",
        network.image_shape,
        tuple(fewer if isinstance(layer, Dense) else layer for layer in network.analysis),
        tuple(after if isinstance(layer, Dense) else layer for layer in network.synthesis),
    )


def _float32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return values.astype(np.float32)
