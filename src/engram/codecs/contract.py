"""What every codec satisfies. Read this before you write one.

A codec turns a block of images into bytes and back. It is *configured*: `config` (JSON) and `model` (bytes, which may
be empty) say all that a decoder needs, and `from_config` makes of them, on any machine, a codec that decodes the same.
A model holds what decoding needs and no more, for its bytes count. Where encoding needs more (a network's analysis
half), a codec from an archive has `can_encode` False, and the codec that packed it comes from the model file again.

The laws, which `tests/laws` asks of every registered codec:

1. `decode(encode(block), len(block))` has the block's shape and dtype; it equals the block where `lossless`.
2. `decode_one(data, n, i)` equals `decode(data, n)[i]`, bit for bit; `encode_many`, `decode_many` and `decode_some`
   equal the loops over `encode` and `decode`. (An encoder may use floats: on another machine its bytes may differ, its
   pixels little.)
3. `from_config(config, model)` decodes as the codec itself does, bit for bit, and has the same `config` and `model`;
   it encodes as the codec itself does, or has `can_encode` False and `encode` raises `DecodeOnly`. A codec can be
   pickled, so that other processes encode too.
4. Blocks of 0 and 1 images are blocks.
5. Data cut, extended or changed raises `CorruptData` or returns *some* block of the right shape; it never crashes,
   hangs, or allocates beyond what `count` images need. (That the pixels are right is the archive's checksum's work.)
   The same holds of `from_config` for a config or model that was cut, extended or changed.
6. Nothing that decides a decoded pixel is a rounded float: the same bytes give the same pixels on every machine.
7. The bytes of an id never change: a new byte format is a new id.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from engram.errors import CorruptData, UsageError
from engram.images import Pixels

Config = dict[str, Any]
Rows = NDArray[np.intp]
"""Indices into a block."""


class DecodeOnly(UsageError):
    """Encoding was asked of a codec that holds the decoder's half only."""


class CorruptModel(CorruptData):
    """A config and model that do not make a codec."""


class Codec(ABC):
    """A configured way from images to bytes and back."""

    id: ClassVar[str]
    """The name in the registry and in the archive's header: lower-case letters, digits, '-'; at most 32."""

    lossless: ClassVar[bool]

    image_shape: tuple[int, int, int]
    """(height, width, channels) of every image it takes."""

    @abstractmethod
    def config(self) -> Config:
        """JSON-able settings, the image shape among them; with `model`, all that a decoder needs."""

    @property
    @abstractmethod
    def model(self) -> bytes:
        """What was learned, as the bytes that an archive embeds; empty for a codec that learns nothing."""

    @classmethod
    @abstractmethod
    def from_config(cls, config: Config, model: bytes) -> Self:
        """The codec of a configuration. Raises CorruptModel where config and model do not make one."""

    @property
    def max_error(self) -> int | None:
        """No value of a decoded image is farther from the original; None where nothing is promised."""
        return 0 if self.lossless else None

    @property
    def can_encode(self) -> bool:
        """False where the codec holds what decoding needs only."""
        return True

    @abstractmethod
    def encode(self, block: Pixels) -> bytes:
        """The bytes of uint8[n, h, w, c], n >= 0. Raises UsageError for another image shape."""

    @abstractmethod
    def decode(self, data: bytes, count: int) -> Pixels:
        """uint8[count, h, w, c] of what `encode` made. Raises CorruptData."""

    def decode_one(self, data: bytes, count: int, index: int) -> Pixels:
        """uint8[h, w, c]: image `index` of the block; a codec that can, decodes no more than it must."""
        image: Pixels = self.decode(data, count)[index]
        return image

    def encode_many(self, blocks: Sequence[Pixels]) -> list[bytes]:
        """`encode` of each block; a codec that can, does their arithmetic in one go. The caller bounds the memory."""
        return [self.encode(block) for block in blocks]

    def decode_many(self, blocks: Sequence[tuple[bytes, int]]) -> list[Pixels]:
        """`decode` of each (data, count); CorruptData where one fails, without saying which."""
        return [self.decode(data, count) for data, count in blocks]

    def decode_some(self, blocks: Sequence[tuple[bytes, int, Rows]]) -> list[Pixels]:
        """`decode` of each (data, count, rows) at its rows; a codec that can, makes no pixels of the others."""
        wholes = self.decode_many([(data, count) for data, count, _ in blocks])
        return [whole[rows] for whole, (_, _, rows) in zip(wholes, blocks, strict=True)]

    def check_shape(self, block: Pixels) -> None:
        """Raises UsageError unless `block` is uint8[n, h, w, c] of this codec's image shape."""
        if block.dtype.name != "uint8" or block.shape[1:] != self.image_shape:
            height, width, channels = self.image_shape
            raise UsageError(
                f"this {self.id} codec takes images of uint8[n, {height}, {width}, {channels}], "
                f"not {block.dtype.name}{list(block.shape)}"
            )


def image_shape_of(config: Config, channels: Sequence[int] = (1, 3)) -> tuple[int, int, int]:
    """config["image_shape"], checked: height and width 1 to 65535, and one of the channels. Raises CorruptModel."""
    shape = config.get("image_shape")
    if (
        isinstance(shape, list)
        and len(shape) == 3
        and all(type(side) is int and 1 <= side <= 65535 for side in shape)
        and shape[2] in channels
    ):
        return shape[0], shape[1], shape[2]
    words = " or ".join(map(str, channels))
    raise CorruptModel(f"the codec's image_shape must be [height, width, {words}], not {shape!r}")
