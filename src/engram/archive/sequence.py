"""What can be read like a sequence of images that lie in blocks, one archive's or a shard set's, and how it is done.

It decodes what is asked for, and no more than it must. Threads may share it: nothing that is shared changes but a
cache that bears it.
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import groupby
from types import TracebackType
from typing import Any, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.archive.breakdown import Breakdown
from engram.archive.errors import CorruptBlock, LimitExceeded
from engram.codecs.contract import Codec, Rows
from engram.errors import CorruptData
from engram.images import Pixels
from engram.storage import Location

_BATCH_BYTES = 1 << 24
"""Pixels decoded in one go."""
_CACHE_BYTES = 1 << 24
"""Pixels of whole blocks that reads by index leave behind; one block is kept however large it is."""
_VISITS_BEFORE_WHOLE = 4
"""So many images of a frozen network, decoded alone, cost about as much as their block of 64: whatever the pattern of
reads, it costs no more than about twice what the best choice would."""
_MOST_NAMES_LENGTH = 1 << 28


class Reader(Sequence[Pixels], ABC):
    """Images by index: len, a[i], a[i:j], a[[7, 3, 7]], iteration; labels, names, class_names; a context manager.

    Blocks are numbered from 0 on; block k has the images block_starts[k] to block_starts[k + 1] - 1.
    """

    def __init__(self, block_starts: NDArray[np.int64], image_shape: tuple[int, int, int], block_bytes: int) -> None:
        """block_bytes: the pixels of the largest block."""
        self.block_starts, self.image_shape, self.block_bytes = block_starts, image_shape, block_bytes
        self._blocks_at_once = max(1, _BATCH_BYTES // block_bytes)
        self._places = lru_cache(max(1, _CACHE_BYTES // block_bytes))(_Place)

    @property
    @abstractmethod
    def path(self) -> Location:
        """Where it lies: an absolute Path; a URL as it may be shown, without credentials."""

    @property
    @abstractmethod
    def codec(self) -> Codec:
        """The codec that decodes all blocks, or those of the newest images.

        Raises ModelMissing, ModelMismatch, CorruptModel, UnknownCodec.
        """

    @property
    def codecs(self) -> Sequence[Codec]:
        """All codecs that there are. Raises what `codec` does."""
        return [self.codec]

    def codec_of(self, block: int) -> Codec:
        """The codec that decodes a block. Raises what `codec` does."""
        return self.codec

    @property
    @abstractmethod
    def info(self) -> Breakdown:
        """What each byte is for."""

    @property
    @abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """The classes' names, () where there are none. Raises CorruptMetadata."""

    @property
    @abstractmethod
    def labels(self) -> NDArray[np.int64] | None:
        """int64[n], or None. Raises CorruptMetadata."""

    @abstractmethod
    def labels_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """The labels of some images, or None; no others are read where they lie apart."""

    @abstractmethod
    def iterate_names(self) -> Iterator[str] | None:
        """The names one after another in constant memory, or None where there are none. Raises CorruptMetadata."""

    @abstractmethod
    def read_blocks(self, numbers: Sequence[int]) -> list[bytes]:
        """The bytes of blocks. Raises CorruptBlock for the first that is damaged."""

    @abstractmethod
    def expect(self, numbers: Sequence[int]) -> None:
        """Is told which blocks will be read next, so that they may be fetched meanwhile."""

    @abstractmethod
    def damaged(self, number: int, reason: str) -> CorruptBlock:
        """The error that names a block's images."""

    @abstractmethod
    def close(self) -> None:
        """Closes the files; what was read stays valid."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return int(self.block_starts[-1])

    @property
    def blocks(self) -> int:
        """How many there are."""
        return len(self.block_starts) - 1

    def block_of(self, rows: ArrayLike) -> NDArray[np.intp]:
        """The number of the block that each image lies in."""
        return np.searchsorted(self.block_starts, rows, side="right") - 1

    def images_of(self, block: int) -> tuple[int, int]:
        """(first, stop) of a block's images."""
        return int(self.block_starts[block]), int(self.block_starts[block + 1])

    @overload  # type: ignore[override]  # a slice of a sequence of arrays is an array, not a Sequence of them
    def __getitem__(self, index: int) -> Pixels: ...
    @overload
    def __getitem__(self, index: slice | ArrayLike) -> Pixels: ...
    def __getitem__(self, index: Any) -> Pixels:
        """uint8[h, w, c] of an index; uint8[n, h, w, c] of a slice, of a list of indices in its order, or of a mask.

        Raises IndexError, and CorruptBlock where one of the images is lost.
        """
        if isinstance(index, slice):
            return self._gather(np.arange(*index.indices(len(self))))
        try:
            row = operator.index(index)
        except TypeError:
            return self._gather(self.rows(index))
        if not -len(self) <= row < len(self):
            raise self._outside(row)
        return self._one(row % len(self))

    def __iter__(self) -> Iterator[Pixels]:
        """Each image, decoded many blocks at a time in constant memory."""
        for _, images in self.batches():
            yield from images

    def __contains__(self, image: object) -> bool:
        """Whether an image has exactly these pixels; all are looked through."""
        return any(np.array_equal(image, each) for each in self)  # type: ignore[arg-type]

    def index(self, image: ArrayLike, start: int = 0, stop: int | None = None) -> int:
        """Where the first image with exactly these pixels is. Raises ValueError where there is none."""
        for row in range(*slice(start, stop).indices(len(self))):
            if np.array_equal(image, self[row]):
                return row
        raise ValueError("no image has these pixels")

    def count(self, image: ArrayLike) -> int:
        """How many images have exactly these pixels."""
        return sum(np.array_equal(image, each) for each in self)

    def batches(self) -> Iterator[tuple[int, Pixels]]:
        """(index of the first image, uint8[n, h, w, c]) from the first image to the last, in constant memory."""
        for blocks in self.block_groups():
            yield int(self.block_starts[blocks[0]]), np.concatenate(self.decode_blocks(blocks))

    def block_groups(self) -> Iterator[range]:
        """All blocks' numbers, in groups that are best decoded in one go; the next is fetched meanwhile."""
        numbers = range(self.blocks)
        for first in range(0, len(numbers), self._blocks_at_once):
            following = first + self._blocks_at_once
            self.expect(numbers[following : following + self._blocks_at_once])
            yield numbers[first:following]

    @cached_property
    def names(self) -> tuple[str, ...] | None:
        """The images' file names, or None. Raises CorruptMetadata, and LimitExceeded above 2^28 characters."""
        found, names, size = self.iterate_names(), list[str](), 0
        if found is None:
            return None
        for name in found:
            size += len(name)
            if size > _MOST_NAMES_LENGTH:
                raise LimitExceeded(f"{self.path}: the names have more than {_MOST_NAMES_LENGTH:,} characters")
            names.append(name)
        return tuple(names)

    def decode_blocks(self, blocks: Sequence[int]) -> list[Pixels]:
        """The pixels of whole blocks, decoded in one go. Raises CorruptBlock for the first that is damaged."""
        return self._decode_some([(block, np.arange(self._count(block))) for block in blocks])

    def _decode_some(self, wanted: Sequence[tuple[int, Rows]]) -> list[Pixels]:
        """The pixels of each (block, rows), decoded in one go. Raises CorruptBlock for the first that is damaged."""
        codecs = [self.codec_of(block) for block, _ in wanted]
        found = self.read_blocks([block for block, _ in wanted])
        coded = [(data, self._count(block), rows) for data, (block, rows) in zip(found, wanted, strict=True)]
        try:
            return _decode_some(codecs, coded)
        except CorruptData as error:
            if len(wanted) > 1:  # of one of them: find which
                return [self._decode_some([one])[0] for one in wanted]
            raise self._undecodable(wanted[0][0], error) from error

    def _undecodable(self, block: int, error: CorruptData) -> CorruptBlock:
        return self.damaged(block, f"has the right checksum but cannot be decoded ({error})")

    def _one(self, row: int) -> Pixels:
        """An image decoded alone, until its block was asked so often that it is decoded whole and kept."""
        block = int(self.block_of(row))
        within = row - int(self.block_starts[block])
        place = self._places(block)
        if place.pixels is None and place.visits < _VISITS_BEFORE_WHOLE:
            place.visits += 1
            codec, [data] = self.codec_of(block), self.read_blocks([block])
            try:
                return codec.decode_one(data, self._count(block), within)
            except CorruptData as error:
                raise self._undecodable(block, error) from error
        if place.pixels is None:
            [place.pixels] = self.decode_blocks([block])
        image: Pixels = place.pixels[within].copy()
        return image

    def _gather(self, rows: NDArray[np.intp]) -> Pixels:
        """uint8[n, h, w, c] of rows in any order; a block is decoded once, and kept where it was asked often."""
        images = np.empty((len(rows), *self.image_shape), np.uint8)
        order = np.argsort(rows, kind="stable")
        blocks, starts = np.unique(self.block_of(rows[order]), return_index=True)
        waiting = []
        for block, spots in zip(blocks.tolist(), np.split(order, starts[1:]), strict=False):  # none has one group
            place, within = self._places(block), rows[spots] - self.block_starts[block]
            if place.pixels is None:
                waiting.append((place, spots, within, block))
            else:
                images[spots] = place.pixels[within]
        for first in range(0, len(waiting), self._blocks_at_once):
            some = waiting[first : first + self._blocks_at_once]
            often = [place.visits >= _VISITS_BEFORE_WHOLE for place, _, _, _ in some]
            wanted = [
                (block, np.arange(self._count(block)) if keep else within)
                for keep, (_, _, within, block) in zip(often, some, strict=True)
            ]
            for keep, (place, spots, within, _), pixels in zip(often, some, self._decode_some(wanted), strict=True):
                place.visits += 1
                images[spots] = pixels[within] if keep else pixels
                if keep:
                    place.pixels = pixels.copy()  # not a view of what was decoded with it
        return images

    def rows(self, index: ArrayLike) -> NDArray[np.intp]:
        """Non-negative indices of an index array or mask. Raises IndexError."""
        found = np.asarray(index)
        if found.dtype == bool and found.shape == (len(self),):
            return np.flatnonzero(found)
        if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
            raise IndexError(
                f"index images by a list of integers or a mask of {len(self)}, not {found.dtype}{list(found.shape)}"
            )
        for outside in found[(found >= len(self)) | (found < -len(self))][:1].tolist():
            raise self._outside(outside)
        rows = found.astype(np.intp)
        rows[rows < 0] += len(self)
        return rows

    def _outside(self, row: int) -> IndexError:
        return IndexError(f"image {row} is not among the {len(self):,} images of {self.path}")

    def _count(self, block: int) -> int:
        first, stop = self.images_of(block)
        return stop - first


def _decode_some(codecs: Sequence[Codec], coded: Sequence[tuple[bytes, int, Rows]]) -> list[Pixels]:
    """The pixels of coded blocks, each by its codec; those of one codec that lie together are decoded in one go."""
    found = list[Pixels]()
    for _, run in groupby(zip(codecs, coded, strict=True), lambda each: id(each[0])):
        some = list(run)
        found += some[0][0].decode_some([each for _, each in some])
    return found


class _Place:
    """A block's place in the cache: how often images of it were decoded, and its pixels once they are kept."""

    __slots__ = ("pixels", "visits")

    def __init__(self, block: int) -> None:
        self.pixels: Pixels | None = None
        self.visits = 0
