"""Training with quantisation in the loop: the network learns to live with the whole numbers its code will be."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from engram.codecs.freeze import fit_quantiser
from engram.errors import UsageError
from engram.images import ImageSet
from engram.models import Model
from engram.networks.autoassociative import AutoAssociative
from engram.networks.registry import restore
from engram.training.distributed import batch_mean
from engram.training.fit import Progress
from engram.training.loop import train
from engram.training.recipe import Recipe

ROUNDS = 4
"""How often the steps are fitted anew to what the code has become."""


@final
class Quantised(AutoAssociative):
    """A network whose code is rounded to steps on its way, with the gradient passed through as if it were not.

    A step is a fixed share of its unit's spread over the batch, so no unit escapes its rounding by growing.
    """

    method = "quantised"
    shares: Tensor
    offsets: Tensor

    def __init__(self, network: AutoAssociative, shares: Tensor, offsets: Tensor) -> None:
        super().__init__(network.image_shape)
        self.network = network
        self.register_buffer("shares", shares)
        self.register_buffer("offsets", offsets)

    def analysis(self, images: Tensor) -> Tensor:
        code = self.network.analysis(images)
        flat = code.flatten(1) - self.offsets
        steps = self.shares * batch_mean(flat.square()).sqrt().clamp_min(1e-6)
        rounded = flat / steps
        rounded = rounded + (rounded.round() - rounded).detach()
        return (rounded * steps + self.offsets).reshape(code.shape)

    def synthesis(self, code: Tensor) -> Tensor:
        return self.network.synthesis(code)

    def describe(self) -> Any:
        return self.network.describe()

    def absorb(self, network: Any) -> None:
        self.network.absorb(network)


def fit_quantised(
    model: Model,
    images: ImageSet,
    bits: float,
    *,
    epochs: int = 40,
    learning_rate: float = 1e-3,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Model:
    """The model trained on, by Adam, for a code of `bits` a unit in the mean; its facts say so.

    Raises UsageError for a model without a code, and for images that do not fit it.
    """
    network = restore(model)
    if not isinstance(network, AutoAssociative):
        raise UsageError(f"{model.network.method} has no code to quantise")
    if epochs < ROUNDS:
        raise UsageError(f"training with quantisation takes at least {ROUNDS} epochs, not {epochs}")
    recipe = Recipe(epochs // ROUNDS, "adam", learning_rate)
    losses: list[float] = []
    for turn in range(ROUNDS):
        quantiser = fit_quantiser(network.describe(), images, bits=bits)
        codes = _codes(network, images)
        offsets = torch.from_numpy(quantiser.offsets)
        spread = (codes - offsets).square().mean(0).sqrt().clamp_min(1e-6)
        shares = torch.from_numpy(quantiser.steps) / spread
        wrapped = Quantised(network, shares.float(), offsets.float())
        rate = replace(recipe, learning_rate=learning_rate * (1 - turn / ROUNDS))
        losses += train(wrapped, images, rate, seed + 1 + turn, device=device).losses
        network.cpu()
        if progress is not None:
            progress(len(losses), ROUNDS * recipe.epochs)
    facts = model.facts | {"quantised": asdict(recipe) | {"bits": bits, "rounds": ROUNDS, "losses": losses}}
    return Model(network.describe(), facts)


@torch.no_grad()
def _codes(network: AutoAssociative, images: ImageSet) -> Tensor:
    """float64[n, units] of up to 2,000 images."""
    from engram.networks.running import to_tensor

    sample = images.images[:: -(-len(images) // 2000)]
    return network.analysis(to_tensor(np.ascontiguousarray(sample))).flatten(1).double()
