"""IDX, the format of MNIST and its kin: strict parse and emit, load and save, plain or gzipped.

A file is: two zero bytes, a type code, the number of dimensions, each dimension as a big-endian uint32, the values
in row-major order, and nothing more. Unsigned bytes in 1 to 4 dimensions are read: labels [n], images [n, h, w] or
[n, h, w, c].
"""

from __future__ import annotations

import gzip
import math
import os
import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from engram.datasets.arrays import NotImages, as_images
from engram.datasets.deflate import LARGEST_EXPANSION, GzipReader, TrailingBytes
from engram.datasets.stream import Stream, rows_of, without_pixels
from engram.errors import CorruptData, UsageError
from engram.files import replacing_file
from engram.images import ImageSet, Pixels

UNSIGNED_BYTE = 0x08
_OTHER_TYPES = {0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
_IMAGES_NAME = re.compile(r"(?P<set>.*)-images(?P<mark>[-.])idx[34]-ubyte(?P<gz>\.gz)?")


class WrongMagic(CorruptData):
    """The first four bytes are not those of an IDX file."""


class UnsupportedType(UsageError):
    """An IDX file of other values than unsigned bytes."""


class Truncated(CorruptData):
    """Fewer bytes than the header declares."""


class LabelsDoNotMatch(CorruptData):
    """The labels beside the images are not one for each image."""


class LabelOutOfRange(CorruptData):
    """A label that names no class."""


def parse(data: bytes, source: str = "IDX data") -> Pixels:
    """The array that IDX bytes hold; `source` is what an error calls them. No byte may be missing or left over."""
    shape, offset = _parse_header(data, source)
    _check_held(shape, len(data) - offset, source)
    return np.frombuffer(data, np.uint8, offset=offset).reshape(shape)


def emit(array: Pixels) -> bytes:
    """The IDX bytes of uint8 values in 1 to 4 dimensions. Raises UsageError for any other array."""
    if array.dtype != np.uint8 or not 1 <= array.ndim <= 4:
        raise UsageError(f"IDX holds unsigned bytes in 1 to 4 dimensions, not {array.dtype}{list(array.shape)}")
    return struct.pack(f">HBB{array.ndim}I", 0, UNSIGNED_BYTE, array.ndim, *array.shape) + array.tobytes()


def load(path: Path | str) -> Pixels:
    """The array of an IDX file; whether it is gzipped is seen from its content."""
    array, done = np.empty(shape_of(path), np.uint8), 0
    for piece in pieces(path):
        array[done : done + len(piece)] = piece
        done += len(piece)
    return array


def shape_of(path: Path | str) -> tuple[int, ...]:
    """The shape of the array in an IDX file; its values are not read, but the file is large enough to hold them."""
    source = str(path)
    with open(path, "rb") as file:
        reader = _reader(file, source)
        shape, offset = _read_header(reader, source)
        size = os.fstat(file.fileno()).st_size
    if isinstance(reader, GzipReader):
        needed = offset + math.prod(shape)
        if needed > LARGEST_EXPANSION * size:
            raise Truncated(
                f"{source}: {list(shape)} needs {needed:,} bytes, more than {size:,} gzipped bytes can hold"
            )
    else:
        _check_held(shape, size - offset, source)
    return shape


def pieces(path: Path | str, start: int = 0, stop: int | None = None) -> Iterator[Pixels]:
    """The array of an IDX file, or its rows start to stop - 1, in pieces along its first dimension.

    No byte may be missing, nor, where the last row is read, left over. What comes before `start` in a gzipped file is
    inflated all the same.
    """
    source = str(path)
    with open(path, "rb") as file:
        reader = _reader(file, source)
        shape, _ = _read_header(reader, source)
        each, rows = math.prod(shape[1:]), rows_of(shape[1:])
        stop = shape[0] if stop is None else min(stop, shape[0])
        if isinstance(reader, GzipReader):
            reader.skip(start * each)
        else:
            reader.seek(start * each, os.SEEK_CUR)
        for first in range(start, stop if each else start, rows):
            wanted = min(rows, stop - first) * each
            data = reader.read(wanted)
            if len(data) < wanted:
                _check_held(shape, first * each + len(data), source)
            yield np.frombuffer(data, np.uint8).reshape(-1, *shape[1:])
        if stop == shape[0]:
            _check_held(shape, math.prod(shape) + len(reader.read(1)), source)
            if isinstance(reader, GzipReader):
                reader.check_end()


def save(path: Path | str, array: Pixels) -> None:
    """Writes an IDX file, gzipped where the name ends in .gz; the same array gives the same bytes."""
    data = emit(array)
    with replacing_file(path) as file:
        file.write(gzip.compress(data, 6, mtime=0) if Path(path).suffix == ".gz" else data)


def load_set(path: Path | str, class_names: Sequence[str] = ()) -> ImageSet:
    """The set that `stream_set` gives, in memory."""
    return stream_set(path, class_names).load()


def stream_set(path: Path | str, class_names: Sequence[str] = ()) -> Stream:
    """The images of a file, with the labels that lie beside it under the MNIST naming, if any.

    Without class names the classes are called "0", "1", ... up to the largest label.
    Raises NotImages, LabelsDoNotMatch and LabelOutOfRange.
    """
    shape = shape_of(path)
    if len(shape) == 1:
        raise NotImages(f"{path}: holds {shape[0]:,} labels, not images; give the images file beside it")
    images = as_images(without_pixels(shape), path)
    beside = find_labels(path)
    if beside is None:
        return _Images(Path(path), ImageSet(images, class_names=tuple(class_names)))
    labels = load(beside)
    if labels.shape != images.shape[:1]:
        raise LabelsDoNotMatch(
            f"{beside}: labels {list(labels.shape)} do not match the {len(images):,} images of {path}"
        )
    largest = int(labels.max()) if len(labels) else -1
    if not class_names:
        class_names = [str(label) for label in range(largest + 1)]
    if largest >= len(class_names):
        first = int(np.argmax(labels >= len(class_names)))
        raise LabelOutOfRange(
            f"{beside}: label {labels[first]} of image {first:,}, but there are {len(class_names)} classes"
        )
    return _Images(Path(path), ImageSet(images, labels.astype(np.int64), tuple(class_names)))


class _Images(Stream):
    """The images of an IDX file, read and inflated as they pass."""

    def __init__(self, path: Path, known: ImageSet) -> None:
        self.name, self.known, self._path = str(path), known, path

    def pixels(self, rows: range) -> Iterator[Pixels]:
        passed = 0
        for piece in pieces(self._path, rows.start, rows.stop):
            yield as_images(piece[-passed % rows.step :: rows.step], self._path)
            passed += len(piece)


def save_set(path: Path | str, images: ImageSet) -> None:
    """Writes the images, and the labels (if any) beside them under the MNIST naming; names of files are not kept.

    Raises UsageError where labels have no file name to go to, or a label is above 255.
    """
    path = Path(path)
    labels: NDArray[np.int64] | None = images.labels
    if labels is not None:
        if not _IMAGES_NAME.fullmatch(path.name):
            raise UsageError(f"{path}: to keep labels beside it, an IDX file is named like train-images-idx3-ubyte.gz")
        if labels.max(initial=0) > 255:
            raise UsageError(f"{path}: IDX holds labels up to 255, not {labels.max()}")
        save(_labels_name(path), labels.astype(np.uint8))
    gray = images.images.shape[3] == 1
    save(path, images.images[..., 0] if gray else images.images)


def find_labels(path: Path | str) -> Path | None:
    """The labels file beside X-images-idx3-ubyte[.gz], plain or gzipped; None where there is none."""
    path = Path(path)
    if not _IMAGES_NAME.fullmatch(path.name):
        return None
    same = _labels_name(path)
    other = same.with_suffix("") if same.suffix == ".gz" else same.with_name(same.name + ".gz")
    return next((name for name in (same, other) if name.is_file()), None)


def _labels_name(path: Path) -> Path:
    return path.with_name(_IMAGES_NAME.sub(r"\g<set>-labels\g<mark>idx1-ubyte\g<gz>", path.name))


def _parse_header(data: bytes, source: str) -> tuple[tuple[int, ...], int]:
    """The shape, and where the values begin."""
    if len(data) < 4 or data[:2] != b"\0\0" or not 1 <= data[3] <= 4:
        raise WrongMagic(
            f"{source}: starts with {data[:4].hex(' ') or 'nothing'}, not with 00 00 08 and 1 to 4 dimensions"
        )
    if data[2] != UNSIGNED_BYTE:
        if data[2] not in _OTHER_TYPES:
            raise WrongMagic(f"{source}: type code {data[2]:#04x} is none of IDX's")
        raise UnsupportedType(f"{source}: holds {_OTHER_TYPES[data[2]]} values; only unsigned bytes (0x08) are read")
    offset = 4 + 4 * data[3]
    if len(data) < offset:
        raise Truncated(f"{source}: ends within the header, after {len(data)} of {offset} bytes")
    shape = struct.unpack(f">{data[3]}I", data[4:offset])
    if math.prod(side or 1 for side in shape) >= 2**60:  # an empty array may still have sides beyond any index
        raise Truncated(f"{source}: {list(shape)} declares more values than any file holds")
    return shape, offset


def _check_held(shape: tuple[int, ...], held: int, source: str) -> None:
    """Raises Truncated or TrailingBytes unless as many values are held as the shape declares."""
    declared = math.prod(shape)
    if held < declared:
        raise Truncated(f"{source}: {list(shape)} needs {declared:,} bytes after the header, there are {held:,}")
    if held > declared:
        raise TrailingBytes(f"{source}: bytes left over after the {declared:,} of {list(shape)}")


def _reader(file: BinaryIO, source: str) -> BinaryIO | GzipReader:
    """What reads the plain bytes of a file from its start."""
    gzipped = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    return GzipReader(file, source) if gzipped else file


def _read_header(reader: BinaryIO | GzipReader, source: str) -> tuple[tuple[int, ...], int]:
    """The shape, and where the values begin; the reader is left there."""
    start = reader.read(4)
    return _parse_header(start + reader.read(4 * start[3] if len(start) == 4 and start[3] <= 4 else 0), source)
