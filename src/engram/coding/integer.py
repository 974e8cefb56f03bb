"""Networks in whole numbers: the same integers in give the same pixels out on every machine.

An integer layer takes whole numbers a, and for each output does

    sum = bias + SUM weight * a                        a matrix product of whole numbers in floats
    y   = floor((sum + half) / 2^shift)                half = 2^(shift - 1), or 0 where shift is 0
    y   = min(max(y, low), high)
    y   = table[y - low]                               where there is a table

A product in floats is exact, in any order of summation, while no partial sum can leave the range in which they hold
every integer: 2^24 for float32, 2^53 for float64. `IntegerNetwork` bounds the sums from the weights and the largest
|a|, layer by layer, when it is made: |bias| + half + SUM |weight| * largest |a|. The bound picks the dtype, and a
network whose sums may reach 2^53 is refused. So nothing is left to sampling.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from engram.coding import linear
from engram.coding.linear import Floats, Linear
from engram.errors import CorruptData
from engram.images import Pixels
from engram.layers import Convolution, Crop, Dense, Reshape, Shape, TransposedConvolution, Weights

Integers = NDArray[np.int64]

EXACT32, EXACT64 = 1 << 24, 1 << 53
"""Every integer of a smaller size is a float32, a float64."""
LARGEST_VOLUME = 1 << 22
"""How many numbers one image may need at once."""
_CHUNK = 1 << 19


class InexactNetwork(CorruptData):
    """An integer network whose sums may leave the range in which floats are exact."""


class MisfitNetwork(CorruptData):
    """An integer network whose layers do not fit together."""


@dataclass(frozen=True, eq=False)
class Products:
    """How a dense layer's matrix is stored where its rows consist of codewords: codebook[codewords, length].

    chosen[inputs, outputs / length] says which codeword stands where.
    """

    codebook: Integers
    chosen: Integers

    @property
    def weight(self) -> Integers:
        """int64[inputs, outputs]."""
        return self.codebook[self.chosen].reshape(len(self.chosen), -1)


@dataclass(frozen=True, eq=False)
class IntegerLayer:
    """A linear map (activation "none") whose weights and biases are whole numbers, then rounding and clipping.

    table[high - low + 1] holds the activation of each clipped value, where that is not the value itself. `products`,
    where there are any, make the same weights: they are for storing, and computing does not see them.
    """

    linear: Linear
    shift: int
    low: int
    high: int
    table: Integers | None = None
    products: Products | None = None

    @property
    def stored_weights(self) -> int:
        """How many numbers a model holds for the weights."""
        return (
            self.linear.weight.size
            if self.products is None
            else self.products.codebook.size + self.products.chosen.size
        )

    @property
    def range(self) -> tuple[int, int]:
        """The smallest and the largest number that it can give."""
        return (self.low, self.high) if self.table is None else (int(self.table.min()), int(self.table.max()))

    @property
    def half(self) -> int:
        """What is added before the shift, so that it rounds."""
        return 1 << self.shift >> 1

    def __call__(self, x: Floats) -> Floats:
        return self.rounded(linear.apply(self.linear, x))

    def rounded(self, y: Floats) -> Floats:
        """What the layer makes of its sums y, which it may overwrite."""
        if self.shift:
            y += self.half
            y *= 2.0**-self.shift
            np.floor(y, out=y)
        np.clip(y, self.low, self.high, out=y)
        if self.table is None:
            return y.astype(np.float32, copy=False)
        y -= self.low
        return self.table.astype(np.float32).take(y.astype(np.intp))

    def in_dtype(self, dtype: type[np.float32] | type[np.float64]) -> IntegerLayer:
        """The layer with its numbers in a dtype, in which its sums then are."""
        weight, bias = self.linear.weight.astype(dtype), self.linear.bias.astype(dtype)
        return replace(self, linear=with_numbers(self.linear, weight, bias))


def with_numbers(linear: Linear, weight: NDArray[Any], bias: NDArray[Any]) -> Linear:
    """The same map with whole numbers, of any dtype, and no activation."""
    return replace(linear, weight=cast(Weights, weight), bias=cast(Weights, bias), activation="none")


IntegerLayers = tuple[IntegerLayer | Crop | Reshape, ...]


class IntegerNetwork:
    """From whole numbers [n, numbers of code_shape] to uint8[n, height, width, channels].

    `largest` holds the largest |a| of each number that goes in, flat. Raises MisfitNetwork where the layers do not
    lead from the codes to pixels, InexactNetwork where a sum may reach 2^53 or a code 2^24.
    """

    def __init__(
        self, code_shape: Shape, largest: Integers, layers: IntegerLayers, image_shape: tuple[int, int, int]
    ) -> None:
        self.code_shape, self.image_shape = code_shape, image_shape
        self.layers = list[IntegerLayer | Crop | Reshape]()
        height, width, channels = image_shape
        shape, limits, self._volume, ends = code_shape, largest, prod(code_shape), (0, EXACT32)
        if largest.max() >= EXACT32:
            raise InexactNetwork(f"codes may reach {largest.max()}, beyond {EXACT32 - 1}")
        for layer in layers:
            if isinstance(layer, IntegerLayer):
                self._volume = max(self._volume, _volume(layer.linear, shape))
                reach = reach_of(layer.linear, limits) + layer.half
                if reach >= EXACT64:
                    raise InexactNetwork(
                        f"a {layer.linear.kind} layer's sums may reach {reach:.0f}, beyond {EXACT64 - 1}"
                    )
                self.layers.append(layer.in_dtype(np.float32 if reach < EXACT32 else np.float64))
                ends = layer.range
                shape = layer.linear.shape_after(shape)
                limits = np.broadcast_to(np.abs(ends).max(), prod(shape))
            else:
                _check_view(layer, shape)
                self.layers.append(layer)
                shape = layer.shape_after(shape)
                if isinstance(layer, Crop):
                    limits = np.broadcast_to(limits.max(), prod(shape))
        if shape != (channels, height, width) or ends[0] < 0 or ends[1] > 255:
            raise MisfitNetwork(
                f"the last layer gives {list(shape)} numbers from {ends[0]} to {ends[1]}, "
                f"not pixels of {[channels, height, width]} from 0 to 255"
            )

    def __call__(self, codes: NDArray[np.int32]) -> Pixels:
        height, width, channels = self.image_shape
        pixels = np.empty((len(codes), height, width, channels), np.uint8)
        chunk = max(1, _CHUNK // self._volume)
        for first in range(0, len(codes), chunk):
            x = codes[first : first + chunk].reshape(-1, *self.code_shape).astype(np.float32)
            for layer in self.layers:
                if isinstance(layer, IntegerLayer):
                    x = layer(x)
                elif isinstance(layer, Crop):
                    x = x[:, :, : layer.height, : layer.width]
                else:
                    x = x.reshape(len(x), *layer.shape)
            pixels[first : first + chunk] = x.transpose(0, 2, 3, 1)
        return pixels


def reach_of(layer: Linear, largest: Integers) -> float:
    """What no partial sum exceeds, given the largest |a| of each number that goes in, flat.

    In float64, which unlike int64 never wraps around: no term is negative, so a sum below 2^53 was exact all the way,
    and one that reached 2^53 can only have been rounded to 2^53 or above.
    """
    size = np.abs(layer.weight.astype(np.float64))
    inputs = size.shape[1 if isinstance(layer, Convolution) else 0]
    largest = largest.reshape(inputs, -1).max(axis=1).astype(np.float64)
    match layer:
        case Dense():
            sums = largest @ size
        case Convolution():
            sums = (size.sum(axis=(2, 3)) * largest).sum(axis=1)
        case TransposedConvolution():  # an output meets those taps only whose phase of the stride is its own
            _, outputs, height, width = size.shape
            taps = np.zeros((outputs, height + -height % layer.stride, width + -width % layer.stride))
            taps[:, :height, :width] = (size * largest[:, None, None, None]).sum(axis=0)
            phases = taps.reshape(outputs, -1, layer.stride, taps.shape[2] // layer.stride, layer.stride)
            sums = phases.sum(axis=(1, 3)).max(axis=(1, 2))
    return float((sums + np.abs(layer.bias.astype(np.float64))).max())


def _volume(layer: Linear, shape: Shape) -> int:
    """How many numbers the layer makes of one image of this shape at once. Raises MisfitNetwork."""
    inputs: int = layer.weight.shape[1 if isinstance(layer, Convolution) else 0]
    if isinstance(layer, Dense):
        if prod(shape) != inputs:
            raise MisfitNetwork(f"a dense layer of {inputs} inputs cannot take {list(shape)}")
        return max(inputs, len(layer.bias))
    if len(shape) != 3 or shape[0] != inputs:
        raise MisfitNetwork(f"a {layer.kind} of {inputs} channels cannot take {list(shape)}")
    outputs, *sides = layer.shape_after(shape)
    if min(sides) < 1:
        raise MisfitNetwork(f"a {layer.kind} leaves nothing of {list(shape)}")
    few, many = (sides, shape[1:]) if isinstance(layer, Convolution) else (shape[1:], sides)
    channels = inputs if isinstance(layer, Convolution) else outputs
    taps = prod(layer.weight.shape[2:])
    volume = channels * max(prod(few) * taps, prod(side + 2 * layer.padding for side in many))
    volume = max(volume, prod(sides) * outputs)
    if volume > LARGEST_VOLUME:
        raise MisfitNetwork(f"a {layer.kind} needs {volume} numbers for one image; the limit is {LARGEST_VOLUME}")
    return volume


def _check_view(layer: Crop | Reshape, shape: Shape) -> None:
    """Raises MisfitNetwork unless the layer can take numbers of this shape."""
    if isinstance(layer, Reshape) and prod(layer.shape) != prod(shape):
        raise MisfitNetwork(f"{list(shape)} numbers cannot take the shape {list(layer.shape)}")
    if isinstance(layer, Crop) and (len(shape) != 3 or layer.height > shape[1] or layer.width > shape[2]):
        raise MisfitNetwork(f"{list(shape)} numbers cannot be cropped to {layer.height} x {layer.width}")
