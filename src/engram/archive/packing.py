"""`pack`: images into an archive, of one size or of any."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engram.archive.about import Info
from engram.archive.format import GROUP, HEIGHT, MOST_SIDE, WIDTH
from engram.archive.layers import Cells, Coder
from engram.archive.table_writer import check_table
from engram.archive.writer import DEFAULT_BLOCK_SIZE, Writer
from engram.codecs.contract import Codec
from engram.datasets.cells import Group
from engram.datasets.collection import Collection
from engram.datasets.progress import Progress
from engram.datasets.stream import InMemory, Stream
from engram.errors import UsageError
from engram.images import ImageSet
from engram.table import Column

FILES_TOGETHER = 256
"""Files that are read together."""


@dataclass(frozen=True)
class Packed:
    """What was written; how many of the images an interrupted pack had done already."""

    info: Info
    images_resumed: int


def pack(
    images: ImageSet | Stream | Iterable[ImageSet | Stream],
    codec: Codec | Coder,
    path: Path | str,
    *,
    block_size: int = DEFAULT_BLOCK_SIZE,
    embed_model: bool = True,
    model_path: Path | None = None,
    force: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
) -> Packed:
    """Writes an archive of a set, of a stream (`datasets.stream`), or of several in order; all are of one size.

    Options and errors are `Writer`'s. `progress` is called with (done, total); total 0 where `images` is a generator.
    """
    sets = [images] if isinstance(images, ImageSet | Stream) else images
    total = sum(map(len, sets)) if isinstance(sets, list | tuple) else 0
    with Writer(
        path,
        [codec],
        block_size=block_size,
        embed_model=embed_model,
        model_path=model_path,
        force=force,
        resume=resume,
    ) as writer:
        for some in sets:
            for piece in (some if isinstance(some, Stream) else InMemory(some)).pieces():
                writer.append(piece)
                if progress:
                    progress(writer.rows, total)
    return Packed(writer.info(), writer.images_resumed)


def pack_collection(
    collection: Collection,
    groups: Sequence[Group],
    coders: Sequence[Coder],
    path: Path | str,
    *,
    progress: Progress | None = None,
    **options: Any,
) -> Packed:
    """Writes an archive of pictures of any sizes and kinds, each in its group. Options and errors are `Writer`'s."""
    with Writer(path, coders, **options) as writer:
        write_collection(writer, collection, groups, collection.table | placement(collection, groups), progress)
    return Packed(writer.info(), min(len(collection), writer.images_resumed))


def write_collection(
    writer: Writer,
    collection: Collection,
    groups: Sequence[Group],
    table: dict[str, Column],
    progress: Progress | None,
) -> None:
    """Gives all of it to a writer; the table is the collection's, and where its cells lie."""
    done, total = 0, len(collection)
    writer.describe(table, total)
    for number, group in enumerate(groups):
        for cells in _cells(collection, group):
            writer.add(number, cells)
            if progress:
                progress(min(total, done + len(group.rows) * writer.cells_of(number) // max(1, group.cells)), total)
        done += len(group.rows)
    for name, data in collection.files.items():
        writer.keep_file(name, data)


def _cells(collection: Collection, group: Group) -> Iterator[Cells]:
    """The cells of a group as they pass: pixels, or files."""
    if group.of_files:
        for start in range(0, len(group.rows), FILES_TOGETHER):
            yield collection.read_files(group.rows[start : start + FILES_TOGETHER])
    else:
        yield from (piece.images for piece in collection.cells(group).pieces())


def check_collection(collection: Collection, groups: Sequence[Group]) -> None:
    """Raises what packing it would, of its columns and sizes, before a pixel is read."""
    check_table(collection.table | placement(collection, groups), len(collection))


def placement(collection: Collection, groups: Sequence[Group]) -> dict[str, Column]:
    """The columns that say where each picture's cells lie; those that all pictures have alike are left out.

    Raises UsageError for a picture that is larger than the format's limit.
    """
    for row in np.flatnonzero((collection.sizes > MOST_SIDE).any(axis=1))[:1].tolist():
        height, width = collection.sizes[row].tolist()
        raise UsageError(
            f"{collection.where(row)} is {width:,} x {height:,} pixels; a side has up to {MOST_SIDE:,}: cut it"
        )
    numbers, found = np.zeros(len(collection), np.int64), dict[str, Column]()
    own = np.zeros((len(collection), 2), np.int64)
    for number, group in enumerate(groups):
        numbers[group.rows], own[group.rows] = number, group.size
    if len(groups) > 1:
        found[GROUP] = Column("integer", numbers)
    for side, name in enumerate((HEIGHT, WIDTH)):
        if (own[:, side] != collection.sizes[:, side]).any():
            found[name] = Column("integer", collection.sizes[:, side].astype(np.int64))
    return found
