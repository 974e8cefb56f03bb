"""Trees of pictures as a folder, a .zip and a .tar, for the tests of all of them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engram.datasets.collection import Collection
from engram.datasets.pictures import encode_picture


def png(value: int = 0, size: tuple[int, int] = (2, 3)) -> bytes:
    """A picture of one value."""
    return encode_picture(np.full((*size, 1), value, np.uint8), ".png", 95)


def as_folder(files: Mapping[str, bytes], path: Path) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def as_zip(files: Mapping[str, bytes], path: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as box:
        for name, data in files.items():
            box.writestr(name, data)
    return path


def as_tar(files: Mapping[str, bytes], path: Path) -> Path:
    with tarfile.open(path, "w") as box:
        for name, data in files.items():
            add(box, name, data)
    return path


def add(box: tarfile.TarFile, name: str, data: bytes = b"", **how: Any) -> None:
    """Adds a member to a tar."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    for key, value in how.items():
        setattr(member, key, value)
    box.addfile(member, io.BytesIO(data))


BOXES: dict[str, Callable[[Mapping[str, bytes], Path], Path]] = {"zip": as_zip, "tar": as_tar}


def values(found: Collection, name: str) -> list[Any]:
    """A column."""
    return [found.table[name].value(row) for row in range(len(found))]


def content(found: Collection) -> tuple[dict[str, list[Any]], list[bytes], dict[str, bytes]]:
    """All columns, pixels and kept files."""
    pictures = [pixels.tobytes() for pixels in found.read(np.arange(len(found)))]
    return {name: values(found, name) for name in found.table}, pictures, found.files
