"""Columns as bytes: chunks of ROWS_IN_CHUNK rows, each one zlib stream (RFC 1950), as FORMAT.md says. Parse and emit.

A text is written as what it adds to the one before it, so that 00041.png, 00042.png, ... cost next to nothing.
"""

from __future__ import annotations

import json
import os.path
import re
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.archive.errors import CorruptColumn
from engram.archive.format import ROWS_IN_CHUNK
from engram.coding import varint
from engram.datasets.deflate import LARGEST_EXPANSION
from engram.errors import UsageError
from engram.table import TYPES, Column, parse_json

MOST_TEXT_BYTES = 1 << 20
"""Of one text."""
MOST_CHUNK_BYTES = 1 << 26
"""Of a chunk, and of all its texts."""
_MOST_EMITTED = MOST_CHUNK_BYTES - (10 << 16)
"""Of all texts of a chunk that is written: up to 9 bytes stand before each, and a mask before all."""
MOST_FILE_BYTES = 1 << 28
"""Of a file that is kept as it was."""
_LAST_DIGITS = re.compile(rb"[0-9]+")
"""Of a text from its end."""
_LARGEST_STEP = 255


def check_texts(column: Column) -> None:
    """Raises UsageError for a column with a text that is longer than the limit."""
    if column.type == "text":
        for text in column.values:
            if text is not None and len(text) * 4 > MOST_TEXT_BYTES and len(text.encode()) > MOST_TEXT_BYTES:
                raise UsageError(
                    f"a text of {len(text):,} characters; an archive's have up to {MOST_TEXT_BYTES:,} bytes"
                )


def emit_categories(categories: Sequence[str]) -> bytes:
    """Raises UsageError for texts beyond the limits."""
    return zlib.compress(_emit_texts([_encoded(name) for name in categories]), 9)


def parse_categories(data: bytes, count: int) -> tuple[str, ...]:
    """Raises CorruptColumn."""
    found = tuple(_decoded(text) for text in _parse_texts(inflate(data, MOST_CHUNK_BYTES), count))
    if len(set(found)) < count:
        raise CorruptColumn("two categories have one name")
    return found


def emit_chunk(column: Column) -> bytes:
    """One chunk."""
    present = column.present
    values = column.values if present is None else column.values[present]
    mask = b"\0" if present is None else b"\1" + np.packbits(present).tobytes()
    # Z_FILTERED prefers Huffman codes to short matches: ten random classes cost 0.436 bytes a label, runs next to none
    strategy = zlib.Z_DEFAULT_STRATEGY if column.type in ("text", "json") else zlib.Z_FILTERED
    deflater = zlib.compressobj(9, zlib.DEFLATED, 15, 9, strategy)
    return deflater.compress(mask + _emit_values(column, values)) + deflater.flush()


