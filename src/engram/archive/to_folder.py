"""An archive's pictures as files in a folder: the tree of their paths.

Pictures that were packed as files are these files again, byte for byte. The others are PNG files, whatever the paths
say (00042.webp becomes 00042.png): what comes out are the archive's pixels, bit for bit. Pictures without paths are
numbered, in class folders where there are labels. Files that were kept beside them come out as they were.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engram.archive.errors import CorruptColumn, UnsafeName
from engram.archive.view import Pictures
from engram.datasets import folders, names
from engram.datasets.pictures import in_threads
from engram.files import replacing_folder

if TYPE_CHECKING:
    from engram.archive.unpacking import Told


def write_folder(told: Told, out: Path) -> None:
    """A folder that `engram.datasets.folders` reads; one that exists is replaced, if it holds only pictures.

    A class without a picture gets no folder. Raises UnsafeName, OutputExists, CannotWrite.
    """
    if out.is_dir():
        folders.refuse_foreign_files(out)
    pictures = told.pictures
    _ = paths_of(pictures, folds_case=True)  # raises before anything is made
    with replacing_folder(out, force=out.is_dir()) as folder:
        paths = paths_of(pictures, folds_case(folder))
        for below in sorted({os.path.dirname(path) for path in paths}):
            (folder / below).mkdir(parents=True, exist_ok=True)
        for places, files in told.files():
            _write([folder / paths[place] for place in places.tolist()], files)
        for name, data in kept_files(told):
            _put(folder / name, data)


def kept_files(told: Told) -> Iterator[tuple[str, bytes]]:
    """(path, bytes) of the files that were kept beside the pictures, without those that are damaged if they may be."""
    archive = told.pictures.archive
    for number, source in enumerate(archive.sources):
        for name in source.directory.files:
            try:
                yield name, archive.segment(number).kept_file(name)
            except CorruptColumn:
                if not told.skips_damaged:
                    raise


def _put(place: Path, data: bytes) -> None:
    """Writes a file, under a name with a number where there is one already."""
    place.parent.mkdir(parents=True, exist_ok=True)
    free, number = place, 2
    while free.exists():
        free, number = place.with_stem(f"{place.stem}-{number}"), number + 1
    free.write_bytes(data)


def _write(targets: Sequence[Path], files: Sequence[bytes]) -> None:
    def write(start: int, stop: int) -> int:
        for target, data in zip(targets[start:stop], files[start:stop], strict=True):
            with open(target, "xb") as file:
                file.write(data)
        return 0

    in_threads(write, len(targets))


def folds_case(folder: Path) -> bool:
    """Whether the disk of an empty folder takes `a` and `A` for one name."""
    place = folder / "case"
    place.touch()
    folds = (folder / "CASE").exists()
    place.unlink()
    return folds


def paths_of(pictures: Pictures, folds_case: bool) -> list[str]:
    """Each picture's path below the folder. Raises UnsafeName."""
    try:
        for name in (name for source in pictures.archive.sources for name in source.directory.files):
            names.check_path(name)
        if pictures.paths is not None:
            kept = pictures.archive.are_files(pictures.rows)
            return names.files_of(tuple(pictures.paths), ".png", folds_case, kept.tolist())
        digits = max(5, len(str(len(pictures.archive) - 1)))
        stems = [f"{row:0{digits}}.png" for row in pictures.rows.tolist()]
        labels = pictures.labels
        if labels is None:
            return stems
        names.check_class_names(pictures.class_names)
        below = [names.folder_of(name) for name in pictures.class_names]
        labelled = zip(labels.tolist(), stems, strict=True)
        return [stem if label < 0 else f"{below[label]}/{stem}" for label, stem in labelled]
    except names.UnsafeName as error:
        raise UnsafeName(f"{pictures.archive.path}: {error}; unpack to a .npz file, which keeps any name") from None
