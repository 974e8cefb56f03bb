"""An archive written again in the codes that it has: one segment, without what `rm` took out. No pixel changes.

Blocks whose pictures are all there are copied as they are. Those that hold a picture that was taken out, that are not
full, or that are of another size than is asked for, are decoded and coded again; so their codes have to be lossless.
Where that is all of them, it takes as long as packing without learning.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from engram.archive.about import Info
from engram.archive.archive import Archive
from engram.archive.blocks import BATCH_BYTES
from engram.archive.format import CELL, GROUP, HEIGHT, WIDTH, Directory
from engram.archive.layers import Cells, Coder
from engram.archive.writer import DEFAULT_BLOCK_SIZE, Writer
from engram.datasets.progress import Progress
from engram.errors import UsageError
from engram.table import Column

_COPIED_AT_ONCE = 1 << 22
"""Bytes of blocks."""
_Rows = NDArray[np.int64]


class HasLoss(UsageError):
    """Blocks that cannot be coded again: their codes lose something, or only decode."""


@dataclass(frozen=True)
class Compacted:
    """What was written; how many blocks of it were copied as they are, and how many coded again."""

    info: Info
    blocks_copied: int
    blocks_coded: int
    images_resumed: int


def compact(
    archive: Archive,
    path: Path,
    *,
    block_size: int | None = None,
    embed_model: bool = True,
    force: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
) -> Compacted:
    """Writes an open archive to `path` again, which may be its own: readers see the old one or the new one.

    block_size: cells a block; None keeps that of most cells. Interrupted, it leaves `path` as it was, and a part that
    `resume` goes on with. Raises HasLoss, CorruptArchive, and what `Writer` raises.
    """
    check_lossless(archive)
    size = block_size or _block_size(archive)
    groups = _groups(archive, size)
    table = {name: archive.column(name) for name in archive.column_names} | _places(archive, groups)
    copied = sum(len(some) for group in groups for some in group.copied.values())
    coders = [group.coder for group in groups]
    with Writer(path, coders, block_size=size, embed_model=embed_model, force=force, resume=resume) as writer:
        writer.describe(table, len(archive))
        for number, group in enumerate(groups):
            writer.add(number, _none_of(group.coder))  # the next group begins
            for blocks in _in_pieces(archive, group):
                cells = sum(group.counts[block] for block in blocks)
                data = archive.read_blocks(blocks)
                writer.add_blocks(number, data, [_checksum(archive, block) for block in blocks], cells)
                if progress:
                    progress(min(len(archive), writer.cells), len(archive))
            for cells_again in _again(archive, group):
                writer.add(number, cells_again)
                if progress:
                    progress(min(len(archive), writer.cells), len(archive))
        for name, content in kept_files(archive).items():
            writer.keep_file(name, content)
    info = writer.info()
    return Compacted(info, copied, info.blocks - copied, writer.images_resumed)


def check_lossless(archive: Archive) -> None:
    """Raises HasLoss for an archive with codes that lose something, or cannot encode."""
    for coder in archive.coders:
        if not (coder.lossless and coder.can_encode):
            names = ", ".join(dict.fromkeys(codec.id for codec in coder.codecs))
            what = (
                "has lost something already, and would lose more"
                if coder.can_encode
                else "has a code that only decodes"
            )
            raise HasLoss(f"{archive.path} {what}, coded again as it is ({names}); --lossless keeps its pixels")


def kept_files(archive: Archive) -> dict[str, bytes]:
    """The files that are kept beside the pictures; of two of one name, the later gets a number, as `unpack` does it."""
    paths = set(archive.iterate_paths() or ()) if any(s.directory.files for s in archive.sources[1:]) else set()
    found = dict[str, bytes]()
    for number, source in enumerate(archive.sources):
        for name in source.directory.files:
            free, count = PurePosixPath(name), 2
            while str(free) in found or str(free) in paths:
                free, count = PurePosixPath(name).with_stem(f"{PurePosixPath(name).stem}-{count}"), count + 1
            found[str(free)] = archive.segment(number).kept_file(name)
    return found


@dataclass
class _Group:
    """A group of the archive that is written, and what becomes of the groups that it is made of.

    parts: each a segment and a group of it. copied: the blocks that are copied, by the segment, in order. again:
    blocks to decode, and which of their cells are wanted. moved: of a part, the new number of each old cell; -1 of one
    that is gone. counts: cells of each block that is copied. Blocks are numbered through the whole archive.
    """

    coder: Coder
    parts: list[tuple[int, int]] = field(default_factory=list)
    copied: dict[int, list[int]] = field(default_factory=dict)
    again: list[tuple[int, NDArray[np.bool_]]] = field(default_factory=list)
    moved: dict[tuple[int, int], _Rows] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    cells: int = 0


def _block_size(archive: Archive) -> int:
    """That of most cells; where there are pixels, of these, for blocks of files may have to be smaller."""
    sizes, of_files = Counter[int](), Counter[int]()
    for source in archive.sources:
        for group in source.directory.groups:
            counter = of_files if source.directory.codings[group.codings[0]].kind is not None else sizes
            counter[group.block_size] += group.cells
    return (sizes or of_files or Counter({DEFAULT_BLOCK_SIZE: 1})).most_common(1)[0][0]


def _groups(archive: Archive, block_size: int) -> list[_Group]:
    """The groups of what is written: those of one kind, size and code become one."""
    found, live = dict[object, _Group](), dict[tuple[int, int], NDArray[np.bool_]]()
    for number, source in enumerate(archive.sources):
        for group in range(len(source.directory.groups)):
            live[number, group] = _live(archive, number, group)
    filled = [part for part, cells in live.items() if cells.any()] or [part for part in live if part[0] == 0]
    for number, group in filled:
        key = _key(archive.sources[number].directory, group)
        found.setdefault(key, _Group(archive.coder(number, group))).parts.append((number, group))
    for each in found.values():
        _plan(archive, each, live, each.coder.block_size(block_size))
    return list(found.values())


def _key(directory: Directory, number: int) -> object:
    """What is alike for groups that become one."""
    group = directory.groups[number]
    codings = [directory.codings[coding] for coding in group.codings]
    models = [None if coding.model is None else directory.models[coding.model].sha256 for coding in codings]
    coded = [(coding.id, json.dumps(coding.config, sort_keys=True)) for coding in codings]
    return group.kind, tuple(coded), tuple(models)


def _span(archive: Archive, number: int, group: int) -> tuple[_Rows, _Rows, _Rows]:
    """(rows of a segment that lie in a group, the first cell of each, how many cells it has)."""
    directory, placement = archive.sources[number].directory, archive.segment(number).placement
    if placement is None:
        rows = np.arange(directory.rows)
        return rows, rows, np.ones(len(rows), np.int64)
    rows = np.flatnonzero(placement.groups == group)
    return rows, placement.first_cells[rows], placement.cells[rows]


def _live(archive: Archive, number: int, group: int) -> NDArray[np.bool_]:
    """bool[cells]: which cells of a group some picture has."""
    _, firsts, counts = _span(archive, number, group)
    return _covered(firsts, firsts + counts, archive.sources[number].directory.groups[group].cells)


def _covered(starts: _Rows, stops: _Rows, size: int) -> NDArray[np.bool_]:
    """bool[size]: what lies in any of these ranges."""
    edges = np.zeros(size + 1, np.int64)
    np.add.at(edges, starts, 1)
    np.add.at(edges, stops, -1)
    return np.cumsum(edges)[:-1] > 0


def _plan(archive: Archive, group: _Group, live: Mapping[tuple[int, int], NDArray[np.bool_]], block_size: int) -> None:
    """Says of each block of the parts whether it is copied, and of each cell where it comes to lie."""
    dirty = {part: _dirty(archive, part, live[part], block_size) for part in group.parts}
    for part in group.parts:
        is_last = part == group.parts[-1] and not any(some.any() for some in dirty.values())
        short = len(live[part]) % block_size
        if short and not is_last:
            dirty[part] = _linked(archive, part, dirty[part] | (np.arange(len(dirty[part])) == len(dirty[part]) - 1))
    for part in group.parts:
        number, local = part
        size, cells = archive.sources[number].directory.groups[local].block_size, len(live[part])
        starts = np.arange(len(dirty[part])) * size
        counts = np.minimum(size, cells - starts)
        kept = ~dirty[part] & _any_of(live[part], size)
        first = int(archive.first_blocks[number] + archive.segment(number).group_blocks[local])
        group.copied.setdefault(number, []).extend((first + np.flatnonzero(kept)).tolist())
        group.counts |= dict(zip((first + np.flatnonzero(kept)).tolist(), counts[kept].tolist(), strict=True))
        moved = group.moved[part] = np.full(cells, -1, np.int64)
        there = np.repeat(kept, counts)
        moved[there] = group.cells + np.arange(int(there.sum()))
        group.cells += int(there.sum())
    for part in group.parts:
        number, local = part
        size = archive.sources[number].directory.groups[local].block_size
        first = int(archive.first_blocks[number] + archive.segment(number).group_blocks[local])
        for block in np.flatnonzero(dirty[part] & _any_of(live[part], size)).tolist():
            wanted = live[part][block * size : (block + 1) * size]
            group.again.append((first + block, wanted))
            places = block * size + np.flatnonzero(wanted)
            group.moved[part][places] = group.cells + np.arange(len(places))
            group.cells += len(places)


def _any_of(live: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """bool[blocks]: whether any of a block's cells is live."""
    return np.logical_or.reduceat(live, np.arange(0, len(live), size)) if len(live) else live


