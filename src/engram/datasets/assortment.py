"""Assortment: pictures of many sizes, as they lie in a folder; any of them pass by as a stream on one canvas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engram.datasets.canvases import Canvas, Sizes, lay
from engram.datasets.notices import Notice
from engram.datasets.stream import Stream, as_slice, in_pieces, without_pixels
from engram.errors import EngramError
from engram.images import ImageSet, Pixels


class MixedSizes(EngramError):
    """Pictures of more than one size, where all have to be of one."""


@dataclass(frozen=True, eq=False)
class Files:
    """The paths of pictures: in folders[k] those before stops[k], from where the folder before stops."""

    folders: tuple[Path, ...]
    stops: NDArray[np.int64]
    names: tuple[str, ...]

    def __iter__(self) -> Iterator[Path]:
        start = 0
        for folder, stop in zip(self.folders, self.stops.tolist(), strict=True):
            yield from (folder / name for name in self.names[start:stop])
            start = stop

    def paths(self, rows: Sequence[int] | NDArray[np.int64]) -> list[Path]:
        """Those of some."""
        places = np.searchsorted(self.stops, np.asarray(rows), "right").tolist()
        return [self.folders[place] / self.names[row] for place, row in zip(places, rows, strict=True)]


@dataclass(frozen=True, eq=False)
class Assortment:
    """Pictures of many sizes, in order: their sizes, channels, labels, class names and file names."""

    name: str
    files: Files
    sizes: Sizes
    channels: int
    labels: NDArray[np.int64] | None
    class_names: tuple[str, ...]
    notices: tuple[Notice, ...]

    def __len__(self) -> int:
        return len(self.sizes)

    def on(self, canvas: Canvas) -> Stream:
        """The images of a canvas, laid on it, with their labels and names."""
        return _OnCanvas(self, canvas)

    @property
    def known(self) -> ImageSet:
        """What is known of all of them but their sizes and pixels."""
        return self.on(Canvas((1, 1), np.arange(len(self)))).known

    @property
    def is_mixed(self) -> bool:
        """Whether there is more than one size."""
        return bool((self.sizes != self.sizes[:1]).any())

    def alike(self) -> Stream:
        """All images, where they have one size."""
        height, width = self.sizes[0].tolist()
        return self.on(Canvas((height, width), np.arange(len(self))))

    def read(self, rows: NDArray[np.int64], size: tuple[int, int]) -> Pixels:
        """uint8[n, h, w, c] of some, laid on canvases of a size. Raises ChangedPicture and what `kinds.read` raises."""
        from engram.datasets.kinds import read  # these bring Pillow
        from engram.datasets.pictures import in_threads

        images, paths = np.empty((len(rows), *size, self.channels), np.uint8), self.files.paths(rows.tolist())

        def decode(start: int, stop: int) -> int:
            for index in range(start, stop):
                height, width = self.sizes[rows[index]].tolist()
                lay(read(paths[index], (height, width, self.channels)), images[index])
            return 0

        in_threads(decode, len(paths))
        return images

    def refusal(self) -> MixedSizes:
        """The error where one size is needed."""
        other = int((self.sizes != self.sizes[0]).any(axis=1).argmax())
        first, second = self.files.paths([0, other])
        sizes = [f"{width} x {height}" for height, width in self.sizes[[0, other]].tolist()]
        return MixedSizes(
            f"{first} is {sizes[0]} pixels, {second} is {sizes[1]}: make them one size, or make a folder for each size"
        )


def joined(parts: Sequence[Assortment]) -> Assortment:
    """All pictures of parts of one list of classes and as many channels, in order."""
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0] + [len(part) for part in parts])
    stops = np.concatenate([part.files.stops + start for part, start in zip(parts, starts, strict=False)])
    labels = [part.labels for part in parts if part.labels is not None]
    return Assortment(
        name=parts[0].name,
        files=Files(
            tuple(folder for part in parts for folder in part.files.folders),
            stops,
            tuple(name for part in parts for name in part.files.names),
        ),
        sizes=np.concatenate([part.sizes for part in parts]),
        channels=parts[0].channels,
        labels=np.concatenate(labels) if labels else None,
        class_names=parts[0].class_names,
        notices=tuple(notice for part in parts for notice in part.notices),
    )


def of_one_size(found: Sequence[Stream] | Assortment) -> Sequence[Stream]:
    """The streams. Raises MixedSizes."""
    if isinstance(found, Assortment):
        raise found.refusal()
    return found


class _OnCanvas(Stream):
    def __init__(self, assortment: Assortment, canvas: Canvas) -> None:
        self._assortment, self._canvas = assortment, canvas
        self.name, self.notices = assortment.name, assortment.notices
        labels, names, rows = assortment.labels, assortment.files.names, canvas.images
        everything = len(rows) == len(assortment)
        self.known = ImageSet(
            without_pixels((len(rows), *canvas.size, assortment.channels)),
            None if labels is None else labels[rows],
            assortment.class_names,
            names if everything else tuple(names[row] for row in rows.tolist()),
        )

    def pixels(self, rows: range) -> Iterator[Pixels]:
        for some in in_pieces(rows, self.image_shape):
            yield self._assortment.read(self._canvas.images[as_slice(some)], self._canvas.size)
