"""The archive's reader: a table of pictures, in one segment or many, in one file or a set of shards.

Pickled, it is a path or a URL (as it was given, credentials in it included); unpickled, it opens that again and checks
that the files are the same.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.archive.about import Info
from engram.archive.blocks import BATCH_BYTES, Source
from engram.archive.described import Described
from engram.archive.errors import ArchiveChanged, CorruptArchive, ManySizes
from engram.archive.models import GivenModel
from engram.archive.segment import is_plain
from engram.archive.view import Pictures
from engram.codecs.contract import Codec
from engram.codecs.pixel.threads import side_by_side
from engram.kinds import KINDS, AnyPixels, Kind
from engram.storage import shown


class Archive(Described, Pictures):
    """Pictures by index: len, a[i], a[i:j], a[[7, 3, 7]], a[mask], a["cat/1.png"], iteration; a context manager.

    a[i] is uint8[h, w, c], or uint16 of pictures of 16 bits. Several are one array where they are of one size and
    kind, else a list. `table`, `paths`, `labels`, `class_names` and `where` tell of them. Blocks are numbered from 0.
    Raises CorruptArchive, and at the first picture ModelMissing, ModelMismatch, CorruptModel, UnknownCodec.
    """

    @property
    def archive(self) -> Archive:
        return self

    @property
    def rows(self) -> NDArray[np.int64]:
        return np.arange(len(self))

    @cached_property
    def is_plain(self) -> bool:
        """Whether all pictures are of one size and kind, each one cell: then blocks hold them in their order."""
        return len(self.shapes) < 2 and all(is_plain(source.directory) for source in self._filled)

    @property
    def _filled(self) -> list[Source]:
        """Segments that have rows, or else the first."""
        return [source for source in self.sources if source.directory.rows] or [*self.sources[:1]]

    @cached_property
    def shapes(self) -> set[tuple[int, int, Kind]]:
        """The sizes and kinds of cells."""
        return {
            (*source.directory.size_of(group), KINDS[group.kind])
            for source in self._filled
            for group in source.directory.groups
        }

    @property
    def kind(self) -> Kind:
        """The kind of all pictures. Raises ManySizes where there are several."""
        kinds = {kind for _, _, kind in self.shapes}
        if len(kinds) != 1:
            raise self._many(f"{len(kinds)} kinds ({', '.join(sorted(kind.name for kind in kinds))})")
        return next(iter(kinds))

    @cached_property
    def _image_shape(self) -> tuple[int, int, int] | None:
        """That of all pictures, which may be several cells each; None where they differ."""
        if self.is_plain:
            [(height, width, kind)] = self.shapes
            return height, width, kind.channels
        if not len(self) or len({kind for *_, kind in self.shapes}) > 1 or (self.sizes != self.sizes[0]).any():
            return None
        return int(self.sizes[0, 0]), int(self.sizes[0, 1]), self.kind.channels

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of all pictures. Raises ManySizes where these differ."""
        if self._image_shape is None:
            raise self._many("many sizes")
        return self._image_shape

    def _many(self, what: str) -> ManySizes:
        return ManySizes(f"{self.path} has pictures of {what}, and one is needed here; `engram unpack` makes a folder")

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """int64[n, 2]: the height and width of each picture. Raises CorruptColumn."""
        found = [np.empty((0, 2), np.int64)]
        for number, source in enumerate(self.sources):
            placement = self.segment(number).placement
            if placement is not None:
                found.append(np.stack([placement.heights, placement.widths], axis=1))
            elif source.directory.rows:
                size = np.array(source.directory.size_of(source.directory.groups[0]), np.int64)
                found.append(np.broadcast_to(size, (source.directory.rows, 2)))
        return np.concatenate(found)

    def kinds_of(self, rows: NDArray[np.int64]) -> list[Kind]:
        """The kind of each of some pictures."""
        found = []
        for number, mine, groups, _ in self._placed(rows):
            kinds = [KINDS[group.kind] for group in self.sources[number].directory.groups]
            found += [(at, kinds[group]) for at, group in zip(mine.tolist(), groups.tolist(), strict=True)]
        return [kind for _, kind in sorted(found, key=operator.itemgetter(0))]

    def are_files(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of some pictures are kept as files."""
        found = np.zeros(len(rows), bool)
        for number, mine, groups, _ in self._placed(rows):
            directory = self.sources[number].directory
            kinds = [directory.codings[group.codings[0]].kind for group in directory.groups]
            found[mine] = np.array([kind is not None for kind in kinds])[groups]
        return found

    def file(self, index: int | str) -> bytes:
        """A picture, by index or path, as a file: the one that was packed, byte for byte, or else a PNG file.

        Raises IndexError, KeyError, and what reading a picture raises.
        """
        from engram.datasets.pictures import encode_picture

        row = self.row_of(index) if isinstance(index, str) else operator.index(index)
        if not -len(self) <= row < len(self):
            raise self.outside(row)
        [found] = self.files_of(np.array([row % len(self)]))
        return encode_picture(self[row], ".png", 100) if found is None else found

    def files_of(self, rows: NDArray[np.int64]) -> list[bytes | None]:
        """The files of some pictures; None of those whose pixels are kept. Raises what reading a picture raises."""
        found: list[bytes | None] = [None] * len(rows)
        wanted = dict[int, list[tuple[int, int]]]()
        are_files = self.are_files(rows)
        for number, mine, groups, cells in self._placed(rows):
            for at, group, cell in zip(mine.tolist(), groups.tolist(), cells.tolist(), strict=True):
                if are_files[at]:
                    block, within = self.block_in(number, group, cell)
                    wanted.setdefault(block, []).append((at, within))
        places = [(block, np.array([within for _, within in some])) for block, some in wanted.items()]
        for files, some in zip(side_by_side(lambda each: self.files_in(*each), places), wanted.values(), strict=True):
            for (at, _), file in zip(some, files, strict=True):
                found[at] = file
        return found

    def _placed(
        self, rows: NDArray[np.int64]
    ) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
        """(segment, which of the rows lie in it, the group of each, its first cell there)."""
        for number, mine in self.by_segment(rows):
            placement, local = self.segment(number).placement, rows[mine] - self.first_rows[number]
            if placement is None:
                yield number, mine, np.zeros(len(mine), np.int64), local
            else:
                yield number, mine, placement.groups[local], placement.first_cells[local]

    @property
    def info(self) -> Info:
        """What each byte is for."""
        return Info.of(self)

    @overload  # a slice of a sequence of arrays is an array, not a Sequence of them
    def __getitem__(self, index: int | str) -> AnyPixels: ...
    @overload
    def __getitem__(self, index: slice | ArrayLike) -> Any: ...
    def __getitem__(self, index: Any) -> Any:
        """uint8[h, w, c] of an index or a path; of a slice, of a list of indices in its order, or of a mask
        uint8[n, h, w, c], or a list where sizes or kinds differ.
        """
        if isinstance(index, str):
            return self[self.row_of(index)]
        if isinstance(index, slice):
            return self.gather(np.arange(*index.indices(len(self))))
        if np.ndim(index):
            return self.gather(self.rows_at(index))
        try:
            row = operator.index(index)
        except TypeError:
            raise TypeError(
                f"index pictures by an integer, a path, a slice, a list or a mask, not by {type(index).__name__}"
            ) from None
        if not -len(self) <= row < len(self):
            raise self.outside(row)
        return self._one(row % len(self))

    def gather(self, rows: NDArray[np.int64]) -> Any:
        """The pictures of some rows, in that order: one array, or a list."""
        if self.is_plain:
            return self._gather_plain(rows)
        images = self._gather_any(rows)
        if self._image_shape is None:
            return images
        return np.stack(images) if images else np.empty((0, *self._image_shape), self.kind.dtype)

    def batches(self, wanted: NDArray[np.int64] | None = None) -> Iterator[tuple[NDArray[np.int64], Any]]:
        """(rows, their pictures), all of them, in the order in which they are stored, in constant memory.

        wanted: these rows only; blocks in which none of them lies are not read.
        """
        if self.is_plain and wanted is None:
            for blocks in self.block_groups():
                rows = np.arange(self.block_starts[blocks[0]], self.block_starts[blocks[-1] + 1])
                yield rows, np.concatenate(self.decode_blocks(blocks))
            return
        for rows in self.runs(wanted):
            yield rows, self.gather(rows)

    def runs(self, wanted: NDArray[np.int64] | None = None) -> Iterator[NDArray[np.int64]]:
        """The rows of `batches`."""
        for number, source in enumerate(self.sources):
            placement, first = self.segment(number).placement, int(self.first_rows[number])
            if placement is None:
                order, sizes = (
                    np.arange(source.directory.rows),
                    np.full(source.directory.rows, self._cell_bytes(number, 0)),
                )
            else:
                order = np.lexsort((placement.first_cells, placement.groups))
                sizes = (placement.heights * placement.widths * 8)[order]
            if wanted is not None:
                kept = np.isin(first + order, wanted)
                order, sizes = order[kept], sizes[kept]
            ends = np.cumsum(sizes)
            start = 0
            while start < len(order):
                done = int(ends[start - 1]) if start else 0
                stop = max(start + 1, int(np.searchsorted(ends, done + BATCH_BYTES, side="right")))
                yield first + order[start:stop]
                start = stop

    def _cell_bytes(self, number: int, group: int) -> int:
        directory = self.sources[number].directory
        return directory.cell_bytes(directory.groups[group]) if directory.groups else 1

    def _one(self, row: int) -> AnyPixels:
        """A picture decoded alone, until its block was asked so often that it is decoded whole and kept."""
        number = self.segment_of(row)
        placement = self.segment(number).placement
        if placement is None:
            block, within = self.block_in(number, 0, row - int(self.first_rows[number]))
            return self.cell(block, within)
        at = row - int(self.first_rows[number])
        directory, group = self.sources[number].directory, int(placement.groups[at])
        size = directory.size_of(directory.groups[group])
        height, width = int(placement.heights[at]), int(placement.widths[at])
        if height <= size[0] and width <= size[1]:
            block, within = self.block_in(number, group, int(placement.first_cells[at]))
            return self.cell(block, within)[:height, :width].copy()
        image: AnyPixels = self._gather_any(np.array([row]))[0]
        return image

    def _gather_plain(self, rows: NDArray[np.int64]) -> AnyPixels:
        images = np.empty((len(rows), *self.image_shape), self.kind.dtype)
        blocks = self.block_of(rows)
        for spots, cells in self.cells_at(blocks, rows - self.block_starts[blocks]):
            images[spots] = cells
        return images

    def _gather_any(self, rows: NDArray[np.int64]) -> list[AnyPixels]:
        """Pictures of any sizes, put together of their cells."""
        images: list[Any] = [None] * len(rows)
        blocks, withins, owners, tops, lefts = [], [], [], [], []
        for number, mine in self.by_segment(rows):
            directory, placement = self.sources[number].directory, self.segment(number).placement
            for at, row in zip(mine.tolist(), (rows[mine] - self.first_rows[number]).tolist(), strict=True):
                group = 0 if placement is None else int(placement.groups[row])
                cell_height, cell_width = directory.size_of(directory.groups[group])
                height, width, cell = cell_height, cell_width, row
                if placement is not None:
                    height, width = int(placement.heights[row]), int(placement.widths[row])
                    cell = int(placement.first_cells[row])
                kind = KINDS[directory.groups[group].kind]
                images[at] = np.empty((height, width, kind.channels), kind.dtype)
                for top in range(0, height, cell_height):
                    for left in range(0, width, cell_width):
                        block, within = self.block_in(number, group, cell)
                        blocks.append(block)
                        withins.append(within)
                        owners.append(at)
                        tops.append(top)
                        lefts.append(left)
                        cell += 1
        for spots, cells in self.cells_at(np.array(blocks, np.int64), np.array(withins, np.int64)):
            for spot, pixels in zip(spots.tolist(), cells, strict=True):
                place = images[owners[spot]][tops[spot] :, lefts[spot] :]
                part = place[: pixels.shape[0], : pixels.shape[1]]
                part[:] = pixels[: part.shape[0], : part.shape[1]]
        return images

    @cached_property
    def block_starts(self) -> NDArray[np.int64]:
        """int64[blocks + 1]: the first picture of each block, and how many there are. Raises ManySizes."""
        if not self.is_plain:
            raise self._many("several cells, or of many sizes")
        starts = [
            np.arange(first, first + source.directory.rows, source.directory.groups[0].block_size)
            for first, source in zip(self.first_rows.tolist(), self.sources, strict=False)
            if source.directory.groups
        ]
        return np.concatenate([*starts, self.first_rows[-1:]])

    def block_of(self, rows: ArrayLike) -> NDArray[np.intp]:
        """The number of the block that each picture lies in. Raises ManySizes."""
        return np.searchsorted(self.block_starts, rows, side="right") - 1

    @property
    def codec(self) -> Codec:
        """The codec of the newest pictures, where they have one. Raises ManySizes, and what `coder_of` does."""
        groups = [(number, group) for number, s in enumerate(self.sources) for group in range(len(s.directory.groups))]
        codecs = self.coder(*groups[-1]).codecs if groups else ()
        if len(codecs) != 1 or len(self.sources[groups[-1][0]].directory.groups) != 1:
            raise self._many("several codecs")
        return codecs[0]

    def __repr__(self) -> str:
        return f"<Archive {self.path}: {self.info.in_a_line()}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (str(self.location), self._given_model, self.identity)


def _reopen(location: str, model: GivenModel, identity: tuple[tuple[int, int], ...]) -> Archive:
    from engram.archive.opening import open

    sizes = {stop for stop, _ in identity[-1:]}
    try:
        archive = open(location, model, size=sizes.pop() if sizes else None)
    except CorruptArchive as error:  # what could be read cannot be read any more
        raise _changed(location) from error
    if archive.identity != identity:
        archive.close()
        raise _changed(location)
    return archive


def _changed(location: str) -> ArchiveChanged:
    return ArchiveChanged(f"{shown(location)} is not the archive that was pickled; it was written anew since")
