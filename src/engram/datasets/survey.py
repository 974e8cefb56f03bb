"""What pictures will be, found by looking at every one of them before the first is decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engram.datasets.kinds import Change, UnreadablePicture, UnsupportedPicture, looks
from engram.datasets.notices import Notice
from engram.datasets.pictures import in_threads
from engram.datasets.progress import Progress
from engram.datasets.tree import DamagedMember, File, Tree
from engram.errors import EngramError
from engram.kinds import KINDS, Kind

_NAMED = 5
"""How many further pictures an error names."""
_NUMBERS = {name: number for number, name in enumerate(KINDS)}


@dataclass(frozen=True, eq=False)
class Survey:
    """What pictures will be, in order: int64 files, the index of the file of each, and frames, which one of it.

    several: bool, whether its file gives more than one. sizes: int32[n, 2], height and width. kinds: those that there
    are; kind_numbers: uint8[n].
    """

    files: NDArray[np.int64]
    frames: NDArray[np.int64]
    several: NDArray[np.bool_]
    sizes: NDArray[np.int32]
    kinds: tuple[Kind, ...]
    kind_numbers: NDArray[np.uint8]
    notices: tuple[Notice, ...]


@dataclass
class _Part:
    """What is found of files from a first on."""

    rows: list[tuple[int, ...]] = field(default_factory=list)
    changes: Counter[Change] = field(default_factory=Counter)
    first: dict[Change, int] = field(default_factory=dict)
    refused: list[tuple[int, EngramError]] = field(default_factory=list)


def survey(
    tree: Tree,
    paths: Sequence[str],
    progress: Progress | None = None,
    frames: bool = False,
    skip_broken: bool = False,
) -> Survey:
    """Looks at all pictures of a tree, of animations at the first frame or at each.

    Raises UnreadablePicture, UnsupportedPicture or DamagedMember for the first that is not taken, after all were looked
    at: it says how many there are. `skip_broken` decodes all, and leaves these out with a notice, if any is left.
    """
    parts = dict[int, tuple[NDArray[np.int64], _Part]]()

    def work(start: int, stop: int) -> int:
        part = _Part()
        for index in range(start, stop):
            _look(part, index, tree.at(paths[index]), frames, skip_broken)
        parts[start] = np.array(part.rows, np.int64).reshape(-1, 6), part
        part.rows = []  # an array is a tenth as large
        return 0

    in_threads(work, len(paths), progress)
    rows = np.concatenate([parts[start][0] for start in sorted(parts)])
    found = [parts[start][1] for start in sorted(parts)]
    notices = _notices(found, tree, paths)
    if refused := [each for part in found for each in part.refused]:
        if not skip_broken or not len(rows):
            raise _all([(tree.at(paths[index]), error) for index, error in refused], len(paths))
        what = "broken, or of a kind that is not taken: left out"
        notices.append(Notice(what, len(refused), len(paths), str(tree.at(paths[refused[0][0]]))))
    kinds, numbers = np.unique(rows[:, 5], return_inverse=True)
    return Survey(
        rows[:, 0],
        rows[:, 1],
        rows[:, 2].astype(bool),
        rows[:, 3:5].astype(np.int32),
        tuple(list(KINDS.values())[kind] for kind in kinds.tolist()),
        numbers.reshape(-1).astype(np.uint8),
        tuple(notices),
    )


def _look(part: _Part, index: int, path: File, frames: bool, thoroughly: bool) -> None:
    try:
        found = looks(path, frames, thoroughly)
    except (UnreadablePicture, UnsupportedPicture, DamagedMember) as error:
        part.refused.append((index, type(error)(str(error))))  # the error itself holds on to what was read
        return
    for frame, each in enumerate(found):
        part.rows.append((index, frame, len(found) > 1, *each.size, _NUMBERS[each.kind.name]))
    for change in {change for each in found for change in each.changes}:
        part.changes[change] += 1
        part.first.setdefault(change, index)


def _notices(parts: list[_Part], tree: Tree, paths: Sequence[str]) -> list[Notice]:
    counts, first = Counter[Change](), dict[Change, int]()
    for part in parts:
        counts += part.changes
        first = part.first | first
    return [
        Notice(change.value, counts[change], len(paths), str(tree.at(paths[first[change]])))
        for change in Change
        if counts[change]
    ]


def _all(refused: list[tuple[File, EngramError]], total: int) -> EngramError:
    """The first error, which also tells of the others."""
    [(_, first), *others] = refused
    if not others:
        return first
    named = ", ".join(str(path) for path, _ in others[:_NAMED])
    more = f" and {len(others) - _NAMED:,} more" if len(others) > _NAMED else ""
    return type(first)(
        f"{first}\n{len(refused):,} of {total:,} pictures are not taken, for such reasons: {named}{more}"
    )
