"""Labels, class names and file names as compressed sections, each a zlib stream (RFC 1950); they come as parse/emit.

A file name is written as what it adds to the one before it, so that 00041.jpg, 00042.jpg, ... cost next to nothing:

    d, 1 to 255                      the name before, with d added to its last run of digits (kept as wide or wider)
    0, shared, length, bytes         the first `shared` bytes of the name before, then `length` bytes of UTF-8
"""

from __future__ import annotations

import json
import os.path
import re
import zlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from engram.archive.errors import CorruptMetadata
from engram.datasets.deflate import LARGEST_EXPANSION
from engram.errors import UsageError

MOST_CLASSES = 1 << 16
MOST_NAME_BYTES = 255
_MOST_RECORD_BYTES = 3 + MOST_NAME_BYTES
_MOST_CLASS_NAME_BYTES = 1 << 24
_PIECE = 1 << 16
_LAST_NUMBER = re.compile(rb"(.*?)([0-9]+)([^0-9]*)", re.DOTALL)

Labels = NDArray[np.int64]


def emit_class_names(class_names: Sequence[str]) -> bytes:
    """The section of at least one class name. Raises UsageError above 65,536 classes or 2^24 bytes."""
    text = json.dumps(list(class_names), separators=(",", ":")).encode()
    if len(class_names) > MOST_CLASSES or len(text) > _MOST_CLASS_NAME_BYTES:
        raise UsageError(
            f"an archive holds up to {MOST_CLASSES:,} classes in {_MOST_CLASS_NAME_BYTES:,} bytes, "
            f"not {len(class_names):,} in {len(text):,}"
        )
    return zlib.compress(text, 9)


def parse_class_names(data: bytes) -> tuple[str, ...]:
    """The class names of a section. Raises CorruptMetadata."""
    text = b"".join(_inflate(data, _MOST_CLASS_NAME_BYTES, "class names"))
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not (isinstance(found, list) and 1 <= len(found) <= MOST_CLASSES and all(type(name) is str for name in found)):
        raise CorruptMetadata(f"the class names are not a JSON list of 1 to {MOST_CLASSES:,} texts")
    return tuple(found)


def emit_labels(labels: NDArray[np.integer], classes: int) -> bytes:
    """The section of labels[n], each below `classes`: one byte each, two above 256 classes, deflated."""
    # Z_FILTERED prefers Huffman codes to short matches: ten random classes cost 0.436 bytes a label, runs next to none
    deflater = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_FILTERED)
    return deflater.compress(labels.astype(_label_type(classes)).tobytes()) + deflater.flush()


def parse_labels(data: bytes, count: int, classes: int) -> Labels:
    """int64[count], each below `classes`. Raises CorruptMetadata."""
    dtype = np.dtype(_label_type(classes))
    size = count * dtype.itemsize
    if size > LARGEST_EXPANSION * len(data):
        raise CorruptMetadata(f"{count:,} labels cannot be held by {len(data):,} compressed bytes")
    text = b"".join(_inflate(data, size, "labels"))
    if len(text) != size:
        raise CorruptMetadata(f"{count:,} labels need {size:,} bytes, there are {len(text):,}")
    labels = np.frombuffer(text, dtype).astype(np.int64)
    if count and labels.max() >= classes:
        raise CorruptMetadata(f"label {labels.max()} of image {labels.argmax()}, but there are {classes} classes")
    return labels


def _label_type(classes: int) -> str:
    return "u1" if classes <= 256 else "<u2"


