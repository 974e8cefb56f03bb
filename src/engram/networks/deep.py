"""`deep`: a deep auto-associative network, a stack of dense layers on each side of the code (paper 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, final

from torch import Tensor, nn

from engram import layers
from engram.errors import UsageError
from engram.networks.autoassociative import AutoAssociative
from engram.networks.description import described_stack, set_parameters, tensors_of

WIDTHS = 512, 128, 32


@final
class DeepAutoencoder(AutoAssociative):
    """pixels - 512 - 128 - 32 - 128 - 512 - pixels: behind the code the layers are mirrored, with their own weights.

    `widths` leads from the pixels to the code. Hidden layers are rectified, the code is linear, pixels are sigmoids.
    Raises UsageError for no layer, or one of no numbers.
    """

    method = "deep"

    def __init__(self, image_shape: tuple[int, int, int], widths: Sequence[int] = WIDTHS) -> None:
        super().__init__(image_shape)
        height, width, channels = image_shape
        if not widths or min(widths) < 1:
            raise UsageError(f"a deep network has layers, each of at least one number; not widths of {list(widths)}")
        self.widths = list(widths)
        sizes = [height * width * channels, *widths]
        self.down, self.up = _stack(sizes), _stack(sizes[::-1])

    def analysis(self, images: Tensor) -> Tensor:
        code: Tensor = self.down(images.flatten(1))
        return code

    def synthesis(self, code: Tensor) -> Tensor:
        height, width, channels = self.image_shape
        rows: Tensor = self.up(code).sigmoid()
        return rows.reshape(-1, channels, height, width)

    def describe(self) -> layers.Network:
        height, width, channels = self.image_shape
        return layers.Network(
            self.method,
            self.image_shape,
            analysis=(layers.Reshape((height * width * channels,)), *described_stack(self.down, "none")),
            synthesis=(*described_stack(self.up, "sigmoid"), layers.Reshape((channels, height, width))),
        )

    def absorb(self, network: layers.Network) -> None:
        set_parameters(network.analysis + network.synthesis, *tensors_of(self.down), *tensors_of(self.up))

    @property
    def options(self) -> dict[str, Any]:
        return {"widths": self.widths}


def _stack(sizes: Sequence[int]) -> nn.Sequential:
    """A linear layer between each two sizes, rectifiers between these; variances pass through as they come."""
    modules: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        linear = nn.Linear(inputs, outputs)
        nn.init.kaiming_uniform_(linear.weight, nonlinearity="relu")
        nn.init.zeros_(linear.bias)
        modules += [linear, nn.ReLU()]
    return nn.Sequential(*modules[:-1])
