"""What the paper's networks have in common: an image goes in, a code lies in the middle, the image comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn

from engram.layers import Network


class AutoAssociative(nn.Module, ABC):
    """A network trained to return its input through a code smaller than the image (paper 2.2).

    Images are float32[n, c, h, w] in [0, 1]; the code's shape is the subclass's.
    """

    method: ClassVar[str]

    def __init__(self, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.image_shape = image_shape

    @abstractmethod
    def analysis(self, images: Tensor) -> Tensor:
        """The code, float32[n, *code_shape]."""

    @abstractmethod
    def synthesis(self, code: Tensor) -> Tensor:
        """The images that a code stands for, float32[n, c, h, w] in [0, 1]."""

    def forward(self, images: Tensor) -> Tensor:
        return self.synthesis(self.analysis(images))

    @abstractmethod
    def describe(self) -> Network:
        """The network as plain data, with NumPy copies of its weights."""

    @abstractmethod
    def absorb(self, network: Network) -> None:
        """Take the weights of a description that `describe` of an equal network gave."""

    @property
    def options(self) -> dict[str, Any]:
        """What the constructor took beside the image shape."""
        return {}
