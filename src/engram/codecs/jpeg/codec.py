"""jpeg-coefficients: images that were JPEG files, as the coefficients of those files. Lossless, also of other images.

A decoder of JPEG spreads some hundred small numbers over thousands of pixels; this code finds the numbers again,
codes them by tables that a collection has taught, and decodes as JPEG is decoded. Where that gives not the image, the
difference is stored.

A block is one byte, which says what follows: 0, the length of a range-coded stream (u32), the stream of the symbols
of all coefficients, and their signs and lower bits; 1, the same, and the differences, deflated; 2, where that would be
shorter: the pixels, deflated.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from engram.codecs.contract import Codec, Config, CorruptModel, image_shape_of
from engram.codecs.jpeg import contexts
from engram.codecs.jpeg.contexts import ALPHABET, CONTEXTS, TAPS, Integers, Order
from engram.codecs.jpeg.recovery import Grid
from engram.codecs.settings import check_keys
from engram.coding import numbers, tables
from engram.coding.jpeg import SIDE, Form
from engram.coding.rangecoder import ContextCoder
from engram.errors import CorruptData
from engram.images import Pixels

CODED, CORRECTED, DEFLATED = b"\0", b"\1", b"\2"
LARGEST_VALUES = 1 << 20
"""Of one image."""
LARGEST_WEIGHT = 1 << 15
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, eq=False)
class JpegCoefficients(Codec):
    """weights: int64[64 or 128 kinds, 11], of a kind's taps and one more. levels: uint8[2 or 4 classes * 40, 24]."""

    id: ClassVar[str] = "jpeg-coefficients"
    lossless: ClassVar[bool] = True
    grid: Grid
    weights: Integers
    levels: NDArray[np.uint8]

    @property
    def image_shape(self) -> tuple[int, int, int]:  # type: ignore[override]
        return self.grid.form.image_shape

    @cached_property
    def order(self) -> Order:
        return Order(tuple(self.grid.form.grids))

    @cached_property
    def _coder(self) -> ContextCoder:
        return ContextCoder(np.stack([tables.weights_of(row) for row in self.levels]))

    def config(self) -> Config:
        return {"image_shape": list(self.image_shape), "halved": self.grid.form.halved}

    @cached_property
    def model(self) -> bytes:
        steps = self.grid.steps[:2].ravel()
        return numbers.pack(np.concatenate([steps, self.weights.ravel(), self.levels.ravel()]).astype(np.int32))

    @classmethod
    def from_config(cls, config: Config, model: bytes) -> Self:
        check_keys(config, {"image_shape", "halved"})
        form = Form(image_shape_of(config), config["halved"])
        if type(form.halved) is not bool or not form.whole or np.prod(form.image_shape) > LARGEST_VALUES:
            raise CorruptModel(
                f"images of {list(form.image_shape)} values, their chroma halved or not ({form.halved!r}), "
                f"are no whole blocks, or more than {LARGEST_VALUES} values"
            )
        kinds = min(form.image_shape[2], 2)
        sizes = [kinds * SIDE**2, kinds * SIDE**2 * (TAPS + 1), 2 * kinds * CONTEXTS * ALPHABET]
        found = numbers.unpack(model, sum(sizes)).astype(np.int64)
        steps, weights, levels = np.split(found, np.cumsum(sizes)[:-1])
        ranges = ((steps, 1, 255), (weights, -LARGEST_WEIGHT, LARGEST_WEIGHT), (levels, 0, 255))
        if not all(least <= part.min() and part.max() <= most for part, least, most in ranges):
            raise CorruptModel("steps are 1 to 255, weights -32768 to 32768, levels 0 to 255")
        steps = steps.reshape(kinds, SIDE, SIDE)[[0, 1, 1][: form.image_shape[2]]]
        return cls(Grid(form, steps), weights.reshape(-1, TAPS + 1), levels.reshape(-1, ALPHABET).astype(np.uint8))

    def encode(self, block: Pixels) -> bytes:
        self.check_shape(block)
        coefficients = self.grid.recover(block)
        differences = self.order.differences(coefficients)
        symbols = contexts.symbols_of(np.abs(differences))
        stream = self._coder.encode(*self._in_order(symbols))
        data = _LENGTH.pack(len(stream)) + stream + _lower_bits(differences, symbols)
        missing = block - self.grid.pixels(coefficients)
        data = CORRECTED + data + zlib.compress(missing.tobytes(), 9) if missing.any() else CODED + data
        if 2 * len(data) <= block.size:
            return data
        return min(data, DEFLATED + zlib.compress(block.tobytes(), 9), key=len)

    def _in_order(self, symbols: Integers) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """(symbols, contexts) in the order of the stream: wave by wave, unit by unit, image by image."""
        known = np.pad(symbols, [(0, 0), (0, 1)])
        found = [self._contexts(known, wave).T.ravel() for wave in self.order.waves]
        return symbols[:, np.concatenate(self.order.waves)].T.ravel().astype(np.int32), np.concatenate(found)

    def _contexts(self, known: Integers, wave: Integers) -> Integers:
        """[n, units of the wave]: the tables of symbols whose taps are known."""
        sums = self.order.sums(known, wave, self.weights)
        return contexts.context_of(sums) + CONTEXTS * self.order.classes[wave]

    def decode(self, data: bytes, count: int) -> Pixels:
        if data[:1] == DEFLATED:
            return self._inflated(data[1:], count)[0]
        if data[:1] not in (CODED, CORRECTED) or len(data) < 1 + _LENGTH.size:
            raise CorruptData(
                f"a block begins with a byte of 0 to 2, and a length, not with {data[:5].hex() or 'nothing'}"
            )
        start = 1 + _LENGTH.size
        end = start + _LENGTH.unpack(data[1:start])[0]
        if end > len(data):
            raise CorruptData(f"a block of {len(data)} bytes cannot hold a stream that ends at {end}")
        symbols = self._symbols(data[start:end], count)
        differences, used = _with_lower_bits(symbols, data[end:])
        rest = data[end + used :]
        pixels = self.grid.pixels(self.order.coefficients(differences))
        if data[:1] == CORRECTED:
            missing, rest = self._inflated(rest, count)
            pixels += missing
        if rest:
            raise CorruptData(f"{len(rest)} bytes follow a block of {count} images")
        return pixels

    def _symbols(self, stream: bytes, count: int) -> Integers:
        reader = self._coder.reader(stream, count * self.order.units)
        known = np.zeros((count, self.order.units + 1), np.int64)
        for wave in self.order.waves:
            read = reader.read(self._contexts(known, wave).T.ravel())
            known[:, wave] = read.reshape(len(wave), count).T
        return known[:, :-1]

    def _inflated(self, data: bytes, count: int) -> tuple[Pixels, bytes]:
        """(uint8[count, h, w, c], nothing) of a zlib stream."""
        size = count * int(np.prod(self.image_shape))
        stream = zlib.decompressobj()
        try:
            values = stream.decompress(data, size + 1)
        except zlib.error as error:
            raise CorruptData(f"a block of {count} images is no zlib stream: {error}") from None
        if len(values) != size or not stream.eof or stream.unused_data:
            raise CorruptData(f"a block of {count} images must inflate to {size} bytes exactly, and end there")
        return np.frombuffer(values, np.uint8).reshape(count, *self.image_shape).copy(), b""


