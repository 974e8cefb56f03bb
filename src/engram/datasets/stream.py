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
    """

    name: str
    known: ImageSet

    @abstractmethod
    def pixels(self, step: int) -> Iterator[Pixels]:
        """uint8[n, h, w, c] after uint8[n, h, w, c]: every step-th image from the first on, in order."""

    def pieces(self, step: int = 1) -> Iterator[ImageSet]:
        """Every step-th image with what is known of it, in order; at least one piece, be it empty."""
        known, start = self.known, 0
        try:
            for images in self.pixels(step):
                some = slice(start, start + len(images) * step, step)
                start += len(images) * step
                labels = None if known.labels is None else known.labels[some]
                yield ImageSet(images, labels, known.class_names, None if known.names is None else known.names[some])
        except OSError as error:
            raise cannot_read(self.name, error) from error
        if not len(self):
            yield known

    def load(self, progress: Progress | None = None) -> ImageSet:
        """All of it, in memory."""
        return self._every(1, progress)

    def sample(self, most: int, progress: Progress | None = None) -> ImageSet:
        """At most `most` images, evenly spread from the first on, in memory."""
        return self._every(max(1, -(-len(self) // most)), progress)

    def _every(self, step: int, progress: Progress | None) -> ImageSet:
        images, done = np.empty((-(-len(self) // step), *self.image_shape), np.uint8), 0
        for piece in self.pieces(step):
            images[done : done + len(piece)] = piece.images
            done += len(piece)
            if progress:
                progress(done, len(images))
        labels, names = self.known.labels, self.known.names
        return ImageSet(
            images,
            None if labels is None else labels[::step],
            self.known.class_names,
            None if names is None else names[::step],
        )

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

    def pixels(self, step: int) -> Iterator[Pixels]:
        """Views of the set's own pixels."""
        for rows in row_slices(self, step):
            yield self.known.images[rows]

    def load(self, progress: Progress | None = None) -> ImageSet:
        """The set itself."""
        return self.known


def row_slices(stream: Stream, step: int) -> Iterator[slice]:
    """Every step-th image's index, in slices of a piece each."""
    rows = rows_of(stream.image_shape) * step
    for start in range(0, len(stream), rows):
        yield slice(start, min(start + rows, len(stream)), step)


def rows_of(shape: tuple[int, ...]) -> int:
    """How many images of a shape make a piece, at least 1."""
    return max(1, PIECE_BYTES // max(1, math.prod(shape)))


def without_pixels(shape: tuple[int, ...], dtype: Any = np.uint8) -> Any:
    """An array of a shape that takes no memory: one zero, seen everywhere."""
    return np.broadcast_to(np.zeros((), dtype), shape)


def cannot_read(name: str, error: OSError) -> CannotRead:
    """The error that explains what the operating system refused."""
    return CannotRead(f"{name}: could not be read ({error.strerror or error}); see to its permissions")
