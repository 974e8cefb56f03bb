"""What every codec satisfies. Read this before you write one.

A codec turns a block of images into bytes and back. It is *configured*: `config` (JSON) and `model` (bytes, which may
be empty) say all that a decoder needs, and `from_config` makes an equal codec of them on any machine. Its laws, which
`tests/laws` asks of every registered codec:

1. `decode(encode(block), len(block))` has the block's shape and dtype; it equals the block where `lossless`.
2. `decode_one(data, n, i)` equals `decode(data, n)[i]`, bit for bit.
3. `from_config(config, model)` encodes and decodes as the codec itself does, bit for bit.
4. Blocks of 0 and 1 images are blocks.
5. Data cut, extended or changed raises `CorruptData` or returns *some* block of the right shape; it never crashes,
   hangs, or allocates beyond what `count` images need. (That the pixels are right is the archive's checksum's work.)
6. Nothing that decides a decoded pixel is a rounded float: the same bytes give the same pixels on every machine.
7. The bytes of an id never change: a new byte format is a new id.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

from engram.images import Pixels

Config = dict[str, Any]


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
        """The codec of a configuration. Raises CorruptData where config and model do not make one."""

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
