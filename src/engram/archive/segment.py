"""A segment of an archive, open: its pieces, each confirmed by its checksum before anyone sees it.

Threads and forked processes share it without harm.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.archive import columns, format, frame
from engram.archive.errors import CorruptArchive, CorruptColumn, CorruptDirectory, CorruptModel, TruncatedArchive
from engram.archive.format import (
    CELL,
    GROUP,
    HEIGHT,
    MOST_SIDE,
    PLACES,
    ROWS_IN_CHUNK,
    TYPE_OF,
    WIDTH,
    Directory,
    Model,
)
from engram.archive.frame import TRAILER
from engram.archive.index import Index, parse_index
from engram.errors import UsageError
from engram.storage import Span, Storage
from engram.table import Column, joined

MOST_CELLS_IN_PICTURE = 1 << 16


class DamagedPiece(CorruptArchive):
    """A piece whose checksum is wrong."""


@dataclass(frozen=True, eq=False)
class Placement:
    """Where pictures lie, each int64[n]: the group, the first of its cells there, how many they are, and its size."""

    groups: NDArray[np.int64]
    first_cells: NDArray[np.int64]
    cells: NDArray[np.int64]
    heights: NDArray[np.int64]
    widths: NDArray[np.int64]


def read_directories(file: Storage) -> list[tuple[Directory, int, int]]:
    """(directory, where the segment stops, the CRC-32 in its trailer) of all segments of a file, in order.

    Raises CorruptArchive.
    """
    frame.check_prelude(_read(file, 0, frame.PRELUDE.size), file.shown)
    last = _read_directory(file, file.size, *_trailer(file, file.size))
    found = list[tuple[Directory, int, int]]()
    if last.before:
        stops = [each.stop for each in last.before]
        ends = file.read_many([(stop - TRAILER.size, stop) for stop in stops])
        sizes = [frame.parse_trailer(end, file.shown) for end in ends]
        file.read_many([_directory_span(stop, size) for stop, (size, _) in zip(stops, sizes, strict=True)])
        for before, (size, checksum) in zip(last.before, sizes, strict=True):
            directory = _read_directory(file, before.stop, size, checksum)
            is_named = checksum == before.crc32 and directory.rows == before.rows
            if not is_named or directory.before != last.before[: len(found)]:
                raise CorruptDirectory(f"{file.shown}: a segment is not the one that the directory names")
            alone = replace(directory, before=directory.before[-1:])  # of thousands, each would list all
            found.append((alone, before.stop, checksum))
    return [*found, (last, file.size, _trailer(file, file.size)[1])]


def _read(file: Storage, start: int, stop: int) -> bytes:
    return file.read(start, stop - start)


def _trailer(file: Storage, stop: int) -> tuple[int, int]:
    return frame.parse_trailer(_read(file, max(0, stop - TRAILER.size), stop), file.shown)


def _directory_span(stop: int, size: int) -> Span:
    return stop - TRAILER.size - size, stop - TRAILER.size


def _read_directory(file: Storage, stop: int, size: int, checksum: int) -> Directory:
    start, end = _directory_span(stop, size)
    if start < frame.PRELUDE.size:
        raise TruncatedArchive(f"{file.shown} is shorter than its directory says")
    try:
        directory = format.parse_directory(_read(file, start, end), checksum)
    except CorruptArchive as error:
        raise type(error)(f"{file.shown}: {error}") from None
    if directory.start + directory.model_bytes + directory.index_bytes > start:
        raise CorruptDirectory(f"{file.shown}: its lengths do not add up to the file")
    return directory


class Segment:
    """Raises CorruptArchive where the index is damaged or its lengths do not add up to the file."""

    def __init__(self, file: Storage, directory: Directory, stop: int, crc32: int) -> None:
        self.file, self.directory, self.stop, self.crc32 = file, directory, stop, crc32
        size, _ = _trailer(file, stop)
        end = _directory_span(stop, size)[0]
        try:
            self.index: Index = parse_index(_read(file, end - directory.index_bytes, end), directory)
        except CorruptArchive as error:
            raise CorruptDirectory(f"{file.shown}: {error}") from None
        first = directory.start + directory.model_bytes
        self._starts = first + np.concatenate([[0], np.cumsum(self.index.lengths)])
        if self._starts[-1] != end - directory.index_bytes:
            raise CorruptDirectory(f"{file.shown}: its lengths do not add up to the file")

    def pieces(self, numbers: Sequence[int]) -> list[bytes]:
        """The bytes of pieces. Raises DamagedPiece for the first that is damaged."""
        if self.file.closed:
            raise UsageError(f"{self.file.shown} was closed; read it within the `with` block")
        found = self.file.read_many([self.span(number) for number in numbers])
        for number, data in zip(numbers, found, strict=True):
            if len(data) < self.index.lengths[number] or zlib.crc32(data) != self.index.checksums[number]:
                raise DamagedPiece(str(number))
        return found

    def span(self, number: int) -> Span:
        return int(self._starts[number]), int(self._starts[number + 1])

    def model(self, model: Model) -> bytes:
        """A model that is embedded. Raises CorruptModel."""
        at = self.directory.start
        for each in self.directory.models:
            if each == model:
                break
            at += each.bytes if each.embedded else 0
        data = _read(self.file, at, at + model.bytes)
        if hashlib.sha256(data).hexdigest() != model.sha256:
            raise CorruptModel(f"{self.file.shown}: the embedded model is damaged: its SHA-256 is wrong")
        return data

    @cached_property
    def group_blocks(self) -> NDArray[np.int64]:
        """The number of the first block of each group, and of all blocks."""
        return np.cumsum([0] + [group.blocks for group in self.directory.groups])

    def cells_of(self, block: int) -> tuple[int, range]:
        """(group, its cells) of a block."""
        number = int(np.searchsorted(self.group_blocks, block, side="right")) - 1
        group = self.directory.groups[number]
        first = (block - int(self.group_blocks[number])) * group.block_size
        return number, range(first, min(first + group.block_size, group.cells))

    def rows_of(self, block: int) -> NDArray[np.int64]:
        """The pictures that have a cell in a block, rising."""
        number, cells = self.cells_of(block)
        if self.placement is None:
            return np.arange(cells.start, cells.stop)
        place = self.placement
        stops = place.first_cells + place.cells
        has = (place.groups == number) & (place.first_cells < cells.stop) & (stops > cells.start)
        return np.flatnonzero(has)

    @cached_property
    def placement(self) -> Placement | None:
        """Where pictures lie; None where each is the cell of its number, in the only group. Raises CorruptColumn."""
        directory, columns_there = self.directory, {column.name for column in self.directory.columns}
        if is_plain(directory):
            return None
        groups = self.column(GROUP).values if GROUP in columns_there else np.zeros(directory.rows, np.int64)
        if len(groups) and not 0 <= groups.min() <= groups.max() < len(directory.groups):
            raise self._wrong("places pictures in groups that there are not")
        sizes = np.array([directory.size_of(group) for group in directory.groups], np.int64).reshape(-1, 2)
        heights = self.column(HEIGHT).values if HEIGHT in columns_there else sizes[groups, 0]
        widths = self.column(WIDTH).values if WIDTH in columns_there else sizes[groups, 1]
        for sides in (heights, widths):
            if len(sides) and not 1 <= sides.min() <= sides.max() <= MOST_SIDE:
                raise self._wrong(f"has pictures with a side that is not 1 to {MOST_SIDE}")
        cells = -(-heights // sizes[groups, 0]) * -(-widths // sizes[groups, 1])
        of_files = np.array([directory.codings[group.codings[0]].kind is not None for group in directory.groups], bool)
        if (cells[of_files[groups]] > 1).any():
            raise self._wrong("has a file of several cells")
        if len(cells) and cells.max() > MOST_CELLS_IN_PICTURE:
            raise self._wrong(f"has a picture of more than {MOST_CELLS_IN_PICTURE:,} cells")
        if CELL in columns_there:
            firsts = self.column(CELL).values
            most = np.array([group.cells for group in directory.groups], np.int64)[groups]
            if len(firsts) and not (firsts.min() >= 0 and (firsts <= most - cells).all()):
                raise self._wrong("places pictures in cells that there are not")
            return Placement(groups, firsts, cells, heights, widths)
        order = np.argsort(groups, kind="stable")
        ends = np.concatenate([[0], np.cumsum(cells[order])])
        bounds = ends[np.searchsorted(groups[order], np.arange(len(directory.groups) + 1))]
        if np.diff(bounds).tolist() != [group.cells for group in directory.groups]:
            raise self._wrong("places another number of cells in a group than it has")
        first_cells = np.empty(directory.rows, np.int64)
        first_cells[order] = ends[:-1] - bounds[groups[order]]
        return Placement(groups, first_cells, cells, heights, widths)

    def _wrong(self, what: str) -> CorruptColumn:
        return CorruptColumn(f"{self.file.shown}: a segment {what}")

    def chunk(self, name: str, number: int) -> Column:
        """A chunk of a column. Raises CorruptColumn."""
        [head] = [column for column in self.directory.columns if column.name == name]
        categories = self.categories(name)
        piece = self.directory.first_pieces[name] + (head.type == "category") + number
        rows = min(ROWS_IN_CHUNK, self.directory.rows - number * ROWS_IN_CHUNK)
        [data] = self._column_pieces(name, [piece])
        return self._parsed(name, data, head.type, rows, categories)

    def first_text(self, name: str, number: int) -> str:
        """The first text of a chunk of texts of which none is missing. Raises CorruptColumn."""
        [data] = self._column_pieces(name, [self.directory.first_pieces[name] + number])
        try:
            return columns.first_text(data)
        except CorruptColumn as error:
            raise self._damaged(name, str(error)) from None

    def _parsed(self, name: str, *what: Any) -> Column:
        try:
            found = columns.parse_chunk(*what)
        except CorruptColumn as error:
            raise self._damaged(name, str(error)) from None
        if name in TYPE_OF and found.present is not None:
            raise self._damaged(name, "it lacks values")
        return found

    def categories(self, name: str) -> tuple[str, ...]:
        """Of a column, () of another type than category. Raises CorruptColumn."""
        if name not in self._categories:
            [head] = [column for column in self.directory.columns if column.name == name]
            found: tuple[str, ...] = ()
            if head.type == "category":
                [data] = self._column_pieces(name, [self.directory.first_pieces[name]])
                try:
                    found = columns.parse_categories(data, head.categories)
                except CorruptColumn as error:
                    raise self._damaged(name, str(error)) from None
            self._categories[name] = found
        return self._categories[name]

    @cached_property
    def _categories(self) -> dict[str, tuple[str, ...]]:
        return {}

    def chunks(self, name: str) -> Iterator[Column]:
        """A column's chunks, one after another. Raises CorruptColumn."""
        for number in range(self.directory.chunks):
            yield self.chunk(name, number)

    def column(self, name: str) -> Column:
        """A column, whole. Raises CorruptColumn."""
        return joined(list(self.chunks(name)) or [self.no_rows(name)])

    def no_rows(self, name: str) -> Column:
        """A column without its rows. Raises CorruptColumn."""
        [head] = [column for column in self.directory.columns if column.name == name]
        try:
            return columns.empty(head.type, self.categories(name))
        except CorruptColumn as error:
            raise self._damaged(name, str(error)) from None

    def kept_file(self, name: str) -> bytes:
        """A file that was kept as it was. Raises CorruptColumn."""
        number = self.directory.first_pieces[""] + self.directory.files.index(name)
        [data] = self._column_pieces(name, [number])
        try:
            return columns.inflate(data, columns.MOST_FILE_BYTES)
        except CorruptColumn as error:
            raise self._damaged(name, str(error)) from None

    def _column_pieces(self, name: str, numbers: Sequence[int]) -> list[bytes]:
        try:
            return self.pieces(numbers)
        except DamagedPiece:
            raise self._damaged(name, "its checksum is wrong") from None

    def _damaged(self, name: str, reason: str) -> CorruptColumn:
        return CorruptColumn(f"{self.file.shown}: {name!r} is damaged: {reason}; images can be read")

    @property
    def bytes_by_part(self) -> dict[str, int]:
        """What each byte of the segment is for."""
        directory, starts = self.directory, self._starts - self._starts[0]
        found = {"models": directory.model_bytes, "blocks": int(starts[directory.blocks])}
        firsts = list(directory.first_pieces.items())
        for (name, first), (_, stop) in pairwise(firsts):
            found[f"column {name}"] = int(starts[stop] - starts[first])
        found["files"] = int(starts[-1] - starts[firsts[-1][1]])
        found["index"] = directory.index_bytes
        found["directory"] = self.stop - directory.start - sum(found.values())
        return found


def is_plain(directory: Directory) -> bool:
    """Whether each picture is the cell of its number, in the only group."""
    hidden = {column.name for column in directory.columns} & {*PLACES}
    return not hidden and len(directory.groups) == 1 and directory.groups[0].cells == directory.rows
