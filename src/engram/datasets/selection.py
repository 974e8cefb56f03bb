"""A split of a collection, as a collection."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engram.datasets.collection import Collection, NoSuchSplit
from engram.kinds import AnyPixels


def of_split(whole: Collection, split: str) -> Collection:
    """The pictures of a split. Raises NoSuchSplit."""
    column = whole.table.get("split")
    rows = np.flatnonzero(column.mask(split)) if column is not None else np.empty(0, np.int64)
    if not len(rows):
        raise NoSuchSplit(f"{whole.name} has no split {split!r}; leave out :{split}")
    return _Selected(whole, rows)


class _Selected(Collection):
    """Some pictures of a collection, in its order."""

    def __init__(self, whole: Collection, rows: NDArray[np.int64]) -> None:
        self._whole, self._rows = whole, rows
        self.name, self.notices, self.files = whole.name, whole.notices, whole.files
        self.notices_with_files = whole.notices_with_files
        self.table = {name: column[rows] for name, column in whole.table.items()}
        self.sizes = whole.sizes[rows]
        present, numbers = np.unique(whole.kind_numbers[rows], return_inverse=True)
        self.kinds = tuple(whole.kinds[number] for number in present.tolist())
        self.kind_numbers = numbers.astype(np.uint8)
        self.as_files = None if whole.as_files is None else whole.as_files[rows]

    def read(self, rows: NDArray[np.int64]) -> Sequence[AnyPixels]:
        return self._whole.read(self._rows[rows])

    def read_files(self, rows: NDArray[np.int64]) -> list[bytes]:
        return self._whole.read_files(self._rows[rows])

    @property
    def file_sizes(self) -> NDArray[np.int64]:
        sizes: NDArray[np.int64] = self._whole.file_sizes[self._rows]
        return sizes

    def where(self, row: int) -> str:
        return self._whole.where(int(self._rows[row]))
