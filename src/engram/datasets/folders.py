"""A folder of pictures as an ImageSet, and back.

Either class sub-folders (in order of their names; see names.py for names that no folder can have) or pictures only.
Files come in order of their names and keep them. A folder with sub-folders `train` and `test`, each either of these,
is a divided set. A notice tells of files without a picture's suffix; a picture where none is taken is an error. Hidden
files are ignored. Gray pictures stay gray; where gray and
colour are mixed, all become RGB. What else becomes of pictures that are not plain gray or RGB, kinds.py says; what is
done to them is told in the streams' notices.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engram.datasets.assortment import Assortment, Files, joined, of_one_size
from engram.datasets.names import UnsafeName, check_class_names, check_file_name, class_of, folder_of
from engram.datasets.notices import Notice
from engram.datasets.pictures import (
    SUFFIXES,
    check_quality,
    encode_picture,
    in_threads,
    jpeg_roundtrip,
)
from engram.datasets.progress import Progress, shifted
from engram.datasets.stream import Stream
from engram.datasets.survey import survey
from engram.errors import EngramError, UsageError
from engram.files import OutputExists, replacing_folder
from engram.images import ImageSet, Splits

__all__ = [
    "EmptyClass",
    "EmptyFolder",
    "MixedLayout",
    "has_splits",
    "jpeg_roundtrip",
    "load",
    "save",
    "stream",
    "stream_splits",
]


@dataclass(frozen=True)
class _Class:
    """A folder of pictures: its path, its class (None in a flat folder), and the files' names in order."""

    folder: Path
    name: str | None
    files: list[str]
    others: list[str]


class EmptyFolder(EngramError):
    """No picture where pictures were expected."""


class EmptyClass(EngramError):
    """A class folder without a picture."""


class MixedLayout(EngramError):
    """Pictures where none are taken: beside class folders, deeper than these, or beside `train` and `test`."""


def has_splits(folder: Path | str) -> bool:
    """Whether the folder is divided into `train` and `test`."""
    return all((Path(folder) / split).is_dir() for split in Splits._fields)


def load(folder: Path | str, progress: Progress | None = None) -> ImageSet:
    """The images of a folder that is not divided, in memory."""
    return stream(folder).load(progress)


def stream(folder: Path | str, progress: Progress | None = None) -> Stream:
    """The images of a folder that is not divided. All pictures are looked at before, `progress` says how many.

    Raises EmptyFolder, EmptyClass, MixedLayout, MixedSizes, UnreadablePicture, UnsupportedPicture.
    """
    [images] = of_one_size(_together(_assortments([_list(Path(folder))], progress)))
    return images


def stream_splits(folder: Path | str, progress: Progress | None = None) -> tuple[Stream, Stream]:
    """Both halves of a divided folder: one size, one number of channels, one list of classes for the two."""
    train, test = of_one_size(collection(folder, progress))
    return train, test


def collection(
    folder: Path | str, progress: Progress | None = None, split: str = ""
) -> tuple[Stream, ...] | Assortment:
    """The images of a folder: a stream, the two of a divided folder, or one assortment of all where sizes differ.

    split: one half of a divided folder, with the classes of both.
    """
    folder = Path(folder)
    found = _assortments(_halves(folder) if has_splits(folder) else [_list(folder)], progress)
    return _together([found[Splits._fields.index(split)]] if split else found)


def _halves(folder: Path) -> list[list[_Class]]:
    beside = [name for name in _folders(folder) if name not in Splits._fields and _first_picture(folder / name)]
    if beside or _files_of(folder)[0]:
        raise MixedLayout(
            f"{folder} is divided into train and test, and has pictures in {beside[0] if beside else 'itself'} beside "
            "them, which would be left out; pack that apart, or take it out"
        )
    halves = [_list(folder / split) for split in Splits._fields]
    if len({half[0].name is None for half in halves}) == 2:
        raise MixedLayout(f"{folder}: one of train and test has class folders, the other has not; arrange both alike")
    return halves


