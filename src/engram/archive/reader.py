"""The archive's reader: a read-only sequence of images that decodes what is asked for, and no more than it must.

It is safe to use from several threads and after a fork: every read names its offset, and nothing that is shared
changes but a cache that bears it. Pickled, it is a path or a URL (as it was given, credentials in it included);
unpickled, it opens that again and checks that the file is the same.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from types import TracebackType
from typing import Any, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.archive import metadata
from engram.archive.breakdown import Breakdown, breakdown
from engram.archive.errors import ArchiveChanged, CorruptBlock, CorruptMetadata, CorruptModel, LimitExceeded
from engram.archive.file import ArchiveFile, GivenModel
from engram.codecs import contract, registry
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


class Archive(Sequence[Pixels]):
    """An archive file, open for reading: len, a[i], a[i:j], a[[7, 3, 7]], iteration, labels, names, class_names.

    `path` may be a URL, for fsspec. `model` (bytes, or the file that holds them) is needed where the archive was packed
    without it.
    Raises CorruptArchive, and at the first image ModelMissing, ModelMismatch, CorruptModel, UnknownCodec.
    """

    def __init__(self, path: Location, model: GivenModel = None) -> None:
        self._given_model = model
        self.file = ArchiveFile(path)
        header = self.file.directory.header
        self._block_size = header.block_size
        self._blocks_at_once = max(1, _BATCH_BYTES // header.block_pixels)
        self._places = lru_cache(max(1, _CACHE_BYTES // header.block_pixels))(_Place)

    @property
    def path(self) -> Location:
        """Where the archive lies: an absolute Path; a URL as it may be shown, without credentials."""
        return self.file.path

    def close(self) -> None:
        """Closes the file; what was read stays valid."""
        self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return self.file.directory.footer.count

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
            return self._gather(self._rows(index))
        if not -len(self) <= row < len(self):
            raise self._outside(row)
        return self._one(row % len(self))

    def __iter__(self) -> Iterator[Pixels]:
        """Each image, decoded many blocks at a time in constant memory."""
        for _, images in self.batches():
            yield from images

    def batches(self) -> Iterator[tuple[int, Pixels]]:
        """(index of the first image, uint8[n, h, w, c]) from the first image to the last, in constant memory."""
        for blocks in self.block_groups():
            yield blocks[0] * self._block_size, np.concatenate(self.decode_blocks(blocks))

    def block_groups(self) -> Iterator[range]:
        """All blocks' numbers, in groups that are best decoded in one go; the next is fetched meanwhile."""
        numbers = range(self.file.directory.blocks)
        for first in range(0, len(numbers), self._blocks_at_once):
            following = first + self._blocks_at_once
            self.file.expect(numbers[following : following + self._blocks_at_once])
            yield numbers[first:following]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return self.file.directory.header.image_shape

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """The classes' names, () where there are none. Raises CorruptMetadata."""
        data = self.file.section("class names")
        with self._naming_the_file():
            return metadata.parse_class_names(data) if data else ()

    @cached_property
    def labels(self) -> NDArray[np.int64] | None:
        """int64[n], or None. Raises CorruptMetadata."""
        data = self.file.section("labels")
        if not data:
            return None
        classes = len(self.class_names)
        with self._naming_the_file():
            labels = metadata.parse_labels(data, len(self), classes)
        labels.flags.writeable = False
        return labels

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

    def iterate_names(self) -> Iterator[str] | None:
        """The names one after another in constant memory, or None where there are none. Raises CorruptMetadata."""
        data = self.file.section("names")
        return self._parse_names(data) if data else None

    def _parse_names(self, data: bytes) -> Iterator[str]:
        with self._naming_the_file():
            yield from metadata.parse_names(data, len(self))

    @contextmanager
    def _naming_the_file(self) -> Iterator[None]:
        try:
            yield
        except CorruptMetadata as error:
            raise CorruptMetadata(f"{self.path}: {error}") from None

    @cached_property
    def codec(self) -> Codec:
        """The codec that decodes this archive. Raises ModelMissing, ModelMismatch, CorruptModel, UnknownCodec."""
        header = self.file.directory.header
        made = registry.get(header.codec)
        try:
            return made.from_config(header.config, self.file.model(self._given_model))
        except contract.CorruptModel as error:
            raise CorruptModel(f"{self.path}: {error}") from error

    @property
    def info(self) -> Breakdown:
        """What each byte is for."""
        return breakdown(self.file.directory)

    def decode_blocks(self, blocks: Sequence[int]) -> list[Pixels]:
        """The pixels of whole blocks, decoded in one go. Raises CorruptBlock for the first that is damaged."""
        return self._decode_some([(block, np.arange(self._count(block))) for block in blocks])

    def _decode_some(self, wanted: Sequence[tuple[int, Rows]]) -> list[Pixels]:
        """The pixels of each (block, rows), decoded in one go. Raises CorruptBlock for the first that is damaged."""
        codec = self.codec
        found = self.file.blocks([block for block, _ in wanted])
        coded = [(data, self._count(block), rows) for data, (block, rows) in zip(found, wanted, strict=True)]
        try:
            return codec.decode_some(coded)
        except CorruptData as error:
            if len(wanted) > 1:  # of one of them: find which
                return [self._decode_some([one])[0] for one in wanted]
            raise self._undecodable(wanted[0][0], error) from error

    def _undecodable(self, block: int, error: CorruptData) -> CorruptBlock:
        return self.file.damaged(block, f"has the right checksum but cannot be decoded ({error})")

    def _one(self, row: int) -> Pixels:
        """An image decoded alone, until its block was asked so often that it is decoded whole and kept."""
        block, within = divmod(row, self._block_size)
        place = self._places(block)
        if place.pixels is None and place.visits < _VISITS_BEFORE_WHOLE:
            place.visits += 1
            codec, data = self.codec, self.file.block(block)
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
        blocks, starts = np.unique(rows[order] // self._block_size, return_index=True)
        waiting = []
        for block, spots in zip(blocks.tolist(), np.split(order, starts[1:]), strict=False):  # none has one group
            place, within = self._places(block), rows[spots] - block * self._block_size
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

    def _rows(self, index: ArrayLike) -> NDArray[np.intp]:
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
        first, stop = self.file.directory.images_of(block)
        return stop - first

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.image_shape))
        return f"<Archive {self.path}: {len(self):,} images {shape}, {self.file.directory.header.codec}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (str(self.file.location), self._given_model, self.file.directory.identity)


class _Place:
    """A block's place in the cache: how often images of it were decoded, and its pixels once they are kept."""

    __slots__ = ("pixels", "visits")

    def __init__(self, block: int) -> None:
        self.pixels: Pixels | None = None
        self.visits = 0


def _reopen(path: str, model: GivenModel, identity: tuple[int, int]) -> Archive:
    archive = Archive(path, model)
    if archive.file.directory.identity != identity:
        archive.close()
        raise ArchiveChanged(f"{archive.path} is not the archive that was pickled; it was written anew since")
    return archive
