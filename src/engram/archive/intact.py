"""The part of an archive that can be unpacked: all of it, or what damage has left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from engram.archive.metadata import Labels
from engram.archive.mixed import Mixed
from engram.archive.sequence import Reader
from engram.archive.verification import Verification
from engram.datasets.progress import Progress
from engram.images import Pixels


@dataclass(frozen=True)
class Intact:
    """An archive's images, labels and names, less what `damage` lists.

    many: where images are of many sizes, these and their places in the collection; `archive` has them as stored.
    """

    archive: Reader
    damage: Verification | None = None
    progress: Progress | None = None
    many: Mixed | None = None

    @classmethod
    def of(cls, archive: Reader, damage: Verification | None, progress: Progress | None) -> Self:
        """That of any archive."""
        if isinstance(archive, Mixed):
            return cls(archive.canvases, damage, progress, archive)
        return cls(archive, damage, progress)

    def sizes(self) -> NDArray[np.int32] | None:
        """int32[n, 2], the height and width that each image of `batches` is cut to; None where all are of one size."""
        return None if self.many is None else self.many.sizes[self.many.stored[self.rows()]]

    def places(self) -> NDArray[np.intp]:
        """The indices of the images in the collection."""
        return self.rows() if self.many is None else self.many.stored[self.rows()]

    def __len__(self) -> int:
        return len(self.archive) - (self.damage.images_lost if self.damage else 0)

    def rows(self) -> NDArray[np.intp]:
        """The indices of the images as they are stored."""
        there = np.ones(len(self.archive), bool)
        for block in self.damage.damaged_blocks if self.damage else ():
            there[block.first : block.stop] = False
        return np.flatnonzero(there)

    def batches(self) -> Iterator[Pixels]:
        """uint8[n, h, w, c] after uint8[n, h, w, c], in constant memory."""
        lost = {block.number for block in self.damage.damaged_blocks} if self.damage else set()
        for blocks in self.archive.block_groups():
            if kept := [block for block in blocks if block not in lost]:
                yield np.concatenate(self.archive.decode_blocks(kept))
            if self.progress:
                self.progress(self.archive.images_of(blocks[-1])[1], len(self.archive))

    def labels(self) -> Labels | None:
        """int64[n], or None where there are none or they are damaged."""
        labels = None if self._lost("labels") else self.archive.labels
        return None if labels is None else labels[self.rows()]

    def class_names(self) -> tuple[str, ...]:
        """The classes' names, () where there are none or they are damaged."""
        return () if self._lost("labels") else self.archive.class_names

    def names(self) -> Iterator[str] | None:
        """The file names one after another, or None where there are none or they are damaged."""
        names = None if self._lost("names") else self.archive.iterate_names()
        if names is None:
            return None
        there = np.zeros(len(self.archive), bool)
        there[self.rows()] = True
        return (name for name, kept in zip(names, there.tolist(), strict=True) if kept)

    def _lost(self, part: str) -> bool:
        return self.damage is not None and part in self.damage.damaged_parts