def parse_chunk(data: bytes, kind: str, rows: int, categories: tuple[str, ...]) -> Column:
    """One chunk of a column. Raises CorruptColumn."""
    body, present = inflate(data, MOST_CHUNK_BYTES), None
    if body[:1] not in (b"\0", b"\1"):
        raise CorruptColumn("a chunk does not say whether values are missing")
    has_mask, body = body[0], body[1:]
    if has_mask:
        size = -(-rows // 8)
        if len(body) < size:
            raise CorruptColumn("a chunk ends within its mask")
        bits = np.unpackbits(np.frombuffer(body, np.uint8, size)).astype(bool)
        present, body = bits[:rows], body[size:]
        if bits[rows:].any():
            raise CorruptColumn("a mask goes on after its rows")
    count = rows if present is None else int(present.sum())
    found = _parse_values(body, kind, count, len(categories))
    if present is None:
        return Column(kind, found, categories)
    values = np.full(rows, None if found.dtype == object else 0, found.dtype)
    values[present] = found
    return Column(kind, values, categories, present)


def empty(kind: str, categories: tuple[str, ...] = ()) -> Column:
    """A column of no rows."""
    return Column(kind, _parse_values(bytes(9) if kind == "integer" else b"", kind, 0, len(categories)), categories)


def _emit_values(column: Column, values: NDArray[Any]) -> bytes:
    if column.type == "category":
        return values.astype(_category_dtype(len(column.categories))).tobytes()
    if column.type == "boolean":
        return np.packbits(values).tobytes()
    if column.type == "number":
        return values.astype("<f8").view(np.uint8).reshape(-1, 8).T.tobytes()
    if column.type == "integer":
        least = int(values.min()) if len(values) else 0
        over = (values.astype(np.int64).view(np.uint64) - np.array(least, np.int64).view(np.uint64)).astype("<u8")
        width = -(-int(over.max(initial=0)).bit_length() // 8)
        digits = over.view(np.uint8).reshape(-1, 8)[:, :width]
        return bytes([width]) + least.to_bytes(8, "little", signed=True) + digits.T.tobytes()
    if column.type == "json":
        return _emit_texts([json.dumps(v, separators=(",", ":"), allow_nan=False).encode() for v in values])
    return _emit_texts([_encoded(value) for value in values])


def _parse_values(body: bytes, kind: str, count: int, categories: int) -> NDArray[Any]:
    if kind == "category":
        numbers = _exactly(body, count * _category_dtype(categories).itemsize, _category_dtype(categories))
        if count and numbers.max() >= categories:
            raise CorruptColumn(f"category {numbers.max()}, and there are {categories}")
        return numbers.astype(np.int64)
    if kind == "boolean":
        bits = np.unpackbits(_exactly(body, -(-count // 8), np.dtype(np.uint8))).astype(bool)
        if bits[count:].any():
            raise CorruptColumn("a chunk of booleans goes on after its rows")
        return bits[:count]
    if kind == "number":
        planes = _exactly(body, 8 * count, np.dtype(np.uint8)).reshape(8, count)
        return np.ascontiguousarray(planes.T).view("<f8").reshape(count).astype(np.float64)
    if kind == "integer":
        if len(body) < 9 or body[0] > 8:
            raise CorruptColumn("a chunk of integers without its width and least value")
        width, least = body[0], int.from_bytes(body[1:9], "little", signed=True)
        planes = _exactly(body[9:], width * count, np.dtype(np.uint8)).reshape(width, count)
        over = np.zeros((count, 8), np.uint8)
        over[:, :width] = planes.T
        whole = over.view("<u8").reshape(count).astype(np.uint64)
        return (whole + np.array(least, np.int64).view(np.uint64)).view(np.int64)
    if kind not in TYPES:
        raise CorruptColumn(f"a column of type {kind!r}, which this engram does not know")
    found = np.empty(count, object)
    for row, text in enumerate(_parse_texts(body, count)):
        found[row] = _decoded(text) if kind == "text" else _json(text)
    return found


def _exactly(body: bytes, size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    if len(body) != size:
        raise CorruptColumn(f"a chunk of {len(body):,} bytes where {size:,} are needed")
    return np.frombuffer(body, dtype)


def _category_dtype(categories: int) -> np.dtype[Any]:
    return np.dtype("u1" if categories <= 1 << 8 else "<u2")


def _emit_texts(values: Sequence[bytes]) -> bytes:
    """Records, each what a text adds to the one before it."""
    records, before, total = bytearray(), b"", 0
    for text in values:
        total += len(text)
        if len(text) > MOST_TEXT_BYTES or total > _MOST_EMITTED:
            raise UsageError(
                f"a text of {len(text):,} bytes, or {ROWS_IN_CHUNK:,} texts of {total:,} together, are more than an "
                f"archive holds: {MOST_TEXT_BYTES:,} and {_MOST_EMITTED:,}"
            )
        step = _step(before, text)
        if step:
            records.append(step)
        else:
            shared = _shared(before, text)
            records += b"\0" + varint.emit(shared) + varint.emit(len(text) - shared) + text[shared:]
        before = text
    return bytes(records)


def _parse_texts(data: bytes, count: int) -> Iterator[bytes]:
    """The texts of `count` records, which are all of `data`. Raises CorruptColumn."""
    at, before, total = 0, b"", 0
    counted: _Counted | None = None
    for _ in range(count):
        if at >= len(data):
            raise CorruptColumn(f"there are fewer texts than {count:,}")
        if data[at]:
            counted = counted or _Counted.of(before)
            before, at = counted.stepped(data[at]), at + 1
        else:
            shared, at = _parse_length(data, at + 1)
            length, at = _parse_length(data, at)
            if shared > len(before) or at + length > len(data):
                raise CorruptColumn("a text takes more than there is")
            before, at, counted = before[:shared] + data[at : at + length], at + length, None
        total += len(before)
        if len(before) > MOST_TEXT_BYTES or total > MOST_CHUNK_BYTES:
            raise CorruptColumn("the texts of a chunk are longer than the limits")
        yield before
    if at < len(data):
        raise CorruptColumn(f"there are more texts than {count:,}")


def first_text(data: bytes) -> str:
    """The first text of a chunk in which none is missing. Raises CorruptColumn."""
    body = inflate(data, MOST_CHUNK_BYTES)
    if len(body) < 2 or body[0] or body[1]:
        raise CorruptColumn("a chunk does not begin with a text")
    shared, at = _parse_length(body, 2)
    length, at = _parse_length(body, at)
    if shared or at + length > len(body):
        raise CorruptColumn("a text takes more than there is")
    return _decoded(body[at : at + length])


class _Counted:
    """A text around its last number."""

    __slots__ = ("end", "number", "start", "width")

    def __init__(self, start: bytes, number: int, width: int, end: bytes) -> None:
        self.start, self.number, self.width, self.end = start, number, width, end

    @classmethod
    def of(cls, text: bytes) -> _Counted:
        """Raises CorruptColumn where there is no number."""
        start, stop = _number_in(text)
        if not 0 < stop - start <= _MOST_DIGITS:
            raise CorruptColumn("a text adds to a number that is not there")
        return cls(text[:start], int(text[start:stop]), stop - start, text[stop:])

    def stepped(self, step: int) -> bytes:
        """The text with a number that is larger by a step; so it is from now on. Raises CorruptColumn."""
        self.number += step
        digits = b"%d" % self.number
        self.width = max(self.width, len(digits))
        if self.width > _MOST_DIGITS:
            raise CorruptColumn("a text adds to a number that is too long")
        return self.start + digits.rjust(self.width, b"0") + self.end


def _shared(before: bytes, text: bytes) -> int:
    """How many bytes two texts begin alike with."""
    if text.startswith(before):  # long texts that are alike
        return len(before)
    return len(os.path.commonprefix((before, text)))  # noqa: RUF071 - of bytes is what is meant


def _number_in(text: bytes) -> tuple[int, int]:
    """(start, stop) of the last run of digits; stop is 0 where there is none."""
    found = _LAST_DIGITS.search(text[::-1])
    return (len(text) - found.end(), len(text) - found.start()) if found else (0, 0)


_MOST_DIGITS = 18
"""Of a run of digits that is read as a number."""


def _step(before: bytes, text: bytes) -> int:
    """What must be added to the last number of `before` to make `text`, 1 to 255; 0 where that cannot be."""
    first, end = _number_in(text)
    start, stop = _number_in(before)
    if not (0 < stop - start <= _MOST_DIGITS and 0 < end - first <= _MOST_DIGITS and start == first):
        return 0
    step = int(text[first:end]) - int(before[start:stop])
    return step if 1 <= step <= _LARGEST_STEP and _Counted.of(before).stepped(step) == text else 0


def _parse_length(data: bytes, at: int) -> tuple[int, int]:
    """(a length, where its bytes end). Raises CorruptColumn."""
    try:
        return varint.parse(data, at)
    except varint.CorruptNumber:
        raise CorruptColumn("a length without an end") from None


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{text!r} is not text that UTF-8 can hold") from None


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise CorruptColumn(f"a text is not UTF-8: {text[:80]!r}") from None


def _json(text: bytes) -> Any:
    try:
        return parse_json(text)
    except (ValueError, RecursionError):
        raise CorruptColumn(f"a value is not JSON: {text[:80]!r}") from None


def inflate(data: bytes, most: int) -> bytes:
    """The plain bytes. Raises CorruptColumn unless they are one zlib stream of at most so many."""
    inflater = zlib.decompressobj()
    try:
        found = inflater.decompress(data, min(most, LARGEST_EXPANSION * len(data)) + 1)
    except zlib.error as error:
        raise CorruptColumn(f"a chunk is no zlib stream ({error})") from None
    if not inflater.eof or inflater.unused_data or len(found) > most:
        raise CorruptColumn("a chunk is no whole zlib stream, or inflates beyond the limit")
    return found
