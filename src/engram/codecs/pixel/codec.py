"""pixel: an autoregressive code. A network in whole numbers says what each pixel may be, and a range coder codes it.

Encoder and decoder run the same network over the same neighbours, which both have, so nothing is lost that was not
given up before: with step 1 the code is lossless, with step 2N + 1 no value is off by more than N.

A block is one byte, which says what follows: 0, decisions, wave after wave: first, of all values of the wave, whether
they are not 0, then bit after bit which of the others they are. 1, where that would be shorter: the values, deflated.
Within a wave, values come in the order of the wave, each for all images of the block.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from engram.codecs.contract import Codec, Config
from engram.codecs.pixel import form
from engram.codecs.pixel.kernel import Kernel, library
from engram.codecs.pixel.network import Networks
from engram.codecs.pixel.threads import side_by_side
from engram.coding import mixture
from engram.coding.decisions import Decoder, Encoder
from engram.coding.mixture import Mixture
from engram.coding.neighbourhood import Indices, ordered
from engram.coding.rangecoder import CorruptStream
from engram.errors import CorruptData
from engram.images import Pixels

CODED, DEFLATED = b"\0", b"\1"
_CHUNK = 1 << 15
"""About how many values an encoder looks at together."""
_TOGETHER = 1024
"""How many images a decoder takes up together: what one wave of theirs needs stays in the processor's cache."""


