"""An archive as DATA: its images with all that is known of them, as they pass or in memory."""

from __future__ import annotations

from collections.abc import Iterator

from engram.archive.opening import open
from engram.datasets.stream import Stream, as_slice, in_pieces, without_pixels
from engram.images import ImageSet, Pixels
from engram.storage import Location, shown


def load(path: Location) -> ImageSet:
    """All images of an archive with all that is known of them, in memory."""
    return stream(path).load()


def stream(path: Location) -> Stream:
    """The images of an archive, decoded as they pass. Raises CorruptArchive, also then."""
    return _Archived(path)


class _Archived(Stream):
    """The archive is opened anew for each passage, and closed after it."""

    def __init__(self, path: Location) -> None:
        self.name, self._path = shown(path), path
        with open(path) as archive:
            blank = without_pixels((len(archive), *archive.image_shape))
            self.known = ImageSet(blank, archive.labels, archive.class_names, archive.names)

    def pixels(self, rows: range) -> Iterator[Pixels]:
        with open(self._path) as archive:
            if rows == range(len(self)):
                yield from (images for _, images in archive.batches())
            else:
                yield from (archive[as_slice(some)] for some in in_pieces(rows, self.image_shape))
