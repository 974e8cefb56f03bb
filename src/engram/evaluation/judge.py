"""The judge: a trained classifier asked whether it still recognises recovered images (paper 2.3)."""

from __future__ import annotations

from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from engram.archive import shipped
from engram.errors import UsageError
from engram.images import ImageSet
from engram.models import Model, load
from engram.networks.classifier import Classifier
from engram.networks.judge import JudgeNetwork
from engram.networks.registry import restore
from engram.networks.running import classify


@final
class Judge:
    """A classifier that was trained on originals. Raises UsageError for a model that is none."""

    def __init__(self, model: Model) -> None:
        if model.network.method not in (Classifier.method, JudgeNetwork.method):
            raise UsageError(f"a judge is a classifier, not {model.network.method}")
        self.network, self.image_shape = restore(model), model.network.image_shape
        self.identity = model.identity
        self.class_names = tuple(model.facts["class_names"])

    def confusion(self, images: ImageSet) -> NDArray[np.int64]:
        """counts[true class, judged class]. Raises UsageError for images without labels, or of other classes."""
        counts = np.zeros((len(self.class_names),) * 2, np.int64)
        np.add.at(counts, (self._classes_of(images), classify(self.network, images.images)), 1)
        return counts

    def _classes_of(self, images: ImageSet) -> NDArray[np.int64]:
        """What the judge calls the images' classes: the same names, or where it does not know these, the same numbers.

        Raises UsageError.
        """
        if images.labels is None:
            raise UsageError("images without labels cannot be judged")
        if set(images.class_names) <= set(self.class_names) and images.class_names:
            return np.array([self.class_names.index(name) for name in images.class_names], np.int64)[images.labels]
        if images.labels.max(initial=0) >= len(self.class_names):
            known = f"{len(self.class_names)} classes that the judge knows"
            raise UsageError(f"label {images.labels.max()} is none of the {known}")
        return images.labels


def judge_of(name: str | Path) -> Judge:
    """The judge of a model file, or of a name that engram brings. Raises UsageError."""
    path = Path(name)
    return Judge(load(path if path.exists() else shipped.judge(str(name))))


def accuracy(confusion: NDArray[np.int64]) -> float:
    """The share of images judged to be of their own class, 0 to 1."""
    return float(np.trace(confusion) / max(1, confusion.sum()))
