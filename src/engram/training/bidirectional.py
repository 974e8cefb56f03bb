"""Stochastic bidirectional training: each batch goes through the network one way or the other, as drawn (ref. 9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import numpy as np
import torch
from torch import Tensor

from engram.networks.bidirectional import BidirectionalAutoencoder
from engram.training.steps import Step


@final
class BidirectionalStep(Step):
    """Steps of any kind, forwards or backwards as (seed, number of the step) draws it; the loss is of that way."""

    def __init__(self, network: BidirectionalAutoencoder, step: Step, seed: int) -> None:
        self.network, self.step, self.seed, self.done = network, step, seed, 0

    def __call__(self, inputs: Tensor, targets: Tensor) -> Tensor:
        self.network.backwards = bool(np.random.default_rng((self.seed, self.done)).integers(2))
        try:
            loss = self.step(inputs, targets)
        finally:
            self.network.backwards = False
        self.done += 1
        return loss

    def state(self) -> dict[str, Tensor]:
        return {"done": torch.tensor(self.done)} | self.step.state()

    def restore(self, state: Mapping[str, Tensor]) -> None:
        rest = dict(state)
        self.done = int(rest.pop("done"))
        self.step.restore(rest)
