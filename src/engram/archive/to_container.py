"""An archive's pictures as a .zip or .tar: the files of the folder, in the order of the rows; equal ones, equal bytes.

Pictures are stored as they are, other files deflated. All files are dated 1980, and belong to no one.
"""

from __future__ import annotations

import json
import os
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from engram.archive.to_folder import kept_files, paths_of
from engram.datasets.listing import is_picture
from engram.files import replacing_file

if TYPE_CHECKING:
    from engram.archive.unpacking import Told

_MODE = 0o644
_YEAR_1980 = 315532800
"""In seconds since 1970."""


def write_zip(told: Told, out: Path, sidecars: bool) -> None:
    """Raises UnsafeName, CannotWrite."""
    files = _files(told, sidecars)
    with replacing_file(out) as file, zipfile.ZipFile(file, "w") as container:
        for path, data in files:
            member = zipfile.ZipInfo(path)
            member.create_system, member.external_attr = 3, (stat.S_IFREG | _MODE) << 16
            container.writestr(member, data, zipfile.ZIP_STORED if is_picture(path) else zipfile.ZIP_DEFLATED)


def write_tar(told: Told, out: Path, sidecars: bool) -> None:
    """Raises UnsafeName, CannotWrite."""
    files = _files(told, sidecars)
    with replacing_file(out) as file, tarfile.TarFile(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as container:
        for path, data in files:
            member = tarfile.TarInfo(path)
            member.size, member.mtime, member.mode = len(data), _YEAR_1980, _MODE
            container.addfile(member, BytesIO(data))
            container.members = []  # type: ignore[attr-defined]  # it would keep them all


def _files(told: Told, sidecars: bool) -> Iterator[tuple[str, bytes]]:
    """(path, bytes) of the pictures, each with what is known of it if asked for; then the files that were kept."""
    paths = paths_of(told.pictures, folds_case=False)
    names = [name for name in told.pictures.column_names if name != "path"] if sidecars else []
    columns = {name: told.pictures.column(name) for name in names}
    taken = set(paths)
    for places, files in told.files(in_rows=True):
        for place, data in zip(places.tolist(), files, strict=True):
            yield paths[place], data
            known = {name: column.value(place) for name, column in columns.items()}
            if known:
                beside = f"{os.path.splitext(paths[place])[0]}.json"
                taken.add(beside)
                there = {name: value for name, value in known.items() if value is not None}
                yield beside, json.dumps(there, ensure_ascii=False).encode()
    for name, data in kept_files(told):
        yield _free(name, taken), data


def _free(path: str, taken: set[str]) -> str:
    """The path, with a number where there is such a file already."""
    stem, suffix = os.path.splitext(path)
    free, number = path, 2
    while free in taken:
        free, number = f"{stem}-{number}{suffix}", number + 1
    taken.add(free)
    return free
