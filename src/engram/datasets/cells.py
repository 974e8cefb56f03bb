"""Pictures of many sizes on cells of few: which pictures share a size of cells, and what is put around them.

A picture of a size that few have is laid on a larger cell, at its top left; its last row and column go on to the
edges, which a code that looks at neighbours has little to say of. A picture larger than a code's window is cut into
tiles, each a cell. So a collection of any sizes becomes groups of cells of one size, each large enough for blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engram.kinds import AnyPixels, Kind

FEWEST = 64
"""Pictures that a group is worth having for, where they can find each other: a block of them."""
MOST_GROUPS = 256
"""About how many groups there are, at most: each has a description of its own."""
LARGEST = 256
"""The side of a cell, at most."""
MOST_BYTES = 1 << 28
"""Of the pixels of a picture as large as any of a group of files."""

Sizes = NDArray[np.int32]
"""int32[n, 2]: the height and width of each picture."""


@dataclass(frozen=True, eq=False)
class Group:
    """Pictures whose cells have one kind and size, (height, width): their rows, rising, and their sizes.

    of_files: whether the cells are the pictures' files; then no picture is larger than the size.
    """

    kind: Kind
    size: tuple[int, int]
    rows: NDArray[np.int64]
    sizes: Sizes
    of_files: bool = False

    def as_files(self) -> Group:
        """The same pictures, as files."""
        height, width = self.sizes.max(axis=0).tolist()
        return Group(self.kind, (height, width), self.rows, self.sizes, True)

    @cached_property
    def first_cells(self) -> NDArray[np.int64]:
        """int64[rows]: the number of the first cell of each picture."""
        counts = self.counts
        return np.cumsum(counts) - counts

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """int64[rows]: how many cells each picture has."""
        found: NDArray[np.int64] = (-(-self.sizes.astype(np.int64) // np.array(self.size))).prod(axis=1)
        return found

    @property
    def cells(self) -> int:
        """How many there are."""
        return int(self.counts.sum())

    def is_whole(self, sizes: Sizes) -> bool:
        """Whether it has all pictures, each one cell without padding."""
        return len(self.rows) == len(sizes) and bool((self.sizes == self.size).all())


def may_be_files(sizes: Sizes, kinds: Sequence[Kind], kind_numbers: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which pictures are small enough to be kept as files: what holds all of a group of files is within MOST_BYTES."""
    pixel_bytes = np.array([kind.channels * kind.bits // 8 for kind in kinds] or [1])[kind_numbers]
    group = LARGEST**2 * 4 ** _classes(sizes).sum(axis=1)
    square = sizes.max(axis=1, initial=0).astype(np.int64) ** 2
    found: NDArray[np.bool_] = np.minimum(group, square) * pixel_bytes <= MOST_BYTES
    return found


def _classes(sizes: Sizes) -> NDArray[np.int64]:
    """int64[n, 2]: the least k for each side with which it is no more than LARGEST times 4^k."""
    return np.ceil(np.log2(np.maximum(sizes, LARGEST) / LARGEST) / 2).astype(np.int64)


def share(
    sizes: Sizes,
    kinds: Sequence[Kind],
    kind_numbers: NDArray[np.uint8],
    fewest: int = FEWEST,
    kept: NDArray[np.bool_] | None = None,
) -> list[Group]:
    """Every picture in one group; the groups in the order of their first pictures.

    kept: those that are in groups of files, which are of similar sizes.

    Pictures of one size share a group of that size, if there are `fewest` of them. Those that are left are asked again
    with their sides rounded up to multiples of 8, then of 16, of 32 and so on, until all are placed; the last group
    takes however few are left. Cells are as large as their pictures need, and no larger than LARGEST.
    """
    found, fewest = list[Group](), max(fewest, len(sizes) // MOST_GROUPS)
    kept = np.zeros(len(sizes), bool) if kept is None else kept
    for number, kind in enumerate(kinds):
        mine = kind_numbers == number
        found += _share(sizes, np.flatnonzero(mine & ~kept), kind, fewest)
        found += _share_files(sizes, np.flatnonzero(mine & kept), kind)
    return sorted(found, key=lambda group: int(group.rows[0]))


def _share_files(sizes: Sizes, rows: NDArray[np.int64], kind: Kind) -> list[Group]:
    """Groups of files: each side up to LARGEST, or up to 4, 16 or 64 times that."""
    _, group = np.unique(_classes(sizes[rows]), axis=0, return_inverse=True)
    members = [rows[group.reshape(-1) == number] for number in range(group.max(initial=-1) + 1)]
    return [Group(kind, (1, 1), some, sizes[some]).as_files() for some in members]


def _share(sizes: Sizes, left: NDArray[np.int64], kind: Kind, fewest: int) -> list[Group]:
    found, grain = list[Group](), 1
    tiles = -(-sizes.astype(np.int64) // LARGEST)
    needed = -(-sizes.astype(np.int64) // tiles)
    while len(left):
        rounded = -(-needed[left] // grain)
        last = bool((rounded == 1).all())
        _, group, counts = np.unique(rounded, axis=0, return_inverse=True, return_counts=True)
        order = np.argsort(group.reshape(-1), kind="stable")
        placed = np.zeros(len(left), bool)
        for members, count in zip(np.split(order, np.cumsum(counts)[:-1]), counts, strict=True):
            if last or count >= fewest:
                height, width = needed[left[members]].max(axis=0).tolist()
                found.append(Group(kind, (height, width), left[members], sizes[left[members]]))
                placed[members] = True
        left, grain = left[~placed], 8 if grain == 1 else 2 * grain
    return found


def cut(picture: AnyPixels, tile: int, cell: AnyPixels) -> None:
    """Puts a tile of a picture [h, w, c] at the top left of a cell, and fills the rest from its edges."""
    height, width = cell.shape[:2]
    across = -(-picture.shape[1] // width)
    top, left = tile // across * height, tile % across * width
    part = picture[top : top + height, left : left + width]
    cell[: part.shape[0], : part.shape[1]] = part
    cell[: part.shape[0], part.shape[1] :] = part[:, -1:]
    cell[part.shape[0] :] = cell[part.shape[0] - 1]
