"""`stacked`: a convolutional autoencoder of one to four convolutions (paper 4.2: how many should there be?).

    depth 3:   1 x 28 x 28 -> pad 32 -> 16 x 16 x 16 -> 32 x 8 x 8 -> 8 x 4 x 4                         the code
               8 x 4 x 4 -> 32 x 8 x 8 -> 16 x 16 x 16 -> 1 x 32 x 32 -> crop 28                        the mirror

Every convolution halves the sides (3 x 3, stride 2), every transposed one doubles them (4 x 4, stride 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from engram import layers
from engram.errors import UsageError
from engram.networks.autoassociative import AutoAssociative
from engram.networks.description import described_stack, set_parameters, tensors_of

CHANNELS = 16, 32, 64
"""Of the hidden layers, from the pixels on."""


@final
class StackedAutoencoder(AutoAssociative):
    """`depth` strided convolutions down to a linear code of code_channels, and the mirror back; ReLU, sigmoid pixels.

    Sides that are no multiple of 2^depth are padded up to one by repeating the last row and column, and the output is
    cropped. Raises UsageError for another depth than 1 to 4, or no channel.
    """

    method = "stacked"

    def __init__(self, image_shape: tuple[int, int, int], depth: int = 3, code_channels: int = 8) -> None:
        super().__init__(image_shape)
        height, width, channels = image_shape
        if not 1 <= depth <= 4 or code_channels < 1:
            raise UsageError(
                f"stacked has 1 to 4 convolutions and at least 1 channel in its code, not {depth} and {code_channels}"
            )
        self.depth, self.code_channels = depth, code_channels
        self.padded = height + -height % 2**depth, width + -width % 2**depth
        sizes = [channels, *CHANNELS[: depth - 1], code_channels]
        self.down = _rectified([nn.Conv2d(*both, 3, stride=2, padding=1) for both in pairwise(sizes)])
        self.up = _rectified([nn.ConvTranspose2d(*both, 4, stride=2, padding=1) for both in pairwise(sizes[::-1])])
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def analysis(self, images: Tensor) -> Tensor:
        height, width, _ = self.image_shape
        if self.padded != (height, width):
            images = functional.pad(images, (0, self.padded[1] - width, 0, self.padded[0] - height), mode="replicate")
        code: Tensor = self.down(images)
        return code

    def synthesis(self, code: Tensor) -> Tensor:
        height, width, _ = self.image_shape
        images: Tensor = self.up(code).sigmoid()
        return images[:, :, :height, :width]

    def describe(self) -> layers.Network:
        height, width, _ = self.image_shape
        fits = self.padded == (height, width)
        return layers.Network(
            self.method,
            self.image_shape,
            analysis=(*([] if fits else [layers.Pad(*self.padded)]), *described_stack(self.down, "none")),
            synthesis=(*described_stack(self.up, "sigmoid"), *([] if fits else [layers.Crop(height, width)])),
        )

    def absorb(self, network: layers.Network) -> None:
        set_parameters(network.analysis + network.synthesis, *tensors_of(self.down), *tensors_of(self.up))

    @property
    def options(self) -> dict[str, Any]:
        return {"depth": self.depth, "code_channels": self.code_channels}


def _rectified(parts: Sequence[nn.Module]) -> nn.Sequential:
    """The parts with a rectifier between each two."""
    return nn.Sequential(*[module for part in parts for module in (part, nn.ReLU())][:-1])
