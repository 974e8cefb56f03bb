"""`ann`: the fully connected auto-associative network of paper 2.2.2, 784-400-784 with sigmoid units."""

from __future__ import annotations

from typing import Any, final

from torch import Tensor

from engram.layers import Network
from engram.networks.description import set_parameters
from engram.networks.fully_connected import FullyConnected, uniform


@final
class DenseAutoencoder(FullyConnected):
    """Two matrices, one for each direction."""

    method = "ann"

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

    def absorb(self, network: Network) -> None:
        set_parameters(network.analysis, self.analysis_weight, self.analysis_bias)
        set_parameters(network.synthesis, self.synthesis_weight, self.synthesis_bias)
