"""Segments written of blocks that are coded already: nothing is decoded, and no pixel changes."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from engram.archive import format, frame
from engram.archive.format import Before, Directory
from engram.archive.index import Index, emit_index
from engram.archive.segment import Segment
from engram.archive.table_writer import ColumnsWriter
from engram.table import Column


@dataclass(frozen=True, eq=False)
class Part:
    """What of a segment is copied: blocks by their numbers, cells of each group, columns of where rows lie."""

    blocks: Sequence[int]
    cells: Sequence[int]
    places: dict[str, Column]


def whole(segment: Segment) -> Part:
    """All of a segment."""
    directory = segment.directory
    there = {column.name for column in directory.columns}
    places = {name: segment.column(name) for name in format.PLACES if name in there}
    return Part(range(directory.blocks), [group.cells for group in directory.groups], places)


def kept_of(segment: Segment, rows: NDArray[np.int64]) -> Part:
    """Some rows of a segment, and the blocks that have a cell of theirs."""
    directory, place = segment.directory, segment.placement
    if len(rows) == directory.rows:
        return whole(segment)
    groups = np.zeros(len(rows), np.int64) if place is None else place.groups[rows]
    firsts = rows if place is None else place.first_cells[rows]
    counts = np.ones(len(rows), np.int64) if place is None else place.cells[rows]
    blocks, cells, moved, in_order = list[int](), list[int](), firsts.copy(), True
    for number, group in enumerate(directory.groups):
        mine, size = groups == number, group.block_size
        starts, stops = firsts[mine] // size, (firsts[mine] + counts[mine] - 1) // size + 1
        edges = np.zeros(group.blocks + 1, np.int64)
        np.add.at(edges, starts, 1)
        np.add.at(edges, stops, -1)
        live = np.cumsum(edges)[:-1] > 0
        moved[mine] -= size * np.concatenate([[0], np.cumsum(~live)])[starts]
        lengths = np.minimum(size, group.cells - size * np.arange(group.blocks))
        blocks += (int(segment.group_blocks[number]) + np.flatnonzero(live)).tolist()
        cells.append(int(lengths[live].sum()))
        ends = np.cumsum(counts[mine])
        in_order &= np.array_equal(moved[mine], ends - counts[mine]) and int(counts[mine].sum()) == cells[-1]
    there = {column.name for column in directory.columns}
    places = {name: segment.column(name)[rows] for name in format.PLACES if name in there and name != format.CELL}
    return Part(blocks, cells, places if in_order else places | {format.CELL: Column("integer", moved)})


def write_segment(
    file: BinaryIO,
    like: Directory,
    models: Sequence[bytes],
    blocks: Iterable[bytes],
    cells: Sequence[int],
    table: Mapping[str, Column],
    rows: int,
    files: Mapping[str, bytes] | None = None,
    before: Sequence[Before] = (),
) -> tuple[Directory, int]:
    """Writes a segment at the end of what was written; returns its directory and the CRC-32 in its trailer.

    like: what says of models, codecs and groups what they are. models: those that it embeds. cells: of each group.
    files: deflated. before: the segments before it in the file.
    """
    columns = ColumnsWriter()
    columns.add(table, rows)
    heads, chunks = columns.finish()
    pieces = [*chunks, *(files or {}).values()]
    for model in models:
        file.write(model)
    lengths, checksums = list[int](), list[int]()
    for data in blocks:
        file.write(data)
        lengths.append(len(data))
        checksums.append(zlib.crc32(data))
    rest = Index.of(pieces)
    index = Index(
        np.concatenate([np.array(lengths, np.int64), rest.lengths]),
        np.concatenate([np.array(checksums, np.uint32), rest.checksums]),
    )
    box = emit_index(index)
    directory = replace(
        like,
        rows=rows,
        groups=tuple(replace(group, cells=count) for group, count in zip(like.groups, cells, strict=True)),
        columns=heads,
        files=tuple(files or {}),
        before=tuple(before),
        width=index.width,
        index_crc32=zlib.crc32(box),
    )
    end = format.emit_directory(directory)
    file.write(b"".join([*pieces, box, end]))
    _, crc32 = frame.parse_trailer(end[-frame.TRAILER.size :], "what was written")
    return directory, crc32
