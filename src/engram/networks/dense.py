"""`ann`: the fully connected auto-associative network of paper 2.2.2, 784-400-784 with sigmoid units."""

from __future__ import annotations

from typing import final

from engram.networks.fully_connected import TwoMatrices


@final
class DenseAutoencoder(TwoMatrices):
    """Two matrices, one for each direction."""

    method = "ann"
