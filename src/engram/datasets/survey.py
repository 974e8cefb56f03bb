"""What pictures will be, found by looking at every one of them before the first is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engram.datasets.assortment import Files
from engram.datasets.canvases import Sizes
from engram.datasets.kinds import Change, UnreadablePicture, UnsupportedPicture, look
from engram.datasets.notices import Notice
from engram.datasets.progress import Progress
from engram.errors import EngramError

_REPORT = 256
_NAMED = 5
"""How many further pictures an error names."""


@dataclass(frozen=True, eq=False)
class Survey:
    """What pictures will be, in order. sizes: int32[n, 2], height and width. gray: bool[n], which of them are gray.

    changes: what is done to how many of them, and to which first.
    """

    files: Files
    sizes: Sizes
    gray: NDArray[np.bool_]
    changes: dict[Change, tuple[int, Path]]

    def __len__(self) -> int:
        return len(self.sizes)

    def notices(self, channels: int) -> tuple[Notice, ...]:
        """What is to be told of the pictures where all of them get so many channels."""
        found = dict(self.changes)
        if channels == 3 and self.gray.any():
            found[Change.WIDENED] = int(self.gray.sum()), self.files.paths([int(self.gray.argmax())])[0]
        return tuple(Notice(change.value, count, len(self), str(first)) for change, (count, first) in found.items())


def survey(files: Files, progress: Progress | None = None) -> Survey:
    """Looks at all pictures. Raises UnreadablePicture or UnsupportedPicture for the first that is not taken, after all
    were looked at: it says how many there are.
    """
    total = len(files.names)
    sizes, gray, changes = np.empty((total, 2), np.int32), np.empty(total, bool), dict[Change, tuple[int, Path]]()
    refused = list[tuple[Path, EngramError]]()
    for index, path in enumerate(files):
        try:
            found = look(path)
        except (UnreadablePicture, UnsupportedPicture) as error:
            refused.append((path, type(error)(str(error))))  # the error itself holds on to what was read
            continue
        sizes[index], gray[index] = found.size, found.gray
        for change in found.changes:
            count, first = changes.get(change, (0, path))
            changes[change] = count + 1, first
        if progress and (index + 1) % _REPORT in (0, total % _REPORT):
            progress(index + 1, total)
    if refused:
        raise _all(refused, total)
    return Survey(files, sizes, gray, changes)


def _all(refused: list[tuple[Path, EngramError]], total: int) -> EngramError:
    """The first error, which also tells of the others."""
    [(_, first), *others] = refused
    if not others:
        return first
    named = ", ".join(str(path) for path, _ in others[:_NAMED])
    more = f" and {len(others) - _NAMED:,} more" if len(others) > _NAMED else ""
    return type(first)(
        f"{first}\n{len(refused):,} of {total:,} pictures are not taken, for such reasons: {named}{more}"
    )
