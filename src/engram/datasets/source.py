"""DATA, the same everywhere: a name, a file or a folder becomes a Collection of pictures.

| DATA                                   | gives                                                      |
|----------------------------------------|------------------------------------------------------------|
| `fashion-mnist`, `wardrobe`            | the splits train and test, as a column                     |
| `fashion-mnist:test`, `wardrobe:train` | that split                                                 |
| a folder of pictures, or a .zip or .tar of one | all of them, at any depth                          |
| a picture                              | that one                                                   |
| `FOLDER:train`, `FOLDER:val`           | that split of a folder that comes divided, or an archive   |
| an IDX file, plain or .gz              | its images, with the labels file beside it if there is one |
| a .npy or .npz file                    | its images                                                 |
| a .parquet file                        | the pictures of a column, with all others                  |
| an archive, .egm, also by its URL      | its pictures with all columns                              |
| a shard set, or its shards.json or URL | the same                                                   |
| arrays, pictures, data sets in memory  | `handed` says what                                         |
"""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.datasets.collection import Collection, OfStreams
from engram.datasets.progress import Progress
from engram.datasets.selection import of_split
from engram.datasets.stream import InMemory, Stream, cannot_read
from engram.datasets.tree import SUFFIXES, Single, Tree, tree_of
from engram.errors import UsageError
from engram.images import ImageSet
from engram.storage import is_url, shown

_ARCHIVES = "engram.archive.source"
"""Whose `collection` reads archives. Imported when one comes: archives lie a floor above this one."""
_SUFFIXES = (".zip", ".tar", ".parquet", ".npy", ".npz", ".egm")
_SPLIT = re.compile(r"[\w.-]+")

Data = str | Path | ImageSet | Collection | NDArray[Any] | Iterable[Any]
"""A name, or what a program hands over."""
_HALVES = ("train", "test")
"""The splits of the sets that are known by name."""
MANIFEST = "shards.json"
"""What makes a folder a shard set."""


class UnknownData(UsageError):
    """A DATA that is neither a known name nor anything that can be read."""


class TooFewImages(UsageError):
    """A set has fewer images than were to be drawn from it."""


def load(data: Data, progress: Progress | None = None) -> ImageSet:
    """What DATA names (see the table above), in memory, where all pictures have one size.

    Where it comes divided, the column `split` says how, and `ImageSet.split` gives one of them. An ImageSet comes back
    as it is. Warns of every Notice. Raises UnknownData, NoSuchSplit, CannotRead, MixedSizes, and whatever the format's
    own reader raises.
    """
    return data if isinstance(data, ImageSet) else stream(data).load(progress)


def stream(data: Data, progress: Progress | None = None) -> Stream:
    """What DATA names, to be read in pieces as it passes; `load` gives what they hold.

    `progress` is told of what must be done before: a download, a look at every picture. Warns of every Notice. Raises
    MixedSizes where `collection` gives pictures of many sizes.
    """
    return collection(data, progress).stream()


@dataclass(frozen=True)
class Reading:
    """How `engram.pack` reads DATA, where there is a choice: pack(..., reading=Reading(frames=True)).

    Of a folder, a .zip or a .tar. label_from: what its column `label` is: "auto", the first folder after the split if
    every picture has one; "top", that of those that have one; "parent", the folder that a picture is in; "none"; or a
    column of its metadata. frames: each frame of an animation is a picture of its own, anim.gif#0 the first.
    skip_broken: pictures that cannot be read are left out, and listed in the archive's file left-out.txt.

    Of a .npz or a .parquet: images_key and labels_key, the arrays or columns that hold these; "" for the usual names.
    """

    label_from: str = "auto"
    frames: bool = False
    skip_broken: bool = False
    images_key: str = ""
    labels_key: str = ""


def collection(
    data: Data, progress: Progress | None = None, reading: Reading | None = None, keeps_files: bool = False
) -> Collection:
    """What DATA names, of any sizes and kinds. keeps_files: whether JPEG files are kept as they are.

    Warns of every Notice. Raises what `load` does, but for MixedSizes.
    """
    is_name = isinstance(data, str | Path)
    found = _named(str(data), progress, reading or Reading()) if is_name else _given(data)
    with_files = found.notices_with_files if keeps_files else None
    for notice in found.notices if with_files is None else with_files:
        warnings.warn(notice, stacklevel=3)
    return found


def _given(data: Any) -> Collection:
    """What a program hands over."""
    if isinstance(data, Collection):
        return data
    if isinstance(data, ImageSet):
        return OfStreams((InMemory(data),))
    from engram.datasets import handed

    return handed.collection(data)


