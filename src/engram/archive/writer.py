"""The archive's writer: images in, in constant memory; a whole archive under its name at the end, or nothing.

Cells gather in a buffer of a few blocks, a *batch*, and are encoded together. Batches begin at the same cells however
the collection was cut into sets and wherever a resumed pack takes up, so the bytes are always the same.

What grows with the collection: 16 bytes a block, the compressed columns, and the set of paths that finds duplicates.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from engram.archive import columns, format, frame
from engram.archive.about import Info
from engram.archive.errors import CorruptDirectory, LimitExceeded, ResumeMismatch
from engram.archive.format import Before, Coding, Directory, Group, Model
from engram.archive.index import Index, emit_index
from engram.archive.layers import Cells, Coder
from engram.archive.part import Part
from engram.archive.table_writer import ColumnsWriter
from engram.codecs.contract import Codec, DecodeOnly
from engram.datasets.names import UnsafeName, check_path
from engram.errors import UsageError
from engram.images import ImageSet
from engram.table import Column

DEFAULT_BLOCK_SIZE = 64
BATCH_BYTES = 1 << 23
"""Pixels encoded in one go. It decides the batches of an encoder in floats: changing it may change archives' bytes."""


class Plan:
    """What a segment is coded with: models, codecs and groups, of which only the numbers of cells are not known yet."""

    def __init__(
        self,
        coders: Sequence[Codec | Coder],
        block_size: int,
        embed_model: bool,
        there: Iterable[str] = (),
    ) -> None:
        """there: the SHA-256 of models that the file has already. Raises DecodeOnly and UsageError."""
        self.coders = tuple(each if isinstance(each, Coder) else Coder.of(each) for each in coders)
        self.model_bytes: list[bytes] = []
        known, models, codings, groups = set(there), list[Model](), list[Coding](), list[Group]()
        for coder in self.coders:
            numbers = []
            for codec in coder.codecs:
                if not codec.can_encode:
                    raise DecodeOnly(f"this {codec.id} codec can only decode; pack with the model it was made from")
                model = Model.of(codec.model, embedded=False)
                if codec.model and model.sha256 not in {each.sha256 for each in models}:
                    embedded = embed_model and model.sha256 not in known
                    models.append(replace(model, embedded=embedded))
                    self.model_bytes += [codec.model] if embedded else []
                place = next((k for k, each in enumerate(models) if codec.model and each.sha256 == model.sha256), None)
                coding = Coding(codec.id, codec.config(), place)
                if coding not in codings:
                    codings.append(coding)
                numbers.append(codings.index(coding))
            groups.append(Group(coder.kind.name, tuple(numbers), coder.block_size(block_size), 0))
        self.directory = Directory(0, tuple(models), tuple(codings), tuple(groups), (), (), (), 1, 0)
        _check(self.directory)
        format.emit_directory(self.directory)  # raises, before any work, where it is too large

    def batch_cells(self, group: int) -> int:
        """How many cells are encoded in one go."""
        size = self.directory.groups[group].block_size
        return size * max(1, BATCH_BYTES // (size * self.coders[group].cell_bytes))

    def as_json(self) -> dict[str, Any]:
        """What a part remembers."""
        content = asdict(self.directory)
        found: dict[str, Any] = json.loads(json.dumps({key: content[key] for key in ("models", "codings", "groups")}))
        return found


class Writer:
    """Writes an archive: `append` sets; or `describe` rows, and `add` cells group after group; then `finish`.

    As a context manager it finishes when the block ends.

    coders: what codes the cells of each group. block_size: cells a block, 1 to 65536. embed_model: False leaves the
    models out; reading then needs them. model_path: a file for the model that is left out; it appears just before the
    archive, and an older archive goes before it does, so that no archive ever lies beside another's model.
    force: replace an existing archive. resume: take up an interrupted one; it is given the same images from the start,
    compares those that are done with what it has, and encodes the others.
    before: the segments that the file has already, where a segment is written that will be put to its end.
    Raises ArchiveExists, ArchiveBusy, ResumeMismatch, PackInterrupted, DecodeOnly, UnsafeName, UsageError.
    """

    def __init__(
        self,
        path: Path | str,
        coders: Sequence[Codec | Coder],
        *,
        block_size: int = DEFAULT_BLOCK_SIZE,
        embed_model: bool = True,
        model_path: Path | None = None,
        force: bool = False,
        resume: bool = False,
        before: Sequence[Before] = (),
        there: Iterable[str] = (),
    ) -> None:
        self.plan = plan = Plan(coders, block_size, embed_model, there)
        self._before = tuple(before)
        self._cells = [0] * len(plan.coders)
        self._group = self._buffered = self._blocks = 0
        self._buffer: Cells = self._new_buffer()
        self._columns = ColumnsWriter()
        self._files = dict[str, bytes]()
        left_out = [codec.model for coder in plan.coders for codec in coder.codecs if codec.model]
        beside = (model_path, left_out[0]) if model_path and not embed_model and left_out else None
        prefix = (b"" if before else frame.emit_prelude()) + b"".join(plan.model_bytes)
        self._prefix_bytes = len(prefix)
        self._part = Part(Path(path), prefix, plan.as_json(), force, resume, beside)
        self.blocks_resumed = self._part.blocks
        self.images_resumed = 0
        """How many cells were done already."""
        self._end: bytes | None = None
        self.directory: Directory | None = None

    @property
    def rows(self) -> int:
        """How many pictures were described."""
        return self._columns.rows

    def cells_of(self, group: int) -> int:
        """How many cells were added to a group."""
        return self._cells[group]

    @property
    def cells(self) -> int:
        """How many cells were added."""
        return sum(self._cells)

    def append(self, images: ImageSet) -> None:
        """Adds pictures of the size of the only group, which have the columns that the first had."""
        self.add(0, images.images)
        self.describe(images.table(), len(images))

    def describe(self, table: Mapping[str, Column], rows: int) -> None:
        """Adds rows: all columns of some pictures. Raises UnsafeName and UsageError."""
        self._columns.add(table, rows)

    def add(self, group: int, cells: Cells) -> None:
        """Adds cells to a group: pixels, or files where it keeps these. Groups come one after another.

        Raises UsageError for cells of another shape.
        """
        if group < self._group:
            raise UsageError(f"group {group} is complete; cells come group after group")
        while self._group < group:
            self._write_batch()
            self._group += 1
            self._buffer = self._new_buffer()
        if isinstance(cells, np.ndarray):
            self.plan.coders[group].check(cells)
        added, full = 0, self.plan.batch_cells(group)
        while added < len(cells):
            step = min(full - self._buffered, len(cells) - added)
            self._buffer[self._buffered : self._buffered + step] = cells[added : added + step]  # type: ignore[index]
            self._buffered, added = self._buffered + step, added + step
            self._cells[group] += step
            if self._buffered == full:
                self._write_batch()

    def add_blocks(self, group: int, blocks: Sequence[bytes], checksums: Sequence[int], cells: int) -> None:
        """Adds a batch of blocks that were encoded elsewhere, with the CRC-32 of the pixels of each."""
        self._group = group
        self._cells[group] += cells
        self._add(lambda: blocks, checksums, cells)

    def keep_file(self, name: str, data: bytes) -> None:
        """Keeps a file as it is, beside the pictures. Raises UnsafeName, and UsageError where it is too large."""
        check_path(name)
        if name in self._files or self._columns.has_path(name):
            raise UnsafeName(f"two files are called {name!r}; give each its own name")
        if len(data) > columns.MOST_FILE_BYTES:
            raise UsageError(
                f"{name} has {len(data):,} bytes; an archive keeps files up to {columns.MOST_FILE_BYTES:,}"
            )
        self._files[name] = zlib.compress(data, 9)

    def complete(self) -> Directory:
        """Writes all blocks; returns the directory. Nothing is added after that."""
        if self.directory is None:
            self._write_batch()
            if self._blocks < self._part.blocks:
                raise self._mismatch("it has more images already")
            entries = self._part.entries
            heads, chunks = self._columns.finish()
            pieces = Index.of([*chunks, *self._files.values()])
            index = Index(
                np.concatenate([entries[:, 0].astype(np.int64), pieces.lengths]),
                np.concatenate([entries[:, 1].astype(np.uint32), pieces.checksums]),
            )
            index_box = emit_index(index)
            groups = [replace(g, cells=n) for g, n in zip(self.plan.directory.groups, self._cells, strict=True)]
            self.directory = replace(
                self.plan.directory,
                rows=self.rows,
                groups=tuple(groups),
                columns=heads,
                files=tuple(self._files),
                before=self._before,
                width=index.width,
                index_crc32=zlib.crc32(index_box),
            )
            _check(self.directory)
            self._end = b"".join([*chunks, *self._files.values(), index_box, format.emit_directory(self.directory)])
        return self.directory

    @property
    def size(self) -> int:
        """Bytes of what is written, once it is complete."""
        assert self._end is not None
        return self._prefix_bytes + int(self._part.entries[:, 0].sum(dtype=np.int64)) + len(self._end)

    def finish(self) -> None:
        """Writes what is missing and gives the archive its name."""
        self.complete()
        assert self._end is not None
        self._part.finish(self._end)

    def info(self) -> Info:
        """That of the archive, once it is finished."""
        from engram.archive.opening import info

        return info(self._part.path)

    def abandon(self) -> None:
        """Stops, and keeps what is done for `resume`; after `finish` it does nothing."""
        self._part.abandon()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self.abandon()

    def _new_buffer(self) -> Cells:
        """Room for the cells of a batch; of files a list, which grows."""
        if not self.plan.coders:
            return np.empty(0, np.uint8)
        coder = self.plan.coders[self._group]
        if coder.files is not None:
            return []
        return np.empty((self.plan.batch_cells(self._group), *coder.shape), coder.kind.dtype)

    def _write_batch(self) -> None:
        if not self._buffered:
            return
        blocks, checksums = in_blocks(
            self._buffer[: self._buffered], self.plan.directory.groups[self._group].block_size
        )
        coder = self.plan.coders[self._group]
        self._add(lambda: coder.encode_many(blocks), checksums, self._buffered)
        self._buffered = 0

    def _add(self, encoded: Callable[[], Sequence[bytes]], checksums: Sequence[int], cells: int) -> None:
        """Writes a batch's blocks, unless an interrupted pack has done so."""
        if self._blocks < self.blocks_resumed:
            done = self._part.entries[self._blocks : self._blocks + len(checksums)]
            if list(checksums) != done[:, 2].tolist() or not done[-1, 3]:
                raise self._mismatch(f"the images of group {self._group} up to {self._cells[self._group]:,} are others")
            self.images_resumed += cells
        elif checksums:
            self._part.write(encoded(), checksums)
        self._blocks += len(checksums)

    def _mismatch(self, difference: str) -> ResumeMismatch:
        return ResumeMismatch(
            f"{self._part.path}: the interrupted archive was made from other images, {difference}; "
            f"give the same images, or pack afresh without --resume"
        )


def _check(directory: Directory) -> None:
    """Raises UsageError for what a writer must not write: blocks or codings beyond the limits."""
    try:
        format.check(directory)
    except (CorruptDirectory, LimitExceeded) as error:
        raise UsageError(str(error)) from None


def in_blocks(cells: Cells, block_size: int) -> tuple[list[Cells], list[int]]:
    """The cells in blocks, and the CRC-32 of the pixels of each, or of its files."""
    blocks = [cells[first : first + block_size] for first in range(0, len(cells), block_size)]
    return blocks, [zlib.crc32(_bytes_of(block)) for block in blocks]


def _bytes_of(block: Cells) -> memoryview | bytes:
    return np.ascontiguousarray(block).data if isinstance(block, np.ndarray) else b"".join(block)
