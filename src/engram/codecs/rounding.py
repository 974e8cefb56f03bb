"""From a synthesis in floats to a synthesis in whole numbers.

Every number of the float network is given as integer * unit, the unit being one float for each layer's weights and
one for each layer's activations. The decoder never learns the units: a layer's sums come in the unit
(its input's unit) * (its weights' unit), a shift by a power of two makes that coarser, and the last layer's table,
which this file computes once and the model stores, makes pixels of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log2

import numpy as np

from engram.codecs.analysis import activate, evaluate
from engram.codecs.settings import LARGEST_SHIFT
from engram.coding.integer import IntegerLayer, IntegerLayers, with_numbers
from engram.coding.linear import Floats, Linear
from engram.errors import UsageError
from engram.layers import Activation, Crop, Layer, Reshape

LOGIT = 8.0
"""Sigmoids of larger numbers are taken as of this one: 1 / 3000 from 0 or 1, no more than a tenth of a gray level."""
LARGEST_BIAS = (1 << 31) - 1
ACTIVATION_LEVELS = (1 << 11) - 1
"""The largest integer of a hidden activation; 11 bits keep most sums of hidden layers within float32."""


class CannotFreeze(UsageError):
    """A network with a layer that has no integer form."""


class TooFine(UsageError):
    """Units so small that a number of the model would not fit."""


def round_layers(layers: Sequence[Layer], codes: Floats, unit: float, coarseness: float) -> IntegerLayers:
    """The layers in whole numbers, for codes that come as integer * unit.

    A layer's weights come in a unit of `coarseness` times their root mean square; the ranges of hidden activations are
    from what the float network does with `codes`. Raises CannotFreeze or TooFine.
    """
    rounded: list[IntegerLayer | Crop | Reshape] = []
    to_come = sum(isinstance(layer, Linear) for layer in layers)
    x = codes
    for layer in layers:
        x = evaluate((layer,), x)
        if isinstance(layer, Crop | Reshape):
            rounded.append(layer)
        elif isinstance(layer, Linear):
            to_come -= 1
            weight_unit = coarseness * float(np.sqrt(np.square(layer.weight, dtype=np.float64).mean())) or 1.0
            unit *= weight_unit
            bias = np.rint(layer.bias.astype(np.float64) / unit)
            if np.abs(bias).max() > LARGEST_BIAS:
                raise TooFine(f"biases reach {np.abs(bias).max():.0f}, beyond the 32 bits of a model's numbers")
            whole = with_numbers(layer, np.rint(layer.weight / weight_unit), bias)
            if to_come:
                made, unit = _hidden(whole, layer.activation, unit, float(np.abs(x).max()))
            else:
                made = _pixels(whole, layer.activation, unit)
            if made.shift > LARGEST_SHIFT:
                raise TooFine(f"a shift of {made.shift} is beyond the {LARGEST_SHIFT} of a model's layers")
            rounded.append(made)
        else:
            raise CannotFreeze(f"a synthesis with {layer.kind} has no integer form yet")
    return tuple(rounded)


def _hidden(linear: Linear, activation: Activation, unit: float, largest: float) -> tuple[IntegerLayer, float]:
    """A hidden layer, and the unit of what it gives; it has room for half as much again as the largest value seen."""
    top = ACTIVATION_LEVELS
    if activation == "sigmoid":
        return _tabulated(linear, unit, activation, (-LOGIT, LOGIT), 1 / 256, top), 1 / top
    largest = max(1.5 * largest, unit)
    shift = max(0, ceil(log2(largest / unit / top)))
    high = min(top, ceil(largest / (unit * 2**shift)))
    return IntegerLayer(linear, shift, 0 if activation == "relu" else -high, high), unit * 2**shift


def _pixels(linear: Linear, activation: Activation, unit: float) -> IntegerLayer:
    """The last layer; what goes into its table is fine enough for a quarter of a gray level."""
    if activation == "sigmoid":
        return _tabulated(linear, unit, activation, (-LOGIT, LOGIT), 1 / 256, 255)
    return _tabulated(linear, unit, "none", (0, 1), 1 / 1020, 255)


def _tabulated(
    linear: Linear, unit: float, activation: Activation, ends: tuple[float, float], resolution: float, top: int
) -> IntegerLayer:
    """A layer whose table makes 0 to `top` of activation(sum), from one end to the other at least at a resolution."""
    shift = max(0, floor(log2(resolution / unit)))
    unit *= 2**shift
    low, high = floor(ends[0] / unit), ceil(ends[1] / unit)
    values = activate(np.arange(low, high + 1) * unit, activation).clip(0, 1)
    return IntegerLayer(linear, shift, low, high, np.rint(values * top).astype(np.int64))
