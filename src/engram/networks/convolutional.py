"""`cnn`: the convolutional autoencoder of paper 2.2.1.

    1 x 28 x 28 -> 25 x 10 x 10 -> pool 5 x 5 -> 10 x 3 x 3 -> pool 2 x 2        the code, 40 numbers
    10 x 2 x 2 -> 25 x 5 x 5 -> 10 x 15 x 15 -> 1 x 28 x 28                      three transposed convolutions

The paper gives the kernels of the two convolutions (25 and 10 of 3 x 3), the pooling (2 x 2, max), the sizes at both
ends (28 x 28, 2 x 2), and that two transposed convolutions have 25 and 10 kernels. The rest is ours: strides 3 and 2
down, 2 and 3 back, kernels of 3 x 3 there too, and an output layer of 2 x 2 with stride 2. It leads from 28 to 2 and
back without a crop. (A fourth layer of 5 x 5 with padding, the other way to 15, is slower and worse: LOG.md.)
"""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from engram import layers
from engram.errors import UsageError
from engram.networks.autoassociative import AutoAssociative
from engram.networks.description import described, set_parameters


@final
class ConvolutionalAutoencoder(AutoAssociative):
    """Two convolutions with max pooling down to a code of 10 x k x l; ReLU inside, sigmoid at the output.

    An image whose sides are not of the form 12 k + 4 (16, 28, 40, ...) is padded up to the next by repeating its last
    row and column, and the output is cropped: k and l are the side of the code, 2 for 28 pixels.

    first_stride=2 scans the image more densely (28 -> 13 -> 6 -> 3 -> 2): an alternative for comparison, which fits
    sides up to 28. Raises UsageError where the geometry does not come out.
    """

    method = "cnn"

    def __init__(self, image_shape: tuple[int, int, int], first_stride: int = 3) -> None:
        super().__init__(image_shape)
        height, width, channels = image_shape
        if first_stride not in (2, 3) or (first_stride == 2 and max(height, width) > 28):
            raise UsageError(
                f"cnn has a first stride of 3, or of 2 up to 28 x 28 pixels; not {first_stride} at {height} x {width}"
            )
        self.first_stride = first_stride
        self.padded = tuple(12 * max(1, -(-(side - 4) // 12)) + 4 for side in (height, width))
        self.first = nn.Conv2d(channels, 25, 3, stride=first_stride, padding=first_stride - 2)
        self.second = nn.Conv2d(25, 10, 3, stride=2, padding=1)
        self.third = nn.ConvTranspose2d(10, 25, 3, stride=2)
        self.fourth = nn.ConvTranspose2d(25, 10, 3, stride=3)
        self.output = nn.ConvTranspose2d(10, channels, 2, stride=2, padding=1)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def analysis(self, images: Tensor) -> Tensor:
        height, width, _ = self.image_shape
        if self.padded != (height, width):
            images = functional.pad(images, (0, self.padded[1] - width, 0, self.padded[0] - height), mode="replicate")
        # max pooling before ReLU gives the same values as after it, for a quarter of the work
        hidden = functional.max_pool2d(self.first(images), 2).relu()
        code: Tensor = functional.max_pool2d(self.second(hidden), 2, stride=1).relu()
        return code

    def synthesis(self, code: Tensor) -> Tensor:
        height, width, _ = self.image_shape
        hidden = self.fourth(self.third(code).relu()).relu()
        images: Tensor = self.output(hidden).sigmoid()
        return images[:, :, :height, :width]

    def describe(self) -> layers.Network:
        height, width, _ = self.image_shape
        return layers.Network(
            self.method,
            self.image_shape,
            analysis=(
                *([layers.Pad(*self.padded)] if self.padded != (height, width) else []),
                described(self.first, "relu"),
                layers.MaxPooling(2, 2),
                described(self.second, "relu"),
                layers.MaxPooling(2, 1),
            ),
            synthesis=(
                described(self.third, "relu"),
                described(self.fourth, "relu"),
                described(self.output, "sigmoid"),
                *([layers.Crop(height, width)] if self.padded != (height, width) else []),
            ),
        )

    def absorb(self, network: layers.Network) -> None:
        parts = self.first, self.second, self.third, self.fourth, self.output
        parameters = [parameter for part in parts for parameter in part.parameters()]
        set_parameters(network.analysis + network.synthesis, *parameters)

    @property
    def options(self) -> dict[str, Any]:
        return {"first_stride": self.first_stride}
