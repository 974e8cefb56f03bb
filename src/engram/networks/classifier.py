"""The classifier of paper 2.3, which judges recovered images.

1 x 28 x 28 -> 10 x 24 x 24 -> pool 12 x 12 -> 20 x 8 x 8 -> pool 4 x 4 -> fully connected, 10 classes
"""

from __future__ import annotations

from typing import final

from torch import Tensor, nn
from torch.nn import functional

from engram import layers
from engram.networks.description import set_parameters, to_array


@final
class Classifier(nn.Module):
    """Scores (logits) float32[n, classes] of images float32[n, c, h, w]: two convolutions 5 x 5, two max poolings.

    Sides below 16 pixels are padded to 16 by repeating the last row and column, the least that two such stages take.
    """

    method = "classifier"

    def __init__(self, image_shape: tuple[int, int, int], classes: int = 10) -> None:
        super().__init__()
        height, width, channels = image_shape
        self.image_shape = image_shape
        self.classes = classes
        self.padded = (max(16, height), max(16, width))
        self.first = nn.Conv2d(channels, 10, 5)
        self.second = nn.Conv2d(10, 20, 5)
        rows, columns = (((side - 4) // 2 - 4) // 2 for side in self.padded)
        self.output = nn.Linear(20 * rows * columns, classes)

    def forward(self, images: Tensor) -> Tensor:
        height, width, _ = self.image_shape
        if self.padded != (height, width):
            images = functional.pad(images, (0, self.padded[1] - width, 0, self.padded[0] - height), mode="replicate")
        # max pooling before ReLU gives the same values as after it, for a quarter of the work
        hidden = functional.max_pool2d(self.first(images), 2).relu()
        hidden = functional.max_pool2d(self.second(hidden), 2).relu()
        scores: Tensor = self.output(hidden.flatten(1))
        return scores

    def describe(self) -> layers.Network:
        """The network as plain data; it has no synthesis."""
        height, width, _ = self.image_shape
        assert self.first.bias is not None
        assert self.second.bias is not None
        return layers.Network(
            self.method,
            self.image_shape,
            analysis=(
                *([layers.Pad(*self.padded)] if self.padded != (height, width) else []),
                layers.Convolution(to_array(self.first.weight), to_array(self.first.bias), 1, 0, "relu"),
                layers.MaxPooling(2, 2),
                layers.Convolution(to_array(self.second.weight), to_array(self.second.bias), 1, 0, "relu"),
                layers.MaxPooling(2, 2),
                layers.Reshape((self.output.in_features,)),
                layers.Dense(to_array(self.output.weight.t()), to_array(self.output.bias), "none"),
            ),
        )

    def absorb(self, network: layers.Network) -> None:
        """Take the weights of a description that `describe` of an equal network gave."""
        *convolutions, dense = (layer for layer in network.analysis if layer.parameters)
        set_parameters(tuple(convolutions), *self.first.parameters(), *self.second.parameters())
        set_parameters((dense,), self.output.weight.t(), self.output.bias)

    @property
    def options(self) -> dict[str, int]:
        """What the constructor took beside the image shape."""
        return {"classes": self.classes}
