"""Which structure, optimiser, learning rate and length of training (paper 4.2)? A search by successive halving.

Many settings are drawn and trained for a short time; the better half is trained twice as long, and so on. What counts
is the PSNR of images that the search does not train on, at equal bytes; the test images are not looked at.
(K. Jamieson and A. Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", 2016.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from engram.codecs.dial import OutOfReach, freeze_to_bytes
from engram.document import Block, Column, Curve, Point, RateChart, Table, Text
from engram.evaluation.curves import front
from engram.evaluation.distortion import psnr_db
from engram.experiments.comparison.job import Finding
from engram.experiments.comparison.material import Material
from engram.experiments.comparison.study import Study
from engram.images import ImageSet
from engram.training.errors import TrainingDiverged
from engram.training.fit import fit
from engram.training.workers import Tick

LEARNED, VALIDATED = 10_000, 2_000
"""Images of the training half that are trained on, and others that settings are ranked by."""
FROZEN = 1_000
"""Images that a codec's steps are fitted on: enough to rank by."""
BYTES = 16
NUMBERS = 16, 32, 64, 128, 256, 400
"""Of a code."""
ROUNDED = 4
Setting = dict[str, Any]
"""method; options and recipe, as `fit` takes them."""


def convolutional(draw: np.random.Generator, image_shape: tuple[int, int, int]) -> Setting:
    """One to four convolutions, about how many numbers the code has, and how it is trained."""
    depth = int(draw.integers(1, 5))
    places = math.prod(-(-side // 2**depth) for side in image_shape[:2])
    options = {"depth": depth, "code_channels": max(1, round(int(draw.choice(NUMBERS)) / places))}
    return {"method": "stacked", "options": options, "recipe": _adam_or_momentum(draw)}


def fully_connected(draw: np.random.Generator, image_shape: tuple[int, int, int]) -> Setting:
    """One hidden layer or more, its units, and how it is trained."""
    method = str(draw.choice(["ann", "tied", "deep"]))
    units = int(draw.choice(NUMBERS))
    if method == "deep":
        widths = [size for size in (512, 128) if size > units][int(draw.integers(0, 2)) :]
        return {"method": method, "options": {"widths": [*widths, units]}, "recipe": _adam_or_momentum(draw)}
    if draw.random() < 0.5:
        recipe = {"optimiser": "sgd", "learning_rate": float(draw.choice([1, 10, 50, 100, 200])), "momentum": 0.0}
    else:
        recipe = {"optimiser": "adam", "learning_rate": float(draw.choice([3e-4, 1e-3, 3e-3]))}
    return {"method": method, "options": {"hidden": units}, "recipe": recipe}


def _adam_or_momentum(draw: np.random.Generator) -> dict[str, Any]:
    if draw.random() < 0.7:
        return {"optimiser": "adam", "learning_rate": float(draw.choice([3e-4, 1e-3, 3e-3]))}
    return {"optimiser": "sgd", "momentum": 0.9, "learning_rate": float(draw.choice([0.3, 1.0, 3.0]))}


SPACES: dict[str, Callable[[np.random.Generator, tuple[int, int, int]], Setting]] = {
    "convolutional": convolutional,
    "fully connected": fully_connected,
}
"""What is drawn from, by the name of the search."""
SECONDS = {"convolutional": 60e-6, "fully connected": 25e-6}
"""Of an image and epoch, roughly."""
FREEZING_SECONDS = 2.0


@final
@dataclass(frozen=True, eq=False)
class StructureSearch(Study):
    """A search in one of SPACES. drawn: settings of the first round; epochs: that they are trained for."""

    title: ClassVar[str] = "Which structure (paper 4.2)"
    drawn: int
    epochs: int

    def _rounds(self) -> list[tuple[int, int]]:
        """(settings, epochs) of each round."""
        rounds, count, epochs = [], self.drawn, self.epochs
        while count >= 1:
            rounds.append((count, epochs))
            count, epochs = count // 2, epochs * 2
        return rounds

    def seconds(self, material: Material) -> float:
        images = min(LEARNED, len(material.train) * 4 // 5)
        each = images * SECONDS[self.name]
        return sum(count * (epochs * each + FREEZING_SECONDS) for count, epochs in self._rounds())

    def run(self, material: Material, tick: Tick) -> Finding:
        order = np.random.default_rng(0).permutation(len(material.train))
        validated = min(VALIDATED, len(order) // 5)
        unseen, seen = material.train[order[:validated]], material.train[order[validated:][:LEARNED]]
        draw = np.random.default_rng(0)
        alive = [SPACES[self.name](draw, seen.image_shape) for _ in range(self.drawn)]
        trials: list[dict[str, Any]] = []
        for count, epochs in self._rounds():
            ranked: list[tuple[float, int, Setting]] = []
            for setting in alive[:count]:
                trials.append(setting | {"epochs": epochs} | _tried(setting, epochs, seen, unseen))
                ranked.append((-trials[-1]["psnr_db"], len(ranked), setting))
                tick(epochs * len(seen) * SECONDS[self.name] + FREEZING_SECONDS)
            alive = [setting for _, _, setting in sorted(ranked, key=lambda entry: entry[:2])]
        return Finding(facts={"trials": trials, "images": len(seen), "validated": len(unseen)})

    def blocks(self, found: Finding) -> tuple[Block, ...]:
        trials = [trial for trial in found.facts["trials"] if trial["psnr_db"] > 0]
        if not trials:
            return (Text(f"No setting of the {self.name} search could be trained."),)
        best = max(trials, key=lambda trial: trial["psnr_db"])
        points = [(trial["model_bytes"] / 1000, trial["psnr_db"]) for trial in trials]
        labels = {point: _told(trial) for point, trial in zip(points, trials, strict=True)}
        drawn = [Point(*point, labels[point]) for point in points]
        chart = RateChart(
            f"structure-{self.name.replace(' ', '-')}",
            f"Every setting of the {self.name} search, at {BYTES} bytes an image: PSNR of {found.facts['validated']:,} "
            f"images that it did not train on. The line is the front.",
            "bytes of the model, thousands",
            "PSNR, dB",
            (
                Curve("the front", "the front", tuple(Point(*point, labels[point]) for point in front(points))),
                Curve("all settings", "all settings", tuple(drawn), joined=False),
            ),
            logarithmic_x=True,
        )
        ranked = sorted(trials, key=lambda trial: -trial["psnr_db"])[:8]
        table = Table(
            f"The best of {len(trials)} {self.name} trainings",
            (Column("setting"), Column("epochs"), Column("PSNR", 2, "dB"), Column("model", 0, "bytes")),
            tuple((_told(trial), trial["epochs"], trial["psnr_db"], trial["model_bytes"]) for trial in ranked),
        )
        text = (
            f"{self.name.capitalize()} networks: {self.drawn} settings were drawn and trained for {self.epochs} epochs "
            f"on {found.facts['images']:,} images, the better half for twice as long, and so on. The best was "
            f"{_told(best)}, {best['psnr_db']:.2f} dB after {best['epochs']} epochs. {_lesson(trials)}"
        )
        return Text(text), chart, table


def _tried(setting: Setting, epochs: int, seen: ImageSet, unseen: ImageSet) -> dict[str, Any]:
    """psnr_db of the unseen images at about BYTES an image, 0 where the setting cannot be had; model_bytes."""
    try:
        model = fit(seen, setting["method"], 0, options=setting["options"], epochs=epochs, **setting["recipe"])
        codec = freeze_to_bytes(model.network, seen[:FROZEN], BYTES)
    except (TrainingDiverged, OutOfReach) as error:
        return {"psnr_db": 0.0, "model_bytes": 0, "failed": str(error)}
    recovered = codec.decode(codec.encode(unseen.images), len(unseen))
    return {"psnr_db": round(psnr_db(unseen.images, recovered), ROUNDED), "model_bytes": len(codec.model)}


def _told(setting: Setting) -> str:
    """A setting in words."""
    options, recipe = setting["options"], setting["recipe"]
    if setting["method"] == "stacked":
        what = f"{options['depth']} convolutions, {options['code_channels']} channels of code"
    elif setting["method"] == "deep":
        what = f"deep, {'-'.join(map(str, options['widths']))}"
    else:
        what = f"{setting['method']}, {options['hidden']} hidden units"
    momentum = ", momentum 0.9" if recipe.get("momentum") else ""
    return f"{what}, {recipe['optimiser']}{momentum}, learning rate {recipe['learning_rate']:g}"


def _lesson(trials: list[dict[str, Any]]) -> str:
    """What matters most: how far apart the best of each kind are."""
    first = [trial for trial in trials if trial["epochs"] == min(trial["epochs"] for trial in trials)]
    by_optimiser = {
        name: max((trial["psnr_db"] for trial in first if trial["recipe"]["optimiser"] == name), default=None)
        for name in ("adam", "sgd")
    }
    if None in by_optimiser.values():
        return ""
    ahead = max(by_optimiser, key=lambda name: by_optimiser[name] or 0)
    apart = abs((by_optimiser["adam"] or 0) - (by_optimiser["sgd"] or 0))
    longest = max(trial["epochs"] for trial in trials)
    return (
        f"In the first round the best training with {'Adam' if ahead == 'adam' else 'SGD'} is {apart:.2f} dB ahead of "
        f"the best with the other optimiser; the longest had {longest} epochs."
    )
