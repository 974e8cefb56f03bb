"""A folder of pictures, or a .zip, .tar or .parquet of them, as a collection; and back.

Pictures lie at any depth, in the order of the bytes of their paths below the folder, which they keep. What the paths
say becomes columns: `split`, where no other folders than train, val, test and their kin are at the top, and `label`,
the first folder after that. metadata.csv or metadata.jsonl says more. What becomes of each kind of picture, kinds.py
says; what is done to pictures and what is left out is told in notices.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.datasets.collection import Collection, NoSuchSplit
from engram.datasets.kinds import ChangedPicture, read_frames
from engram.datasets.listing import SPLITS, Listing, is_metadata, is_picture, listed
from engram.datasets.metadata import read_metadata
from engram.datasets.names import check_class_names, class_of, file_of, files_of, folder_of
from engram.datasets.notices import LEFT_OUT, Notice, is_left_out
from engram.datasets.pictures import check_quality, encode_picture, in_threads
from engram.datasets.progress import Progress, shifted
from engram.datasets.survey import Survey, survey
from engram.datasets.tree import SUFFIXES, Folder, Held, Tree
from engram.errors import UsageError
from engram.files import OutputExists, replacing_folder
from engram.images import ImageSet, classes_of
from engram.kinds import AnyPixels, kind_of
from engram.table import Column, categories, column_of, texts

PLACES = ("auto", "none", "parent", "top")
"""What label_from may say beside the name of a column of metadata."""


class EmptyFolder(UsageError):
    """No picture where pictures were expected."""


def collection(
    folder: Path | str | Tree,
    progress: Progress | None = None,
    label_from: str = "auto",
    frames: bool = False,
    skip_broken: bool = False,
    split: str = "",
) -> Collection:
    """The pictures of a folder. All are looked at before, `progress` says how many.

    label_from: "auto", the first folder after the split if every picture has one; "top", that of those that have one;
    "parent", the folder that a picture is in; "none"; or a column of metadata. frames: each frame of an animation is a
    picture, anim.gif#0 the first. skip_broken: leaves out what cannot be read. split: one of these alone, with the
    classes of all. Raises EmptyFolder, NoSuchSplit, UnreadablePicture, UnsupportedPicture, UnsafeName, UsageError.
    """
    tree = folder if isinstance(folder, Tree) else Folder(Path(folder))
    found = listed(tree)
    if not found.pictures:
        raise EmptyFolder(f"{tree.name}: no picture in it or its sub-folders ({', '.join(sorted(SUFFIXES))})")
    metadata = read_metadata(tree, found.metadata, found.pictures)
    table = _table(found, found.columns | metadata.columns, label_from)
    rows = np.arange(len(found.pictures))
    if split:
        column = table.get("split")
        if column is None or split not in column.categories:
            known = column.categories if column is not None else ()
            raise NoSuchSplit(f"{tree.name} has no split {split!r}, only {', '.join(known) or 'all in one'}")
        rows = np.flatnonzero(column.mask(split))
    looked = survey(tree, [found.pictures[row] for row in rows.tolist()], progress, frames, skip_broken)
    files = metadata.files | ({LEFT_OUT: looked.left_out.encode()} if looked.left_out else {})
    notices = (*metadata.notices, *found.notices())
    return OfFiles(tree, looked, {n: column[rows] for n, column in table.items()}, files, notices)


def _colliding(paths: Sequence[str], kept: NDArray[np.bool_]) -> tuple[Notice, ...]:
    """What is to be told of pictures that would come back as one file. kept: which come back as the files they are."""
    files = [file_of(path, ".png", keeps) for path, keeps in zip(paths, kept.tolist(), strict=True)]
    same = _repeated(files)
    folded = {row: first for row, first in _repeated([file.casefold() for file in files]).items() if row not in same}
    told = {
        "pictures that come back as PNG files of one name: all but one of them get a longer name": same,
        "paths that differ in case alone: where a disk folds case, files get a number": folded,
    }
    return tuple(
        Notice(what, len(rows), len(paths), " and ".join(paths[row] for row in reversed(next(iter(rows.items())))))
        for what, rows in told.items()
        if rows
    )


def _repeated(names: Sequence[str]) -> dict[int, int]:
    """Where a name stands that stood before, and where it stood first."""
    seen, found = dict[str, int](), dict[int, int]()
    for row, name in enumerate(names):
        if (first := seen.setdefault(name, row)) != row:
            found[row] = first
    return found


class OfFiles(Collection):
    """Pictures of a folder, decoded as they pass."""

    def __init__(
        self,
        tree: Tree,
        looked: Survey,
        table: dict[str, Column],
        files: dict[str, bytes],
        notices: tuple[Notice, ...],
    ) -> None:
        paths = table["path"].values[looked.files]
        if looked.several.any():
            last = np.bincount(looked.files, minlength=len(table["path"]))[looked.files] - 1
            for row in np.flatnonzero(looked.several).tolist():  # as many digits as the last has: their order is kept
                paths[row] = f"{paths[row]}#{looked.frames[row]:0{len(str(last[row]))}}"
        order = np.argsort(paths, kind="stable") if looked.several.any() else np.arange(len(paths))
        self.name, self.files, self._tree = tree.name, files, tree
        self.table = {name: column[looked.files[order]] for name, column in table.items()}
        self.table["path"] = texts(paths[order].tolist())
        self.sizes, self.kinds, self.kind_numbers = looked.sizes[order], looked.kinds, looked.kind_numbers[order]
        self.as_files = (looked.jpegs & ~looked.several)[order]
        names = self.table["path"].values.tolist()
        self.notices = (*looked.notices, *notices, *_colliding(names, np.zeros(len(names), bool)))
        self.notices_with_files = (*looked.notices_with_files, *notices, *_colliding(names, self.as_files))
        self._alone = ~looked.several[order]
        self._paths, self._files, self._frames = table["path"].values, looked.files[order], looked.frames[order]

    def read(self, rows: NDArray[np.int64]) -> Sequence[AnyPixels]:
        """Raises ChangedPicture and what `kinds.read` raises."""
        found: list[AnyPixels] = [np.empty(0)] * len(rows)
        files, frames = self._files[rows].tolist(), self._frames[rows].tolist()

        def decode(start: int, stop: int) -> int:
            while start < stop:
                end = start + 1
                while end < stop and files[end] == files[start]:
                    end += 1
                found[start:end] = read_frames(self._tree.at(self._paths[files[start]]), frames[start:end])
                start = end
            return 0

        in_threads(decode, len(rows))
        for row, pixels in zip(rows.tolist(), found, strict=True):
            self._check(row, pixels)
        return found

    def _check(self, row: int, pixels: AnyPixels) -> None:
        """Raises ChangedPicture."""
        kind = self.kinds[self.kind_numbers[row]]
        if pixels.shape != (*self.sizes[row].tolist(), kind.channels) or pixels.dtype != kind.dtype:
            raise ChangedPicture(f"{self.where(row)} was changed meanwhile: wait until no one writes there")

    def read_files(self, rows: NDArray[np.int64]) -> list[bytes]:
        found = [b""] * len(rows)

        def read(start: int, stop: int) -> int:
            for place in range(start, stop):
                path, row = self._paths[self._files[rows[place]]], int(rows[place])
                found[place] = self._tree.read(path)
                [pixels] = read_frames(Held(str(self._tree.at(path)), found[place]), (0,))
                self._check(row, pixels)  # what is kept as a file is a picture, too
            return 0

        in_threads(read, len(rows))
        return found

    @cached_property
    def file_sizes(self) -> NDArray[np.int64]:
        sizes = np.array([self._tree.size(self._paths[file]) for file in self._files.tolist()], np.int64)
        return np.where(self._alone, sizes, 0)

    def where(self, row: int) -> str:
        return str(self._tree.at(self.table["path"].values[row]))


def _table(found: Listing, metadata: dict[str, Any], label_from: str) -> dict[str, Column]:
    """The columns: path, split and label first."""
    known = {
        name: values if isinstance(values, Column) else column_of(values, f"column {name!r} of metadata")
        for name, values in metadata.items()
    }
    if label_from not in (*PLACES, *known):
        columns = f" or a column of metadata ({', '.join(known)})" if known else ""
        raise UsageError(f"labels are taken from {', '.join(PLACES)}{columns}, not {label_from!r}")
    table = {"path": texts(found.pictures)} | _said_by(found.pictures, label_from)
    if "split" in known:
        table["split"] = _classes(known.pop("split"), SPLITS)
    if label_from in known:
        table["label"] = _classes(known[label_from])
        if label_from != "label" and "label" in known:
            known["metadata_label"] = known["label"]
    elif "label" in known:
        table["label"] = _classes(known["label"])
    known.pop("label", None)
    return table | known


def _said_by(paths: list[str], label_from: str) -> dict[str, Column]:
    """What the paths of pictures say: split and label, if they do."""
    folders, table, after = [path.split("/")[:-1] for path in paths], dict[str, Column](), 0
    tops = {names[0] if names else "" for names in folders}
    if tops <= set(SPLITS):
        present = [split for split in SPLITS if split in tops]
        numbers = {split: number for number, split in enumerate(present)}
        table["split"] = categories(np.array([numbers[names[0]] for names in folders]), present)
        after = 1
    place = -1 if label_from == "parent" else after
    labels = [class_of(names[place]) if len(names) > after else None for names in folders]
    wanted = {"auto": None not in labels, "top": True, "parent": True}.get(label_from, False)
    if wanted and any(label is not None for label in labels):
        table["label"] = _numbered(labels)
    return table


def _numbered(values: Iterable[str | None], first: Sequence[str] = ()) -> Column:
    """The texts as categories, in the order of `first` and then their own."""
    values = list(values)
    distinct = set(values) - {None}
    names = [name for name in first if name in distinct]
    names += sorted(name for name in distinct if name is not None and name not in first)
    numbers = {name: number for number, name in enumerate(names)}
    present = np.array([value is not None for value in values], bool)
    found = np.array([0 if value is None else numbers[value] for value in values], np.int64)
    return Column("category", found, tuple(names), None if present.all() else present)


def _classes(column: Column, first: Sequence[str] = ()) -> Column:
    """A column as labels: texts as categories, whole numbers from 0 on as classes that are called so."""
    if column.type == "category" and not first:
        return column
    if column.type in ("text", "category"):
        return _numbered(map(column.value, range(len(column))), first)
    if column.type == "integer" and column.values.min(initial=0) >= 0:
        numbers, names = classes_of(column.values)
        return Column("category", numbers, names, column.present)
    return column


def save(
    images: ImageSet,
    folder: Path | str,
    format: str = "jpg",
    quality: int = 95,
    progress: Progress | None = None,
    force: bool = False,
) -> int:
    """Writes a folder that `collection` reads, and gives the number of bytes in its files.

    Files lie as the set's paths say, with the format's suffix; or in class folders, called by their index: 00042.jpg.
    Those of a set that comes divided into train, test and their kin lie in a folder of each split.
    The folder appears whole or not at all; `force` replaces an existing one, if it holds only pictures.
    Raises UsageError for another format than jpg or png, UnsafeName, EmptyFolder, OutputExists, CannotWrite.
    """
    folder, suffix = Path(folder), f".{format}"
    if suffix not in {".jpg", ".png"}:
        raise UsageError(f"pictures are written as jpg or png, not {format!r}")
    check_quality(quality)
    divided = images.splits and set(images.splits) <= set(SPLITS) and images.columns["split"].present is None
    parts = {split: images.split(split) for split in images.splits} if divided else {"": images}
    if not len(images):
        raise EmptyFolder(f"{folder}: no images to write, and a folder of none could not be read again")
    if suffix == ".jpg" and kind_of(images.images).name not in ("gray", "rgb"):
        raise UsageError(f"jpg holds gray and RGB, not {kind_of(images.images).name}; write png")
    files = {part: _file_names(some, part, suffix) for part, some in parts.items()}
    if force:
        refuse_foreign_files(folder)
    total, done, written = sum(map(len, parts.values())), 0, 0
    with replacing_folder(folder, force) as new:
        for part, some in parts.items():
            for below in {os.path.dirname(name) for name in files[part]}:
                (new / below).mkdir(parents=True, exist_ok=True)
            report = shifted(progress, done, total)
            written += _write(some, [os.path.join(new, name) for name in files[part]], quality, report)
            done += len(some)
    return written


def _file_names(images: ImageSet, part: str, suffix: str) -> list[str]:
    """Each image's path below the folder, in a set that comes divided below its split. Raises UnsafeName."""
    if images.paths is None:
        digits = max(5, len(str(len(images) - 1)))
        paths: Sequence[str] = [f"{index:0{digits}}{suffix}" for index in range(len(images))]
    else:
        paths = images.paths
    if images.labels is not None and not any("/" in path for path in paths):
        check_class_names(images.class_names)
        folders = [folder_of(name) for name in images.class_names]
        paths = [f"{folders[label]}/{path}" for label, path in zip(images.labels, paths, strict=True)]
    if part and not all(path.startswith(f"{part}/") for path in paths):
        paths = [f"{part}/{path}" for path in paths]
    return files_of(paths, suffix)


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
    """Raises OutputExists where force would delete more than pictures and what is told of them."""
    for where, _, names in os.walk(folder):
        for name in names:
            if not is_picture(name) and not is_metadata(name) and not is_left_out(name):
                raise OutputExists(
                    f"{folder}: not replaced, since it holds more than pictures: {os.path.join(where, name)}"
                )
