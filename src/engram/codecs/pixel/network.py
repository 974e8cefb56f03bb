"""The network of a pixel code in whole numbers: from the neighbours of values to `mixture`'s outputs.

    x      = neighbours (0 to 255), then the features of the position (0 to 255)
    h[1]   = clip(floor((W[1] x + b[1] + half) / 2^shift[1]), 0, high), and so on through the hidden layers
    output = clip(floor((W (h, x) + b + half) / 2^shift), limits of each output)

Three channels have a network each, of equal sizes.

All sums are proven to stay below 2^24 when a network is made, so float32 holds them exactly, in any order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engram.coding import mixture
from engram.coding.integer import EXACT32, InexactNetwork, MisfitNetwork
from engram.coding.mixture import Outputs
from engram.coding.neighbourhood import FULL, Indices, Neighbourhood
from engram.images import Pixels

LARGEST_ACTIVATION = 1023
"""The largest that `high` may be, and what it is where a config does not name it."""
_CHUNK = 1 << 12
"""How many values are looked at together: what they need stays in the processor's cache."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class WholeDense:
    """weight[inputs, outputs] and bias[outputs], whole numbers; what comes out is divided by 2^shift and rounded."""

    weight: NDArray[np.int64]
    bias: NDArray[np.int64]
    shift: int

    @property
    def half(self) -> int:
        return 1 << self.shift >> 1

    def prove(self, largest: NDArray[np.int64]) -> None:
        """Raises InexactNetwork where a partial sum may reach 2^24, given the largest of each input, none negative."""
        reach = np.abs(self.weight).T.astype(np.float64) @ largest + np.abs(self.bias) + self.half
        if reach.max() >= EXACT32:
            raise InexactNetwork(f"a layer's sums may reach {reach.max():.0f}, beyond {EXACT32 - 1}")


