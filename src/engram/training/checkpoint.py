"""The state of a training on disk, so that a kill costs at most the last two seconds."""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as parse
from safetensors.torch import save as emit
from torch import Tensor, nn

from engram.files import replacing_file
from engram.images import ImageSet
from engram.training.distributed import world
from engram.training.errors import CorruptCheckpoint, ForeignCheckpoint
from engram.training.recipe import Recipe
from engram.training.steps import Step

INTERVAL_SECONDS = 2.0


class Checkpoint:
    """Weights, optimiser state and history of one training in one safetensors file, replaced atomically.

    The file names the training it belongs to (`identity_of`). The first rank alone reads and writes it.
    """

    def __init__(self, path: Path, identity: dict[str, Any], epochs: int) -> None:
        self.path, self.identity, self.epochs = path, json.dumps(identity, sort_keys=True), epochs
        self.written = -math.inf  # the first epoch is written: a place that cannot be written shows at once

    def restore(self, network: nn.Module, step: Step) -> tuple[list[float], list[float]]:
        """The losses and seconds of the epochs already done, none without a file; network and step are set to them."""
        data = world().from_first(self.path.read_bytes() if world().is_first and self.path.exists() else None)
        if data is None:
            return [], []
        try:
            tensors = parse(data)
            facts = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
            history = json.loads(facts["history"])
            losses, seconds = list(map(float, history["losses"])), list(map(float, history["seconds"]))
        except (SafetensorError, KeyError, ValueError, TypeError) as error:
            raise CorruptCheckpoint(
                f"{self.path} is not a whole checkpoint ({error}); delete it to start again"
            ) from error
        if facts.get("identity") != self.identity:
            raise ForeignCheckpoint(
                f"{self.path} belongs to another training (method, settings, seed, images, or "
                "the model it starts from or spares differ); "
                "delete it, or write the model under another name"
            )
        network.load_state_dict(_under("network.", tensors))
        step.restore(_under("step.", tensors))
        return losses, seconds

    def keep(self, network: nn.Module, step: Step, losses: list[float], seconds: list[float]) -> None:
        """Write the state after an epoch, unless the last was written less than INTERVAL_SECONDS ago."""
        now = time.monotonic()
        if not world().is_first or (len(losses) < self.epochs and now - self.written < INTERVAL_SECONDS):
            return
        tensors = {f"network.{name}": value.contiguous() for name, value in network.state_dict().items()}
        tensors |= {f"step.{name}": value for name, value in step.state().items()}
        facts = {"identity": self.identity, "history": json.dumps({"losses": losses, "seconds": seconds})}
        with replacing_file(self.path) as file:
            file.write(emit(tensors, facts))
        self.written = now


def identity_of(
    network: nn.Module, recipe: Recipe, seed: int, images: ImageSet, task: nn.Module | None
) -> dict[str, Any]:
    """What tells a training that begins with `network` from all others, for JSON."""
    return {
        "network": repr(network),
        "options": getattr(network, "options", {}),
        "recipe": asdict(recipe),
        "seed": seed,
        "images": images.fingerprint(),
        "start": _weights_sha256(network),
        "task": None if task is None else _weights_sha256(task),
    }


def _weights_sha256(network: nn.Module) -> str:
    return hashlib.sha256(emit({name: value.contiguous() for name, value in network.state_dict().items()})).hexdigest()


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
