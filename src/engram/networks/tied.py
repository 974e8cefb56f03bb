"""`tied`: the auto-associative network with shared weights of paper 2.2.3."""

from __future__ import annotations

from typing import Any, final

from torch import Tensor

from engram.layers import Network
from engram.networks.description import set_parameters
from engram.networks.fully_connected import FullyConnected, uniform


@final
class TiedAutoencoder(FullyConnected):
    """One matrix, used forwards and transposed: stored once, its gradient is the sum of both uses."""

    method = "tied"
    shares_weight = True

    def __init__(self, image_shape: tuple[int, int, int], **options: Any) -> None:
        super().__init__(image_shape, **options)
        self.weight = uniform(self.pixels, (self.pixels, self.hidden))

    @property
    def analysis_matrix(self) -> Tensor:
        return self.weight

    @property
    def synthesis_matrix(self) -> Tensor:
        return self.weight.t()

    def absorb(self, network: Network) -> None:
        set_parameters(network.synthesis[:1], self.weight.t(), self.synthesis_bias)
        set_parameters(network.analysis, self.weight, self.analysis_bias)
