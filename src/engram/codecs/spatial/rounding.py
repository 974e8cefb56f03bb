"""Layers in whole numbers, where what a layer takes comes in parts, each in a unit of its own.

A rectified number may be divided by anything above 0, where what takes it is multiplied by that: so all numbers of a
hidden layer are made about as large, and one unit fits them all. What is multiplied by larger whole numbers than the
first part's gets coarser weights, by a power of two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, log2
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from engram.codecs.analysis import activate
from engram.codecs.rounding import LARGEST_BIAS, CannotFreeze, TooFine
from engram.codecs.settings import LARGEST_SHIFT
from engram.coding.integer import IntegerLayer, with_numbers
from engram.coding.linear import Floats, Linear
from engram.layers import Dense

Doubles = NDArray[np.float64]
Whole = TypeVar("Whole")
"""Part of a codec in whole numbers."""

COARSEST, FINEST = 2, 20
"""Units of weights that are tried: their root mean square over 2^(half octaves / 2)."""
ACTIVATION_LEVELS = 400
"""The largest whole number of a hidden layer, about."""
RAREST = 0.1
"""A hidden number seen smaller than this share of the largest is taken to be as large."""
_ROOM = 1.25
"""Hidden numbers may go so much beyond the largest seen."""


@dataclass(frozen=True)
class Part:
    """Some of the numbers that a layer takes.

    examples: what they were seen to be, [n, numbers] in floats: whole numbers * unit * sizes[numbers].
    """

    examples: Floats
    unit: float = 1.0
    sizes: Floats | float = 1.0

    @property
    def numbers(self) -> int:
        return int(self.examples.shape[1])

    @cached_property
    def means(self) -> Floats:
        """Of the whole numbers."""
        means: Floats = self.examples.mean(axis=0) / self.sizes / self.unit
        return means

    @cached_property
    def typical(self) -> float:
        """The root mean square of the whole numbers."""
        return float(np.sqrt(np.square(self.examples / self.sizes, dtype=np.float64).mean())) / self.unit

    def scaled(self, weight: Doubles) -> Doubles:
        """weight[numbers, taps, outputs] as it is for the whole numbers."""
        sizes = np.broadcast_to(self.sizes, self.numbers)
        scaled: Doubles = weight * (self.unit * sizes[:, None, None])
        return scaled


@dataclass(frozen=True)
class Rounded:
    """A layer in whole numbers, and the unit of its sums: of all, or, where sizes are given, times these."""

    layer: IntegerLayer
    unit: float
    sizes: Floats | float = 1.0

    def added(self, weight: Floats) -> NDArray[np.int64]:
        """weight[features, outputs], of whole features that are added to the sums, in whole numbers."""
        return np.rint(weight.astype(np.float64) / self.sizes / self.unit).astype(np.int64)


def coarsest(rounded: Callable[[int], Whole | None], fits: Callable[[Whole], bool]) -> Whole:
    """What `rounded` makes of the smallest number of half octaves that fits, or of the largest possible.

    The finest possible is looked at first. Raises CannotFreeze where none is possible.
    """
    finest = next((made for made in map(rounded, range(FINEST, COARSEST - 1, -1)) if made is not None), None)
    if finest is None:
        raise CannotFreeze("the network's numbers do not fit into those of a model")
    fits(finest)
    low, high, best = COARSEST, FINEST, finest
    while low < high:
        middle = (low + high) // 2
        made = rounded(middle)
        if made is not None and fits(made):
            high, best = middle, made
        else:
            low = middle + 1
    return best


def hidden(linear: Linear, parts: Sequence[Part], sums: Floats, coarseness: float) -> tuple[Rounded, Part]:
    """The rectified layer, whose sums[n, outputs] are those of the parts' examples, and what it gives as a part.

    Weights of the first part come in units of `coarseness` times their root mean square. Raises TooFine.
    """
    made = activate(sums.copy(), "relu")
    largest = made.max(axis=0)
    sizes = largest.clip(RAREST * float(largest.max()) or 1.0).astype(np.float32)
    weight = _by_input(linear) / sizes
    unit = _finest(weight, parts[0], coarseness)
    shift = max(0, ceil(log2(max(_ROOM, unit) / unit / ACTIVATION_LEVELS)))
    high = ceil(_ROOM / (unit * 2**shift))
    layer = IntegerLayer(_whole(linear, weight, linear.bias / sizes, parts, unit), _possible(shift), 0, high)
    return Rounded(layer, unit, sizes), Part(made, unit * 2**shift, sizes)


def last(
    linear: Linear, parts: Sequence[Part], meaning: float, ends: tuple[int, int], coarseness: float
) -> IntegerLayer:
    """The last layer, whose results are in units of `meaning`, from one end to the other. Raises TooFine."""
    weight = _by_input(linear)
    shift = max(0, ceil(log2(meaning / _finest(weight, parts[0], coarseness))))
    return IntegerLayer(_whole(linear, weight, linear.bias, parts, meaning / 2**shift), _possible(shift), *ends)


def _possible(shift: int) -> int:
    """The shift itself. Raises TooFine."""
    if shift > LARGEST_SHIFT:
        raise TooFine(f"a shift of {shift} is beyond the {LARGEST_SHIFT} of a model's layers")
    return shift


def _by_input(linear: Linear) -> Doubles:
    """float64[inputs, taps, outputs]."""
    weight = linear.weight.astype(np.float64)
    if isinstance(linear, Dense):
        return weight[:, None]
    outputs, inputs = weight.shape[:2]
    return weight.reshape(outputs, inputs, -1).transpose(1, 2, 0)


def _finest(weight: Doubles, part: Part, coarseness: float) -> float:
    used = part.scaled(weight[: part.numbers])
    used = used[used != 0]
    return coarseness * float(np.sqrt(np.square(used).mean())) if used.size else 1.0


def _whole(linear: Linear, weight: Doubles, bias: Floats, parts: Sequence[Part], unit: float) -> Linear:
    """The map with weight[inputs, taps, outputs] of the parts, and bias, in whole numbers of the unit.

    The bias is set right by what rounding does to the sums at the mean inputs. Raises TooFine.
    """
    made = []
    for part, own in zip(parts, np.split(weight, np.cumsum([part.numbers for part in parts])[:-1]), strict=True):
        scaled = part.scaled(own) / unit
        coarser = 2.0 ** max(0, int(log2(max(1e-9, parts[0].typical) / max(1e-9, part.typical))))
        made.append(np.rint(scaled / coarser) * coarser if coarser > 1 else scaled)
    whole = np.concatenate(made)
    taps, outputs = whole.shape[1:]
    means = np.concatenate([part.means for part in parts]).repeat(taps)
    exact = whole.reshape(-1, outputs)
    rounded = np.rint(exact)
    biases = np.rint(bias / unit + means @ (exact - rounded))
    if max(np.abs(array).max(initial=0) for array in (rounded, biases)) > LARGEST_BIAS:
        raise TooFine("weights or biases are beyond the 32 bits of a model's numbers")
    if not isinstance(linear, Dense):
        rounded = rounded.reshape(whole.shape).transpose(2, 0, 1).reshape(linear.weight.shape)
    return with_numbers(linear, rounded, biases)
