"""raw: the pixels themselves, deflated. It learns nothing and loses nothing."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from engram.codecs.contract import Codec, Config, CorruptModel, image_shape_of
from engram.errors import CorruptData
from engram.images import Pixels


@dataclass(frozen=True)
class Raw(Codec):
    """A block is one zlib stream (RFC 1950) of its pixels in the order n, h, w, c."""

    id: ClassVar[str] = "raw"
    lossless: ClassVar[bool] = True
    image_shape: tuple[int, int, int]

    def config(self) -> Config:
        return {"image_shape": list(self.image_shape)}

    @property
    def model(self) -> bytes:
        return b""

    @classmethod
    def from_config(cls, config: Config, model: bytes) -> Self:
        if model or set(config) != {"image_shape"}:
            raise CorruptModel("a raw codec has an image_shape and nothing else")
        return cls(image_shape_of(config))

    def encode(self, block: Pixels) -> bytes:
        self.check_shape(block)
        return zlib.compress(np.ascontiguousarray(block).data, 9)

    def decode(self, data: bytes, count: int) -> Pixels:
        size = count * int(np.prod(self.image_shape))
        stream = zlib.decompressobj()
        try:
            pixels = stream.decompress(data, size + 1)
        except zlib.error as error:
            raise CorruptData(f"a raw block of {count} images is not a zlib stream: {error}") from None
        if len(pixels) != size or not stream.eof or stream.unused_data:
            raise CorruptData(f"a raw block of {count} images must inflate to {size} bytes exactly, and end there")
        return np.frombuffer(pixels, np.uint8).reshape(count, *self.image_shape).copy()
