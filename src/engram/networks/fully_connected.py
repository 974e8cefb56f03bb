"""What `ann`, `tied`, `sparse` and `bidirectional` have in common: pixels - hidden - pixels (paper 2.2.2, 2.2.3)."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from engram import layers
from engram.errors import UsageError
from engram.layers import Activation
from engram.networks.autoassociative import AutoAssociative
from engram.networks.description import set_parameters, to_array


class FullyConnected(AutoAssociative):
    """code = sigmoid(x A + a), output = sigmoid(code B + b), with x the image as one row of c * h * w numbers.

    output="none" leaves out the last sigmoid: an alternative that the paper does not name, for comparison.
    Matrices are [inputs, outputs]. Weights and biases start uniform in +-1 / sqrt(inputs) of their layer.
    """

    shares_weight = False

    def __init__(self, image_shape: tuple[int, int, int], hidden: int = 400, output: Activation = "sigmoid") -> None:
        super().__init__(image_shape)
        height, width, channels = image_shape
        if hidden < 1:
            raise UsageError(f"a code has at least one number, not {hidden}")
        self.pixels = height * width * channels
        self.hidden = hidden
        self.output = output
        self.analysis_bias = uniform(self.pixels, (hidden,))
        self.synthesis_bias = uniform(hidden, (self.pixels,))

    @property
    @abstractmethod
    def analysis_matrix(self) -> Tensor:
        """A, float32[pixels, hidden]."""

    @property
    @abstractmethod
    def synthesis_matrix(self) -> Tensor:
        """B, float32[hidden, pixels]."""

    def analysis(self, images: Tensor) -> Tensor:
        return torch.addmm(self.analysis_bias, images.flatten(1), self.analysis_matrix).sigmoid()

    def synthesis(self, code: Tensor) -> Tensor:
        height, width, channels = self.image_shape
        rows = torch.addmm(self.synthesis_bias, code, self.synthesis_matrix)
        if self.output == "sigmoid":
            rows = rows.sigmoid()
        return rows.reshape(-1, channels, height, width)

    def describe(self) -> layers.Network:
        height, width, channels = self.image_shape
        synthesis = to_array(self.synthesis_matrix), to_array(self.synthesis_bias)
        return layers.Network(
            self.method,
            self.image_shape,
            analysis=(
                layers.Reshape((self.pixels,)),
                layers.Dense(to_array(self.analysis_matrix), to_array(self.analysis_bias), "sigmoid"),
            ),
            synthesis=(
                layers.Dense(*synthesis, self.output, self.shares_weight),
                layers.Reshape((channels, height, width)),
            ),
        )

    @property
    def options(self) -> dict[str, Any]:
        return {"hidden": self.hidden, "output": self.output}


class TwoMatrices(FullyConnected):
    """Of the fully connected ones those with a matrix for each side of the code."""

    def __init__(self, image_shape: tuple[int, int, int], **options: Any) -> None:
        super().__init__(image_shape, **options)
        self.analysis_weight = uniform(self.pixels, (self.pixels, self.hidden))
        self.synthesis_weight = uniform(self.hidden, (self.hidden, self.pixels))

    @property
    def analysis_matrix(self) -> Tensor:
        return self.analysis_weight

    @property
    def synthesis_matrix(self) -> Tensor:
        return self.synthesis_weight

    def absorb(self, network: layers.Network) -> None:
        set_parameters(network.analysis, self.analysis_weight, self.analysis_bias)
        set_parameters(network.synthesis, self.synthesis_weight, self.synthesis_bias)


def uniform(inputs: int, shape: tuple[int, ...]) -> nn.Parameter:
    """A parameter drawn uniformly from +-1 / sqrt(inputs)."""
    return nn.Parameter((torch.rand(shape) * 2 - 1) / inputs**0.5)
