"""Stream: a collection that passes by in pieces of a few megabytes and is never in memory as a whole.

What is known of the images (how many, their size, labels, names) is known before; the pixels are read as they pass,
as often as they are asked for. A format gives its pixels; labels and names are added here.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np

from engram.datasets.notices import Notice
from engram.datasets.progress import Progress
from engram.errors import EngramError
from engram.images import ImageSet, Pixels

PIECE_BYTES = 1 << 23
"""About how many bytes of pixels a piece has."""


class CannotRead(EngramError):
    """A file or folder that is there but does not let itself be read."""


class Stream(ABC):
    """Images that can be gone through again and again.

    name: what messages call it. known: all of the set but its pixels; in their place may stand `without_pixels`.
    notices: what is done to images so that they can be taken.
    """

    name: str
    known: ImageSet
    notices: tuple[Notice, ...] = ()

    @abstractmethod
    def pixels(self, rows: range) -> Iterator[Pixels]:
        """uint8[n, h, w, c] after uint8[n, h, w, c]: the images of these rows, in order. `rows` runs upwards."""

    def pieces(self, rows: range | None = None) -> Iterator[ImageSet]:
        """The images of these rows, or all, with what is known of them, in order; at least one piece, be it empty."""
        known, done = self.known, 0
        rows = range(len(self)) if rows is None else rows
        try:
            for images in self.pixels(rows):
                some = as_slice(rows[done : done + len(images)])
                done += len(images)
                yield known[some].with_images(images)
        except OSError as error:
            raise cannot_read(self.name, error) from error
        if not rows:
            yield known[:0]

    def load(self, progress: Progress | None = None) -> ImageSet:
        """All of it, in memory."""
        return self._every(1, progress)

    def sample(self, most: int, progress: Progress | None = None) -> ImageSet:
        """At most `most` images, evenly spread from the first on, in memory."""
        return self._every(max(1, -(-len(self) // most)), progress)

    def _every(self, step: int, progress: Progress | None) -> ImageSet:
        images, done = np.empty((-(-len(self) // step), *self.image_shape), self.known.images.dtype), 0
        for piece in self.pieces(range(0, len(self), step)):
            images[done : done + len(piece)] = piece.images
            done += len(piece)
            if progress:
                progress(done, len(images))
        return self.known[::step].with_images(images)

    def __len__(self) -> int:
        return len(self.known)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of each image."""
        return self.known.image_shape


class InMemory(Stream):
    """The stream of a set that is in memory already."""

    def __init__(self, images: ImageSet) -> None:
        self.name, self.known = repr(images), images

    def pixels(self, rows: range) -> Iterator[Pixels]:
        """Views of the set's own pixels."""
        for some in in_pieces(rows, self.image_shape):
            yield self.known.images[as_slice(some)]

    def load(self, progress: Progress | None = None) -> ImageSet:
        """The set itself."""
        return self.known


def in_pieces(rows: range, shape: tuple[int, ...]) -> Iterator[range]:
    """The rows of images of a shape, as many at a time as make a piece."""
    most = rows_of(shape)
    for first in range(0, len(rows), most):
        yield rows[first : first + most]


def as_slice(rows: range) -> slice:
    """The slice that takes these rows."""
    return slice(rows.start, rows.stop, rows.step)


def rows_of(shape: tuple[int, ...]) -> int:
    """How many images of a shape make a piece, at least 1."""
    return max(1, PIECE_BYTES // max(1, math.prod(shape)))


def without_pixels(shape: tuple[int, ...], dtype: Any = np.uint8) -> Any:
    """An array of a shape that takes no memory: one zero, seen everywhere."""
    return np.broadcast_to(np.zeros((), dtype), shape)


def cannot_read(name: str, error: OSError) -> CannotRead:
    """The error that explains what the operating system refused."""
    return CannotRead(f"{name}: could not be read ({error.strerror or error}); see to its permissions")
