"""What a comparison is made on: images to learn from, images to measure on, and the judges that look at them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engram.archive import shipped
from engram.datasets import source
from engram.datasets.progress import Progress
from engram.errors import UsageError
from engram.images import ImageSet
from engram.models import Model, load
from engram.training.fit import fit
from engram.training.judging import MOMENTUM
from engram.training.workers import Tick, run_jobs

JUDGES = {"strong": "judge", "paper's": "classifier"}
"""The judges by what they are called, and the method of each."""
KNOWN = "fashion-mnist-judge"
"""What says which images engram's models have learned from."""
SHOWN = 20
"""How many test images the page shows."""
SEED = 0
SEVENTH = 7
"""A set that comes in one piece is divided as the paper divides its own: one image in seven is for testing."""


@dataclass(frozen=True)
class Sizes:
    """How many images of each half are taken, at most, and how long a judge learns that engram does not bring."""

    train: int = 60_000
    test: int = 10_000
    judge_epochs: int = 12


@dataclass(frozen=True, eq=False)
class Material:
    """name: of the data. known: whether the models that engram brings have learned from its first half.

    judges: name and model file of each; none where images have no labels.
    """

    name: str
    train: ImageSet
    test: ImageSet
    known: bool
    judges: tuple[tuple[str, Path], ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """What findings are valid for."""
        parts = [self.train.fingerprint(), self.test.fingerprint()]
        parts += [hashlib.sha256(path.read_bytes()).hexdigest() for _, path in self.judges]
        return hashlib.sha256("-".join(parts).encode()).hexdigest()

    @property
    def shown(self) -> NDArray[np.int64]:
        """The places of the test images that the page shows: of each class in turn where there are classes."""
        if self.test.labels is None:
            return np.arange(min(SHOWN, len(self.test)))
        order = np.argsort(self.test.labels, kind="stable")
        rank = np.empty(len(order), np.int64)
        starts = np.searchsorted(self.test.labels[order], self.test.labels[order])
        rank[order] = np.arange(len(order)) - starts
        return np.lexsort((self.test.labels, rank))[:SHOWN]


def prepare(
    data: str, folder: Path, sizes: Sizes, progress: Progress | None = None, workers: int | None = None
) -> Material:
    """The material of DATA: its halves, drawn from a seed down to the sizes, and its judges.

    Judges are those that engram brings for these classes, or are trained on the first half and kept in the folder.
    Raises what loading and training raise.
    """
    loaded = source.load(data, progress)
    if {"train", "test"} <= set(loaded.splits):
        halves = {half: loaded.split(half) for half in ("train", "test")}
    else:
        seventh = len(loaded) // SEVENTH
        halves = source.draw_split(loaded, {"test": seventh, "train": len(loaded) - seventh}, SEED)
    known = halves["train"].fingerprint() == load(shipped.judge(KNOWN)).facts["images_sha256"]
    train, test = _at_most(halves["train"], sizes.train), _at_most(halves["test"], sizes.test)
    if not len(train) or not len(test):
        raise UsageError(f"{data}: a comparison needs images to learn from and to measure on; this is too small a set")
    if train.labels is None:
        return Material(data, train, test, known)
    if known:
        brought = {load(shipped.judge(name)).network.method: shipped.judge(name) for name in shipped.judges()}
        return Material(data, train, test, known, tuple((name, brought[method]) for name, method in JUDGES.items()))
    files = {
        name: folder / f"{method}-{train.fingerprint()[:16]}-{sizes.judge_epochs}.safetensors"
        for name, method in JUDGES.items()
    }
    missing = [name for name, path in files.items() if not path.exists()]
    for name, judge in run_jobs(_learn, missing, (train, sizes), workers=workers):
        folder.mkdir(parents=True, exist_ok=True)
        judge.save(files[name])
    return Material(data, train, test, known, tuple(files.items()))


def _at_most(images: ImageSet, size: int) -> ImageSet:
    return images if len(images) <= size else source.draw_split(images, {"drawn": size}, SEED)["drawn"]


def _learn(name: str, shared: tuple[ImageSet, Sizes], tick: Tick) -> Model:
    train, sizes = shared
    return fit(train, JUDGES[name], SEED, epochs=sizes.judge_epochs, momentum=MOMENTUM)
