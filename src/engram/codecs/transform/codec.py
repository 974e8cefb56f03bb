"""transform: few bytes an image, by a network trained for rate and distortion.

    pixels -> analysis (floats) -> symbols[n, units] -> distances, contexts -> range coder -> bytes
    pixels <- integer synthesis <- symbols[n, units] <- integer prior      <-> range coder <- bytes

A block is one stream: all images' symbols of unit 0, then of unit 1, ... The prior's networks run over the images of
many blocks at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from engram.codecs.analysis import evaluate, floats_of
from engram.codecs.contract import Codec, Config, DecodeOnly
from engram.codecs.one_thread import on_one_thread
from engram.codecs.transform.model import TransformModel, parse
from engram.codecs.transform.prior import Contexts
from engram.coding.rangecoder import Symbols
from engram.images import Pixels
from engram.layers import Layer

_PASSES = 2
_TOGETHER = 1024
"""About how many images the prior walks over at once."""


@dataclass(frozen=True, eq=False)
class Transform(Codec):
    """A transform codec; from an archive without its analysis, which the archive does not hold.

    stiffness: what moving a symbol by a step from the code costs, in bits; the less, the fewer bytes (`thrifty`).
    """

    id: ClassVar[str] = "transform"
    lossless: ClassVar[bool] = False
    decoder: TransformModel
    analysis: tuple[Layer, ...] | None = None
    stiffness: float = inf
    image_shape: tuple[int, int, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_shape", self.decoder.image_shape)

    @cached_property
    def _emitted(self) -> tuple[Config, bytes]:
        return self.decoder.emit()

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
        return self.analysis is not None

    def encode(self, block: Pixels) -> bytes:
        return self.encode_many([block])[0]

    def decode(self, data: bytes, count: int) -> Pixels:
        return self.decode_many([(data, count)])[0]

    def decode_one(self, data: bytes, count: int, index: int) -> Pixels:
        symbols = self._symbols([(data, count)])[index]
        image: Pixels = self.decoder.network(symbols[None])[0]
        return image

    def encode_many(self, blocks: Sequence[Pixels]) -> list[bytes]:
        if self.analysis is None:
            raise DecodeOnly("an archive's model decodes only; to encode, freeze the network's model file again")
        for block in blocks:
            self.check_shape(block)
        coded = []
        for block in blocks:  # floats are summed alike in any run only where their arrays are of one shape
            with on_one_thread():
                codes = evaluate(self.analysis, floats_of(block))
            distances, contexts = coded_symbols(self.decoder, thrifty(self.decoder, codes, self.stiffness))
            coded.append(self.decoder.coder.encode(distances.T.ravel(), contexts.T.ravel()))
        return coded

    def decode_many(self, blocks: Sequence[tuple[bytes, int]]) -> list[Pixels]:
        pixels: list[Pixels] = []
        for part in _together(blocks):
            ends = np.cumsum([count for _, count in part])[:-1]
            pixels += np.split(self.decoder.network(self._symbols(part)), ends)
        return pixels

    def _symbols(self, blocks: Sequence[tuple[bytes, int]]) -> Symbols:
        """symbols[images of all blocks, units]."""
        coder, units, reach = self.decoder.coder, self.decoder.units, self.decoder.reach
        counts = [count for _, count in blocks]
        readers = [coder.reader(data, units * count) for data, count in blocks]
        ends = np.cumsum(counts)[:-1]

        def choose(unit: int, nearest: NDArray[np.int32], contexts: Contexts) -> NDArray[np.int32]:
            parts = np.split(contexts, ends)
            read = [reader.read(part) for reader, part in zip(readers, parts, strict=True)]
            symbols: NDArray[np.int32] = nearest + np.concatenate(read) - reach
            return symbols

        return self.decoder.prior.walk(sum(counts), choose)


def _together(blocks: Sequence[tuple[bytes, int]]) -> list[Sequence[tuple[bytes, int]]]:
    """The blocks in parts of about _TOGETHER images."""
    step = max(1, _TOGETHER // max([1, *(count for _, count in blocks)]))
    return [blocks[first : first + step] for first in range(0, len(blocks), step)]


def thrifty(decoder: TransformModel, codes: NDArray[np.float32], stiffness: float) -> NDArray[np.float32]:
    """codes[n, units] with some put on the second nearest whole number, where that is worth its bits.

    A symbol costs its own bits, and stiffness * (its distance from the code)^2; what it does to the bits of later units
    is left out, and seen again in the next pass.
    """
    limits, reach = decoder.prior.limits, decoder.reach
    codes = codes.clip(-limits, limits).astype(np.float32)
    if stiffness == inf:
        return codes
    first = np.rint(codes)
    second = np.where(codes > first, first + 1, first - 1).clip(-limits, limits)
    away = stiffness * (np.square(second - codes) - np.square(first - codes))
    chosen = first
    for _ in range(_PASSES):
        nearest, contexts = decoder.prior.contexts(chosen.astype(np.int32))
        bits = [
            decoder.bits[contexts, (symbols.astype(np.int32) - nearest).clip(-reach, reach) + reach]
            for symbols in (first, second)
        ]
        chosen = np.where(bits[1] + away < bits[0], second, first)
    return chosen.astype(np.float32)


def coded_symbols(decoder: TransformModel, codes: NDArray[np.float32]) -> tuple[Symbols, Contexts]:
    """(distances + reach, contexts), [n, units] each, of the symbols that codes[n, units] are rounded to.

    A symbol farther than the reach from where the prior expects it is moved there, unit by unit, since what the prior
    expects of a unit depends on the symbols before it. Where even the nearest in reach lies beyond the unit's limit, a
    decoder takes the limit.
    """
    limits, reach = decoder.prior.limits, decoder.reach
    symbols = np.rint(codes.clip(-limits, limits)).astype(np.int32)
    nearest, contexts = decoder.prior.contexts(symbols)
    late = np.flatnonzero((np.abs(symbols - nearest) > reach).any(axis=1))
    for unit in range(len(limits) if len(late) else 0):
        expected, _ = decoder.prior.contexts(symbols[late])
        column = expected[:, unit]
        symbols[late, unit] = symbols[late, unit].clip(column - reach, column + reach).clip(-limits[unit], limits[unit])
    if len(late):
        nearest[late], contexts[late] = decoder.prior.contexts(symbols[late])
    return (symbols - nearest).clip(-reach, reach) + reach, contexts
