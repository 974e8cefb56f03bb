"""The prior of a transform code in whole numbers: which table each symbol is coded by, from the symbols before it.

Unit u's symbol is a whole number q[u] near its distribution's centre, which the network gives in FRACTIONS of a step;
what is coded is the distance from the centre, by a table for the centre's fraction and the distribution's scale.

    q[0 .. u-1] --network--> centre, scale
    nearest  = floor((centre + FRACTIONS / 2) / FRACTIONS)
    fraction = centre - FRACTIONS * nearest                    -FRACTIONS / 2 up to FRACTIONS / 2 - 1
    context  = scale * FRACTIONS + fraction + FRACTIONS / 2
    q[u]     = nearest + distance, clipped to -limit[u] .. limit[u]

Hidden number j of h takes the units 0 to floor(j * units / h), and of the hidden layer before it the numbers that take
no others. The first ceil(u * h / units) hidden numbers therefore depend on the units before u alone, and these
are what unit u's centre and scale take, with the symbols before u: every matrix is block-triangular, and a decoder
goes from unit to unit with products of its blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.coding.integer import EXACT32, EXACT64, InexactNetwork, IntegerLayer, Integers, MisfitNetwork, reach_of
from engram.coding.linear import Floats
from engram.coding.rangecoder import Symbols

FRACTIONS = 16
Contexts = NDArray[np.intp]
Choose = Callable[[int, NDArray[np.int32], Contexts], NDArray[np.int32]]


def seen(unit: int, hidden: int, units: int) -> int:
    """How many of a layer's hidden numbers depend on nothing but the units before `unit`."""
    return -(-unit * hidden // units)


@dataclass(frozen=True, eq=False)
class Prior:
    """limits: int64[units], the largest |q|. hidden: one dense layer or more. centre, scale: dense layers that take the
    last hidden numbers and the symbols, in this order, and give a number a unit.

    Raises MisfitNetwork when made where the layers do not fit or a weight looks ahead, InexactNetwork where a sum may
    leave the range in which floats are exact.
    """

    limits: Integers
    hidden: tuple[IntegerLayer, ...]
    centre: IntegerLayer
    scale: IntegerLayer

    def __post_init__(self) -> None:
        units = len(self.limits)
        if not self.hidden:
            raise MisfitNetwork("a prior has a hidden layer at least")
        largest, last = self.limits, np.arange(units)
        for layer in self.hidden:
            inputs, outputs = layer.linear.weight.shape
            sees = np.arange(outputs) * units // outputs
            _check(layer, inputs == len(last), last[:, None] <= sees, largest)
            largest, last = np.broadcast_to(layer.high, outputs), sees
        largest, last = np.concatenate([largest, self.limits]), np.concatenate([last, np.arange(units)])
        for layer in (self.centre, self.scale):
            inputs, outputs = layer.linear.weight.shape
            fits = inputs == len(last) and outputs == units
            _check(layer, fits, last[:, None] < np.arange(outputs), largest)
        dtype: Any = np.float32 if self._reach(largest) < EXACT32 else np.float64
        layers = [layer.in_dtype(dtype) for layer in (*self.hidden, self.centre, self.scale)]
        object.__setattr__(self, "hidden", tuple(layers[:-2]))
        object.__setattr__(self, "centre", layers[-2])
        object.__setattr__(self, "scale", layers[-1])

    def _reach(self, last: Integers) -> float:
        largest, reach = self.limits, 0.0
        for layer in self.hidden:
            reach = max(reach, reach_of(layer.linear, largest) + layer.half)
            largest = np.broadcast_to(layer.high, layer.linear.weight.shape[1])
        reach = max([reach, *(reach_of(layer.linear, last) + layer.half for layer in (self.centre, self.scale))])
        if reach >= EXACT64:
            raise InexactNetwork(f"the prior's sums may reach {reach:.0f}, beyond {EXACT64 - 1}")
        return reach

    @property
    def scales(self) -> int:
        """How many scales there are."""
        return self.scale.high + 1

    def contexts(self, symbols: Symbols) -> tuple[NDArray[np.int32], Contexts]:
        """The nearest whole number to each centre, and the context, [n, units] each, of symbols[n, units]."""
        x = start = symbols.astype(self.centre.linear.weight.dtype)
        for layer in self.hidden:
            x = layer(x)
        x = np.concatenate([x, start], axis=1)
        return nearest_of(self.centre(x), self.scale(x))

    def walk(self, count: int, choose: Choose) -> Symbols:
        """symbols[count, units], unit after unit: choose(unit, nearest[count], contexts[count]) gives each unit's."""
        units = len(self.limits)
        dtype = self.centre.linear.weight.dtype
        symbols = np.zeros((units, count), dtype)
        states = [np.zeros((len(layer.linear.bias), count), dtype) for layer in self.hidden]
        weights = [np.ascontiguousarray(layer.linear.weight.T) for layer in (*self.hidden, self.centre, self.scale)]
        width = len(states[-1])
        for unit in range(units):
            known = seen(unit, width, units)
            ends = []
            for layer, weight in zip((self.centre, self.scale), weights[-2:], strict=True):
                sums = weight[unit, width : width + unit] @ symbols[:unit]
                sums += weight[unit, :known] @ states[-1][:known]
                sums += layer.linear.bias[unit]
                ends.append(layer.rounded(sums))
            nearest, contexts = nearest_of(*ends)
            limit = self.limits[unit]
            symbols[unit] = choose(unit, nearest, contexts).clip(-limit, limit)
            before = symbols[: unit + 1]
            for layer, weight, state in zip(self.hidden, weights, states, strict=False):
                block = slice(seen(unit, len(state), units), seen(unit + 1, len(state), units))
                sums = weight[block, : len(before)] @ before
                sums += layer.linear.bias[block, None]
                state[block] = layer.rounded(sums)
                before = state[: block.stop]
        return symbols.T.astype(np.int32)


def nearest_of(centre: Floats, scale: Floats) -> tuple[NDArray[np.int32], Contexts]:
    """The nearest whole number to each centre, and the context."""
    whole = centre.astype(np.int32) + FRACTIONS // 2
    nearest = whole // FRACTIONS
    return nearest, scale.astype(np.intp) * FRACTIONS + (whole - nearest * FRACTIONS)


def _check(layer: IntegerLayer, fits: bool, allowed: NDArray[np.bool_], largest: Integers) -> None:
    """Raises MisfitNetwork unless the layer fits, and has weights where it may only."""
    if not fits:
        raise MisfitNetwork(f"a prior's layer of {list(layer.linear.weight.shape)} does not fit the one before it")
    if layer.linear.weight[~allowed].any():
        raise MisfitNetwork("a prior's weight takes a unit that is not decoded yet")
