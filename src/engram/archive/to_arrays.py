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
from typing import IO, Any, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from engram.archive.errors import UnsafeName
from engram.archive.intact import Intact
from engram.errors import UsageError
from engram.files import OutputExists, replacing_file
from engram.images import Pixels

IDX_NAME = re.compile(r".*([-.]idx[34]-ubyte|\.idx)(\.gz)?")
_IDX_IMAGES_NAME = re.compile(r"(.*)-images([-.])idx[34]-ubyte(\.gz)?")


def write_npy(intact: Intact, out: Path) -> None:
    """The pixels alone, uint8[n, h, w, c]."""
    with replacing_file(out) as file:
        _write_images(intact, file)


def write_npz(intact: Intact, out: Path) -> None:
    """images, and where known labels, class_names, names. Raises UnsafeName for a text that ends in a NUL."""
    names = intact.names()
    arrays: dict[str, NDArray[Any] | None] = {"labels": intact.labels()}
    for key, texts in (
        ("class_names", intact.class_names() or None),
        ("names", None if names is None else tuple(names)),
    ):
        if any(text.endswith("\0") for text in texts or ()):
            raise UnsafeName(f"{intact.archive.path}: {key} that end in a NUL cannot be kept in a .npz file")
        arrays[key] = None if texts is None else np.array(texts, np.str_)
    with replacing_file(out) as file, zipfile.ZipFile(file, "w") as members:
        with members.open(_member("images"), "w", force_zip64=True) as member:
            _write_images(intact, member)
        for key, array in arrays.items():
            if array is not None:
                with members.open(_member(key), "w", force_zip64=True) as member:
                    npy.write_array(member, array, allow_pickle=False)


def write_idx(intact: Intact, out: Path, force: bool = False) -> None:
    """The images, gzipped where the name ends in .gz, and the labels (if any) beside them under the MNIST naming.

    Both files appear, or none. Raises OutputExists where either is there already, unless `force` allows a file to be
    replaced; UsageError where labels have no file name to go to, or a label is above 255.
    """
    labels = intact.labels()
    if labels is not None:
        if not _IDX_IMAGES_NAME.fullmatch(out.name):
            raise UsageError(f"{out}: to keep labels beside it, an IDX file is named like train-images-idx3-ubyte.gz")
        if labels.max(initial=0) > 255:
            raise UsageError(f"{out}: IDX holds labels up to 255, not {labels.max()}; unpack to a .npz file")
    height, width, channels = intact.archive.image_shape
    shape = (len(intact), height, width) if channels == 1 else (len(intact), height, width, channels)
    labels_out = out.with_name(_IDX_IMAGES_NAME.sub(r"\1-labels\2idx1-ubyte\3", out.name))
    for path in (out,) if labels is None else (out, labels_out):
        if path.is_dir():
            raise OutputExists(f"{path} is a folder; choose another name")
        if path.exists() and not force:
            raise OutputExists(f"{path} exists already; choose another name, or replace it with --force")
    with ExitStack() as files:  # it renames them at its end, when all of them are complete
        file = files.enter_context(replacing_file(out))
        _write_idx(file, out.suffix, shape, intact.batches())
        if labels is not None:
            file = files.enter_context(replacing_file(labels_out))
            _write_idx(file, out.suffix, labels.shape, [labels.astype(np.uint8)])


def _write_idx(file: IO[bytes], suffix: str, shape: tuple[int, ...], arrays: Iterable[Pixels]) -> None:
    """Writes all of a file, through to the disk: what fails, fails here."""
    target = cast(IO[bytes], gzip.GzipFile("", "wb", 6, file, mtime=0)) if suffix == ".gz" else file
    target.write(struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape))
    for array in arrays:
        target.write(array.tobytes())
    if target is not file:
        target.close()
    file.flush()
    os.fsync(file.fileno())


def _write_images(intact: Intact, file: IO[bytes]) -> None:
    shape = (len(intact), *intact.archive.image_shape)
    npy.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    for images in intact.batches():
        file.write(images.tobytes())


def _member(name: str) -> zipfile.ZipInfo:
    """An entry dated 1980."""
    member = zipfile.ZipInfo(f"{name}.npy")
    member.compress_type = zipfile.ZIP_DEFLATED
    return member