def save(
    images: ImageSet | Splits,
    folder: Path | str,
    format: str = "jpg",
    quality: int = 95,
    progress: Progress | None = None,
    force: bool = False,
) -> int:
    """Writes a folder that `load` reads, and gives the number of bytes in its files.

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
            report = shifted(progress, done, total)
            written += _write(part_images, [os.path.join(new, part, name) for name in files[part]], quality, report)
            done += len(part_images)
    return written


def _list(folder: Path) -> list[_Class]:
    """What a folder has, at least one picture in each class."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder")
    loose, others = _files_of(folder)
    classes = [_Class(folder / name, class_of(name), *_files_of(folder / name)) for name in _folders(folder)]
    for found in classes:
        for name in _folders(found.folder):
            if deeper := _first_picture(found.folder / name):
                raise MixedLayout(
                    f"{deeper} lies deeper than a class folder, and would be left out; move it up, or pack "
                    f"{found.folder}"
                )
    if not loose and not any(found.files for found in classes):
        raise EmptyFolder(f"{folder}: no picture in it or its sub-folders ({', '.join(sorted(SUFFIXES))})")
    others += [os.path.join(found.folder.name, name) for found in classes if not found.files for name in found.others]
    if not any(found.files for found in classes):
        return [_Class(folder, None, loose, others)]
    if loose:
        raise MixedLayout(f"{folder}: {loose[0]} lies beside the class folders; put it into one, or take it out")
    if empty := [found.folder for found in classes if not found.files]:
        raise EmptyClass(f"{empty[0]}: a class without a picture; fill the folder or remove it")
    if others:
        classes[0].others.extend(os.path.join(os.pardir, name) for name in others)
    return classes


def _files_of(folder: Path) -> tuple[list[str], list[str]]:
    """(the names of the pictures, those of other visible files), each in order."""
    visible = [entry for entry in os.scandir(folder) if entry.name[0] != "." and not entry.is_dir()]
    pictures = sorted(entry.name for entry in visible if entry.is_file() and _is_picture(entry.name))
    return pictures, sorted({entry.name for entry in visible} - set(pictures))


def _folders(folder: Path) -> list[str]:
    """The names of the visible folders, in order."""
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and entry.name[0] != ".")


def _first_picture(folder: Path) -> Path | None:
    """A picture in a folder, at any depth."""
    for where, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if name[0] != ".")
        for name in sorted(names):
            if _is_picture(name):
                return Path(where) / name
    return None


def _is_picture(name: str) -> bool:
    return name[0] != "." and os.path.splitext(name)[1].lower() in SUFFIXES


def _together(parts: list[Assortment]) -> tuple[Stream, ...] | Assortment:
    whole = joined(parts)
    return whole if whole.is_mixed else tuple(part.alike() for part in parts)


def _assortments(parts: list[list[_Class]], progress: Progress | None) -> list[Assortment]:
    """The pictures of each part, with as many channels and one list of classes; a later part's classes come later."""
    totals = [sum(len(found.files) for found in part) for part in parts]
    surveys = [
        survey(_files(part), shifted(progress, sum(totals[:number]), sum(totals))) for number, part in enumerate(parts)
    ]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(found.name for p in parts for found in p))}
    class_names = tuple(name for name in numbers if name is not None)
    channels = 1 if all(found.gray.all() for found in surveys) else 3
    return [
        Assortment(
            name=str(part[0].folder),
            files=_files(part),
            sizes=found.sizes,
            channels=channels,
            labels=np.repeat([numbers[c.name] for c in part], [len(c.files) for c in part]) if class_names else None,
            class_names=class_names,
            notices=(*found.notices(channels), *_left_out(part)),
        )
        for part, found in zip(parts, surveys, strict=True)
    ]


def _left_out(part: list[_Class]) -> tuple[Notice, ...]:
    """What is to be told of files that are no pictures."""
    others = [found.folder / name for found in part for name in found.others]
    total = len(others) + sum(len(found.files) for found in part)
    what = "no picture, by its name: left out"
    return (Notice(what, len(others), total, os.path.normpath(others[0])),) if others else ()


def _files(part: list[_Class]) -> Files:
    names = tuple(file for found in part for file in found.files)
    return Files(tuple(found.folder for found in part), np.cumsum([len(found.files) for found in part]), names)


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


def refuse_foreign_files(folder: Path) -> None:
    """Raises OutputExists where force would delete more than pictures."""
    for where, _, names in os.walk(folder):
        for name in names:
            if not _is_picture(name):
                raise OutputExists(
                    f"{folder}: not replaced, since it holds more than pictures: {os.path.join(where, name)}"
                )
