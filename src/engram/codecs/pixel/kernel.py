"""A pixel code's value loop in C, where it was built: the streams and values of `codec.py`, several times as fast.

`kernel.c` is compiled when engram is installed, where there is a compiler. Its calls run without Python's lock, so
blocks are coded on as many threads as there are cores.
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.util import find_spec
from math import prod
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.codecs.pixel.network import CausalNetwork, Networks
from engram.coding import mixture
from engram.coding.mixture import Mixture
from engram.coding.rangecoder import CorruptStream, shortest_within
from engram.images import Pixels

_LANES = 16
"""Layers' widths are filled up to multiples of this."""
WIDEST_REGISTERS = 64
"""Bytes; the processor's own width is taken up to this, and every width gives the same."""
_NUMBERS = (
    *("channels", "inputs", "values", "canvas_size", "waves", "largest_wave", "layers", "widest", "components"),
    *("depth", "levels", "channel_weights", "high"),
)
_ARRAYS = (
    *("widths", "weights", "first", "last", "least", "largest", "alone", "wave_ends", "order", "taps", "places"),
    *("gray", "boundaries", "nonzero", "exponential", "inverse", "logistic"),
)
Floats = NDArray[np.float32]
_TABLES: WeakKeyDictionary[Networks, tuple[dict[str, int], dict[str, NDArray[Any]]]] = WeakKeyDictionary()
"""Of networks that are in use, what `_tables` makes of them: a network serves codecs of any step."""


class _Model(ctypes.Structure):
    _fields_ = [*((name, ctypes.c_int32) for name in _NUMBERS), *((name, ctypes.c_void_p) for name in _ARRAYS)]


class _Coder(ctypes.Structure):
    _fields_ = [
        ("width", ctypes.c_uint64),
        ("low", ctypes.c_uint64),
        ("words", ctypes.c_void_p),
        ("at", ctypes.c_int64),
        ("size", ctypes.c_int64),
        ("encoding", ctypes.c_int32),
        ("lost", ctypes.c_int32),
    ]


@cache
def library() -> ctypes.CDLL | None:
    """The compiled kernel, or None where there is none."""
    found = find_spec("engram.codecs.pixel._kernel")
    return ctypes.CDLL(found.origin) if found and found.origin else None


