"""JPEG coefficients of files into bytes and back, by a model that a collection has taught.

The files that are coded together share a stream and what is learned on the way: the first begins with what the model
knows, or with the default where there is none. How decisions follow from coefficients, and chances from what is known,
is in `coefficients_reference.py`; `coefficients.c` does the same where it was built, on threads without Python's lock.

A stream ends as soon as its bytes, with zeros after them without end, lie in the last interval; it does not end with a
byte of 0. A model is LZMA2 of whole numbers, as `numbers.py` packs them:

    slots[58,728]           the logit of a slot's chance, over 2^6, rounded; 0: nothing is known of it
    weights[340, 20]        how much more than the default, in 1/8 (2^13 of 2^16)
    scales[3, 64, 22]       how much more than the default, in 1/64 (2^10 of 2^16)

A slot that the model knows begins as though it had seen 128 decisions.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from engram.codecs.jpeg import coefficients_reference as reference
from engram.codecs.jpeg import mixing
from engram.codecs.jpeg.mixing import SLOTS, State
from engram.coding import numbers
from engram.errors import CorruptData, UsageError

MOST_BLOCKS = 1 << 22
"""That are coded together; they are 512 MiB of coefficients."""
MOST_COMPONENTS = 4
TOGETHER = 64
"""Files in a block of an archive, of which `learn` thinks."""
SAMPLE = 60_000
"""Blocks that are learned from."""
KEPT = (16, 32, 64, 128, 255, 256)
"""What a slot must have seen, that a model tells of it: `learn` tries these. None has seen 256."""
KNOWN = 128
"""Decisions that a slot has seen as far as a model knows of it."""
_LOGIT, _WEIGHT, _SCALE = 64, 1 << 13, 1 << 10
_MOST_LOGIT, _MOST_WEIGHT = 32, 2048

Integers = NDArray[np.int32]
Blocks = NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class Grid:
    """A component's blocks, 1 or more rows and columns, and its quantisation table int[8, 8], 1 to 65535."""

    rows: int
    columns: int
    steps: NDArray[np.integer]

    @property
    def blocks(self) -> int:
        return self.rows * self.columns

    @cached_property
    def form(self) -> Integers:
        """int32[66]: rows, columns, steps."""
        steps = np.asarray(self.steps).ravel()
        if not (0 < self.rows < 1 << 16 and 0 < self.columns < 1 << 16 and len(steps) == 64):
            raise UsageError(f"a component has 1 to 65535 rows and columns of blocks, not {self.rows} x {self.columns}")
        if not (steps.min() > 0 and steps.max() < 1 << 16):
            raise UsageError("the steps of a quantisation table are 64 numbers of 1 to 65535")
        return np.array([self.rows, self.columns, *steps.tolist()], np.int32)


Layout = Sequence[Grid]
"""Of a file, the grid of each of its 1 to 4 components."""


class _Coder(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("chances", "counts", "weights", "scales")),
        *((name, ctypes.c_void_p) for name in ("stretched", "squashed", "rates", "data")),
        *((name, ctypes.c_int64) for name in ("size", "at")),
        *((name, ctypes.c_uint32) for name in ("low", "high", "point")),
        ("decoding", ctypes.c_int32),
    ]


@cache
def library() -> ctypes.CDLL | None:
    """The compiled code, or None where there is none."""
    found = find_spec("engram.codecs.jpeg._coefficients")
    return ctypes.CDLL(found.origin) if found and found.origin else None