def _dirty(archive: Archive, part: tuple[int, int], live: NDArray[np.bool_], block_size: int) -> NDArray[np.bool_]:
    """bool[blocks]: which blocks are to be coded again, and no others that a picture of theirs lies in too."""
    size = archive.sources[part[0]].directory.groups[part[1]].block_size
    if size != block_size:
        return np.ones(-(-len(live) // size), bool)
    return _linked(archive, part, _any_of(~live, size))


def _linked(archive: Archive, part: tuple[int, int], dirty: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The blocks, and those that share a picture of many cells with one of them, from block to block."""
    size = archive.sources[part[0]].directory.groups[part[1]].block_size
    _, firsts, counts = _span(archive, *part)
    starts, stops = firsts // size, (firsts + counts - 1) // size
    goes_on = _covered(starts, stops, len(dirty))  # into the next block
    chain = np.concatenate([[0], np.cumsum(~goes_on)])[: len(dirty)]
    return np.bincount(chain, dirty)[chain] > 0 if len(dirty) else dirty


def _places(archive: Archive, groups: list[_Group]) -> dict[str, Column]:
    """The columns of where pictures lie; those that say nothing are left out."""
    numbers, firsts = np.zeros(len(archive), np.int64), np.zeros(len(archive), np.int64)
    counts, own = np.ones(len(archive), np.int64), np.zeros((len(archive), 2), np.int64)
    for new, group in enumerate(groups):
        for part in group.parts:
            rows, first_cells, cells = _span(archive, *part)
            rows = rows + int(archive.first_rows[part[0]])
            numbers[rows], firsts[rows], counts[rows] = new, group.moved[part][first_cells], cells
            own[rows] = group.coder.size
    found, in_order = dict[str, Column](), True
    for new, group in enumerate(groups):
        mine = numbers == new
        ends = np.cumsum(counts[mine])
        in_order &= np.array_equal(firsts[mine], ends - counts[mine]) and int(counts[mine].sum()) == group.cells
    if len(groups) > 1:
        found[GROUP] = Column("integer", numbers)
    if not in_order:
        found[CELL] = Column("integer", firsts)
    sizes = archive.sizes.astype(np.int64)
    for side, name in enumerate((HEIGHT, WIDTH)):
        if (own[:, side] != sizes[:, side]).any():
            found[name] = Column("integer", sizes[:, side])
    return found


def _in_pieces(archive: Archive, group: _Group) -> Iterator[list[int]]:
    """The blocks that are copied, some at a time; always the same, so that it can be gone on with."""
    for number, blocks in group.copied.items():
        lengths = archive.segment(number).index.lengths
        some, size = list[int](), 0
        for block in blocks:
            some.append(block)
            size += int(lengths[block - int(archive.first_blocks[number])])
            if size >= _COPIED_AT_ONCE:
                yield some
                some, size = [], 0
        if some:
            yield some


def _checksum(archive: Archive, block: int) -> int:
    """What tells a copied block from another one when the work is gone on with: the checksum of its bytes."""
    number = int(np.searchsorted(archive.first_blocks, block, side="right")) - 1
    return int(archive.segment(number).index.checksums[block - int(archive.first_blocks[number])])


def _again(archive: Archive, group: _Group) -> Iterator[Cells]:
    """The cells that are coded again, some at a time: pixels, or files."""
    if group.coder.files is not None:
        yield from (archive.files_in(block, np.flatnonzero(wanted)) for block, wanted in group.again)
        return
    step = max(1, BATCH_BYTES // max(1, archive.block_bytes))
    for start in range(0, len(group.again), step):
        some = group.again[start : start + step]
        for (_, wanted), cells in zip(some, archive.decode_blocks([block for block, _ in some]), strict=True):
            yield cells[wanted]


def _none_of(coder: Coder) -> Cells:
    """No cells."""
    return [] if coder.files is not None else np.empty((0, *coder.shape), coder.kind.dtype)
