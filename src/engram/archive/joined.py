"""Archives as one sequence of images: what a shard set and a grown archive have in common.

Blocks are numbered through; the last of each archive may have fewer images than the others. An archive is opened when
it is first read.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain, groupby
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from engram.archive.breakdown import Breakdown
from engram.archive.errors import CorruptArchive, CorruptBlock
from engram.archive.layout import Header
from engram.archive.reader import Archive
from engram.archive.sequence import Reader


class Joined(Reader):
    """Archives of one image shape: those images of the first, then those of the second, and so on."""

    def __init__(self, archives: Sequence[tuple[int, Header]]) -> None:
        """archives: the images and the header of each."""
        self._firsts = np.cumsum([0] + [images for images, _ in archives])
        starts = [
            np.arange(first, first + images, header.block_size)
            for first, (images, header) in zip(self._firsts.tolist(), archives, strict=False)
        ]
        self._first_blocks = np.cumsum([0] + [len(each) for each in starts])
        headers = [header for _, header in archives]
        super().__init__(
            np.concatenate([*starts, self._firsts[-1:]]),
            headers[0].image_shape,
            max(header.block_pixels for header in headers),
        )

    @abstractmethod
    def archive(self, number: int) -> Archive:
        """One of the archives, which stays open for a while."""

    @abstractmethod
    def shown(self, number: int) -> str:
        """What messages call an archive."""

    @abstractmethod
    def mismatch(self, number: int, reason: str) -> CorruptArchive:
        """The error for an archive that does not go with the others."""

    @property
    def archives(self) -> int:
        """How many there are."""
        return len(self._firsts) - 1

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.archive(0).class_names

    @cached_property
    def labels(self) -> NDArray[np.int64] | None:
        return self.labels_of(np.arange(len(self)))

    def labels_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
        found = np.zeros(len(rows), np.int64)
        owners = np.searchsorted(self._firsts, rows, side="right") - 1
        if self.archive(0).labels is None:
            return None
        names = self.class_names
        for number in np.unique(owners).tolist():
            spots, one = np.flatnonzero(owners == number), self.archive(number)
            if one.labels is None or names[: len(one.class_names)] != one.class_names:
                raise self.mismatch(number, "has other classes than")
            found[spots] = one.labels[rows[spots] - self._firsts[number]]
        return found

    def iterate_names(self) -> Iterator[str] | None:
        if self.archive(0).iterate_names() is None:
            return None
        return chain.from_iterable(self.names_of(number) for number in range(self.archives))

    def names_of(self, number: int) -> Iterator[str]:
        """The names of one archive's images."""
        names = self.archive(number).iterate_names()
        if names is None:
            raise self.mismatch(number, "has no names, unlike")
        return names

    @property
    def info(self) -> Breakdown:
        parts = [self.archive(number).info for number in range(self.archives)]
        sums = {name: sum(each.bytes_by_part[name] for each in parts) for name in parts[0].bytes_by_part}
        return replace(parts[0], images=len(self), blocks=self.blocks, bytes_by_part=sums)

    def read_blocks(self, numbers: Sequence[int]) -> list[bytes]:
        found = dict[int, bytes]()
        for owner, some in self._by_archive(numbers):
            first = int(self._first_blocks[owner])
            try:
                pieces = self.archive(owner).read_blocks([number - first for number in some])
            except CorruptBlock as error:
                raise self.damaged(error.number + first, error.reason) from None
            found |= dict(zip(some, pieces, strict=True))
        return [found[number] for number in numbers]

    def expect(self, numbers: Sequence[int]) -> None:
        for owner, some in self._by_archive(numbers):
            first = int(self._first_blocks[owner])
            self.archive(owner).expect([number - first for number in some])

    def damaged(self, number: int, reason: str) -> CorruptBlock:
        return CorruptBlock(self.shown(self.owner_of(number)), number, *self.images_of(number), reason)

    def owner_of(self, block: int) -> int:
        """The number of the archive that a block lies in."""
        return int(np.searchsorted(self._first_blocks, block, side="right")) - 1

    def _by_archive(self, numbers: Sequence[int]) -> list[tuple[int, list[int]]]:
        owners = (np.searchsorted(self._first_blocks, numbers, side="right") - 1).tolist()
        ordered = sorted(zip(owners, numbers, strict=True))
        return [(owner, [number for _, number in some]) for owner, some in groupby(ordered, itemgetter(0))]
