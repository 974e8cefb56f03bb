"""frozen: a network whose synthesis is whole numbers, and whose code is range-coded symbols.

    pixels -> analysis (floats) -> quantiser -> symbols[units, n] -> range coder -> bytes
    pixels <- integer network   <-              symbols[units, n] <- range coder <- bytes

It serves every network that `freeze` takes. A block is one stream: all images' symbols of unit 0, then of unit 1, ...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from engram.codecs.analysis import evaluate, floats_of
from engram.codecs.contract import Codec, Config, DecodeOnly, Rows
from engram.codecs.one_thread import on_one_thread
from engram.codecs.quantiser import Quantiser
from engram.codecs.synthesis import Synthesis, parse
from engram.coding.rangecoder import Symbols
from engram.images import Pixels
from engram.layers import Layer

_PART = 1000


@dataclass(frozen=True, eq=False)
class Encoder:
    """The encoder's half, in floats: the layers, which of their units are coded, and how these become symbols."""

    analysis: tuple[Layer, ...]
    units: NDArray[np.int64]
    quantiser: Quantiser

    def symbols(self, blocks: Sequence[Pixels]) -> Symbols:
        """int32[units, n] of all blocks' images; a block's symbols do not depend on the blocks beside it."""
        codes = [evaluate(self.analysis, floats_of(part)) for block in blocks for part in _parts(block)]
        return self.quantiser.symbols(np.concatenate(codes).reshape(-1, len(self.quantiser.steps)))[self.units]


def _parts(block: Pixels) -> list[Pixels]:
    """A block in parts of bounded size: floats are summed alike in any run only where their arrays are of one shape."""
    return [block[start : start + _PART] for start in range(0, max(1, len(block)), _PART)]


@dataclass(frozen=True, eq=False)
class Frozen(Codec):
    """A frozen network; from an archive without its encoder, which the archive does not hold."""

    id: ClassVar[str] = "frozen"
    lossless: ClassVar[bool] = False
    synthesis: Synthesis
    encoder: Encoder | None = None
    image_shape: tuple[int, int, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_shape", self.synthesis.image_shape)

    @cached_property
    def _emitted(self) -> tuple[Config, bytes]:
        return self.synthesis.emit()

    def config(self) -> Config:
        return self._emitted[0]

    @property
    def model(self) -> bytes:
        return self._emitted[1]

    @classmethod
    def from_config(cls, config: Config, model: bytes) -> Self:
        return cls(parse(config, model))

    @property
    def can_encode(self) -> bool:
        return self.encoder is not None

    def encode(self, block: Pixels) -> bytes:
        return self.encode_many([block])[0]

    def decode(self, data: bytes, count: int) -> Pixels:
        return self.decode_many([(data, count)])[0]

    def decode_one(self, data: bytes, count: int, index: int) -> Pixels:
        image: Pixels = self.decode_some([(data, count, np.array([index]))])[0][0]
        return image

    def encode_many(self, blocks: Sequence[Pixels]) -> list[bytes]:
        if self.encoder is None:
            raise DecodeOnly("an archive's model decodes only; to encode, freeze the network's model file again")
        for block in blocks:
            self.check_shape(block)
        if not blocks:
            return []
        with on_one_thread():
            symbols = self.encoder.symbols(blocks)
        ends = np.cumsum([len(block) for block in blocks])[:-1]
        return [self.synthesis.coder.encode(part) for part in np.split(symbols, ends, axis=1)]

    def decode_many(self, blocks: Sequence[tuple[bytes, int]]) -> list[Pixels]:
        return self.decode_some([(data, count, np.arange(count)) for data, count in blocks])

    def decode_some(self, blocks: Sequence[tuple[bytes, int, Rows]]) -> list[Pixels]:
        if not blocks:
            return []
        symbols = [self.synthesis.coder.decode(data, count)[:, rows] for data, count, rows in blocks]
        pixels = self.synthesis.pixels(np.concatenate(symbols, axis=1))
        return np.split(pixels, np.cumsum([len(rows) for _, _, rows in blocks])[:-1])
