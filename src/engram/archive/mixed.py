"""An archive of images of many sizes: a bundle of one archive for each canvas, read in the collection's own order."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from engram.archive.breakdown import Breakdown
from engram.archive.bundle import CorruptBundle, Part, Stored
from engram.archive.errors import CorruptBlock
from engram.archive.file import GivenModel
from engram.archive.grown import Grown
from engram.archive.members import Members
from engram.archive.sequence import Reader
from engram.codecs.contract import Codec
from engram.errors import UsageError
from engram.images import Pixels
from engram.storage import Location

_ITERATED_BYTES = 1 << 24


class ManySizes(UsageError):
    """Images of many sizes, where all have to be of one."""


class Canvases(Grown):
    """All images as they are stored: canvas after canvas, padded. No group of blocks has canvases of two sizes."""

    def block_groups(self) -> Iterator[range]:
        for blocks in super().block_groups():
            owners = [self.owner_of(block) for block in blocks]
            starts = [0, *(np.flatnonzero(np.diff(owners)) + 1).tolist(), len(blocks)]
            yield from (blocks[start:stop] for start, stop in pairwise(starts))


class Mixed(Reader):
    """Images of many sizes, open for reading: len, a[i], iteration; labels, names, class_names; a slice, a list of
    indices or a mask gives a list of images. What needs one size is refused by ManySizes.

    sizes: int32[n, 2], the height and width of each image. canvases: the same images as they are stored.
    Raises CorruptBundle.
    """

    def __init__(self, members: Members) -> None:
        self.canvases = Canvases(members)
        self._members = members
        parts, archives = members.bundle.parts, np.cumsum([0] + [len(part.members) for part in members.bundle.parts])
        owners = [self._order(part) + first for part, first in zip(parts, archives.tolist(), strict=False)]
        self._owners = np.concatenate(owners)
        self._stored = np.argsort(self._owners, kind="stable")
        firsts = np.cumsum([0] + [member.images for member in members.entries])
        self._rows = np.empty(len(self._owners), np.int64)
        self._rows[self._stored] = np.arange(len(self._owners)) - firsts[self._owners[self._stored]]
        shapes = np.array([header.image_shape[:2] for header in members.headers], np.int32)
        self.sizes = shapes[self._owners] - np.concatenate([self._padding(part) for part in parts])
        if (self.sizes < 1).any():
            raise self._wrong("leaves nothing of an image")

    def _order(self, part: Part) -> NDArray[np.int64]:
        """The number of each image's archive in the part."""
        if part.order is None:
            return np.zeros(part.images, np.int64)
        kind = np.dtype(np.uint8 if len(part.members) <= 256 else "<u2")
        order = np.frombuffer(self._section(part.order, part.images * kind.itemsize), kind).astype(np.int64)
        counts = [member.images for member in part.members]
        if order.max(initial=0) >= len(counts) or np.bincount(order, minlength=len(counts)).tolist() != counts:
            raise self._wrong("gives an archive another number of images than it has")
        return order

    def _padding(self, part: Part) -> NDArray[np.int32]:
        if part.sizes is None:
            return np.zeros((part.images, 2), np.int32)
        data = self._section(part.sizes, 4 * part.images)
        return np.frombuffer(data, "<u2").reshape(2, -1).T.astype(np.int32)

    def _section(self, box: Stored, size: int) -> bytes:
        data = self._members.file.read(box.offset, box.bytes)
        if zlib.crc32(data) != box.crc32:
            raise self._wrong("is damaged: its checksum is wrong")
        stream = zlib.decompressobj()
        try:
            text = stream.decompress(data, size + 1)
        except zlib.error:
            text = b""
        if len(text) != size or not stream.eof or stream.unused_data:
            raise self._wrong("does not inflate to what it has to be")
        return text

    def _wrong(self, what: str) -> CorruptBundle:
        return CorruptBundle(f"{self._members.file.shown}: a section of orders or sizes {what}")

    def _refuse(self) -> NoReturn:
        raise ManySizes(f"{self.path} has images of many sizes, and one is needed here; `engram unpack` makes a folder")

    @property
    def image_shape(self) -> tuple[int, int, int]:  # type: ignore[override]
        self._refuse()

    @property
    def block_starts(self) -> NDArray[np.int64]:  # type: ignore[override]
        self._refuse()

    def batches(self) -> Iterator[tuple[int, Pixels]]:
        self._refuse()

    def __len__(self) -> int:
        return len(self._owners)

    @property
    def channels(self) -> int:
        """1 (gray) or 3 (RGB)."""
        return self.canvases.image_shape[2]

    def __getitem__(self, index: Any) -> Any:
        """uint8[h, w, c] of an index; a list of such of a slice, of a list of indices in its order, or of a mask."""
        if isinstance(index, slice):
            return self._some(np.arange(*index.indices(len(self))))
        if np.ndim(index):
            return self._some(self.rows(index))
        row = range(len(self))[index]
        height, width = self.sizes[row].tolist()
        image = self.canvases.archive(int(self._owners[row]))[int(self._rows[row])]
        return image[:height, :width].copy()

    def _some(self, indices: NDArray[np.intp]) -> list[Pixels]:
        found: list[Pixels] = [np.empty(0, np.uint8)] * len(indices)
        owners = self._owners[indices]
        for owner in np.unique(owners).tolist():
            spots = np.flatnonzero(owners == owner)
            images = self.canvases.archive(owner)[self._rows[indices[spots]]]
            for spot, image in zip(spots.tolist(), images, strict=True):
                height, width = self.sizes[indices[spot]].tolist()
                found[spot] = image[:height, :width].copy()
        return found

    def __iter__(self) -> Iterator[Pixels]:
        """Each image, decoded many at a time in constant memory."""
        largest = max(int(np.prod(header.image_shape)) for header in self._members.headers)
        step = max(1, _ITERATED_BYTES // largest)
        for start in range(0, len(self), step):
            yield from self._some(np.arange(start, min(start + step, len(self))))

    @property
    def stored(self) -> NDArray[np.int64]:
        """The indices of the images in the order in which they are stored."""
        return self._stored

    @property
    def path(self) -> Location:
        return self.canvases.path

    @property
    def codec(self) -> Codec:
        """There are many, each for one size. Raises ManySizes."""
        self._refuse()

    @property
    def codecs(self) -> Sequence[Codec]:
        return self.canvases.codecs

    @property
    def info(self) -> Breakdown:
        height, width = self.sizes.max(axis=0, initial=1).tolist()
        sizes = len(np.unique(self.sizes, axis=0))
        return replace(self.canvases.info, image_shape=(height, width, self.channels), sizes=sizes)

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.canvases.class_names

    @cached_property
    def labels(self) -> NDArray[np.int64] | None:
        stored = self.canvases.labels
        if stored is None:
            return None
        labels = np.empty_like(stored)
        labels[self._stored] = stored
        return labels

    def labels_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
        return None if self.labels is None else self.labels[rows]

    def iterate_names(self) -> Iterator[str] | None:
        if self.canvases.iterate_names() is None:
            return None
        return self._names()

    def _names(self) -> Iterator[str]:
        each = [self.canvases.names_of(number) for number in range(self.canvases.archives)]
        for owner in self._owners.tolist():
            yield next(each[owner])

    def read_blocks(self, numbers: Sequence[int]) -> list[bytes]:
        return self.canvases.read_blocks(numbers)

    def expect(self, numbers: Sequence[int]) -> None:
        self.canvases.expect(numbers)

    def damaged(self, number: int, reason: str) -> CorruptBlock:
        return self.canvases.damaged(number, reason)

    def close(self) -> None:
        self.canvases.close()

    def __repr__(self) -> str:
        sizes = len(np.unique(self.sizes, axis=0))
        return f"<Mixed {self.path}: {len(self):,} images of {sizes:,} sizes on {len(self._members)} canvases>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, self._members.made_of


def reader_of(members: Members) -> Grown | Mixed:
    """The reader of a bundle."""
    return Grown(members) if members.bundle.is_plain else Mixed(members)


def _reopen(location: str, model: GivenModel, identity: tuple[int, int]) -> Mixed:
    return Mixed(Members.reopened(location, model, identity))
