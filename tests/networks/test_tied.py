"""Weight sharing: one matrix, whose gradient is the sum of both uses (paper 2.2.3)."""

from __future__ import annotations

import torch

from engram.networks.dense import DenseAutoencoder
from engram.networks.registry import make


def test_one_matrix_is_stored() -> None:
    assert [tuple(p.shape) for p in make("tied", (4, 4, 1), hidden=3).parameters()] == [(3,), (16,), (16, 3)]


def test_its_gradient_is_the_sum_of_both_uses() -> None:
    tied, dense = make("tied", (4, 4, 1), hidden=3), make("ann", (4, 4, 1), hidden=3)
    assert isinstance(dense, DenseAutoencoder)
    dense.absorb(tied.describe())
    images = torch.rand(5, 1, 4, 4)
    for network in (tied, dense):
        torch.nn.functional.mse_loss(network(images), images).backward()
    assert dense.analysis_weight.grad is not None
    assert dense.synthesis_weight.grad is not None
    both = dense.analysis_weight.grad + dense.synthesis_weight.grad.t()
    torch.testing.assert_close(tied.weight.grad, both)
    assert not torch.allclose(both, dense.analysis_weight.grad)
