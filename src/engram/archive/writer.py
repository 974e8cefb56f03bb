"""The archive's writer: images in, in constant memory; a whole archive under its name at the end, or nothing.

Images gather in a buffer of a few blocks, a *group*, and are encoded together. Groups begin at the same images however
the collection was cut into sets and wherever a resumed pack takes up, so the bytes are always the same.

What grows with the collection: 12 bytes a block, 8 a label, the compressed file names, and the set of names that finds
duplicates.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from engram.archive import layout, metadata
from engram.archive.breakdown import Breakdown, info
from engram.archive.errors import LimitExceeded, ResumeMismatch
from engram.archive.names import check_name
from engram.archive.part import Part
from engram.codecs.contract import Codec, DecodeOnly
from engram.datasets.names import UnsafeName, check_class_names
from engram.datasets.progress import Progress
from engram.datasets.stream import InMemory, Stream
from engram.errors import UsageError
from engram.images import ImageSet, Pixels

DEFAULT_BLOCK_SIZE = 64
GROUP_BYTES = 1 << 23
"""Pixels encoded in one go. It decides the batches of an encoder in floats: changing it may change archives' bytes."""


@dataclass(frozen=True)
class Packed:
    """What was written; how many of the images an interrupted pack had done already."""

    breakdown: Breakdown
    images_resumed: int