def _named(data: str, progress: Progress | None, reading: Reading) -> Collection:
    """That of a name."""
    name, split = _divide(data)
    try:
        if (tree := _tree(name, reading.images_key)) is not None:
            from engram.datasets import folders

            label_from = (tree.columns() is not None and reading.labels_key) or reading.label_from
            return folders.collection(tree, progress, label_from, reading.frames, reading.skip_broken, split)
        found = _of_file(name, progress, (reading.images_key, reading.labels_key))
    except OSError as error:
        raise cannot_read(name, error) from error
    if not split:
        return found
    return OfStreams((found.part(split),)) if isinstance(found, OfStreams) else of_split(found, split)


def _tree(name: str, images_key: str) -> Tree | None:
    """The tree of pictures of a folder, a .zip, .tar or .parquet, or of a picture alone."""
    if is_url(name) or _is_archive(name):
        return None
    path = Path(name)
    found, suffix = tree_of(path), path.suffix.lower()
    if found is None and suffix == ".parquet" and path.is_file():
        from engram.datasets.parquet import Parquet

        return Parquet(path, images_key)
    return Single(path) if found is None and suffix in SUFFIXES and path.is_file() else found


def _divide(text: str) -> tuple[str, str]:
    """The name, and the split if it has one."""
    name, colon, split = text.rpartition(":")
    if not colon or not _SPLIT.fullmatch(split) or is_url(text) or Path(text).exists():
        return text, ""
    return name, split


def absolute(data: str | Path) -> str:
    """The name by which a process in any folder finds DATA: a path from the root, or else the name as it is."""
    from engram.datasets import catalog

    name, split = _divide(str(data))
    if name == "wardrobe" or name in catalog.CATALOG or not Path(name).exists():
        return str(data)
    return f"{Path(name).absolute()}{split and ':'}{split}"


def _of_file(name: str, progress: Progress | None, keys: tuple[str, str]) -> Collection:
    """What is no folder of pictures."""
    from engram.datasets import catalog

    path = Path(name)
    if _is_archive(name) or (path.suffix == ".egm" and path.is_file()):
        found: Collection = import_module(_ARCHIVES).collection(name)
        return found
    if name == "wardrobe":
        from engram.datasets import wardrobe

        return OfStreams(tuple(map(wardrobe.stream, _HALVES)), _HALVES)
    if name in catalog.CATALOG:
        return OfStreams(catalog.stream(name, progress), _HALVES)
    if not path.is_file():
        raise _unknown(name, "is no file, no folder and no known name")
    if path.suffix in (".npy", ".npz"):
        from engram.datasets import arrays

        found_there = arrays.streams(path, *keys)
        return OfStreams(tuple(found_there.values()), tuple(filter(None, found_there)))
    return OfStreams((_of_idx(path),))


def _is_archive(name: str) -> bool:
    """Whether it is an archive's URL, or a shard set. Raises UnknownData for another URL."""
    if not is_url(name):
        return Path(name).name == MANIFEST or (Path(name) / MANIFEST).is_file()
    if Path(shown(name)).suffix not in (".egm", ".json"):
        raise UnknownData(f"{shown(name)}: by URL, DATA is an archive, .egm, or a shard set's manifest, .json")
    return True


def _of_idx(path: Path) -> Stream:
    with open(path, "rb") as file:
        start = file.read(2)
    if start in (b"\0\0", b"\x1f\x8b"):
        from engram.datasets import idx

        return idx.stream_set(path)
    raise _unknown(str(path), "is a file of a format that is not read")


def _unknown(name: str, reason: str) -> UnknownData:
    from engram.datasets import catalog

    known = [*catalog.CATALOG, "wardrobe"]
    close = difflib.get_close_matches(name, known, n=1)
    return UnknownData(
        f"{name!r} {reason}{f'; did you mean {close[0]}?' if close else '.'} "
        f"DATA is {', '.join(known)} (with :train or :test), an IDX file, a folder of pictures, a picture, "
        f"or a file {', '.join(_SUFFIXES)}"
    )


def draw_split(images: ImageSet, counts: Mapping[str, int], seed: int) -> dict[str, ImageSet]:
    """Disjoint random subsets by name, of the sizes asked for, each image as likely as any other.

    The first count indices of `numpy.random.default_rng(seed).permutation(n)` make the first subset, and so on.
    Raises TooFewImages.
    """
    needed = sum(counts.values())
    if min(counts.values(), default=0) < 0:
        raise UsageError(f"a subset cannot have fewer than 0 images: {dict(counts)}")
    if needed > len(images):
        parts = " + ".join(f"{count:,} {name}" for name, count in counts.items())
        raise TooFewImages(f"{parts} = {needed:,} images are needed, there are {len(images):,}; ask for fewer")
    order = np.random.default_rng(seed).permutation(len(images))
    ends = np.cumsum(list(counts.values()), dtype=np.int64)
    return {name: images[order[end - count : end]] for (name, count), end in zip(counts.items(), ends, strict=True)}