class Kernel:
    """The kernel with the tables of one codec. There must be a `library`."""

    def __init__(self, network: Networks, gray: NDArray[np.int64]) -> None:
        self._made_of = network, gray
        around, levels = network.neighbourhood, Mixture(gray)
        self._around, self._levels = around, len(gray)
        self._longest = (levels.depth + 1) * len(around.places)
        if network not in _TABLES:
            _TABLES[network] = _tables(network)
        numbers, tables = _TABLES[network]
        self._arrays = tables | _whole(
            gray=gray,
            boundaries=levels.boundaries,
            nonzero=mixture.nonzero_weights(),
            exponential=mixture.exponentials(),
            inverse=mixture.inverses(),
            logistic=mixture.logistics(),
        )
        addresses = {name: array.ctypes.data for name, array in self._arrays.items()}
        self._model = _Model(depth=levels.depth, levels=len(gray), **numbers, **addresses)

    def __reduce__(self) -> tuple[type[Kernel], tuple[Networks, NDArray[np.int64]]]:
        """How it is pickled: what it was made of."""
        return Kernel, self._made_of

    def encode(self, symbols: Pixels, canvases: Pixels) -> bytes:
        """The stream of uint8[n, height, width, channels], whose gray levels lie in canvases."""
        # A decision's weight is 2^8 at least, so it narrows the interval by 16 bits and little more.
        words = np.empty(len(symbols) * self._longest * 9 // 16 + 4, np.uint32)
        coder = _Coder(width=2**64 - 1, low=0, words=words.ctypes.data, at=0, size=len(words), encoding=1)
        self._run(coder, symbols, canvases)
        settled = words[: coder.at].astype(">u4").tobytes()
        return shortest_within(int.from_bytes(settled) << 64 | coder.low, coder.width, len(settled) + 8)

    def decode(self, stream: bytes, count: int) -> Pixels:
        """uint8[count, values], the symbols. Raises CorruptStream."""
        if stream[-1:] == b"\0":
            raise CorruptStream("a stream does not end with a byte of 0")
        words = np.frombuffer(stream.ljust(max(8, -(-len(stream) // 4) * 4), b"\0"), ">u4").astype(np.uint32)
        coder = _Coder(
            width=2**64 - 1,
            low=int.from_bytes(stream[:8].ljust(8, b"\0")),
            words=words.ctypes.data,
            at=2,
            size=len(words),
        )
        symbols = np.zeros((count, len(self._around.places)), np.uint8)
        self._run(coder, symbols, np.zeros((count, self._around.canvas_size), np.uint8))
        return symbols

    def _run(self, coder: _Coder, symbols: Pixels, canvases: Pixels) -> None:
        code = library()
        assert code is not None
        failed = code.engram_code(
            ctypes.byref(self._model),
            ctypes.byref(coder),
            ctypes.c_int32(len(symbols)),
            ctypes.c_void_p(symbols.ctypes.data),
            ctypes.c_void_p(canvases.ctypes.data),
            ctypes.c_int32(WIDEST_REGISTERS),
        )
        if coder.lost:
            raise CorruptStream("a stream of decisions leaves the coder's range")
        if failed < 0:
            raise MemoryError
        if failed:
            raise CorruptStream(f"a value decodes to {failed}, beyond {self._levels - 1}")


def _tables(network: Networks) -> tuple[dict[str, int], dict[str, NDArray[Any]]]:
    """(numbers, arrays) of a model that do not depend on its gray levels."""
    around, channels = network.neighbourhood, network.networks
    widths = [_filled(len(layer.bias)) for layer in channels[0].layers]
    least, largest = mixture.limits(channels[0].components)
    weights = np.stack([_weights(channel) for channel in channels])
    numbers = {
        "channels": len(channels),
        "inputs": around.inputs,
        "values": len(around.places),
        "canvas_size": around.canvas_size,
        "waves": len(around.waves),
        "largest_wave": max(map(len, around.waves)),
        "layers": len(widths),
        "widest": max(widths),
        "components": channels[0].components,
        "channel_weights": weights.shape[1],
        "high": channels[0].high,
    }
    return numbers, _whole(
        widths=widths,
        least=least,
        largest=largest,
        alone=np.stack([channel.alone for channel in channels], 1),
        wave_ends=np.cumsum([len(wave) for wave in around.waves]),
        order=np.concatenate(around.waves),
        taps=around.taps,
        places=around.places,
    ) | {
        "weights": _aligned([weights]),
        "first": _aligned([channel.biases[0] for channel in channels]),
        "last": _aligned([channel.biases[-1] for channel in channels]),
    }


def _whole(**arrays: ArrayLike) -> dict[str, NDArray[Any]]:
    """The arrays as the kernel reads them: int32."""
    return {name: np.ascontiguousarray(array, np.int32) for name, array in arrays.items()}


def _filled(width: int) -> int:
    return -(-width // _LANES) * _LANES


def _padded(rows: Floats) -> Floats:
    """The rows, filled up with zeros."""
    filled = np.zeros((*rows.shape[:-1], _filled(rows.shape[-1])), np.float32)
    filled[..., : rows.shape[-1]] = rows
    return filled


def _aligned(arrays: list[Floats]) -> Floats:
    """float32[rows, arrays, width], widths filled up; no vector of a processor lies across two lines of its cache."""
    shape = len(arrays[0]), len(arrays), _filled(arrays[0].shape[1])
    room = np.zeros(prod(shape) + _LANES, np.float32)
    first = -(room.ctypes.data // 4) % _LANES
    aligned = room[first : first + prod(shape)].reshape(shape)
    for number, array in enumerate(arrays):
        aligned[:, number, : array.shape[1]] = array
    return aligned


def _weights(network: CausalNetwork) -> Floats:
    """All weights of a channel, flat, each layer's rows filled up; before those of a layer between, its bias."""
    parts, taken = [], network.neighbourhood.inputs
    for number, rows in enumerate(network.weights):
        from_hidden = 0 < number < len(network.weights) - 1
        if 0 < number < len(network.weights) - 2:
            parts.append(_padded(network.biases[number]))
        more = _filled(taken) - taken if from_hidden else 0
        parts.append(_padded(np.pad(rows, ((0, more), (0, 0)))))
        taken = rows.shape[1]
    return np.concatenate([part.ravel() for part in parts])
