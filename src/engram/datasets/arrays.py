"""NumPy files: .npy holds the pixels alone, .npz the whole ImageSet. No pickle in either direction.

Images are uint8[n, h, w] (gray) or uint8[n, h, w, c], or uint16 likewise. An .npz has the keys `images` and, where
known, `labels`, `class_names`, `names` (the paths), and a key for each other column. An .npz of one array under any
other key is taken for images; other names are known too, array_keys.py says which.
"""

from __future__ import annotations

import errno
import json
import math
import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from engram.datasets.array_advice import how_to_convert
from engram.datasets.array_keys import roles_of
from engram.datasets.deflate import LARGEST_EXPANSION
from engram.datasets.progress import Progress
from engram.datasets.stream import Stream, as_slice, in_pieces, rows_of, without_pixels
from engram.errors import CorruptData, UsageError
from engram.files import replacing_file
from engram.images import ImageSet
from engram.kinds import AnyPixels, kind_of
from engram.table import column_of

_MOST_UNNAMED_CLASSES = 1 << 16
_MOST_HEADER_BYTES = 1 << 16
"""Of a .npy; NumPy itself parses no more than 10,000."""
_BROKEN = (ValueError, EOFError, SyntaxError, RuntimeError, tokenize.TokenError, zipfile.BadZipFile, zlib.error)
"""What NumPy and zipfile raise at bytes that are not theirs."""


class BrokenArrayFile(CorruptData):
    """A .npy or .npz file that does not hold what its header says."""


class NotImages(UsageError):
    """A sound file whose arrays are not a set of images."""


def load(path: Path | str) -> ImageSet:
    """The images of a .npy file, mapped into memory and read when touched, or of a .npz file, read whole."""
    return stream(path).load()


def stream(path: Path | str) -> Stream:
    """The images of a file that comes undivided. Raises what `streams` does."""
    found = streams(path)
    if len(found) > 1:
        raise NotImages(f"{path} comes divided into {', '.join(found)}, and one set is needed here")
    return next(iter(found.values()))


def streams(path: Path | str, images_key: str = "", labels_key: str = "") -> dict[str, Stream]:
    """The images of a .npy or .npz file by their splits; "" where it does not come divided.

    The keys say what the arrays of a .npz are called; else images, x, data and the like are known, with train, val or
    test before or after. Raises BrokenArrayFile and NotImages; a .npz also as its pixels pass.
    """
    path = Path(path)
    with _explaining(path):
        return {"": _Mapped(path)} if path.suffix == ".npy" else _zipped(path, images_key, labels_key)


@contextmanager
def _explaining(path: Path) -> Iterator[None]:
    """Makes BrokenArrayFile of what NumPy and zipfile raise."""
    try:
        yield
    except _BROKEN as error:
        raise BrokenArrayFile(f"{path}: not a sound {path.suffix} file ({error})") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # what a zip directory that points before the file's start comes to
            raise
        raise BrokenArrayFile(f"{path}: not a sound {path.suffix} file (it points before its own start)") from error


def save(path: Path | str, images: ImageSet) -> None:
    """Writes a .npz with all that is known, or a .npy with the pixels alone; the same set gives the same bytes."""
    path = Path(path)
    with replacing_file(path) as file:
        if path.suffix == ".npy":
            np.save(file, images.images, allow_pickle=False)
        else:
            np.savez_compressed(file, **_as_arrays(images))


def _as_arrays(images: ImageSet) -> dict[str, Any]:
    arrays: dict[str, Any] = {"images": images.images}  # none of Python objects, so nothing is pickled
    if images.labels is not None:
        arrays["labels"] = images.labels
    for key, texts in (("class_names", images.class_names or None), ("names", images.paths)):
        if texts is not None:
            if any(text.endswith("\0") for text in texts):
                raise UsageError(f"{key} that end in a NUL character cannot be kept in a .npz file")
            arrays[key] = np.array(texts, np.str_)
    return arrays | {name: plain(column.array()) for name, column in images.columns.items()}


def plain(values: NDArray[Any]) -> NDArray[Any]:
    """A column's values as an array that needs no pickle: texts, and JSON as text; what is missing is empty, or NaN."""
    if isinstance(values, np.ma.MaskedArray):
        return np.where(np.ma.getmaskarray(values), np.nan, values.data.astype(np.float64))
    if values.dtype != object:
        return values
    texts = ["" if each is None else each if isinstance(each, str) else json.dumps(each) for each in values.tolist()]
    return np.array(texts, np.str_)


