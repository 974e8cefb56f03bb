"""The state of a training on disk, so that a kill costs at most the last two seconds."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from safetensors.torch import save as emit
from torch import Tensor, nn

from engram.files import replacing_file
from engram.images import ImageSet
from engram.training.errors import CorruptCheckpoint, ForeignCheckpoint
from engram.training.recipe import Recipe
from engram.training.steps import Step

INTERVAL_SECONDS = 2.0


class Checkpoint:
    """Weights, optimiser state and history of one training in one safetensors file, replaced atomically.

    The file names the training it belongs to: network, recipe, seed and the fingerprint of the images.
    """

    def __init__(self, path: Path, network: nn.Module, recipe: Recipe, seed: int, images: ImageSet) -> None:
        self.path = path
        self.identity = json.dumps(
            {
                "network": repr(network),
                "options": getattr(network, "options", {}),
                "recipe": asdict(recipe),
                "seed": seed,
                "images": images.fingerprint(),
            },
            sort_keys=True,
        )
        self.epochs = recipe.epochs
        self.written = -math.inf  # the first epoch is written: a place that cannot be written shows at once

    def restore(self, network: nn.Module, step: Step) -> tuple[list[float], list[float]]:
        """The losses and seconds of the epochs already done, none without a file; network and step are set to them."""
        if not self.path.exists():
            return [], []
        try:
            with safe_open(self.path, framework="pt") as file:
                facts = file.metadata() or {}
            tensors = load_file(self.path)
            history = json.loads(facts["history"])
            losses, seconds = list(map(float, history["losses"])), list(map(float, history["seconds"]))
        except (SafetensorError, KeyError, ValueError, TypeError) as error:
            raise CorruptCheckpoint(
                f"{self.path} is not a whole checkpoint ({error}); delete it to start again"
            ) from error
        if facts.get("identity") != self.identity:
            raise ForeignCheckpoint(
                f"{self.path} belongs to another training (method, settings, seed or images differ); "
                "delete it, or write the model under another name"
            )
        network.load_state_dict(_under("network.", tensors))
        step.restore(_under("step.", tensors))
        return losses, seconds

    def keep(self, network: nn.Module, step: Step, losses: list[float], seconds: list[float]) -> None:
        """Write the state after an epoch, unless the last was written less than INTERVAL_SECONDS ago."""
        now = time.monotonic()
        if len(losses) < self.epochs and now - self.written < INTERVAL_SECONDS:
            return
        tensors = {f"network.{name}": value.contiguous() for name, value in network.state_dict().items()}
        tensors |= {f"step.{name}": value for name, value in step.state().items()}
        facts = {"identity": self.identity, "history": json.dumps({"losses": losses, "seconds": seconds})}
        with replacing_file(self.path) as file:
            file.write(emit(tensors, facts))
        self.written = now


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