class NameEncoder:
    """The section of file names, added one after another; it keeps the compressed bytes only."""

    def __init__(self) -> None:
        self._deflater = zlib.compressobj(9)
        self._done = bytearray()
        self._before = b""

    def add(self, names: Sequence[str]) -> None:
        """Raises UsageError for a name of more than 255 bytes, or of none."""
        records = bytearray()
        for name in names:
            text = _name_bytes(name)
            step = _step(self._before, text)
            if step:
                records.append(step)
            else:
                shared = len(os.path.commonprefix((self._before, text)))  # noqa: RUF071 - of bytes is what is meant
                records += bytes((0, shared, len(text) - shared)) + text[shared:]
            self._before = text
        self._done += self._deflater.compress(records)

    def finish(self) -> bytes:
        """The whole section; nothing can be added any more."""
        return bytes(self._done + self._deflater.flush())


def parse_names(data: bytes, count: int) -> Iterator[str]:
    """The `count` names of a section, one after another, in constant memory. Raises CorruptMetadata."""
    pieces = _inflate(data, None, "names")
    records, at, before = b"", 0, b""
    for number in range(count):
        while len(records) - at < _MOST_RECORD_BYTES and (piece := next(pieces, None)) is not None:
            records, at = records[at:] + piece, 0
        name, used = _parse_name(records[at : at + _MOST_RECORD_BYTES], before)
        if not (used and 1 <= len(name) <= MOST_NAME_BYTES):
            raise CorruptMetadata(f"the name of image {number:,} is missing or not of 1 to {MOST_NAME_BYTES} bytes")
        try:
            yield name.decode()
        except UnicodeDecodeError:
            raise CorruptMetadata(f"the name of image {number:,} is not UTF-8: {name!r}") from None
        at, before = at + used, name
    if len(records) > at or next(pieces, b""):
        raise CorruptMetadata(f"there are more names than the {count:,} images")


def _parse_name(records: bytes, before: bytes) -> tuple[bytes, int]:
    """The name of the first record, and the record's length: 0 where there is no whole record."""
    if not records:
        return b"", 0
    if records[0]:
        found = _LAST_NUMBER.fullmatch(before)
        return (_add(found, records[0]), 1) if found else (b"", 0)
    if len(records) < 3 or len(records) < 3 + records[2] or records[1] > len(before):
        return b"", 0
    return before[: records[1]] + records[3 : 3 + records[2]], 3 + records[2]


def _step(before: bytes, name: bytes) -> int:
    """What must be added to the last number of `before` to make `name`, 1 to 255; 0 where that cannot be."""
    old, new = _LAST_NUMBER.fullmatch(before), _LAST_NUMBER.fullmatch(name)
    if old and new:
        step = int(new[2]) - int(old[2])
        if 1 <= step <= 255 and _add(old, step) == name:
            return step
    return 0


def _add(found: re.Match[bytes], step: int) -> bytes:
    number = str(int(found[2]) + step).encode()
    return bytes(found[1]) + number.zfill(len(found[2])) + bytes(found[3])


def _name_bytes(name: str) -> bytes:
    try:
        text = name.encode()
    except UnicodeEncodeError:
        raise UsageError(f"the file name {name!r} is not text that UTF-8 can hold; rename the file") from None
    if not 1 <= len(text) <= MOST_NAME_BYTES:
        raise UsageError(f"a file name has 1 to {MOST_NAME_BYTES} bytes of UTF-8, not {len(text)}: {name!r}")
    return text


def _inflate(data: bytes, most: int | None, what: str) -> Iterator[bytes]:
    """The plain bytes in pieces, `most` and one more at the most. Raises CorruptMetadata unless it ends with `data`."""
    inflater, total = zlib.decompressobj(), 0
    try:
        while not inflater.eof:
            piece = inflater.decompress(data, _PIECE)
            data = inflater.unconsumed_tail
            total += len(piece)
            if not piece and not inflater.eof:
                raise CorruptMetadata(f"the {what} end within their zlib stream")
            if most is not None and total > most:
                raise CorruptMetadata(f"the {what} inflate to more than {most:,} bytes")
            yield piece
    except zlib.error as error:
        raise CorruptMetadata(f"the {what} are not a zlib stream ({error})") from None
    if inflater.unused_data:
        raise CorruptMetadata(f"the {what} go on after their zlib stream")