@dataclass(frozen=True)
class CoefficientCoder:
    """A coder with a model, b"" for the default. Raises CorruptData for other bytes than a model's, when it is used."""

    model: bytes

    @cached_property
    def _state(self) -> State:
        return _unpacked(self.model) if self.model else State.default()

    def checked(self) -> CoefficientCoder:
        """The coder itself. Raises CorruptData where its model is none."""
        _ = self._state
        return self

    def encode(self, files: Sequence[Sequence[Blocks]], layouts: Sequence[Layout]) -> bytes:
        """The stream of files, each int16[rows, columns, 64] in natural order for each component of its layout."""
        return _encode(self._state.copy(), files, layouts)

    def decode(self, data: bytes, layouts: Sequence[Layout]) -> list[list[Blocks]]:
        """The files of a stream. Raises CorruptData for bytes that are too many, or end with 0; others decode."""
        forms, count = _forms(layouts)
        blocks = np.zeros((count, 64), np.int16)
        used = _run(self._state.copy(), data, forms, blocks, len(layouts))[1] if count else 0
        if data[-1:] == b"\0" or len(data) > used:
            raise CorruptData(f"{len(data)} bytes are no stream of {count} blocks of coefficients")
        counts = [grid.blocks for layout in layouts for grid in layout]
        parts = iter(np.split(blocks, np.cumsum(counts)[:-1]) if counts else [])
        return [[next(parts).reshape(grid.rows, grid.columns, 64) for grid in layout] for layout in layouts]

    @classmethod
    def learn(
        cls, files: Sequence[Sequence[Blocks]], layouts: Sequence[Layout], total: int | None = None
    ) -> CoefficientCoder:
        """The coder, with a model or without, that stores `total` files like these in the fewest bytes.

        total: as many as are given, unless said. A quarter of a sample judges what the others have taught; then the
        whole sample teaches.
        """
        total = len(files) if total is None else total
        some = range(0, len(files), max(1, -(-sum(grid.blocks for part in layouts for grid in part) // SAMPLE)))
        judging, teaching = some[3::4], [i for k, i in enumerate(some) if k % 4 != 3]
        if not judging:
            return cls(b"")
        taught = _taught(files, layouts, teaching)
        models = [b"", *(_packed(taught, kept) for kept in KEPT)]
        costs = [len(model) + cls(model)._cost(files, layouts, judging) * total / len(judging) for model in models]
        best = int(np.argmin(costs))
        return cls(_packed(_taught(files, layouts, some), KEPT[best - 1]) if best else b"")

    def _cost(self, files: Sequence[Sequence[Blocks]], layouts: Sequence[Layout], chosen: Sequence[int]) -> int:
        """Bytes of the chosen files, in blocks as an archive has them."""
        parts = [chosen[first : first + TOGETHER] for first in range(0, len(chosen), TOGETHER)]
        return sum(len(self.encode([files[i] for i in part], [layouts[i] for i in part])) for part in parts)


def _taught(files: Sequence[Sequence[Blocks]], layouts: Sequence[Layout], chosen: Sequence[int]) -> State:
    """What the default has become after the chosen files."""
    state = State.default()
    _encode(state, [files[i] for i in chosen], [layouts[i] for i in chosen])
    return state


def _forms(layouts: Sequence[Layout]) -> tuple[Integers, int]:
    """(what the code is told of the layouts, how many blocks they have). Raises UsageError."""
    parts, count = [], 0
    for layout in layouts:
        if not 0 < len(layout) <= MOST_COMPONENTS:
            raise UsageError(f"a file has 1 to {MOST_COMPONENTS} components, not {len(layout)}")
        parts.append(np.array([len(layout)], np.int32))
        parts += [grid.form for grid in layout]
        count += sum(grid.blocks for grid in layout)
    if count > MOST_BLOCKS:
        raise UsageError(f"{count} blocks of coefficients are more than the {MOST_BLOCKS} that are coded together")
    return np.concatenate(parts) if parts else np.zeros(0, np.int32), count


def _encode(state: State, files: Sequence[Sequence[Blocks]], layouts: Sequence[Layout]) -> bytes:
    forms = _forms(layouts)[0]
    shapes = [[(grid.rows, grid.columns, 64) for grid in layout] for layout in layouts]
    if [[part.shape for part in file] for file in files] != shapes:
        raise UsageError("the coefficients are not as their layouts say")
    if not files:
        return b""
    blocks = np.concatenate([part.reshape(-1, 64) for file in files for part in file])
    if blocks.dtype != np.int16:
        raise UsageError(f"coefficients are int16, not {blocks.dtype}")
    return _run(state, None, forms, blocks, len(files))[0]


def _run(state: State, data: bytes | None, forms: Integers, blocks: Blocks, files: int) -> tuple[bytes, int]:
    """(the stream, how many bytes of it were looked at) of blocks, or of data into blocks."""
    code = library()
    if code is None:
        done = reference.code(state, data, forms, blocks)
        return (data if data is not None else _closed(bytes(done.data), done.low, done.high)), done.at
    arrays = (state.chances, state.counts, state.weights, state.scales)
    tables = (mixing.stretched(), mixing.squashed(), mixing.rates())
    room = len(data) if data is not None else _room(blocks)
    buffer = np.frombuffer(data, np.uint8) if data is not None else np.empty(room, np.uint8)
    coder = _Coder(
        *(array.ctypes.data for array in (*arrays, *tables, buffer)),
        size=room,
        at=0 if data is None else 4,
        low=0,
        high=2**32 - 1,
        point=int.from_bytes(data[:4].ljust(4, b"\0")) if data is not None else 0,
        decoding=data is not None,
    )
    failed = code.engram_coefficients(
        ctypes.byref(coder),
        ctypes.c_int32(files),
        ctypes.c_void_p(forms.ctypes.data),
        ctypes.c_void_p(blocks.ctypes.data),
    )
    if failed:
        raise MemoryError
    if data is not None:
        return data, coder.at
    assert coder.at <= room
    return _closed(buffer[: coder.at].tobytes(), coder.low, coder.high), coder.at


def _room(blocks: Blocks) -> int:
    """More bytes than any stream of the blocks takes.

    A decision takes 12 bits at most, and little more where the interval is narrow. A coefficient that is not 0 has 34
    of them, another two, a block's last place six.
    """
    return 64 + 16 * len(blocks) + 64 * len(blocks) * 4 + 64 * int(np.count_nonzero(blocks))


def _closed(settled: bytes, low: int, high: int) -> bytes:
    """The shortest stream that lies in the interval after the settled bytes."""
    for keep in range(5):
        unit = 1 << 8 * (4 - keep)
        start = -(-low // unit) * unit
        if start <= high:
            return (settled + start.to_bytes(5)[1 : keep + 1]).rstrip(b"\0")
    raise AssertionError("an interval holds its own beginning")


def _packed(state: State, kept: int) -> bytes:
    """A state's model, of the slots that have seen at least so much."""
    base = State.default()
    logits = mixing.stretched()[state.chances >> 4].astype(np.int32)
    slots = np.where(state.counts >= kept, np.rint(logits / _LOGIT), 0).astype(np.int32)
    weights = np.rint((state.weights - base.weights) / _WEIGHT).astype(np.int32)
    scales = np.rint((state.scales - base.scales) / _SCALE).astype(np.int32)
    return numbers.pack(np.concatenate([slots, weights.ravel(), scales.ravel()]))


def _unpacked(model: bytes) -> State:
    base = State.default()
    sizes = [SLOTS, base.weights.size, base.scales.size]
    found = numbers.unpack(model, sum(sizes))
    slots, weights, scales = np.split(found, np.cumsum(sizes)[:-1])
    sizes_of = np.abs(found.astype(np.int64))
    if sizes_of[:SLOTS].max() > _MOST_LOGIT or sizes_of.max() > _MOST_WEIGHT:
        raise CorruptData(f"a model has logits up to {_MOST_LOGIT}, and weights up to {_MOST_WEIGHT}, to both sides")
    base.chances[:] = np.clip(mixing.squashed()[np.clip(slots * _LOGIT, -2047, 2047) + 2047], 16, 65519)
    base.counts[:] = np.where(slots != 0, KNOWN, 0)
    most = 1 << 20
    np.clip(base.weights + weights.reshape(base.weights.shape) * _WEIGHT, -most, most, out=base.weights)
    np.clip(base.scales + scales.reshape(base.scales.shape) * _SCALE, -most, most, out=base.scales)
    return base