class _Mapped(Stream):
    """A .npy file, which the operating system reads where it is touched."""

    def __init__(self, path: Path) -> None:
        self.name, self._path = str(path), path
        self.known = ImageSet(as_images(_map(path), path))

    def pixels(self, rows: range) -> Iterator[AnyPixels]:
        for some in in_pieces(rows, self.image_shape):
            images = as_images(_map(self._path), self._path)  # a fresh map, so that what passed is gone
            yield images[as_slice(some)].copy()

    def load(self, progress: Progress | None = None) -> ImageSet:
        """The set as it is mapped."""
        return self.known


class _Zipped(Stream):
    """The images of a .npz file, inflated as they pass."""

    def __init__(self, path: Path, member: str, known: ImageSet) -> None:
        self.name, self.known, self._path, self._member = str(path), known, path, member

    def pixels(self, rows: range) -> Iterator[AnyPixels]:
        with _explaining(self._path), zipfile.ZipFile(self._path) as archive:
            member = archive.getinfo(self._member)
            with archive.open(member) as file:
                shape, fortran, dtype = _header(file, member.file_size, self._path)
                if fortran:
                    whole = np.frombuffer(file.read(), dtype).reshape(shape, order="F")
                    yield as_images(whole[as_slice(rows)], self._path)
                    return
                each, most = math.prod(shape[1:]) * dtype.itemsize, rows_of(shape[1:])
                file.seek(rows.start * each, os.SEEK_CUR)
                for start in range(rows.start, rows.stop, most):
                    count = min(most, rows.stop - start)
                    piece = np.frombuffer(file.read(count * each), dtype).reshape(count, *shape[1:])
                    yield as_images(piece[(rows.start - start) % rows.step :: rows.step], self._path)


def _zipped(path: Path, images_key: str, labels_key: str) -> dict[str, Stream]:
    """The images of a .npz file by their splits, "" for all: all other arrays are read, of the images the header."""
    arrays, found = dict[str, NDArray[Any]](), dict[str, Stream]()
    with zipfile.ZipFile(path) as archive:
        members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
        size = path.stat().st_size
        for member in members.values():
            most = member.compress_size * (1 if member.compress_type == zipfile.ZIP_STORED else LARGEST_EXPANSION)
            if member.compress_size > size or member.file_size > most:
                raise BrokenArrayFile(
                    f"{path}: {member.filename} declares {member.file_size:,} bytes, more than it can hold"
                )
        roles = roles_of(sorted(members), images_key, labels_key)
        if not roles:
            raise NotImages(
                f"{path}: no array is called {images_key or 'images, or train_images, x_train and the like'}"
                f"{labels_key and f', or none {labels_key}'}; there are {', '.join(sorted(members)) or 'none'}: "
                "say which, --images-key KEY --labels-key KEY"
            )
        shapes = {}
        for split, (key, _) in roles.items():
            with archive.open(members[key]) as file:
                shapes[split] = _header(file, members[key].file_size, path)
        taken = {key for key, _ in roles.values()}
        for other in members.keys() - taken:
            arrays[other] = _parse(archive.read(members[other]), path)
    labels = {split: arrays.pop(key, None) for split, (_, key) in roles.items()}
    class_names, names = (_as_texts(arrays.pop(key, None), key, path) for key in ("class_names", "names"))
    most = max((_largest(each) for each in labels.values() if each is not None), default=-1)
    for split, (shape, _, dtype) in shapes.items():
        images = as_images(without_pixels(shape, dtype), path, roles[split][0])
        known = _known(path, images, labels[split], class_names, most)
        try:
            others = {k: column_of(each, k) for k, each in sorted(arrays.items()) if _is_column(each, len(images))}
            known = known if split else replace(known, paths=names, columns=others | dict(known.columns))
        except UsageError as error:
            raise NotImages(f"{path}: {error}") from error
        found[split] = _Zipped(path, members[roles[split][0]].filename, known)
    return found


def _largest(labels: NDArray[Any]) -> int:
    """The largest of whole numbers, -1 where there is none."""
    return int(labels.max()) if labels.size and labels.dtype.kind in "iu" else -1


