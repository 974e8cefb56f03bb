"""An archive as DATA: its pictures with all that is known of them, as they pass or in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from engram.archive.compacting import kept_files
from engram.archive.errors import ManySizes
from engram.archive.opening import open
from engram.datasets.cells import Group
from engram.datasets.collection import Collection
from engram.datasets.stream import Stream, as_slice, in_pieces, without_pixels
from engram.images import ImageSet
from engram.kinds import AnyPixels
from engram.storage import Location, shown


def collection(path: Location) -> Collection:
    """The pictures of an archive, decoded as they pass. Raises CorruptArchive, also then."""
    return _Archived(path)


def load(path: Location) -> ImageSet:
    """All pictures of an archive with all that is known of them, in memory. Raises MixedSizes."""
    return collection(path).stream().load()


class _Archived(Collection):
    """The archive is opened anew for each passage, and closed after it."""

    def __init__(self, path: Location) -> None:
        self.name, self._path = shown(path), path
        with open(path) as archive:
            self.table = {name: archive.column(name) for name in archive.column_names}
            self.sizes = archive.sizes.astype(np.int32)
            kinds = [] if archive.is_plain else archive.kinds_of(archive.rows)
            self.kinds = tuple(dict.fromkeys(kinds)) or tuple(kind for *_, kind in archive.shapes)
            numbers = [self.kinds.index(kind) for kind in kinds]
            self.kind_numbers = np.array(numbers or np.zeros(len(archive)), np.uint8)
            self._shape = (1, 1, 1)
            with suppress(ManySizes):
                self._shape = archive.image_shape
            files = archive.are_files(archive.rows)
            self.as_files = files if files.any() else None
            self.is_lossy = not all(coder.lossless for coder in archive.coders)
            self.files = kept_files(archive)

    def read(self, rows: NDArray[np.int64]) -> Sequence[AnyPixels]:
        with open(self._path) as archive:
            found: Sequence[AnyPixels] = archive.gather(rows)
            return found

    def read_files(self, rows: NDArray[np.int64]) -> list[bytes]:
        with open(self._path) as archive:
            return [file for file in archive.files_of(rows) if file is not None]

    def where(self, row: int) -> str:
        return f"{self.name}, image {row}"

    def _size(self) -> tuple[int, int]:
        return self._shape[:2]

    def cells(self, group: Group) -> Stream:
        return _Plain(self, self._path) if group.is_whole(self.sizes) else super().cells(group)

    def stream(self) -> Stream:
        found = super().stream()
        return _Plain(self, self._path, found.known) if len(self.kinds) == 1 else found


class _Plain(Stream):
    """All pictures of an archive of one size, in its order."""

    def __init__(self, of: _Archived, path: Location, known: ImageSet | None = None) -> None:
        self.name, self._path = of.name, path
        self.known = known or ImageSet(without_pixels((len(of), *of._shape), of.kinds[0].dtype))

    def pixels(self, rows: range) -> Iterator[AnyPixels]:
        with open(self._path) as archive:
            if rows == range(len(self)) and archive.is_plain:
                yield from (images for _, images in archive.batches())
            else:
                yield from (archive[as_slice(some)] for some in in_pieces(rows, self.image_shape))
