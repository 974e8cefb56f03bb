"""An archive's images as .npy, .npz or IDX, streamed: equal images give equal bytes."""

from __future__ import annotations

import gzip
import os
import re
import struct
import zipfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from engram.archive.errors import UnsafeName
from engram.datasets import arrays as arrays_of
from engram.errors import UsageError
from engram.files import OutputExists, replacing_file
from engram.kinds import AnyPixels

if TYPE_CHECKING:
    from engram.archive.unpacking import Told

IDX_NAME = re.compile(r".*([-.]idx[34]-ubyte|\.idx)(\.gz)?")
_MEMBERS = ("images", "labels", "class_names", "names")
_IDX_IMAGES_NAME = re.compile(r"(.*)-images([-.])idx[34]-ubyte(\.gz)?")


def write_npy(told: Told, out: Path) -> None:
    """The pixels alone, uint8[n, h, w, c]."""
    with replacing_file(out) as file:
        _write_images(told, file)


def write_npz(told: Told, out: Path) -> None:
    """images, and where known labels, class_names, names, and all other columns.

    Raises UnsafeName for a text that ends in a NUL, UsageError for a column that would be another member.
    """
    pictures = told.pictures
    arrays: dict[str, NDArray[Any]] = {}
    if pictures.labels is not None:
        arrays["labels"], arrays["class_names"] = pictures.labels, _texts(told, "class_names", [*pictures.class_names])
    for name in pictures.column_names:
        if name in _MEMBERS or "/" in name or "\\" in name:
            raise UsageError(f"{out}: a column called {name!r} has no place in a .npz file; unpack to a folder")
        if name != "label" or pictures.labels is None:
            key, values = "names" if name == "path" else name, pictures.column(name).array()
            plain = arrays_of.plain(values)
            arrays[key] = _texts(told, key, values.tolist(), plain) if plain.dtype.kind == "U" else plain
    with replacing_file(out) as file, zipfile.ZipFile(file, "w") as members:
        with members.open(_member("images"), "w", force_zip64=True) as member:
            _write_images(told, member)
        for key, array in arrays.items():
            with members.open(_member(key), "w", force_zip64=True) as member:
                npy.write_array(member, array, allow_pickle=False)


def _texts(told: Told, key: str, values: list[Any], plain: NDArray[np.str_] | None = None) -> NDArray[np.str_]:
    """The values as NumPy's texts. Raises UnsafeName where one would be cut."""
    if any(isinstance(each, str) and each.endswith("\0") for each in values):
        raise UnsafeName(f"{told.pictures.archive.path}: {key} that end in a NUL cannot be kept in a .npz file")
    return np.array(values, np.str_) if plain is None else plain


def write_idx(told: Told, out: Path, force: bool = False) -> None:
    """The images, gzipped where the name ends in .gz, and the labels (if any) beside them under the MNIST naming.

    Both files appear, or none. Raises OutputExists where either is there already, unless `force` allows a file to be
    replaced; UsageError where labels have no file name to go to, or a label is above 255.
    """
    pictures, labels = told.pictures, told.pictures.labels
    if labels is not None:
        if not _IDX_IMAGES_NAME.fullmatch(out.name):
            raise UsageError(f"{out}: to keep labels beside it, an IDX file is named like train-images-idx3-ubyte.gz")
        if labels.min(initial=0) < 0:
            raise UsageError(f"{out}: IDX holds a label of each picture, and {(labels < 0).sum()} have none")
        if labels.max(initial=0) > 255:
            raise UsageError(f"{out}: IDX holds labels up to 255, not {labels.max()}; unpack to a .npz file")
    height, width, channels = pictures.archive.image_shape
    if pictures.archive.kind.bits != 8:
        raise UsageError(f"{out}: IDX holds pixels of 8 bits here; unpack to a .npy file")
    shape = (len(pictures), height, width) if channels == 1 else (len(pictures), height, width, channels)
    labels_out = out.with_name(_IDX_IMAGES_NAME.sub(r"\1-labels\2idx1-ubyte\3", out.name))
    for path in (out,) if labels is None else (out, labels_out):
        if path.is_dir():
            raise OutputExists(f"{path} is a folder; choose another name")
        if path.exists() and not force:
            raise OutputExists(f"{path} exists already; choose another name, or replace it with --force")
    with ExitStack() as files:  # it renames them at its end, when all of them are complete
        file = files.enter_context(replacing_file(out))
        _write_idx(file, out.suffix, shape, told.in_order())
        if labels is not None:
            file = files.enter_context(replacing_file(labels_out))
            _write_idx(file, out.suffix, labels.shape, [labels.astype(np.uint8)])


def _write_idx(file: IO[bytes], suffix: str, shape: tuple[int, ...], arrays: Iterable[AnyPixels]) -> None:
    """Writes all of a file, through to the disk: what fails, fails here."""
    target = cast(IO[bytes], gzip.GzipFile("", "wb", 6, file, mtime=0)) if suffix == ".gz" else file
    target.write(struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape))
    for array in arrays:
        target.write(array.tobytes())
    if target is not file:
        target.close()
    file.flush()
    os.fsync(file.fileno())


def _write_images(told: Told, file: IO[bytes]) -> None:
    pictures = told.pictures
    shape = (len(pictures), *pictures.archive.image_shape)
    descr = np.lib.format.dtype_to_descr(pictures.archive.kind.dtype)
    npy.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    for images in told.in_order():
        file.write(images.tobytes())


def _member(name: str) -> zipfile.ZipInfo:
    """An entry dated 1980."""
    member = zipfile.ZipInfo(f"{name}.npy")
    member.compress_type = zipfile.ZIP_DEFLATED
    return member
