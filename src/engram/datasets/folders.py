"""A folder of pictures as an ImageSet, and back.

Either class sub-folders (in order of their names; see names.py for names that no folder can have) or pictures only.
Files come in order of their names and keep them. A folder with sub-folders `train` and `test`, each either of these,
is a divided set. Hidden files and files without a picture's suffix are ignored. Gray pictures stay gray; where gray and
colour are mixed, all become RGB. The EXIF orientation is ignored: pixels come as they are stored.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from engram.datasets.names import UnsafeName, check_class_names, check_file_name, class_of, folder_of
from engram.datasets.pictures import (
    SUFFIXES,
    Progress,
    check_quality,
    encode_picture,
    in_threads,
    jpeg_roundtrip,
    load_pictures,
)
from engram.errors import EngramError, UsageError
from engram.files import OutputExists, replacing_folder
from engram.images import ImageSet, Splits

__all__ = ["EmptyClass", "EmptyFolder", "MixedLayout", "has_splits", "jpeg_roundtrip", "load", "load_splits", "save"]

Listing = list[tuple[Path, str | None]]
"""Each picture with its class; None in a flat folder."""


class EmptyFolder(EngramError):
    """No picture where pictures were expected."""


class EmptyClass(EngramError):
    """A class folder without a picture."""


class MixedLayout(EngramError):
    """Pictures both beside and inside the sub-folders: it is not clear which of them make the set."""


def has_splits(folder: Path | str) -> bool:
    """Whether the folder is divided into `train` and `test`."""
    return all((Path(folder) / split).is_dir() for split in Splits._fields)


def load(folder: Path | str, progress: Progress | None = None) -> ImageSet:
    """The images of a folder that is not divided.

    Raises EmptyFolder, EmptyClass, MixedLayout, MixedSizes, UnreadablePicture, UnsupportedPicture.
    """
    return _read(_list(Path(folder)), progress)


def load_splits(folder: Path | str, progress: Progress | None = None) -> Splits:
    """Both halves of a divided folder: one size, one number of channels, one list of classes for the two."""
    train, test = (_list(Path(folder) / split) for split in Splits._fields)
    if {label is None for _, label in train} != {label is None for _, label in test}:
        raise MixedLayout(f"{folder}: one of train and test has class folders, the other has not; arrange both alike")
    both = _read(train + test, progress)
    return Splits(both[: len(train)], both[len(train) :])


def save(
    images: ImageSet | Splits,
    folder: Path | str,
    format: str = "jpg",
    quality: int = 95,
    progress: Progress | None = None,
    force: bool = False,
) -> int:
    """Writes a folder that `load` (or `load_splits`) reads, and gives the number of bytes in its files.

    Files are called by the set's names with the format's suffix, or by their index: 00042.jpg. A class without images
    gets no folder. The folder appears whole or not at all; `force` replaces an existing one, if it holds only pictures.
    Raises UsageError for another format than jpg or png, UnsafeName, EmptyFolder, OutputExists, CannotWrite.
    """
    folder, suffix = Path(folder), f".{format}"
    if suffix not in {".jpg", ".png"}:
        raise UsageError(f"pictures are written as jpg or png, not {format!r}")
    check_quality(quality)
    parts = images._asdict() if isinstance(images, Splits) else {"": images}
    files = {part: _file_names(part_images, suffix) for part, part_images in parts.items()}
    if empty := [part for part, names in files.items() if not names]:
        raise EmptyFolder(f"{folder / empty[0]}: no images to write, and a folder of none could not be read again")
    if force:
        refuse_foreign_files(folder)
    total, done, written = sum(map(len, parts.values())), 0, 0
    with replacing_folder(folder, force) as new:
        for part, part_images in parts.items():
            for subfolder in {os.path.dirname(name) for name in files[part]}:
                (new / part / subfolder).mkdir(parents=True, exist_ok=True)
            report = _shifted(progress, done, total)
            written += _write(part_images, [os.path.join(new, part, name) for name in files[part]], quality, report)
            done += len(part_images)
    return written


def _list(folder: Path) -> Listing:
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder")
    loose = list(_pictures(folder))
    classes = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and entry.name[0] != ".")
    listing: Listing = [(path, class_of(name)) for name in classes for path in _pictures(folder / name)]
    if not loose and not listing:
        raise EmptyFolder(f"{folder}: no picture in it or its sub-folders ({', '.join(sorted(SUFFIXES))})")
    if not listing:
        return [(path, None) for path in loose]
    if loose:
        raise MixedLayout(f"{folder}: {loose[0].name} lies beside the class folders; put it into one, or take it out")
    filled = {path.parent.name for path, _ in listing}
    if empty := [name for name in classes if name not in filled]:
        raise EmptyClass(f"{folder / empty[0]}: a class without a picture; fill the folder or remove it")
    return listing


def _pictures(folder: Path) -> Iterator[Path]:
    """The visible files with a picture's suffix, by name."""
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    return (folder / name for name in names if _is_picture(name))


def _is_picture(name: str) -> bool:
    return name[0] != "." and os.path.splitext(name)[1].lower() in SUFFIXES


def _read(listing: Listing, progress: Progress | None) -> ImageSet:
    images = load_pictures([path for path, _ in listing], progress)
    names = tuple(path.name for path, _ in listing)
    if listing[0][1] is None:
        return ImageSet(images, names=names)
    # dict.fromkeys keeps the folders' order; a class that only the test half has comes last
    numbers = {name: number for number, name in enumerate(dict.fromkeys(str(label) for _, label in listing))}
    labels = np.array([numbers[str(label)] for _, label in listing], np.int64)
    return ImageSet(images, labels, tuple(numbers), names)


def _file_names(images: ImageSet, suffix: str) -> list[str]:
    """Each image's path below the folder. Raises UnsafeName where it is not safe or not its own."""
    if images.names is None:
        digits = max(5, len(str(len(images) - 1)))
        stems = [f"{index:0{digits}}" for index in range(len(images))]
    else:
        for name in images.names:
            check_file_name(name)
        stems = [os.path.splitext(name)[0] for name in images.names]
    names = [stem + suffix for stem in stems]
    if images.labels is not None:
        check_class_names(images.class_names)
        folders = [folder_of(name) for name in images.class_names]
        names = [f"{folders[label]}/{name}" for label, name in zip(images.labels, names, strict=True)]
    if len(set(names)) < len(names):
        [(twice, _)] = Counter(names).most_common(1)
        raise UnsafeName(f"two images would both be written as {twice}; give each its own name")
    return names


def _write(images: ImageSet, paths: list[str], quality: int, progress: Progress | None) -> int:
    """The bytes written to the paths, in threads."""

    def write(start: int, stop: int) -> int:
        written = 0
        for path, image in zip(paths[start:stop], images.images[start:stop], strict=True):
            data = encode_picture(image, path[-4:], quality)
            with open(path, "xb") as file:
                file.write(data)
            written += len(data)
        return written

    return in_threads(write, len(paths), progress)


def _shifted(progress: Progress | None, done_before: int, total: int) -> Progress | None:
    return progress and (lambda done, _: progress(done_before + done, total))


def refuse_foreign_files(folder: Path) -> None:
    """Raises OutputExists where force would delete more than pictures."""
    for where, _, names in os.walk(folder):
        for name in names:
            if not _is_picture(name):
                raise OutputExists(
                    f"{folder}: not replaced, since it holds more than pictures: {os.path.join(where, name)}"
                )
