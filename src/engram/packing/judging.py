"""The classifier that packing asks: a judge's accuracy on some of the images, before and after."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from engram.errors import UsageError
from engram.images import ImageSet, Pixels

if TYPE_CHECKING:
    from engram.codecs.goals import Recognition
    from engram.evaluation.judge import Judge
    from engram.training.budget import Budget
    from engram.training.judging import Progress

MOST_JUDGED = 2000
"""How many images are judged, at most: enough to tell a loss of one in a hundred."""
SHARE_OF_JUDGE = 0.25
"""Of the time to learn, where no judge is given."""
LEARNED = "learned"
"""The name of a judge that has none."""
EXACT = 1e-9
"""So that a loss of just so many images counts as no more than that."""


class NoLabels(UsageError):
    """Accuracy was asked of images that do not say what they show."""


@dataclass(frozen=True, eq=False)
class Judging:
    """A judge by its name, and images with labels that it was not trained on."""

    name: str
    judge: Judge
    images: ImageSet

    @property
    def learned(self) -> bool:
        """Whether it learned from the same collection, now."""
        return self.name == LEARNED

    def accuracy(self, recovered: Pixels) -> float:
        """The share of the images, as they came back, that it takes for what they are."""
        from engram.evaluation.judge import accuracy

        return accuracy(self.judge.confusion(self.images.with_images(recovered)))

    @cached_property
    def accuracy_of_originals(self) -> float:
        """That of the images as they were."""
        return self.accuracy(self.images.images)

    def losing(self, percent: float) -> Recognition:
        """The goal of at most so many points less than that."""
        from engram.codecs.goals import Recognition

        return Recognition(self.accuracy_of_originals - percent / 100 - EXACT, self.accuracy)


def check_labels(name: str, images: ImageSet) -> None:
    """Raises NoLabels where there are none."""
    if images.labels is None:
        raise NoLabels(
            f"accuracy is that of a classifier, and {name} has no labels: give a folder with one sub-folder for each "
            "class, an IDX file with its labels beside it, or a .npz file with `labels`"
        )


def judging(
    model: str | Path | None, rest: ImageSet, measured: ImageSet, budget: Budget, progress: Progress | None
) -> Judging:
    """The judge of a model file or a name that engram brings.

    Where none is named it is the one that engram brings for these classes, or one that learns from the rest.
    """
    from engram.evaluation.judge import Judge, judge_of

    name = str(model) if model is not None else brought_for(rest)
    if name is not None:
        found = Judging(name, judge_of(name), measured)
        wanted = found.judge.image_shape
        if wanted != rest.image_shape:
            raise UsageError(f"the judge {name} looks at images of {wanted}, and these are of {rest.image_shape}")
        _ = found.accuracy_of_originals  # which fails here, and not when all is written, where classes differ
        return found
    from engram.training.judging import learn_judge

    return Judging(LEARNED, Judge(learn_judge(rest, budget, progress=progress)), measured)


def brought_for(images: ImageSet) -> str | None:
    """The largest judge that engram brings for images of this size and of these classes."""
    from engram.archive import shipped
    from engram.models import load

    def fits(name: str) -> bool:
        model = load(shipped.judge(name))
        classes = set(model.facts["class_names"])
        return (model.network.image_shape, classes) == (images.image_shape, set(images.class_names))

    fitting = filter(fits, shipped.judges())
    return max(fitting, key=lambda name: shipped.judge(name).stat().st_size, default=None)
