"""spatial: images as a grid of small codes, one model for many rates.

    pixels -> analysis (floats) -> symbols[n, rows, columns, units] -> distances, contexts -> range coder -> bytes
    pixels <- integer synthesis <- symbols[n, rows, columns, units] <- integer prior      <-> range coder <- bytes

A block is one stream: wave after wave of the grid, within it unit after unit, of each the images, and of each image its
cells of the wave. The quantisation step is the codec's, not the model's: `at` gives the same model at another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from engram.codecs.analysis import activate, evaluate, floats_of
from engram.codecs.contract import Codec, Config, DecodeOnly, Rows
from engram.codecs.one_thread import on_one_thread
from engram.codecs.spatial.contexts import Contexts
from engram.codecs.spatial.model import SpatialModel, emit, parse
from engram.coding import linear
from engram.coding.grid import COARSEST, FINEST, Grid
from engram.coding.linear import Floats
from engram.coding.rangecoder import Symbols
from engram.errors import UsageError
from engram.images import Pixels
from engram.layers import Convolution, Features, Layer

_TOGETHER = 1024
"""About how many images the prior walks over at once."""
_ANALYSED = 1 << 13
"""About how many cells are analysed at once."""


@dataclass(frozen=True, eq=False)
class Spatial(Codec):
    """A spatial codec; from an archive without its analysis, which the archive does not hold.

    step: the distance of the values that a unit may take, in half gray levels, FINEST to COARSEST.
    """

    id: ClassVar[str] = "spatial"
    lossless: ClassVar[bool] = False
    decoder: SpatialModel
    step: int
    analysis: tuple[Layer, ...] | None = None
    image_shape: tuple[int, int, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_shape", self.decoder.grid.image_shape)

    def at(self, step: int) -> Spatial:
        """The same model at another step. Raises UsageError for one that it has not."""
        if not FINEST <= step <= COARSEST:
            raise UsageError(f"a spatial code's step is {FINEST} to {COARSEST} half gray levels, not {step}")
        return replace(self, step=step)

    @cached_property
    def _emitted(self) -> tuple[Config, bytes]:
        return emit(self.decoder, self.step)

    def config(self) -> Config:
        return self._emitted[0]

    @property
    def model(self) -> bytes:
        return self._emitted[1]

    @classmethod
    def from_config(cls, config: Config, model: bytes) -> Self:
        return cls(*parse(config, model))

    @property
    def can_encode(self) -> bool:
        return self.analysis is not None

    def encode(self, block: Pixels) -> bytes:
        self.check_shape(block)
        if self.analysis is None:
            raise DecodeOnly("an archive's model decodes only; to encode, freeze the network's model file again")
        if not len(block):
            return b""
        with on_one_thread():
            codes = codes_of(self.analysis, self.decoder.grid, block, self.step)
        symbols, nearest, contexts = self._coded(codes)
        reach = self.decoder.reach
        distances = (symbols - nearest).clip(-reach, reach) + reach
        streams = [
            np.concatenate([array[:, y, x].transpose(2, 0, 1).ravel() for y, x in self.decoder.grid.waves])
            for array in (distances, contexts)
        ]
        return self.decoder.coder.encode(*streams)

    def _coded(self, codes: Floats) -> tuple[Symbols, NDArray[np.int32], Contexts]:
        """(symbols, nearest, contexts), [n, rows, columns, units] each.

        A symbol farther than the reach from where the prior expects it is moved there; what the prior expects depends
        on the symbols before, so such an image is walked through as a decoder does. Where even the nearest in reach
        lies beyond the limit, a decoder takes the limit.
        """
        decoder, reach = self.decoder, self.decoder.reach
        limits = decoder.prior.limits_at(self.step)
        symbols = np.rint(codes.clip(-limits, limits)).astype(np.int32)
        nearest, contexts = decoder.prior.contexts(symbols, self.step)
        late = np.flatnonzero((np.abs(symbols - nearest) > reach).any(axis=(1, 2, 3)))
        if len(late):
            symbols[late] = self._moved(symbols[late])
            nearest[late], contexts[late] = decoder.prior.contexts(symbols[late], self.step)
        return symbols, nearest, contexts

    def _moved(self, symbols: Symbols) -> Symbols:
        """The symbols within reach of where the prior expects them, given those before."""
        reach, units = self.decoder.reach, range(self.decoder.grid.units)
        wanted = (symbols[:, y, x, unit].ravel() for y, x in self.decoder.grid.waves for unit in units)

        def choose(unit: int, nearest: NDArray[np.int32], contexts: Contexts) -> NDArray[np.int32]:
            return next(wanted).clip(nearest - reach, nearest + reach)

        return self.decoder.prior.walk(len(symbols), self.step, choose)

    def decode(self, data: bytes, count: int) -> Pixels:
        return self.decode_many([(data, count)])[0]

    def decode_one(self, data: bytes, count: int, index: int) -> Pixels:
        return self.decode_some([(data, count, np.array([index]))])[0][0]  # type: ignore[no-any-return]

    def decode_many(self, blocks: Sequence[tuple[bytes, int]]) -> list[Pixels]:
        return self.decode_some([(data, count, np.arange(count)) for data, count in blocks])

    def decode_some(self, blocks: Sequence[tuple[bytes, int, Rows]]) -> list[Pixels]:
        pixels: list[Pixels] = []
        step = max(1, _TOGETHER // max([1, *(count for _, count, _ in blocks)]))
        for first in range(0, len(blocks), step):
            part = blocks[first : first + step]
            symbols = self._symbols([(data, count) for data, count, _ in part])
            wanted = [own[rows] for own, (_, _, rows) in zip(symbols, part, strict=True)]
            made = self.decoder.synthesis.pixels(np.concatenate(wanted), self.step)
            pixels += np.split(made, np.cumsum([len(own) for own in wanted])[:-1])
        return pixels

    def _symbols(self, blocks: Sequence[tuple[bytes, int]]) -> list[Symbols]:
        """symbols[images, rows, columns, units] of each block."""
        decoder, counts = self.decoder, [count for _, count in blocks]
        values = decoder.grid.rows * decoder.grid.columns * decoder.grid.units
        readers = [decoder.coder.reader(data, values * count) for data, count in blocks]
        ends = np.cumsum(counts)[:-1]

        def choose(unit: int, nearest: NDArray[np.int32], contexts: Contexts) -> NDArray[np.int32]:
            cells = len(contexts) // sum(counts)
            parts = np.split(contexts, ends * cells)
            read = [reader.read(part) for reader, part in zip(readers, parts, strict=True)]
            symbols: NDArray[np.int32] = nearest + np.concatenate(read) - decoder.reach
            return symbols

        return np.split(decoder.prior.walk(sum(counts), self.step, choose), ends)


def codes_of(analysis: tuple[Layer, ...], grid: Grid, images: Pixels, step: int) -> Floats:
    """float32[n, rows, columns, units], in steps: what the analysis of a spatial network makes of uint8[n, h, w, c]."""
    features, convolutions = analysis[1], [layer for layer in analysis if isinstance(layer, Convolution)]
    assert isinstance(features, Features)
    first, second, output = convolutions
    added = np.tensordot(features.weight, grid.features_at(step).astype(np.float32), (0, 0))
    codes = np.empty((len(images), grid.rows, grid.columns, grid.units), np.float32)
    chunk = max(1, _ANALYSED // (grid.rows * grid.columns))
    for start in range(0, len(images), chunk):
        cells = evaluate(analysis[:1], floats_of(images[start : start + chunk]))
        hidden = activate(linear.apply(first, cells) + added, "relu")
        hidden = activate(linear.apply(second, hidden), "relu")
        code = linear.apply(output, np.concatenate([hidden, cells], axis=1)) * np.float32(510 / step)
        codes[start : start + chunk] = code.transpose(0, 2, 3, 1)
    return codes
