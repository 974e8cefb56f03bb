"""`sparse`: the auto-associative network of paper 2.2.2 with a code that is mostly near 0 (paper 1, ref. 4)."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor

from engram.errors import UsageError
from engram.networks.fully_connected import TwoMatrices


@final
class SparseAutoencoder(TwoMatrices):
    """Training pays for each unit whose mean activation is not `sparsity`.

    As in Ng's notes a squared error's half, summed over the pixels, is joined by weight * SUM KL(sparsity || mean of a
    unit); his decay of weights is left out, and the mean is over a batch, not over all images. Raises UsageError
    unless 0 < sparsity < 1 and weight >= 0.
    """

    method = "sparse"

    def __init__(
        self, image_shape: tuple[int, int, int], sparsity: float = 0.05, weight: float = 0.1, **options: Any
    ) -> None:
        super().__init__(image_shape, **options)
        if not 0 < sparsity < 1 or not weight >= 0:
            raise UsageError(f"sparsity lies between 0 and 1, its weight is 0 or more; not {sparsity} and {weight}")
        self.sparsity, self.weight = sparsity, weight

    def penalty(self, code: Tensor) -> Tensor:
        """What a batch's code costs, in the unit of the mean squared error of a pixel."""
        wanted, mean = self.sparsity, _inside(code.mean(0))
        divergence = wanted * torch.log(wanted / mean) + (1 - wanted) * torch.log((1 - wanted) / (1 - mean))
        return 2 * self.weight / self.pixels * divergence.sum()

    def penalty_slope(self, code: Tensor) -> Tensor:
        """float32[hidden], the penalty's derivative by each of a unit's activations, times half their pixels."""
        wanted, mean = self.sparsity, _inside(code.mean(0))
        return self.weight * ((1 - wanted) / (1 - mean) - wanted / mean)

    @property
    def options(self) -> dict[str, Any]:
        return super().options | {"sparsity": self.sparsity, "weight": self.weight}


def _inside(mean: Tensor) -> Tensor:
    """A mean activation whose logarithms are finite."""
    return mean.clamp(1e-6, 1 - 1e-6)