class CausalNetwork:
    """The layers, hidden ones first, with the neighbourhood whose values they take. high: the largest hidden number.

    Raises MisfitNetwork, InexactNetwork.
    """

    def __init__(
        self, neighbourhood: Neighbourhood, layers: tuple[WholeDense, ...], high: int = LARGEST_ACTIVATION
    ) -> None:
        self.neighbourhood, self.layers, self.high = neighbourhood, layers, high
        if len(layers) < 2:
            raise MisfitNetwork("a pixel code's network has a hidden layer, at least")
        if not neighbourhood.fits(len(layers[0].bias)):
            raise MisfitNetwork(f"a pixel code takes smaller images than {list(neighbourhood.image_shape)}")
        taken = neighbourhood.inputs + neighbourhood.features
        first = np.full(taken, FULL)
        width, largest = taken, first
        for layer in layers:
            if layer is layers[-1]:
                width, largest = width + taken, np.concatenate([largest, first])
            if layer.weight.shape != (width, len(layer.bias)):
                raise MisfitNetwork(f"a layer of {list(layer.weight.shape)} weights cannot take {width} numbers")
            layer.prove(largest)
            width, largest = len(layer.bias), np.full(len(layer.bias), high)
        self.components, rest = divmod(width - 1, 3)
        if rest or not 1 <= self.components <= mixture.LARGEST_COMPONENTS:
            raise MisfitNetwork(f"{width} outputs are no mixture of 1 to {mixture.LARGEST_COMPONENTS} components")
        self._least, self._largest = (limit.astype(np.float32) for limit in mixture.limits(self.components))

    @property
    def networks(self) -> tuple[CausalNetwork, ...]:
        """Of each channel, one."""
        return (self,)

    @cached_property
    def _taps(self) -> NDArray[np.intp]:
        return self.neighbourhood.taps.astype(np.intp, copy=False)

    @cached_property
    def weights(self) -> list[Floats]:
        """The weights, over 2^shift, that are multiplied at each value: the positions' are in `biases`.

        A division by a power of two changes no digit of a float, so the sums are as exact as those of whole numbers.
        """
        first, last = self.layers[0].weight, self.layers[-1].weight
        inputs, taken = self.neighbourhood.inputs, self.neighbourhood.inputs + self.neighbourhood.features
        wide = len(last) - taken
        scales = [2.0**-layer.shift for layer in (*self.layers, self.layers[-1])]
        weights = [first[:inputs], *(layer.weight for layer in self.layers[1:-1])]
        weights += [last[:wide], last[wide : wide + inputs]]
        return [np.ascontiguousarray(w * scale, np.float32) for w, scale in zip(weights, scales, strict=True)]

    @cached_property
    def biases(self) -> list[Floats]:
        """float32[pixels, units] of first and last layer, float32[units] of others; half added, over 2^shift."""
        around = self.neighbourhood
        stride = around.image_shape[1] * around.image_shape[2]
        rows = around.positions[::stride, : around.knots].astype(np.float64)
        columns = around.positions[: stride : around.image_shape[2], around.knots :].astype(np.float64)
        biases = []
        for number, layer in enumerate(self.layers):
            bias = (layer.bias + layer.half).astype(np.float64)
            if number in (0, len(self.layers) - 1):  # the knots of rows and of columns add up
                down, across = np.split(layer.weight[-around.features :].astype(np.float64), 2)
                bias = ((rows @ down + bias)[:, None] + columns @ across).reshape(-1, len(bias))
            biases.append((bias * 2.0**-layer.shift).astype(np.float32))
        return biases

    @cached_property
    def alone(self) -> Outputs:
        """int32[pixels, 1 + 3K]: what a pixel's value is expected to be while all its neighbours are 0."""
        pixels, nothing = np.arange(len(self.biases[0])), np.empty((_CHUNK, 0), np.uint8)
        parts = (pixels[first : first + _CHUNK] for first in range(0, len(pixels), _CHUNK))
        return np.concatenate([self._outputs(nothing[: len(part)], part) for part in parts])

    def outputs(self, canvases: Pixels, starts: Indices, values: Indices) -> Outputs:
        """int32[n, 1 + 3K] for n values: flat canvases, where in them the value's image starts, and its number."""
        pixels = values // self.neighbourhood.image_shape[2]
        outputs = self.alone[pixels]
        for first in range(0, len(values), _CHUNK):
            chunk = slice(first, first + _CHUNK)
            around = canvases.take(self._taps[values[chunk]] + starts[chunk, None])
            some = np.flatnonzero(around.any(1))
            if len(some):
                outputs[first + some] = self._outputs(around[some], pixels[chunk][some])
        return outputs

    def _outputs(self, around: Pixels, pixels: Indices) -> Outputs:
        """Of values of some pixels, given their neighbours, of which those that are left out at the end are 0."""
        x = around.astype(np.float32)
        h = x
        for number, bias in enumerate(self.biases):
            last = number == len(self.layers) - 1
            h = h @ self.weights[number][: h.shape[1]]
            if last:
                h += x @ self.weights[number + 1][: x.shape[1]]
            h += bias[pixels] if bias.ndim == 2 else bias
            np.floor(h, out=h)
            np.clip(h, self._least if last else 0, self._largest if last else self.high, out=h)
        return h.astype(np.int32)


class ChannelNetworks:
    """The networks of images of several channels, one for each, which go by the same neighbourhood.

    Raises MisfitNetwork.
    """

    def __init__(self, networks: tuple[CausalNetwork, ...]) -> None:
        self.networks, self.neighbourhood = networks, networks[0].neighbourhood
        channels = self.neighbourhood.image_shape[2]
        kinds = {(network.neighbourhood, network.components, network.high) for network in networks}
        if len(networks) != channels or len(kinds) > 1:
            raise MisfitNetwork(f"{channels} channels have as many networks, alike in what they take and give")

    def outputs(self, canvases: Pixels, starts: Indices, values: Indices) -> Outputs:
        """As those of one network: each value's by the network of its channel."""
        channels = values % len(self.networks)
        outputs = np.empty((len(values), 1 + 3 * self.networks[0].components), np.int32)
        for channel, network in enumerate(self.networks):
            mine = np.flatnonzero(channels == channel)
            if len(mine):
                outputs[mine] = network.outputs(canvases, starts[mine], values[mine])
        return outputs


Networks = CausalNetwork | ChannelNetworks


def joined(networks: tuple[CausalNetwork, ...]) -> Networks:
    """The networks of all channels as one."""
    return networks[0] if len(networks) == 1 else ChannelNetworks(networks)
