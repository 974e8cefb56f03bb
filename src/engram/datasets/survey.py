"""What pictures will be, found by looking at every one of them before the first is decoded."""

from __future__ import annotations

import re
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

    several: bool, whether its file gives more than one; jpegs: bool, whether that is a JPEG file. sizes: int32[n, 2],
    height and width. kinds: those that there are; kind_numbers: uint8[n].
    notices_with_files: what is to be told where JPEG files are kept as they are. left_out: of each picture that was
    left out a line, its path, a tab, and the reason.
    """

    files: NDArray[np.int64]
    frames: NDArray[np.int64]
    several: NDArray[np.bool_]
    jpegs: NDArray[np.bool_]
    sizes: NDArray[np.int32]
    kinds: tuple[Kind, ...]
    kind_numbers: NDArray[np.uint8]
    notices: tuple[Notice, ...]
    notices_with_files: tuple[Notice, ...]
    left_out: str


_Done = tuple[Change, bool]
"""A change, and whether it is to a JPEG file."""


@dataclass
class _Part:
    """What is found of files from a first on."""

    rows: list[tuple[int, ...]] = field(default_factory=list)
    changes: Counter[_Done] = field(default_factory=Counter)
    first: dict[_Done, int] = field(default_factory=dict)
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
        parts[start] = np.array(part.rows, np.int64).reshape(-1, 7), part
        part.rows = []  # an array is a tenth as large
        return 0

    in_threads(work, len(paths), progress)
    rows = np.concatenate([parts[start][0] for start in sorted(parts)])
    found = [parts[start][1] for start in sorted(parts)]
    notices, with_files = (_notices(found, tree, paths, jpegs) for jpegs in ((False, True), (False,)))
    refused = [each for part in found for each in part.refused]
    if refused:
        if not skip_broken or not len(rows):
            raise _all([(tree.at(paths[index]), error) for index, error in refused], len(paths))
        what = "broken, or of a kind that is not taken: left out"
        left_out = Notice(what, len(refused), len(paths), str(tree.at(paths[refused[0][0]])))
        notices, with_files = [*notices, left_out], [*with_files, left_out]
    kinds, numbers = np.unique(rows[:, 6], return_inverse=True)
    return Survey(
        rows[:, 0],
        rows[:, 1],
        rows[:, 2].astype(bool),
        rows[:, 3].astype(bool),
        rows[:, 4:6].astype(np.int32),
        tuple(list(KINDS.values())[kind] for kind in kinds.tolist()),
        numbers.reshape(-1).astype(np.uint8),
        tuple(notices),
        tuple(with_files),
        "".join(f"{paths[index]}\t{_reason(tree.at(paths[index]), error)}\n" for index, error in refused),
    )


def _reason(path: File, error: EngramError) -> str:
    """Why a picture is not taken, in one line that is the same wherever the picture lies."""
    reason = str(error).removeprefix(f"{path} ").replace(repr(str(path)), "it")
    return " ".join(re.sub(r"<_io\.\w+ object at \w+>", "it", reason).split())


def _look(part: _Part, index: int, path: File, frames: bool, thoroughly: bool) -> None:
    try:
        found = looks(path, frames, thoroughly)
    except (UnreadablePicture, UnsupportedPicture, DamagedMember) as error:
        part.refused.append((index, type(error)(str(error))))  # the error itself holds on to what was read
        return
    for frame, each in enumerate(found):
        part.rows.append((index, frame, len(found) > 1, each.is_jpeg, *each.size, _NUMBERS[each.kind.name]))
    for done in {(change, each.is_jpeg) for each in found for change in each.changes}:
        part.changes[done] += 1
        part.first.setdefault(done, index)


def _notices(parts: list[_Part], tree: Tree, paths: Sequence[str], jpegs: Sequence[bool]) -> list[Notice]:
    """What is to be told of files that are JPEG files or not, as `jpegs` has it."""
    counts, first = Counter[_Done](), dict[_Done, int]()
    for part in parts:
        counts += part.changes
        first = part.first | first
    found = list[Notice]()
    for change in Change:
        done = [(change, is_jpeg) for is_jpeg in jpegs if counts[change, is_jpeg]]
        if done:
            where = str(tree.at(paths[min(first[each] for each in done)]))
            found.append(Notice(change.value, sum(counts[each] for each in done), len(paths), where))
    return found


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
