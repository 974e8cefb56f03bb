"""One training of the reproduction: what it is, and what it leaves behind."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file
from safetensors.numpy import save as emit

from engram import models
from engram.errors import EngramError
from engram.experiments.reproduction.material import Material
from engram.experiments.reproduction.paper import SNAPSHOT_IMAGES
from engram.files import replacing_file
from engram.images import Pixels
from engram.models import Model
from engram.networks.registry import restore
from engram.networks.running import classify, recover
from engram.training.fit import fit
from engram.training.recipe import RECIPES
from engram.training.workers import Tick

SECONDS_PER_IMAGE = {"cnn": 70e-6, "ann": 15e-6, "tied": 15e-6, "classifier": 75e-6}
"""Rough cost of one image in one epoch, to order the trainings and to weigh the progress bar."""


@dataclass(frozen=True, eq=False)
class Trial:
    """A training to do. `purpose` says which table it is for; `label` how it is called there.

    snapshots: the epochs after which a network's pictures, or a classifier's accuracy, are kept.
    """

    purpose: str
    label: str
    method: str
    seed: int
    recipe: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    snapshots: tuple[int, ...] = ()

    def work(self, material: Material) -> float:
        """Roughly the seconds that the training takes."""
        epochs: int = (asdict(RECIPES[self.method]) | self.recipe)["epochs"]
        images = material.classifier_train if self.method == "classifier" else material.networks_train
        return SECONDS_PER_IMAGE[self.method] * epochs * len(images)

    @property
    def name(self) -> str:
        """A file name of letters, digits and dashes."""
        return "-".join(
            "".join(c if c.isalnum() else "-" for c in part) for part in (self.purpose, self.label, f"seed{self.seed}")
        )


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a trial left: facts (JSON-able), and pictures by name.

    A network: `recovered`, the test images as it gives them back, and `snapshot-E`, the first of them after epoch E.
    A classifier: `accuracies` in its facts, on the test images after each epoch of `snapshots`.
    """

    model: Model
    facts: dict[str, Any]
    pictures: dict[str, Pixels]

    def save(self, folder: Path, name: str, material: Material) -> None:
        """Write model and outcome into the folder, the outcome last, each whole or not at all."""
        self.model.save(folder / f"{name}.model.safetensors")
        metadata = {"facts": json.dumps(self.facts), "fingerprint": material.fingerprint}
        tensors = self.pictures or {"none": np.zeros(0, np.uint8)}
        with replacing_file(folder / f"{name}.outcome.safetensors") as file:
            file.write(emit(tensors, metadata))


def run(trial: Trial, material: Material, tick: Tick) -> Outcome:
    """Train, and recover or classify the test images."""
    judging = trial.method == "classifier"
    images = material.classifier_train if judging else material.networks_train
    test = material.classifier_test if judging else material.networks_test
    accuracies: dict[int, float] = {}
    pictures: dict[str, Pixels] = {}

    def watch(epoch: int, network: Any) -> None:
        tick(SECONDS_PER_IMAGE[trial.method] * len(images))
        if judging and epoch in trial.snapshots:
            accuracies[epoch] = float((classify(network, test.images) == test.labels).mean())
        elif not judging and epoch in trial.snapshots:
            pictures[f"snapshot-{epoch}"] = recover(network, test.images[:SNAPSHOT_IMAGES])

    model = fit(
        images, trial.method, trial.seed, device=material.device, options=trial.options, watch=watch, **trial.recipe
    )
    facts = json.loads(json.dumps(asdict(trial))) | {
        "settings": model.facts["recipe"] | model.facts["options"],
        "parameters": model.network.parameters,
        "code_numbers": int(np.prod(model.network.code_shape)),
        "training_seconds": sum(model.facts["epoch_seconds"]),
        "losses": model.facts["losses"],
    }
    if judging:
        facts["accuracies"] = [accuracies[epoch] for epoch in trial.snapshots]
    else:
        pictures["recovered"] = recover(restore(model), test.images)
    return Outcome(model, facts, pictures)


def load(folder: Path, trial: Trial, material: Material) -> Outcome | None:
    """What an earlier run of the same trial on the same images left in the folder, or None."""
    path = folder / f"{trial.name}.outcome.safetensors"
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
        facts = json.loads(metadata["facts"])
        if metadata["fingerprint"] != material.fingerprint or facts | json.loads(json.dumps(asdict(trial))) != facts:
            return None
        pictures = {name: array for name, array in load_file(path).items() if name != "none"}
        return Outcome(models.load(folder / f"{trial.name}.model.safetensors"), facts, pictures)
    except (OSError, KeyError, ValueError, SafetensorError, EngramError):
        return None  # nothing there, or nothing to trust: the trial is run
