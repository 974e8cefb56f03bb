"""restored: a pixel code, and a small network in whole numbers that corrects what it gives back.

A block is the pixel code's own. What a coarse step took away is guessed from the neighbours on all sides, which the
pixel code, going from left to right, never sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Self

from engram.codecs.contract import Codec, Config, Rows
from engram.codecs.pixel.codec import Pixel
from engram.codecs.restored import form
from engram.codecs.restored.network import Restoration
from engram.coding.integer import MisfitNetwork
from engram.images import Pixels


@dataclass(frozen=True, eq=False)
class Restored(Codec):
    """Raises MisfitNetwork where the restoration is not one of this pixel code."""

    id: ClassVar[str] = "restored"
    lossless: ClassVar[bool] = False
    pixel: Pixel
    restoration: Restoration
    image_shape: tuple[int, int, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_shape", self.pixel.image_shape)
        if self.pixel.lossless:
            raise MisfitNetwork("a lossless pixel code leaves nothing to restore")
        wanted = self.image_shape[2], self.pixel.max_error
        if (self.restoration.channels, self.restoration.largest_change) != wanted:
            raise MisfitNetwork(f"the restoration is not one of {wanted[0]} channels and changes up to {wanted[1]}")

    @property
    def max_error(self) -> int:
        """The pixel code's, twice: the restoration changes a value by no more than that."""
        return 2 * self.pixel.max_error

    @cached_property
    def _emitted(self) -> tuple[Config, bytes]:
        return form.emit(self.pixel, self.restoration)

    def config(self) -> Config:
        return self._emitted[0]

    @property
    def model(self) -> bytes:
        return self._emitted[1]

    @classmethod
    def from_config(cls, config: Config, model: bytes) -> Self:
        return cls(*form.parse(config, model))

    def encode(self, block: Pixels) -> bytes:
        self.check_shape(block)
        return self.pixel.encode(block)

    def encode_many(self, blocks: Sequence[Pixels]) -> list[bytes]:
        for block in blocks:
            self.check_shape(block)
        return self.pixel.encode_many(blocks)

    def decode(self, data: bytes, count: int) -> Pixels:
        return self.restoration.restored(self.pixel.decode(data, count))

    def decode_one(self, data: bytes, count: int, index: int) -> Pixels:
        one: Pixels = self.restoration.restored(self.pixel.decode_one(data, count, index)[None])[0]
        return one

    def decode_many(self, blocks: Sequence[tuple[bytes, int]]) -> list[Pixels]:
        return [self.restoration.restored(images) for images in self.pixel.decode_many(blocks)]

    def decode_some(self, blocks: Sequence[tuple[bytes, int, Rows]]) -> list[Pixels]:
        return [self.restoration.restored(images) for images in self.pixel.decode_some(blocks)]