@dataclass(frozen=True, eq=False)
class Pixel(Codec):
    """step: the distance of the gray levels that are coded, odd; 0, step, 2 step, ... and at most 255."""

    id: ClassVar[str] = "pixel"
    network: Networks
    step: int = 1
    image_shape: tuple[int, int, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_shape", self.network.neighbourhood.image_shape)

    @property
    def lossless(self) -> bool:  # type: ignore[override]
        return self.step == 1

    @property
    def max_error(self) -> int:
        """No decoded value is farther from the original."""
        return self.step // 2

    @cached_property
    def gray(self) -> NDArray[np.int64]:
        """The gray level of each symbol."""
        return np.minimum(np.arange((255 + self.max_error) // self.step + 1) * self.step, 255)

    @cached_property
    def _mixture(self) -> Mixture:
        return Mixture(self.gray)

    @cached_property
    def _kernel(self) -> Kernel | None:
        """What codes in place of NumPy, where it was built."""
        return Kernel(self.network, self.gray) if library() else None

    @cached_property
    def _emitted(self) -> tuple[Config, bytes]:
        return form.emit(self.network, self.step)

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
        symbols = self._symbols(block)
        coded = CODED + self._encode_coded(symbols)
        if 2 * len(coded) <= symbols.size:
            return coded
        return min(coded, DEFLATED + zlib.compress(symbols.astype(np.uint8).tobytes(), 9), key=len)

    def _encode_coded(self, symbols: Indices) -> bytes:
        """The stream of the symbols' decisions."""
        if self._kernel:
            canvases = self.network.neighbourhood.canvas(self.gray.astype(np.uint8)[symbols])
            return self._kernel.encode(symbols.astype(np.uint8), canvases)
        encoder = Encoder()
        for bits, weights in self._decisions(symbols):
            encoder.encode(bits, weights)
        return encoder.finish()

    def recovered(self, images: Pixels) -> Pixels:
        """The images as they come back, which no block need be coded for."""
        return came_back(self.step)[images]

    def estimated_bits(self, block: Pixels, within: NDArray[np.bool_] | None = None) -> float:
        """What the block's decisions are worth, in bits: its coded bytes but for the ends of the stream.

        within: bool[height, width], the pixels whose decisions count; None for all.
        """
        bits = 0.0
        for chosen, weights in self._decisions(self._symbols(block), within):
            bits -= np.log2(np.where(chosen, weights, 2.0**24 - weights) / 2.0**24).sum()
        return bits

    def _symbols(self, block: Pixels) -> Indices:
        """The symbols of the values, the channels in the order in which they are coded."""
        symbols: Indices = (ordered(block).astype(np.int64) + self.max_error) // self.step
        return symbols

    def _decisions(
        self, symbols: Indices, within: NDArray[np.bool_] | None = None
    ) -> Iterator[tuple[NDArray[np.int32], NDArray[np.float64]]]:
        """(bits, weights) of chunks of decisions, in the order of the stream; within: of some pixels alone."""
        if not len(symbols):
            return
        around = self.network.neighbourhood
        waves = around.waves
        if within is not None:
            is_wanted = within.ravel().repeat(self.image_shape[2])
            waves = [wave[is_wanted[wave]] for wave in waves]
        canvases = around.canvas(self.gray[symbols].astype(np.uint8))
        starts = np.arange(len(symbols)) * around.canvas_size
        flat = symbols.reshape(len(symbols), -1)
        for chunk in _chunks(waves, max(1, _CHUNK // len(symbols))):
            values = np.concatenate(chunk)
            wave = np.repeat(np.arange(len(chunk)), [len(part) * len(symbols) for part in chunk])
            outputs = self.network.outputs(canvases.ravel(), np.tile(starts, len(values)), values.repeat(len(symbols)))
            wanted = flat[:, values].T.ravel()
            bits = [(wanted != 0).astype(np.int32)]
            weights = [mixture.nonzero_weights().take(outputs[:, 0] + mixture.LARGEST_LOGIT)]
            coded = np.flatnonzero(wanted)
            times = [wave * (self._mixture.depth + 1)]
            descent = self._mixture.descend(outputs[coded])
            wanted, wave = wanted[coded] - 1, wave[coded]
            for number, level in enumerate(range(self._mixture.depth - 1, -1, -1), 1):
                bits.append((wanted >> level & 1).astype(np.int32))
                weights.append(next(descent) if number == 1 else descent.send(bits[-2]))
                times.append(wave * (self._mixture.depth + 1) + number)
            order = np.argsort(np.concatenate(times), kind="stable")
            yield np.concatenate(bits)[order], np.concatenate(weights)[order]

    def decode(self, data: bytes, count: int) -> Pixels:
        return self.decode_many([(data, count)])[0]

    def encode_many(self, blocks: Sequence[Pixels]) -> list[bytes]:
        return side_by_side(self.encode, blocks) if self._kernel else super().encode_many(blocks)

    def decode_many(self, blocks: Sequence[tuple[bytes, int]]) -> list[Pixels]:
        if self._kernel:
            return side_by_side(lambda block: self._decode_together([block])[0], blocks)
        decoded: list[Pixels] = []
        waiting: list[tuple[bytes, int]] = []
        for data, count in blocks:
            waiting.append((data, count))
            if sum(n for _, n in waiting) >= _TOGETHER:
                decoded += self._decode_together(waiting)
                waiting = []
        return decoded + self._decode_together(waiting)

    def _decode_together(self, blocks: list[tuple[bytes, int]]) -> list[Pixels]:
        """The pixels of some blocks, whose waves are predicted together."""
        pixels = {
            number: self._inflated(data, count) for number, (data, count) in enumerate(blocks) if data[:1] != CODED
        }
        coded = [(number, data, count) for number, (data, count) in enumerate(blocks) if number not in pixels]
        counts = [count for _, _, count in coded]
        images = self._decode_coded([data[1:] for _, data, _ in coded], counts)
        for (number, _, _), part in zip(coded, np.split(images, np.cumsum(counts)[:-1]) if counts else [], strict=True):
            pixels[number] = part
        return [pixels[number] for number in range(len(blocks))]

    def _decode_coded(self, streams: list[bytes], counts: list[int]) -> Pixels:
        if self._kernel and streams:
            found = [self._kernel.decode(data, count) for data, count in zip(streams, counts, strict=True)]
            levels = self.gray.astype(np.uint8)[np.concatenate(found)]
            return ordered(levels.reshape(-1, *self.image_shape))
        decoders = [Decoder(data) for data in streams]
        around, total = self.network.neighbourhood, sum(counts)
        canvases = np.zeros(total * around.canvas_size, np.uint8)
        ends = np.cumsum([0, *counts])
        groups = [np.arange(start, stop) for start, stop in pairwise(ends)]
        members: dict[int, tuple[Indices, Indices]] = {}
        for wave in around.waves if total else []:
            size = len(wave)
            if size not in members:
                members[size] = (
                    np.concatenate([np.tile(group, size) for group in groups]) * around.canvas_size,
                    np.concatenate([np.repeat(np.arange(size), len(group)) for group in groups]),
                )
            starts, which = members[size]
            values = wave[which]
            outputs = self.network.outputs(canvases, starts, values)
            weights = mixture.nonzero_weights().take(outputs[:, 0] + mixture.LARGEST_LOGIT)
            coded = np.flatnonzero(_decide(decoders, weights, ends * size))
            if not len(coded):
                continue
            edges = np.searchsorted(coded, ends * size)
            descent = self._mixture.descend(outputs[coded])
            symbols = _run(descent, decoders, edges)
            if symbols.max() >= len(self.gray):
                raise CorruptStream(f"a value decodes to {symbols.max()}, beyond {len(self.gray) - 1}")
            canvases[starts[coded] + around.places[values[coded]]] = self.gray[symbols]
        images: Pixels = canvases.reshape(total, around.canvas_size)[:, around.places].reshape(total, *self.image_shape)
        return ordered(images)

    def _inflated(self, data: bytes, count: int) -> Pixels:
        if data[:1] != DEFLATED:
            raise CorruptData(f"a block begins with a byte of 0 or 1, not with {data[:1].hex() or 'nothing'}")
        size = count * int(np.prod(self.image_shape))
        stream = zlib.decompressobj()
        try:
            symbols = stream.decompress(data[1:], size + 1)
        except zlib.error as error:
            raise CorruptData(f"a block of {count} images is no zlib stream: {error}") from None
        whole = len(symbols) == size and stream.eof and not stream.unused_data
        values = np.frombuffer(symbols, np.uint8)
        if not whole or (size and values.max() >= len(self.gray)):
            raise CorruptData(f"a block of {count} images must inflate to {size} symbols below {len(self.gray)}")
        return ordered(self.gray[values].astype(np.uint8).reshape(count, *self.image_shape))


def came_back(step: int) -> Pixels:
    """uint8[256]: by its original, the value that every pixel code of a step gives back."""
    return np.minimum((np.arange(256) + step // 2) // step * step, 255).astype(np.uint8)


def squared_errors(counts: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    """float64[n]: the squared error of each of n images, over the values of a mean one, that a pixel code makes.

    counts: float64[n, 256], how much each value counts in each image.
    """
    squares = np.square(came_back(step).astype(np.float64) - np.arange(256))
    errors: NDArray[np.float64] = counts @ squares / max(1.0, counts.sum(1).mean())
    return errors


def _decide(decoders: list[Decoder], weights: NDArray[np.float64], edges: Indices) -> NDArray[np.int32]:
    """The next decisions of each block, whose weights lie between its edges."""
    at = edges.tolist()
    return np.concatenate([d.decode(weights[a:b]) for d, a, b in zip(decoders, at[:-1], at[1:], strict=True)])


def _run(descent: mixture.Descent, decoders: list[Decoder], edges: Indices) -> NDArray[np.int64]:
    """What the descent finds, each decision asked of the decoders."""
    try:
        weights = next(descent)
        while True:
            weights = descent.send(_decide(decoders, weights, edges))
    except StopIteration as end:
        found: NDArray[np.int64] = end.value
        return found


def _chunks(waves: list[Indices], size: int) -> Iterator[list[Indices]]:
    """The waves in lists of at least `size` values, but for the last."""
    chunk: list[Indices] = []
    for wave in waves:
        chunk.append(wave)
        if sum(map(len, chunk)) >= size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
