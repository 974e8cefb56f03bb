"""DATA, the same everywhere: a name, a file or a folder becomes an ImageSet, or Splits where it comes divided.

| DATA                                   | gives                                                    |
|----------------------------------------|----------------------------------------------------------|
| `fashion-mnist`, `wardrobe`            | Splits                                                   |
| `fashion-mnist:test`, `wardrobe:train` | ImageSet                                                 |
| a folder of pictures                   | ImageSet; Splits if it has sub-folders `train` and `test` |
| `FOLDER:train`, `FOLDER:test`          | ImageSet: that half of a divided folder                  |
| an IDX file, plain or .gz              | ImageSet, with the labels file beside it if there is one |
| a .npy or .npz file                    | ImageSet                                                 |
| an archive, .egm, also by its URL      | ImageSet                                                 |
| a shard set, or its shards.json or URL | ImageSet                                                 |
| arrays, pictures, data sets in memory  | ImageSet; `handed` says which                            |
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.datasets.assortment import Assortment, of_one_size
from engram.datasets.progress import Progress, shifted
from engram.datasets.stream import InMemory, Stream, cannot_read
from engram.errors import EngramError, UsageError
from engram.images import ImageSet, Splits
from engram.storage import is_url, shown

_READERS = {
    ".npy": "engram.datasets.arrays",
    ".npz": "engram.datasets.arrays",
    ".egm": "engram.archive.source",
}
"""Whose `stream` reads a suffix. Imported when such a file comes: archives lie a floor above this one."""

Data = str | Path | ImageSet | Splits | NDArray[Any] | Iterable[Any]
"""A name, or what a program hands over."""
MANIFEST = "shards.json"
"""What makes a folder a shard set."""


class UnknownData(UsageError):
    """A DATA that is neither a known name nor anything that can be read."""


class NoSuchSplit(UsageError):
    """A split of something that does not come divided, or by a name other than train and test."""


class TooFewImages(EngramError):
    """A set has fewer images than were to be drawn from it."""


def load(data: Data, progress: Progress | None = None) -> ImageSet | Splits:
    """What DATA names (see the table above), in memory; an ImageSet or Splits comes back as it is.

    Warns of every Notice. Raises UnknownData, NoSuchSplit, CannotRead, and whatever the format's own reader raises.
    """
    if isinstance(data, (ImageSet, Splits)):
        return data
    parts, sets = stream(data), list[ImageSet]()
    total = sum(map(len, parts))
    for part in parts:
        sets.append(part.load(shifted(progress, sum(map(len, sets)), total)))
    return sets[0] if len(sets) == 1 else Splits(*sets)


def stream(data: Data, progress: Progress | None = None) -> tuple[Stream, ...]:
    """What DATA names, to be read in pieces as it passes: one stream, or those of train and test where it is divided.

    `load` gives what they hold. `progress` is told of what must be done before: a download, a look at every picture.
    Warns of every Notice. Raises MixedSizes where `collection` gives an Assortment.
    """
    return tuple(of_one_size(collection(data, progress)))


def collection(data: Data, progress: Progress | None = None) -> tuple[Stream, ...] | Assortment:
    """What DATA names, of any sizes: as `stream` gives it, or an Assortment of all where sizes differ."""
    if isinstance(data, ImageSet):
        return (InMemory(data),)
    if isinstance(data, Splits):
        return tuple(map(InMemory, data))
    if not isinstance(data, str | Path):
        from engram.datasets import handed

        return handed.collection(data)
    found = _named(data, progress)
    for part in (found,) if isinstance(found, Assortment) else found:
        for notice in part.notices:
            warnings.warn(notice, stacklevel=3)
    return found


def _named(data: str | Path, progress: Progress | None) -> tuple[Stream, ...] | Assortment:
    """That of a name."""
    name, split = _divide(str(data))
    if name == "wardrobe":
        from engram.datasets import wardrobe

        return tuple(wardrobe.stream(half) for half in Splits._fields if split in ("", half))
    try:
        parts = _stream(name, split, progress)
    except OSError as error:
        raise cannot_read(name, error) from error
    if not split or isinstance(parts, Assortment) or (len(parts) == 1 and Path(name).is_dir()):
        return parts
    if len(parts) == 1:
        raise _undivided(name, split)
    return (parts[Splits._fields.index(split)],)


def _undivided(name: str, split: str) -> NoSuchSplit:
    return NoSuchSplit(f"{name} does not come divided into train and test; leave out :{split}")


def _divide(text: str) -> tuple[str, str]:
    """The name, and the split if it has one. Raises NoSuchSplit."""
    name, colon, split = text.rpartition(":")
    if not colon or is_url(text) or Path(text).exists():
        name, split = text, ""
    if split not in ("", *Splits._fields):
        raise NoSuchSplit(f"{text}: a split is called train or test, not {split!r}")
    return name, split


def absolute(data: str | Path) -> str:
    """The name by which a process in any folder finds DATA: a path from the root, or else the name as it is."""
    from engram.datasets import catalog

    name, split = _divide(str(data))
    if name == "wardrobe" or name in catalog.CATALOG or not Path(name).exists():
        return str(data)
    return f"{Path(name).absolute()}{split and ':'}{split}"


def _stream(name: str, split: str, progress: Progress | None) -> tuple[Stream, ...] | Assortment:
    """That of a name; a split is heeded by folders alone."""
    from engram.datasets import catalog

    path = Path(name)
    if _is_archive(name):
        if split:
            raise _undivided(name, split)
        return (import_module(_READERS[".egm"]).stream(name),)
    if name in catalog.CATALOG:
        return catalog.stream(name, progress)
    if path.is_dir():
        from engram.datasets import folders

        if split and not folders.has_splits(path):
            raise _undivided(name, split)
        return folders.collection(path, progress, split)
    if not path.is_file():
        raise _unknown(name, "is no file, no folder and no known name")
    if path.suffix in _READERS:
        return (import_module(_READERS[path.suffix]).stream(path),)
    return (_of_idx(path),)


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
        f"DATA is {', '.join(known)} (with :train or :test), an IDX file, a folder of pictures, "
        f"or a file {', '.join(_READERS)}"
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
