"""An archive in parts: a range of its images, encoded by whichever process into a file of its own.

A range is what an encoder takes in one go, so its blocks are those that one process would write. A part appears whole
or not at all, and says what it was made by. It is

    magic | length of the head | head, JSON | lengths | checksums | blocks | CRC-32 of all that is before

where the lengths are the blocks', and the checksums CRC-32s of the pixels that each was made from; numbers are u32,
little-endian. Parts live as long as a pack does; no archive holds any of this.
"""

from __future__ import annotations

import json
import struct
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from engram.archive.errors import ResumeMismatch
from engram.archive.layers import Cells, Coder
from engram.archive.writer import BATCH_BYTES, in_blocks
from engram.datasets import source
from engram.datasets.cells import Group
from engram.datasets.collection import Collection
from engram.datasets.notices import Notice
from engram.datasets.stream import Stream
from engram.errors import CorruptData, EngramError
from engram.files import replacing_file
from engram.kinds import KINDS

MAGIC = b"EGMPART1"
_PRELUDE = struct.Struct("<8sI")
_CHECKSUM = struct.Struct("<I")


class ForeignPart(ResumeMismatch):
    """A part that another engram, model or setting made."""


class DamagedPart(CorruptData):
    """A part whose checksum is wrong."""


class OtherData(EngramError):
    """DATA is not the same here as where the pack was begun."""


class NotShared(EngramError):
    """The folder of the parts is not the same folder for all."""


@dataclass(frozen=True)
class Coded:
    """The blocks of a range, and the CRC-32 of the pixels that each was made from."""

    blocks: Sequence[bytes]
    checksums: Sequence[int]


@dataclass(frozen=True)
class Plan:
    """What all parts of an archive have in common: DATA and how many images it has, what codes them, and the folder.

    setup: JSON, what the archive is packed with. engram: the version that encodes.
    """

    data: str
    reading: source.Reading
    images: int
    setup: dict[str, Any]
    image_shape: tuple[int, int, int]
    block_size: int
    folder: Path
    engram: str

    def ranges(self) -> list[range]:
        """All images, in order."""
        kind = KINDS[self.setup["groups"][0]["kind"]]
        size = self.block_size * int(np.prod(self.image_shape)) * kind.bits // 8
        step = self.block_size * max(1, BATCH_BYTES // size)
        return [range(start, min(start + step, self.images)) for start in range(0, self.images, step)]

    def path(self, rows: range) -> Path:
        """Where the part of a range lies."""
        return self.folder / f"{rows.start:012}-{rows.stop:012}"

    def read(self, rows: range) -> Coded:
        """What the part of a range holds. Raises NotShared where it is not there, ForeignPart and DamagedPart."""
        try:
            data = self.path(rows).read_bytes()
        except FileNotFoundError:
            raise NotShared(
                f"{self.path(rows)} was written and is not here; pack to a folder that is the same for all nodes"
            ) from None
        return parse(self, rows, data)

    def head(self, rows: range) -> dict[str, Any]:
        """What the part of a range is made by."""
        return {
            "engram": self.engram,
            "setup": self.setup,
            "data": self.data,
            "reading": asdict(self.reading),
            "images": self.images,
            "range": [rows.start, rows.stop],
        }


def emit(plan: Plan, rows: range, coded: Coded) -> bytes:
    """The part of a range."""
    head = json.dumps(plan.head(rows)).encode()
    numbers = np.array([[len(block) for block in coded.blocks], coded.checksums], "<u4")
    data = _PRELUDE.pack(MAGIC, len(head)) + head + numbers.tobytes() + b"".join(coded.blocks)
    return data + _CHECKSUM.pack(zlib.crc32(data))


def parse(plan: Plan, rows: range, data: bytes) -> Coded:
    """What a part holds. Raises ForeignPart where it is not of this plan and range, DamagedPart."""
    path, end = plan.path(rows), len(data) - _CHECKSUM.size
    if end < _PRELUDE.size or _CHECKSUM.unpack(data[end:])[0] != zlib.crc32(data[:end]) or not data.startswith(MAGIC):
        raise DamagedPart(f"{path} is damaged; go on with --resume, which makes it again")
    at = _PRELUDE.size + _PRELUDE.unpack_from(data)[1]
    head, wanted = json.loads(data[_PRELUDE.size : at]), json.loads(json.dumps(plan.head(rows)))
    for key in wanted:
        if head.get(key) != wanted[key]:
            what = f"{key} {head.get(key)!r}, not {wanted[key]!r}" if key != "setup" else "another codec or setting"
            raise ForeignPart(f"{path} was made with {what}; pack as it was begun, or afresh without --resume")
    blocks = -(-len(rows) // plan.block_size)
    lengths, checksums = np.frombuffer(data, "<u4", 2 * blocks, at).reshape(2, blocks).tolist()
    ends = accumulate(lengths, initial=at + 8 * blocks)
    return Coded([data[start:stop] for start, stop in pairwise(ends)], checksums)


@dataclass(frozen=True)
class RangeEncoder:
    """Makes the part of a range, from DATA's name and the range alone; it can be pickled, and works in any process.

    Of a part that is there already it sees that it was made from the same images. Memory beyond the codec's: a range's
    pixels twice, and its blocks.
    """

    plan: Plan
    coder: Coder

    def __call__(self, rows: range) -> None:
        """Raises OtherData, NotShared, ResumeMismatch, CannotWrite, and what reading and encoding raise."""
        path = self.plan.path(rows)
        there = self._there(rows)
        blocks, checksums = in_blocks(self._cells(rows), self.plan.block_size)
        if there is None:
            data = emit(self.plan, rows, Coded(self.coder.encode_many(blocks), checksums))
            with replacing_file(path) as file:
                file.write(data)
        elif there.checksums != checksums:
            raise ResumeMismatch(
                f"{path} was made from other images; give the same images, or pack afresh without --resume"
            )

    def _there(self, rows: range) -> Coded | None:
        if not self.plan.folder.is_dir():
            raise NotShared(f"{self.plan.folder} is not there; pack to a folder that is the same for all nodes")
        try:
            return self.plan.read(rows) if self.plan.path(rows).exists() else None
        except DamagedPart:
            return None

    @cached_property
    def _data(self) -> tuple[Collection, Group]:
        """DATA, opened once for each process, and how its pictures are cells."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Notice)  # who asked for the pack was told
            found = source.collection(self.plan.data, None, self.plan.reading)
            group = found.groups(with_files=self.coder.files is not None)[0]
        group = group.as_files() if self.coder.files else group
        shape = *group.size, group.kind.channels
        if shape != self.plan.image_shape or len(found) != self.plan.images:
            raise OtherData(
                f"{self.plan.data} has {len(found):,} images of {shape} here, and {self.plan.images:,} of "
                f"{self.plan.image_shape} where the pack was begun; give all nodes the same DATA"
            )
        return found, group

    def _cells(self, rows: range) -> Cells:
        collection, group = self._data
        if group.of_files:
            return collection.read_files(group.rows[rows.start : rows.stop])
        images, done = np.empty((len(rows), *self.plan.image_shape), self.coder.kind.dtype), 0
        for piece in self._stream.pieces(rows):
            images[done : done + len(piece)] = piece.images
            done += len(piece)
        return images

    @cached_property
    def _stream(self) -> Stream:
        collection, group = self._data
        return collection.cells(group)
