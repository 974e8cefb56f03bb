"""An archive as DATA: its pictures with all that is known of them, as they pass or in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from engram.archive.errors import ManySizes
from engram.archive.opening import open
from engram.datasets.cells import Group
from engram.datasets.collection import Collection
from engram.datasets.stream import Stream, as_slice, in_pieces, without_pixels
from engram.images import ImageSet, Splits
from engram.kinds import AnyPixels
from engram.storage import Location, shown


def collection(path: Location) -> Collection:
    """The pictures of an archive, decoded as they pass. Raises CorruptArchive, also then."""
    return _Archived(path)


def load(path: Location) -> ImageSet | Splits:
    """All pictures of an archive with all that is known of them, in memory. Raises MixedSizes."""
    sets = [stream.load() for stream in collection(path).streams()]
    return sets[0] if len(sets) == 1 else Splits(*sets)


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
            self.is_lossy = not all(coder.lossless for coder in archive.coders)
            self.files = {
                name: archive.segment(number).kept_file(name)
                for number, source in enumerate(archive.sources)
                for name in source.directory.files
            }

    def read(self, rows: NDArray[np.int64]) -> Sequence[AnyPixels]:
        with open(self._path) as archive:
            found: Sequence[AnyPixels] = archive.gather(rows)
            return found

    def where(self, row: int) -> str:
        return f"{self.name}, image {row}"

    def _size(self) -> tuple[int, int]:
        return self._shape[:2]

    def cells(self, group: Group) -> Stream:
        return _Plain(self, self._path) if group.is_whole(self.sizes) else super().cells(group)

    def streams(self, split: str = "") -> tuple[Stream, ...]:
        found = super().streams(split)
        is_all = len(found) == 1 and len(found[0]) == len(self)
        return (_Plain(self, self._path, found[0].known),) if is_all and len(self.kinds) == 1 else found


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
