"""Networks in whole numbers: the same integers in give the same pixels out on every machine.

An integer layer takes whole numbers a, and for each output does

    sum = bias + SUM weight * a                        a matrix product of whole numbers in float32
    y   = floor((sum + half) / 2^shift)                half = 2^(shift - 1), or 0 where shift is 0
    y   = min(max(y, low), high)
    y   = table[y - low]                               where there is a table

A float32 product is exact, in any order of summation, while no partial sum can reach 2^24, the range in which float32
holds every integer. `IntegerNetwork` proves that from the weights and the largest |a|, layer by layer, when it is
made: bias + half + SUM |weight| * largest |a| < 2^24. A network without that proof is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from engram.coding import linear
from engram.coding.linear import Floats, Linear
from engram.errors import CorruptData
from engram.images import Pixels
from engram.layers import Convolution, Crop, Dense, Reshape, Shape, TransposedConvolution

Integers = NDArray[np.int64]

EXACT = 1 << 24
"""Every integer of a smaller size is a float32."""
LARGEST_VOLUME = 1 << 22
"""How many numbers one image may need at once."""
_CHUNK = 1 << 19


class InexactNetwork(CorruptData):
    """An integer network whose sums may leave the range in which float32 is exact."""


class MisfitNetwork(CorruptData):
    """An integer network whose layers do not fit together."""


@dataclass(frozen=True, eq=False)
class IntegerLayer:
    """A linear map whose weights and biases are whole numbers (activation "none"), then rounding and clipping.

    table[high - low + 1] holds the activation of each clipped value, where that is not the value itself.
    """

    linear: Linear
    shift: int
    low: int
    high: int
    table: Integers | None = None

    @property
    def range(self) -> tuple[int, int]:
        """The smallest and the largest number that it can give."""
        return (self.low, self.high) if self.table is None else (int(self.table.min()), int(self.table.max()))

    def __call__(self, x: Floats) -> Floats:
        half = np.float32(1 << self.shift >> 1)
        y = linear.apply(replace(self.linear, bias=self.linear.bias + half), x)
        if self.shift:
            y *= np.float32(2.0**-self.shift)
            np.floor(y, out=y)
        np.clip(y, self.low, self.high, out=y)
        if self.table is None:
            return y
        y -= self.low
        return self.table.astype(np.float32).take(y.astype(np.intp))


IntegerLayers = tuple[IntegerLayer | Crop | Reshape, ...]


class IntegerNetwork:
    """From whole numbers [n, numbers of code_shape] to uint8[n, height, width, channels].

    `largest` holds the largest |a| of each number that goes in, flat. Raises MisfitNetwork where the layers do not
    lead from the codes to pixels, InexactNetwork where a sum may reach 2^24.
    """

    def __init__(
        self, code_shape: Shape, largest: Integers, layers: IntegerLayers, image_shape: tuple[int, int, int]
    ) -> None:
        self.code_shape, self.layers, self.image_shape = code_shape, layers, image_shape
        height, width, channels = image_shape
        shape, limits, self._volume, ends = code_shape, largest, prod(code_shape), (0, EXACT)
        if largest.max() >= EXACT:
            raise InexactNetwork(f"codes may reach {largest.max()}, beyond {EXACT - 1}")
        for layer in layers:
            if isinstance(layer, IntegerLayer):
                self._volume = max(self._volume, _volume(layer.linear, shape))
                reach = _reach(layer.linear, limits) + (1 << layer.shift >> 1)
                if reach >= EXACT:
                    raise InexactNetwork(f"a {layer.linear.kind} layer's sums may reach {reach}, beyond {EXACT - 1}")
                ends = layer.range
                limits = np.abs(ends).max(keepdims=True)
                shape = layer.linear.shape_after(shape)
            else:
                _check_view(layer, shape)
                limits = limits if isinstance(layer, Reshape) else limits.max(keepdims=True)
                shape = layer.shape_after(shape)
        if shape != (channels, height, width) or ends[0] < 0 or ends[1] > 255:
            raise MisfitNetwork(
                f"the last layer gives {list(shape)} numbers from {ends[0]} to {ends[1]}, "
                f"not pixels of {[channels, height, width]} from 0 to 255"
            )

    def __call__(self, codes: Floats) -> Pixels:
        height, width, channels = self.image_shape
        pixels = np.empty((len(codes), height, width, channels), np.uint8)
        chunk = max(1, _CHUNK // self._volume)
        for start in range(0, len(codes), chunk):
            x = codes[start : start + chunk].reshape(-1, *self.code_shape)
            for layer in self.layers:
                if isinstance(layer, IntegerLayer):
                    x = layer(x)
                elif isinstance(layer, Crop):
                    x = x[:, :, : layer.height, : layer.width]
                else:
                    x = x.reshape(len(x), *layer.shape)
            pixels[start : start + chunk] = x.transpose(0, 2, 3, 1)
        return pixels


def _reach(layer: Linear, largest: Integers) -> int:
    """What no partial sum exceeds, given the largest |a| of each input number, or of all of them."""
    size = np.abs(layer.weight).astype(np.int64)
    match layer:
        case Dense():
            sums = (size * np.broadcast_to(largest, len(size))[:, None]).sum(axis=0)
        case Convolution():
            sums = size.sum(axis=(1, 2, 3)) * largest.max()
        case TransposedConvolution():  # an output meets those taps only whose phase of the stride is its own
            _, outputs, height, width = size.shape
            taps = np.zeros((outputs, height + -height % layer.stride, width + -width % layer.stride), np.int64)
            taps[:, :height, :width] = size.sum(axis=0)
            phases = taps.reshape(outputs, -1, layer.stride, taps.shape[2] // layer.stride, layer.stride)
            sums = phases.sum(axis=(1, 3)).max(axis=(1, 2)) * largest.max()
    return int((sums + np.abs(layer.bias).astype(np.int64)).max())


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
    taps = prod(layer.weight.shape[2:])
    around = prod(side + 2 * layer.padding for side in sides)
    if min(sides) < 1:
        raise MisfitNetwork(f"a {layer.kind} leaves nothing of {list(shape)}")
    volume = prod(sides) * taps * inputs if isinstance(layer, Convolution) else prod(shape[1:]) * taps * outputs
    volume = max(volume, around * outputs, prod(sides) * outputs)
    if volume > LARGEST_VOLUME:
        raise MisfitNetwork(f"a {layer.kind} needs {volume} numbers for one image; the limit is {LARGEST_VOLUME}")
    return volume


def _check_view(layer: Crop | Reshape, shape: Shape) -> None:
    """Raises MisfitNetwork unless the layer can take numbers of this shape."""
    if isinstance(layer, Reshape) and prod(layer.shape) != prod(shape):
        raise MisfitNetwork(f"{list(shape)} numbers cannot take the shape {list(layer.shape)}")
    if isinstance(layer, Crop) and (len(shape) != 3 or layer.height > shape[1] or layer.width > shape[2]):
        raise MisfitNetwork(f"{list(shape)} numbers cannot be cropped to {layer.height} x {layer.width}")