def _known(
    path: Path, images: AnyPixels, labels: NDArray[Any] | None, class_names: tuple[str, ...] | None, most: int
) -> ImageSet:
    """The images with their labels; several of each are a column. `most` is the largest label of all splits."""
    if labels is None:
        return ImageSet(images, None, class_names or ())
    if labels.ndim == 2 and labels.dtype.kind in "iub" and len(labels) == len(images) and labels.shape[1] > 1:
        return ImageSet(images, None, class_names or (), columns={"labels": column_of(labels.tolist())})
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.dtype.kind not in "iu" or labels.shape != images.shape[:1]:
        raise NotImages(f"{path}: labels are {_describe(labels)}, not one integer for each of {len(images):,} images")
    try:
        return ImageSet(images, labels.astype(np.int64), class_names or _numbered(most, path))
    except UsageError as error:
        raise NotImages(f"{path}: {error}") from error


def _is_column(array: NDArray[Any], rows: int) -> bool:
    return array.shape == (rows,) and array.dtype.kind in "biufU"


def _numbered(most: int, path: Path) -> tuple[str, ...]:
    """Class names "0", "1", ... up to the largest label."""
    classes = most + 1
    if classes > _MOST_UNNAMED_CLASSES:
        raise NotImages(f"{path}: label {classes - 1:,} without class_names; labels without names are below 65,536")
    return tuple(map(str, range(classes)))


def _map(path: Path) -> NDArray[Any]:
    """The array of a .npy file, mapped read-only."""
    with open(path, "rb") as file:
        shape, fortran, dtype = _header(file, os.fstat(file.fileno()).st_size, path)
        offset = file.tell()
    if math.prod(shape) == 0:
        return np.empty(shape, dtype)
    return np.memmap(path, dtype, "r", offset, shape, "F" if fortran else "C")


def _parse(data: bytes, source: Path) -> NDArray[Any]:
    """The array of .npy bytes."""
    file = BytesIO(data)
    shape, fortran, dtype = _header(file, len(data), source)
    return np.frombuffer(data, dtype, offset=file.tell()).reshape(shape, order="F" if fortran else "C")


def _header(file: IO[bytes], length: int, source: Path) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, Fortran order and type of a .npy, which must fill the rest of the file exactly."""
    version, start = npy.read_magic(file), file.tell()
    if version != (1, 0):  # NumPy takes room for what is claimed
        claimed = int.from_bytes(file.read(4), "little")
        if claimed > _MOST_HEADER_BYTES:
            raise ValueError(f"a header of {claimed:,} bytes")
        file.seek(start)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    try:
        shape, fortran, dtype = read(file)
    except (TypeError, MemoryError) as error:  # keys of two types, and what is nested beyond what Python parses
        raise ValueError(f"its header is no dictionary of shape, order and type: {error}") from None
    if dtype.hasobject:
        raise NotImages(f"{source}: holds Python objects, which are never unpickled; save an array of numbers")
    if not dtype.itemsize or min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != length - file.tell():
        raise ValueError(f"{dtype}{list(shape)} does not fill the {length - file.tell():,} bytes after the header")
    return shape, fortran, dtype


def as_images(array: NDArray[Any], source: Path | str, key: str = "") -> AnyPixels:
    """uint8 or uint16[n, h, w, c] of an array that may lack the channel. Raises NotImages, which names the source.

    key: what the array is called in a .npz.
    """
    images = array[..., np.newaxis] if array.ndim == 3 else array
    images = images.astype(np.uint16) if images.dtype in (">u2", "<u2") and images.dtype != np.uint16 else images
    try:
        if images.ndim != 4 or 0 in images.shape[1:]:
            raise UsageError("no pixels")
        kind_of(images)
    except UsageError:
        raise NotImages(
            f"{source}: holds {_describe(array)}; images are uint8[n, h, w] or uint8[n, h, w, 1 to 4], "
            f"or uint16 with 1 or 3 channels, h and w above 0{how_to_convert(array, Path(source), key)}"
        ) from None
    return images


def _as_texts(array: NDArray[Any] | None, key: str, path: Path) -> tuple[str, ...] | None:
    if array is None:
        return None
    if array.ndim != 1 or array.dtype.kind != "U":
        raise NotImages(f"{path}: {key} are {_describe(array)}, not a list of texts")
    return tuple(array.tolist())


def _describe(array: NDArray[Any]) -> str:
    return f"{array.dtype}{list(array.shape)}"
