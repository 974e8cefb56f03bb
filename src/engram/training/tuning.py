"""Training on: a network of which units or weights were taken learns to live with what is left."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch

from engram.errors import UsageError
from engram.images import ImageSet
from engram.layers import Network
from engram.models import Model
from engram.networks.autoassociative import AutoAssociative
from engram.networks.registry import make
from engram.training.loop import train
from engram.training.recipe import Recipe

TUNING = Recipe(epochs=5, optimiser="adam", learning_rate=1e-3, batch_size=256, precision="bfloat16")


def tune(
    network: Network,
    images: ImageSet,
    options: dict[str, Any] | None = None,
    *,
    recipe: Recipe = TUNING,
    seed: int = 0,
    device: str = "cpu",
) -> Model:
    """The model of the network trained on; weights that are 0 stay 0, so what was pruned stays pruned.

    options: what the network's method was made with, beside the numbers in a fully connected code, which the network
    says itself. Raises UsageError for a network that is not auto-associative.
    """
    options = dict(options or {})
    if network.method in ("ann", "tied", "sparse", "bidirectional"):
        options["hidden"] = network.code_numbers
    module = make(network.method, network.image_shape, seed, **options)
    if not isinstance(module, AutoAssociative):
        raise UsageError(f"{network.method} returns no images to be tuned by")
    module.absorb(network)
    module.to(device)
    kept = [(weight, weight.detach() != 0) for weight in module.parameters() if weight.ndim > 1]
    pruned = [(weight, mask) for weight, mask in kept if not mask.all()]

    @torch.no_grad()
    def keep_zeros() -> None:
        for weight, mask in pruned:
            weight.mul_(mask)

    history = train(module, images, recipe, seed, device=device, after_step=keep_zeros if pruned else None)
    facts = {
        "options": module.options,
        "recipe": asdict(recipe),
        "seed": seed,
        "images": len(images),
        "images_sha256": images.fingerprint(),
        "class_names": list(images.class_names),
        "losses": history.losses,
        "epoch_seconds": history.seconds,
    }
    return Model(module.describe(), facts)