def _places(symbols: Integers) -> tuple[Integers, Integers, Integers, int]:
    """(where the bits of each symbol other than 0 begin, how many follow its sign, the symbols' indices, all bits)."""
    where = np.flatnonzero(symbols)
    below = contexts.bits_below(symbols.ravel()[where])
    ends = np.cumsum(1 + below)
    return ends - below - 1, below, where, int(ends[-1]) if len(ends) else 0


def _lower_bits(differences: Integers, symbols: Integers) -> bytes:
    """For each number other than 0 its sign, 1 for a negative one, and the bits that its symbol leaves open."""
    starts, below, where, total = _places(symbols)
    bits = np.zeros(total, np.uint8)
    numbers = differences.ravel()[where]
    bits[starts] = numbers < 0
    for place in range(int(below.max(initial=0))):
        some = below > place
        bits[starts[some] + 1 + place] = np.abs(numbers[some]) >> (below[some] - 1 - place) & 1
    return np.packbits(bits).tobytes()


def _with_lower_bits(symbols: Integers, data: bytes) -> tuple[Integers, int]:
    """(the numbers, how many bytes their bits took). Raises CorruptData where there are too few."""
    starts, below, where, total = _places(symbols)
    used = -(-total // 8)
    if len(data) < used:
        raise CorruptData(f"a block's signs and lower bits take {used} bytes, and there are {len(data)}")
    bits = np.unpackbits(np.frombuffer(data, np.uint8, used)).astype(np.int64)
    found = symbols.ravel().copy()
    magnitudes = np.where(below > 0, 1, found[where])
    for place in range(int(below.max(initial=0))):
        some = below > place
        magnitudes[some] = 2 * magnitudes[some] + bits[starts[some] + 1 + place]
    found[where] = np.where(bits[starts] == 1, -magnitudes, magnitudes)
    return found.reshape(symbols.shape), used
