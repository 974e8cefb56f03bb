"""A small comparison's material, and jobs that say what they were asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from engram.archive import shipped
from engram.datasets import wardrobe
from engram.errors import MissingLibrary, UsageError
from engram.experiments.comparison.job import Finding, Job
from engram.experiments.comparison.material import Material
from engram.training.workers import Tick

JUDGES = ("strong", shipped.judge("fashion-mnist-judge")), ("paper's", shipped.judge("fashion-mnist-classifier"))


def material(train: int = 120, test: int = 40) -> Material:
    """Wardrobe images, judged by classifiers of the same size."""
    images = wardrobe.draw(train + test, seed=5)
    return Material("small", images[:train], images[train:], known=False, judges=JUDGES)


@final
@dataclass(frozen=True, eq=False)
class Told(Job):
    """A job that writes each of its runs into a file, and fails as it is told to."""

    diary: str
    fails: str = ""

    def seconds(self, material: Material) -> float:
        return 1.0

    def run(self, material: Material, tick: Tick) -> Finding:
        tick(0.25)
        with Path(self.diary).open("a") as file:
            file.write(f"{self.name}\n")
        if self.fails == "broken":
            raise ZeroDivisionError("nothing to divide by")
        if self.fails == "refused":
            raise UsageError("these images will never do")
        if self.fails == "library":
            raise MissingLibrary("this needs a library")
        if self.fails == "interrupted":
            raise KeyboardInterrupt
        return Finding(
            ({"method": self.name, "setting": "", "bytes_per_image": 1.0},),
            {"told": 1},
            {"0": np.eye(3, dtype=np.uint8)},
        )
