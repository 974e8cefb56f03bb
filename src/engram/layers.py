"""A network as plain data: layers with NumPy arrays, which drawing and freezing read without torch.

Activations flow as float32[n, c, h, w] between convolutional layers and float32[n, units] between dense ones.
Every layer says its `kind`, the shape it makes of a shape (without n), and how many parameters it has.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float32]
Shape = tuple[int, ...]
Activation = Literal["none", "relu", "sigmoid"]


@dataclass(frozen=True, eq=False)
class Dense:
    """activation(x @ weight + bias): weight[inputs, outputs], bias[outputs]."""

    kind: ClassVar[str] = "dense"
    weight: Weights
    bias: Weights
    activation: Activation
    shares_weight: bool = False  # the transpose of another layer's matrix, stored there

    @property
    def parameters(self) -> int:
        return self.bias.size + (0 if self.shares_weight else self.weight.size)

    def shape_after(self, shape: Shape) -> Shape:
        return (self.weight.shape[1],)


@dataclass(frozen=True, eq=False)
class Convolution:
    """Cross-correlation with zero padding: weight[outputs, inputs, height, width], bias[outputs]."""

    kind: ClassVar[str] = "convolution"
    weight: Weights
    bias: Weights
    stride: int
    padding: int
    activation: Activation

    @property
    def parameters(self) -> int:
        return self.weight.size + self.bias.size

    def shape_after(self, shape: Shape) -> Shape:
        _, height, width = shape
        outputs, _, *kernel = self.weight.shape
        rows, columns = (
            (side + 2 * self.padding - k) // self.stride + 1 for side, k in zip((height, width), kernel, strict=True)
        )
        return outputs, rows, columns


@dataclass(frozen=True, eq=False)
class TransposedConvolution:
    """The transpose of a convolution: weight[inputs, outputs, height, width], bias[outputs].

    Input pixel (i, j) adds weight * value to the outputs at (i * stride - padding, j * stride - padding) on.
    """

    kind: ClassVar[str] = "transposed convolution"
    weight: Weights
    bias: Weights
    stride: int
    padding: int
    activation: Activation

    @property
    def parameters(self) -> int:
        return self.weight.size + self.bias.size

    def shape_after(self, shape: Shape) -> Shape:
        _, height, width = shape
        _, outputs, *kernel = self.weight.shape
        rows, columns = (
            (side - 1) * self.stride - 2 * self.padding + k for side, k in zip((height, width), kernel, strict=True)
        )
        return outputs, rows, columns


@dataclass(frozen=True, eq=False)
class Features:
    """What is known of each place beside the activations: features @ weight[features, outputs].

    Added to the sums of the layer that follows. Where features come from, the method says.
    """

    kind: ClassVar[str] = "features"
    weight: Weights

    @property
    def parameters(self) -> int:
        return self.weight.size

    def shape_after(self, shape: Shape) -> Shape:
        return shape


@dataclass(frozen=True)
class MaxPooling:
    """The largest value of each window of size x size, one window every stride pixels."""

    kind: ClassVar[str] = "max pooling"
    parameters: ClassVar[int] = 0
    size: int
    stride: int

    def shape_after(self, shape: Shape) -> Shape:
        channels, height, width = shape
        return channels, (height - self.size) // self.stride + 1, (width - self.size) // self.stride + 1


@dataclass(frozen=True)
class Pad:
    """Rows and columns added below and to the right by repeating the last ones, up to height x width."""

    kind: ClassVar[str] = "pad"
    parameters: ClassVar[int] = 0
    height: int
    width: int

    def shape_after(self, shape: Shape) -> Shape:
        return shape[0], self.height, self.width


@dataclass(frozen=True)
class Crop:
    """The top left height x width of what comes in."""

    kind: ClassVar[str] = "crop"
    parameters: ClassVar[int] = 0
    height: int
    width: int

    def shape_after(self, shape: Shape) -> Shape:
        return shape[0], self.height, self.width


@dataclass(frozen=True)
class Reshape:
    """The same values in row-major order under another shape."""

    kind: ClassVar[str] = "reshape"
    parameters: ClassVar[int] = 0
    shape: Shape

    def shape_after(self, shape: Shape) -> Shape:
        return self.shape


@dataclass(frozen=True)
class Unshuffle:
    """Blocks of size x size pixels become channels (space to depth), a channel's values row by row.

    A picture is first completed to whole blocks by repeating its last rows and columns.
    """

    kind: ClassVar[str] = "unshuffle"
    parameters: ClassVar[int] = 0
    size: int

    def shape_after(self, shape: Shape) -> Shape:
        channels, height, width = shape
        return channels * self.size**2, -(-height // self.size), -(-width // self.size)


@dataclass(frozen=True)
class Shuffle:
    """Channels become blocks of size x size pixels (depth to space), the inverse of Unshuffle."""

    kind: ClassVar[str] = "shuffle"
    parameters: ClassVar[int] = 0
    size: int

    def shape_after(self, shape: Shape) -> Shape:
        channels, height, width = shape
        return channels // self.size**2, height * self.size, width * self.size


Layer = Dense | Convolution | TransposedConvolution | Features | MaxPooling | Pad | Crop | Reshape | Unshuffle | Shuffle


@dataclass(frozen=True, eq=False)
class Network:
    """What a network is: its method's name, the image (height, width, channels), and its layers.

    `analysis` leads from the pixels in [0, 1] to the code (or a classifier's scores), `synthesis` from the code
    back to the pixels. Pixels enter and leave as float32[n, c, h, w]. `prior`, where there is one, leads from a code in
    whole steps to the means of its units' distributions, then the logarithms of their scales, unit u's from the units
    before it.
    """

    method: str
    image_shape: tuple[int, int, int]
    analysis: tuple[Layer, ...]
    synthesis: tuple[Layer, ...] = ()
    prior: tuple[Layer, ...] = ()

    @property
    def code_shape(self) -> Shape:
        return shapes(self.analysis, self.input_shape)[-1]

    @property
    def code_numbers(self) -> int:
        """How many numbers the code of one image has."""
        return math.prod(self.code_shape)

    @property
    def input_shape(self) -> Shape:
        height, width, channels = self.image_shape
        return channels, height, width

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.analysis + self.synthesis + self.prior)


def shapes(layers: tuple[Layer, ...], shape: Shape) -> list[Shape]:
    """The shape before the first layer and after each, without n."""
    found = [shape]
    for layer in layers:
        found.append(layer.shape_after(found[-1]))
    return found
