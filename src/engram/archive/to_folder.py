"""An archive's images as PNG files in a folder, in class folders where there are labels.

PNG, whatever the names say (00042.jpg becomes 00042.png): what comes out are the archive's pixels, bit for bit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice, repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engram.archive.errors import DuplicateName, UnsafeName
from engram.archive.intact import Intact
from engram.archive.names import check_name
from engram.datasets import folders, names
from engram.datasets.pictures import encode_picture, in_threads
from engram.files import replacing_folder
from engram.images import Pixels


def write_folder(intact: Intact, out: Path) -> None:
    """A folder that `engram.datasets.folders.load` reads; one that exists is replaced, if it holds only pictures.

    A class without an image gets no folder. Raises UnsafeName, DuplicateName, OutputExists, CannotWrite.
    """
    if out.is_dir():
        folders.refuse_foreign_files(out)
    paths, sizes, done = _paths(intact), intact.sizes(), 0
    with replacing_folder(out, force=out.is_dir()) as folder:
        for images in intact.batches():
            targets = [folder / path for path in islice(paths, len(images))]
            for subfolder in {target.parent for target in targets}:
                subfolder.mkdir(exist_ok=True)
            _write_pictures(images, targets, None if sizes is None else sizes[done : done + len(images)])
            done += len(images)
        for _ in paths:  # past the last name, where names beyond the last image are found
            pass


def _write_pictures(images: Pixels, targets: list[Path], sizes: NDArray[np.int32] | None) -> None:
    def write(start: int, stop: int) -> int:
        for row in range(start, stop):
            height, width = images.shape[1:3] if sizes is None else sizes[row].tolist()
            with open(targets[row], "xb") as file:
                file.write(encode_picture(images[row, :height, :width], ".png", 100))
        return 0

    in_threads(write, len(images))


def _paths(intact: Intact) -> Iterator[str]:
    """Each image's path below the folder."""
    where = intact.archive.path
    rows, labels = intact.places().tolist(), intact.labels()
    digits = max(5, len(str(len(intact.archive) - 1)))
    stems = intact.names() or (f"{row:0{digits}}" for row in rows)
    seen = set[str]()
    try:
        names.check_class_names(intact.class_names())
        subfolders = [names.folder_of(name) + "/" for name in intact.class_names()]
        places = repeat("", len(rows)) if labels is None else (subfolders[label] for label in labels.tolist())
        for place, name in zip(places, stems, strict=True):
            check_name(name)
            path = f"{place}{os.path.splitext(name)[0]}.png"
            if path in seen:
                raise DuplicateName(f"{where}: two images would be {path}; unpack to a .npz file, which keeps names")
            seen.add(path)
            yield path
    except names.UnsafeName as error:
        raise UnsafeName(f"{where}: {error}; unpack to a .npz file, which keeps any name") from None
