"""Pruning: of a network's fully connected layers only the largest weights stay (paper 4.2, ref. 11).

The others become 0, which costs a frozen model little. `engram.training.tuning.tune` trains on what is left.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engram.errors import UsageError
from engram.layers import Dense, Layer, Network, Weights


def pruned(network: Network, kept: float) -> Network:
    """The network with this share of each matrix of its synthesis, the weights of largest size; 0 < kept <= 1.

    An archive holds the synthesis alone, so the analysis is left whole, but for a matrix that both share. Raises
    UsageError for another share, or a synthesis without a fully connected layer.
    """
    if not 0 < kept <= 1:
        raise UsageError(f"pruning keeps a share of the weights above 0 and at most 1, not {kept}")
    if not any(isinstance(layer, Dense) for layer in network.synthesis):
        raise UsageError(f"the synthesis of {network.method} has no fully connected layer to prune")
    synthesis = tuple(_sparse(layer, kept) for layer in network.synthesis)
    if not any(layer.shares_weight for layer in synthesis if isinstance(layer, Dense)):
        return replace(network, synthesis=synthesis)
    return replace(network, analysis=tuple(_sparse(layer, kept) for layer in network.analysis), synthesis=synthesis)


def _sparse(layer: Layer, kept: float) -> Layer:
    return replace(layer, weight=_largest(layer.weight, kept)) if isinstance(layer, Dense) else layer


def _largest(weight: Weights, kept: float) -> Weights:
    """The weight with all but its largest numbers 0; equal ones stay or go together, whichever way the matrix lies."""
    size = np.abs(weight)
    least = np.sort(size, axis=None)[-max(1, round(kept * size.size))]
    return np.where(size >= least, weight, np.float32(0))