def pack(
    images: ImageSet | Stream | Iterable[ImageSet | Stream],
    codec: Codec,
    path: Path | str,
    *,
    block_size: int = DEFAULT_BLOCK_SIZE,
    embed_model: bool = True,
    model_path: Path | None = None,
    force: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
) -> Packed:
    """Writes an archive of a set, of a stream (`datasets.stream`), or of several in order.

    Options and errors are `Writer`'s. `progress` is called with (done, total); total 0 where `images` is a generator.
    """
    sets = [images] if isinstance(images, ImageSet | Stream) else images
    total = sum(map(len, sets)) if isinstance(sets, list | tuple) else 0
    with Writer(
        path,
        codec,
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
                    progress(writer.count, total)
    return Packed(info(path), writer.images_resumed)


class Writer:
    """Writes an archive: `append` sets in order, then `finish`; as a context manager it finishes when the block ends.

    block_size: images a block, 1 to 65536. embed_model: False leaves the model out; reading then needs it.
    model_path: a file for the model that is left out; it appears just before the archive, and an older archive goes
    before it does, so that no archive ever lies beside another's model.
    force: replace an existing archive. resume: take up an interrupted one; it is given the same images from the start,
    compares those that are done with what it has, and encodes the others.
    Raises ArchiveExists, ArchiveBusy, ResumeMismatch, PackInterrupted, DecodeOnly, UnsafeName, UsageError.
    """

    def __init__(
        self,
        path: Path | str,
        codec: Codec,
        *,
        block_size: int = DEFAULT_BLOCK_SIZE,
        embed_model: bool = True,
        model_path: Path | None = None,
        force: bool = False,
        resume: bool = False,
    ) -> None:
        if not codec.can_encode:
            raise DecodeOnly(f"this {codec.id} codec can only decode; pack with the model it was made from")
        model = codec.model
        header = layout.Header.of(codec.id, codec.config(), model, block_size, embed_model)
        try:
            layout.check_limits(header)
            box = layout.emit_header(header)
        except LimitExceeded as error:
            raise UsageError(str(error)) from None
        blocks = group_blocks(header)
        self.count = 0
        self._codec, self._block_size = codec, block_size
        self.header, self._header_box = header, box
        self._buffer = np.empty((blocks * block_size, *codec.image_shape), np.uint8)
        self._buffered = self._blocks = 0
        self._metadata = _Metadata()
        beside = (model_path, model) if model_path and not embed_model else None
        prefix = box + (model if embed_model else b"")
        self._prefix_bytes = len(prefix)
        self._part = Part(Path(path), prefix, blocks, force, resume, beside)
        self.images_resumed = self._part.blocks * block_size
        self._end: bytes | None = None

    def append(self, images: ImageSet) -> None:
        """Adds a set, which has labels, class names and file names where the first set has, and is of its size."""
        self._codec.check_shape(images.images)
        self._metadata.add(images)
        added = 0
        while added < len(images):
            step = min(len(self._buffer) - self._buffered, len(images) - added)
            self._buffer[self._buffered : self._buffered + step] = images.images[added : added + step]
            self._buffered, self.count, added = self._buffered + step, self.count + step, added + step
            if self._buffered == len(self._buffer):
                self._write_group()

    def describe(self, known: ImageSet) -> None:
        """Adds what is known of a set but its pixels, which come as blocks."""
        self._metadata.add(known)

    def append_blocks(self, blocks: Sequence[bytes], checksums: Sequence[int], images: int) -> None:
        """Adds a group of blocks that were encoded elsewhere, with the CRC-32 of the pixels that each was made from.

        Groups are what `group_blocks` says; sets that come this way are told of by `describe`.
        """
        self.count += images
        self._add(lambda: blocks, checksums, images)

    def complete(self) -> tuple[int, int]:
        """Writes all blocks; returns what `Directory.identity` will be. Nothing is appended after that."""
        if self._end is None:
            self._write_group()
            if self._blocks < self._part.blocks:
                raise self._mismatch(
                    f"it has {self._part.blocks * self._block_size:,} images already, not {self.count:,}"
                )
            self._end = self._tail()
        footer = layout.parse_footer(self._end[-layout.FOOTER.size :])
        blocks = int(self._part.entries[:, 0].sum(dtype=np.int64))
        return self._prefix_bytes + blocks + len(self._end), layout.footer_checksum(footer)

    def finish(self) -> None:
        """Writes what is missing and gives the archive its name."""
        self.complete()
        assert self._end is not None
        self._part.finish(self._end)

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

    def _write_group(self) -> None:
        images = self._buffer[: self._buffered]
        blocks, checksums = in_blocks(images, self._block_size)
        self._add(lambda: self._codec.encode_many(blocks), checksums, len(images))
        self._buffered = 0

    def _add(self, encoded: Callable[[], Sequence[bytes]], checksums: Sequence[int], images: int) -> None:
        """Writes a group's blocks, unless an interrupted pack has done so."""
        if self._blocks < self._part.blocks:
            done = self._part.entries[self._blocks : self._blocks + len(checksums), 2].tolist()
            if checksums != done:
                raise self._mismatch(f"the images up to {self.count:,} are others")
        elif checksums:
            self._part.write(encoded(), checksums, images // self._block_size)
        self._blocks += len(checksums)

    def _tail(self) -> bytes:
        """All that follows the blocks."""
        entries = self._part.entries
        index = layout.Index(entries[:, 0].astype(np.int64), entries[:, 1])
        return layout.emit_tail(self._header_box, self.count, self._metadata.emit(), index)

    def _mismatch(self, difference: str) -> ResumeMismatch:
        return ResumeMismatch(
            f"{self._part.path}: the interrupted archive was made from other images, {difference}; "
            f"give the same images, or pack afresh without --resume"
        )


def check_known(sets: Iterable[ImageSet]) -> None:
    """Raises what a Writer would of the labels, classes and names of these sets, in order, before a pixel is read."""
    metadata = _Metadata()
    for known in sets:
        metadata.add(known)


def group_blocks(header: layout.Header) -> int:
    """How many blocks are encoded in one go."""
    return max(1, GROUP_BYTES // header.block_pixels)


def in_blocks(images: Pixels, block_size: int) -> tuple[list[Pixels], list[int]]:
    """The images in blocks, and the CRC-32 of the pixels of each."""
    blocks = [images[first : first + block_size] for first in range(0, len(images), block_size)]
    return blocks, [zlib.crc32(block.data) for block in blocks]


class _Metadata:
    """Labels, class names and file names as they come in, set by set."""

    def __init__(self) -> None:
        self._kind: tuple[bool, bool, tuple[str, ...]] | None = None
        self._class_names = b""
        self._labels: list[metadata.Labels] = []
        self._names = metadata.NameEncoder()
        self._seen = set[str]()

    def add(self, images: ImageSet) -> None:
        kind = (images.labels is not None, images.names is not None, images.class_names)
        if self._kind is None:
            self._kind = kind
            check_class_names(images.class_names)
            self._class_names = metadata.emit_class_names(images.class_names) if images.class_names else b""
        elif kind != self._kind:
            raise UsageError("all sets of an archive have the same class names; all have labels, or none; names alike")
        if images.labels is not None:
            self._labels.append(images.labels)
        if images.names is not None:
            self._check_names(images, images.names)
            self._names.add(images.names)

    def emit(self) -> tuple[bytes, bytes, bytes]:
        """The three sections; what there is none of is empty."""
        has_labels, has_names, class_names = self._kind or (False, False, ())
        return (
            self._class_names,
            metadata.emit_labels(np.concatenate(self._labels), len(class_names)) if has_labels else b"",
            self._names.finish() if has_names else b"",
        )

    def _check_names(self, images: ImageSet, names: tuple[str, ...]) -> None:
        labels = [""] * len(names) if images.labels is None else images.labels.tolist()
        for label, name in zip(labels, names, strict=True):
            check_name(name)
            key = f"{label}/{name}"
            if key in self._seen:
                raise UnsafeName(f"two images of one class are called {name!r}; give each its own name")
            self._seen.add(key)
