"""NumPy files: .npy holds the pixels alone, .npz the whole ImageSet. No pickle in either direction.

Images are uint8[n, h, w] (gray) or uint8[n, h, w, c]. An .npz has the keys `images` and, where known, `labels`,
`class_names`, `names`; an .npz of one array under any other key is taken for images.
"""

from __future__ import annotations

import errno
import math
import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from engram.datasets.deflate import LARGEST_EXPANSION
from engram.datasets.progress import Progress
from engram.datasets.stream import Stream, as_slice, in_pieces, rows_of, without_pixels
from engram.errors import CorruptData, UsageError
from engram.files import replacing_file
from engram.images import ImageSet, Pixels

_MOST_UNNAMED_CLASSES = 1 << 16
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
    """The images of a .npy or .npz file. Raises BrokenArrayFile and NotImages; a .npz also as its pixels pass."""
    path = Path(path)
    with _explaining(path):
        return _Mapped(path) if path.suffix == ".npy" else _zipped(path)


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
    for key, texts in (("class_names", images.class_names or None), ("names", images.names)):
        if texts is not None:
            if any(text.endswith("\0") for text in texts):
                raise UsageError(f"{key} that end in a NUL character cannot be kept in a .npz file")
            arrays[key] = np.array(texts, np.str_)
    return arrays


class _Mapped(Stream):
    """A .npy file, which the operating system reads where it is touched."""

    def __init__(self, path: Path) -> None:
        self.name, self._path = str(path), path
        self.known = ImageSet(as_images(_map(path), path))

    def pixels(self, rows: range) -> Iterator[Pixels]:
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

    def pixels(self, rows: range) -> Iterator[Pixels]:
        with _explaining(self._path), zipfile.ZipFile(self._path) as archive:
            member = archive.getinfo(self._member)
            with archive.open(member) as file:
                shape, fortran, _ = _header(file, member.file_size, self._path)
                if fortran:
                    whole = np.frombuffer(file.read(), np.uint8).reshape(shape, order="F")
                    yield as_images(whole[as_slice(rows)], self._path)
                    return
                each, most = math.prod(shape[1:]), rows_of(shape[1:])
                file.seek(rows.start * each, os.SEEK_CUR)
                for start in range(rows.start, rows.stop, most):
                    count = min(most, rows.stop - start)
                    piece = np.frombuffer(file.read(count * each), np.uint8).reshape(count, *shape[1:])
                    yield as_images(piece[(rows.start - start) % rows.step :: rows.step], self._path)


def _zipped(path: Path) -> _Zipped:
    """A .npz file with all of its arrays read, but of the images' the header alone."""
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
        for member in members.values():
            if member.file_size > LARGEST_EXPANSION * max(1, member.compress_size):
                raise BrokenArrayFile(
                    f"{path}: {member.filename} declares {member.file_size:,} bytes, more than it can hold"
                )
        key = "images" if "images" in members or len(members) != 1 else next(iter(members))
        if key not in members:
            raise NotImages(f"{path}: has no array called images, only {', '.join(sorted(members)) or 'nothing'}")
        with archive.open(members[key]) as file:
            shape, _, dtype = _header(file, members[key].file_size, path)
        for other in {"labels", "class_names", "names"} & members.keys() - {key}:
            arrays[other] = _parse(archive.read(members[other]), path)
    images = as_images(without_pixels(shape, dtype), path)
    labels = arrays.get("labels")
    if labels is not None and (labels.dtype.kind not in "iu" or labels.shape != images.shape[:1]):
        raise NotImages(f"{path}: labels are {_describe(labels)}, not one integer for each of {len(images):,} images")
    class_names, names = (_as_texts(arrays.get(key), key, path) for key in ("class_names", "names"))
    if labels is not None:
        labels = labels.astype(np.int64)
        class_names = class_names or _numbered(labels, path)
    try:
        return _Zipped(path, members[key].filename, ImageSet(images, labels, class_names or (), names))
    except UsageError as error:
        raise NotImages(f"{path}: {error}") from error


def _numbered(labels: NDArray[np.int64], path: Path) -> tuple[str, ...]:
    """Class names "0", "1", ... up to the largest label."""
    classes = int(labels.max(initial=-1)) + 1
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
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if dtype.hasobject:
        raise NotImages(f"{source}: holds Python objects, which are never unpickled; save an array of numbers")
    if not dtype.itemsize or min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != length - file.tell():
        raise ValueError(f"{dtype}{list(shape)} does not fill the {length - file.tell():,} bytes after the header")
    return shape, fortran, dtype


def as_images(array: NDArray[Any], source: Path | str) -> Pixels:
    """uint8[n, h, w, c] of an array that may lack the channel. Raises NotImages, which names the source."""
    images = array[..., np.newaxis] if array.ndim == 3 else array
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3) or 0 in images.shape[1:]:
        raise NotImages(
            f"{source}: holds {_describe(array)}; images are uint8[n, h, w] or uint8[n, h, w, 1 or 3], h and w above 0"
        )
    return images


def _as_texts(array: NDArray[Any] | None, key: str, path: Path) -> tuple[str, ...] | None:
    if array is None:
        return None
    if array.ndim != 1 or array.dtype.kind != "U":
        raise NotImages(f"{path}: {key} are {_describe(array)}, not a list of texts")
    return tuple(array.tolist())


def _describe(array: NDArray[Any]) -> str:
    return f"{array.dtype}{list(array.shape)}"
