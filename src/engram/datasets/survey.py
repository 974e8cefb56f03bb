"""What pictures will be, found by looking at every one of them before the first is decoded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engram.datasets.kinds import Change, look
from engram.datasets.notices import Notice
from engram.datasets.progress import Progress
from engram.errors import EngramError

_REPORT = 256


class MixedSizes(EngramError):
    """Pictures of more than one size."""


@dataclass(frozen=True, eq=False)
class Survey:
    """What pictures will be, in order. sizes: int32[n, 2], height and width. gray: bool[n], which of them are gray.

    changes: what is done to how many of them, and to which first.
    """

    paths: Iterable[Path]
    sizes: NDArray[np.int32]
    gray: NDArray[np.bool_]
    changes: dict[Change, tuple[int, Path]]

    def __len__(self) -> int:
        return len(self.sizes)

    def notices(self, channels: int) -> tuple[Notice, ...]:
        """What is to be told of the pictures where all of them get so many channels."""
        found = dict(self.changes)
        if channels == 3 and self.gray.any():
            found[Change.WIDENED] = int(self.gray.sum()), self.path(int(self.gray.argmax()))
        return tuple(Notice(change.value, count, len(self), str(first)) for change, (count, first) in found.items())

    def path(self, index: int) -> Path:
        """That of one picture."""
        return next(islice(self.paths, index, None))


def survey(paths: Iterable[Path], total: int, progress: Progress | None = None) -> Survey:
    """Looks at all pictures; `paths` can be gone through again. Raises UnreadablePicture, UnsupportedPicture."""
    sizes, gray, changes = np.empty((total, 2), np.int32), np.empty(total, bool), dict[Change, tuple[int, Path]]()
    for index, path in enumerate(paths):
        found = look(path)
        sizes[index], gray[index] = found.size, found.gray
        for change in found.changes:
            count, first = changes.get(change, (0, path))
            changes[change] = count + 1, first
        if progress and (index + 1) % _REPORT in (0, total % _REPORT):
            progress(index + 1, total)
    return Survey(paths, sizes, gray, changes)


def shape_of(surveys: Sequence[Survey]) -> tuple[int, int, int]:
    """(height, width, channels) of all pictures, at least one: 1 channel where all are gray. Raises MixedSizes."""
    first = next(survey for survey in surveys if len(survey))
    height, width = first.sizes[0].tolist()
    for some in surveys:
        other = (some.sizes != (height, width)).any(axis=1)
        if other.any():
            index = int(other.argmax())
            other_height, other_width = some.sizes[index].tolist()
            raise MixedSizes(
                f"{first.path(0)} is {width} x {height} pixels, {some.path(index)} is {other_width} x {other_height}: "
                "make them one size, or make a folder for each size"
            )
    return height, width, 1 if all(survey.gray.all() for survey in surveys) else 3
