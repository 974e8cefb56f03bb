"""Coder: the codecs of a group's layers as one codec of its cells.

The bytes of a block of several layers are the bytes of each layer, all but the last with their length before, u32.
Pictures that are kept as files have one codec, whatever their layers.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engram.codecs.contract import Codec, Rows
from engram.codecs.picture_files import PictureFiles
from engram.errors import CorruptData, UsageError
from engram.kinds import AnyPixels, Kind

_LENGTH = struct.Struct("<I")
FILES_BLOCK_BYTES = 1 << 22
"""Of the pixels of a block of files: one picture is not read without the block's other files."""
Cells = AnyPixels | Sequence[bytes]
"""Pixels, or the files of pictures that are kept as files."""


@dataclass(frozen=True)
class Coder:
    """Cells of one kind and size into bytes and back. codecs: of the kind's layers, in their order."""

    kind: Kind
    codecs: tuple[Codec, ...]

    def __post_init__(self) -> None:
        if self.files is not None and self.files.kind == self.kind:
            return
        shapes = [codec.image_shape for codec in self.codecs]
        if [shape[2] for shape in shapes] != list(self.kind.layers) or len({shape[:2] for shape in shapes}) != 1:
            raise UsageError(f"{self.kind.name} pictures need codecs of {self.kind.layers} channels, not {shapes}")

    @classmethod
    def of(cls, codec: Codec) -> Coder:
        """That of gray or RGB, which have one layer."""
        from engram.kinds import KINDS

        return cls(KINDS["gray" if codec.image_shape[2] == 1 else "rgb"], (codec,))

    @property
    def files(self) -> PictureFiles | None:
        """The codec of pictures that are kept as files; None of others."""
        return self.codecs[0] if isinstance(self.codecs[0], PictureFiles) else None

    def block_size(self, most: int) -> int:
        """How many cells a block has, where it is to have no more than `most`."""
        return max(1, min(most, FILES_BLOCK_BYTES // self.cell_bytes)) if self.files else most

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of a cell."""
        return self.codecs[0].image_shape[:2]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of a cell."""
        return *self.size, self.kind.channels

    @cached_property
    def cell_bytes(self) -> int:
        """Bytes of a cell's pixels."""
        return int(np.prod(self.shape)) * self.kind.bits // 8

    @property
    def can_encode(self) -> bool:
        return all(codec.can_encode for codec in self.codecs)

    @property
    def lossless(self) -> bool:
        return all(codec.lossless for codec in self.codecs)

    @property
    def max_error(self) -> int | None:
        """No value of a decoded cell is farther from the original; None where nothing is promised."""
        errors = [codec.max_error for codec in self.codecs]
        if None in errors or (self.kind.bits == 16 and errors[0] != 0):
            return None
        return max(error for error in errors if error is not None)

    def check(self, cells: AnyPixels) -> None:
        """Raises UsageError unless these are cells of this kind and size."""
        if cells.dtype != self.kind.dtype or cells.shape[1:] != self.shape:
            height, width, channels = self.shape
            raise UsageError(
                f"this {self.codecs[0].id} codec takes images of {self.kind.dtype}[n, {height}, {width}, {channels}], "
                f"not {cells.dtype.name}{list(cells.shape)}"
            )

    def encode_many(self, blocks: Sequence[Cells]) -> list[bytes]:
        """The bytes of each block of cells."""
        if self.files is not None:
            return self.files.encode_many(blocks)
        return self._encode_pixels([block for block in blocks if isinstance(block, np.ndarray)])

    def _encode_pixels(self, blocks: Sequence[AnyPixels]) -> list[bytes]:
        if len(self.codecs) == 1:
            return self.codecs[0].encode_many(blocks)
        split = [self.kind.split(block) for block in blocks]
        coded = [codec.encode_many([layers[k] for layers in split]) for k, codec in enumerate(self.codecs)]
        return [
            b"".join(_LENGTH.pack(len(data)) + data for data in parts[:-1]) + parts[-1]
            for parts in zip(*coded, strict=True)
        ]

    def decode_some(self, blocks: Sequence[tuple[bytes, int, Rows]]) -> list[AnyPixels]:
        """The cells of each (data, count, rows) at its rows. Raises CorruptData."""
        if len(self.codecs) == 1:
            return list(self.codecs[0].decode_some(blocks))
        parts = [self._parts(data) for data, _, _ in blocks]
        layers = [
            codec.decode_some([(part[k], count, rows) for part, (_, count, rows) in zip(parts, blocks, strict=True)])
            for k, codec in enumerate(self.codecs)
        ]
        return [self.kind.join(list(each)) for each in zip(*layers, strict=True)]

    def decode_one(self, data: bytes, count: int, index: int) -> AnyPixels:
        """One cell of a block. Raises CorruptData."""
        if len(self.codecs) == 1:
            return self.codecs[0].decode_one(data, count, index)
        coded = zip(self.codecs, self._parts(data), strict=True)
        return self.kind.join([codec.decode_one(part, count, index) for codec, part in coded])

    def _parts(self, data: bytes) -> list[bytes]:
        """The bytes of each layer. Raises CorruptData."""
        found, at = [], 0
        for _ in self.codecs[:-1]:
            if at + _LENGTH.size > len(data):
                raise CorruptData("a block ends before its layers")
            [length] = _LENGTH.unpack_from(data, at)
            at += _LENGTH.size
            if at + length > len(data):
                raise CorruptData("a block ends within a layer")
            found.append(data[at : at + length])
            at += length
        return [*found, data[at:]]
