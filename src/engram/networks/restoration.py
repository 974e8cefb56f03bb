"""A restoration: what a pixel code of a coarse step gives back, corrected by a small convolutional network.

It sees gray levels 0, step, 2 step, ... and says by how much each should be moved; images of any size. (Ours; the
paper has none.)
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from engram import layers
from engram.errors import UsageError
from engram.networks.autoassociative import AutoAssociative
from engram.networks.description import set_parameters, to_array

KERNEL = 3
LARGEST_WIDTH, LARGEST_DEPTH = 256, 8


@final
class RestorationNetwork(AutoAssociative):
    """width: channels of the hidden convolutions. depth: convolutions in all. max_error: of the pixel code, 1 to 63."""

    method = "restoration"

    def __init__(self, image_shape: tuple[int, int, int], width: int = 24, depth: int = 3, max_error: int = 8) -> None:
        super().__init__(image_shape)
        if not (1 <= width <= LARGEST_WIDTH and 2 <= depth <= LARGEST_DEPTH and 1 <= max_error <= 63):
            raise UsageError(
                f"a restoration takes a width of 1 to {LARGEST_WIDTH}, a depth of 2 to {LARGEST_DEPTH} "
                "and a max_error of 1 to 63"
            )
        self._options = {"width": width, "depth": depth, "max_error": max_error}
        self.max_error = max_error
        widths = [image_shape[2], *[width] * (depth - 1), image_shape[2]]
        self.layers = nn.ModuleList(
            nn.Conv2d(taken, made, KERNEL, padding=KERNEL // 2) for taken, made in pairwise(widths)
        )
        for parameter in self.layers[-1].parameters():
            nn.init.zeros_(parameter)  # it starts by changing nothing

    @property
    def options(self) -> dict[str, Any]:
        return self._options

    def analysis(self, images: Tensor) -> Tensor:
        """The images as the pixel code gives them back."""
        step = 2 * self.max_error + 1
        symbols = torch.div(images * 255 + self.max_error + 0.5, step).floor()
        return (symbols * step).clamp_max(255) / 255

    def synthesis(self, code: Tensor) -> Tensor:
        """What the pixel code gave back, changed by at most max_error where the network is no longer trained."""
        change = self.changes(code)
        largest = self.max_error / 255
        return (code + (change if self.training else change.clamp(-largest, largest))).clamp(0, 1)

    def changes(self, coded: Tensor) -> Tensor:
        """float32[n, c, h, w] to be added to images that a pixel code gave back."""
        *hidden, last = self.layers
        x = coded
        for layer in hidden:
            x = functional.relu(layer(x))
        made: Tensor = last(x)
        return made

    def describe(self) -> layers.Network:
        found = [layer for layer in self.layers if isinstance(layer, nn.Conv2d)]
        made = []
        for layer in found:
            assert layer.bias is not None
            activation: layers.Activation = "none" if layer is found[-1] else "relu"
            made.append(layers.Convolution(to_array(layer.weight), to_array(layer.bias), 1, KERNEL // 2, activation))
        return layers.Network(self.method, self.image_shape, (), tuple(made))

    def absorb(self, network: layers.Network) -> None:
        set_parameters(network.synthesis, *self.parameters())
