"""What a program hands over in place of a name: an array, pictures of any sizes, or a data set of PyTorch's kind.

| data                                                     | becomes                                    |
|----------------------------------------------------------|--------------------------------------------|
| uint8[n, h, w], uint8[n, h, w, c]                        | images without labels                      |
| a sequence or an iterable of pictures                    | images without labels, of any sizes        |
| one of (picture, label) pairs, as torchvision's sets are | images with labels, `classes` their names  |
| one of {"image": picture, "label": label}, as Hugging Face's are | the same, named by `features`      |

A picture is uint8[h, w], uint8[h, w, c], c = 1 or 3, or one of Pillow's. A label is what `images.classes_of` takes.
Nothing is scaled or cut to integers in silence.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.datasets.assortment import Assortment, Files
from engram.datasets.canvases import lay
from engram.datasets.notices import Notice
from engram.datasets.stream import InMemory
from engram.errors import UsageError
from engram.images import ImageSet, Pixels, classes_of

KINDS = "uint8[n, h, w] or uint8[n, h, w, c], pictures, (picture, label) pairs, or mappings with 'image' and 'label'"


def collection(data: Any) -> tuple[InMemory] | Assortment:
    """The images, of one size or of many. Raises UsageError for what is none of the above."""
    if isinstance(data, np.ndarray) and data.dtype != object:
        return (InMemory(ImageSet(_with_channels(data, 3))),)
    if not isinstance(data, Iterable) and not hasattr(data, "__getitem__"):
        raise UsageError(f"DATA is a path, a name, or {KINDS}, not {type(data).__name__}")
    pictures, labels, others = list[Pixels](), list[Any](), dict[str, int]()
    for number, item in enumerate(_items(data)):
        picture, label = _divided(item, others)
        pictures.append(_picture(picture, number))
        labels += [] if label is None else [label]
    if not labels and (known := getattr(data, "labels", None)) is not None:  # an archive's, say
        labels = list(known)
    if others:
        what = f"columns that an archive cannot hold ({', '.join(others)}): left out"
        warnings.warn(Notice(what, max(others.values()), len(pictures), "picture 0"), stacklevel=4)
    if not pictures:
        raise UsageError("DATA has no picture in it")
    if labels and len(labels) != len(pictures):
        raise UsageError(f"{len(labels):,} of {len(pictures):,} pictures have a label; all have one, or none has")
    whole, class_names = classes_of(labels, _class_names(data)) if labels else (None, ())
    gray = [number for number, picture in enumerate(pictures) if picture.shape[2] == 1]
    if 0 < len(gray) < len(pictures):
        from engram.datasets.kinds import Change  # it brings Pillow

        warnings.warn(Notice(Change.WIDENED.value, len(gray), len(pictures), f"picture {gray[0]}"), stacklevel=4)
        pictures = [picture.repeat(3, 2) if picture.shape[2] == 1 else picture for picture in pictures]
    if len({picture.shape for picture in pictures}) == 1:
        return (InMemory(ImageSet(np.stack(pictures), whole, class_names, getattr(data, "names", None))),)
    return _InMemory(pictures, whole, class_names)


def _items(data: Any) -> Iterator[Any]:
    """In order; a data set that can only be indexed ends where its length says, or an IndexError."""
    if isinstance(data, Iterable):
        yield from data
        return
    for row in range(len(data)) if hasattr(data, "__len__") else count():
        try:
            item = data[row]
        except IndexError:
            return
        yield item


def _divided(item: Any, others: dict[str, int]) -> tuple[Any, Any]:
    """(picture, label or None); in `others` it is counted what else mappings have."""
    if isinstance(item, Mapping):
        found = [key for key in ("image", "img") if key in item]
        if not found:
            raise UsageError(f"a mapping has its picture under 'image', not only {', '.join(map(repr, item))}")
        for key in item:
            if key not in (found[0], "label"):
                others[key] = others.get(key, 0) + 1
        return item[found[0]], item.get("label")
    if isinstance(item, tuple | list) and len(item) == 2:
        return item[0], item[1]
    return item, None


def _picture(item: Any, number: int) -> Pixels:
    """uint8[h, w, c]."""
    if hasattr(item, "getbands"):  # one of Pillow's
        from engram.datasets.kinds import taken

        item = taken(item, f"picture {number}")
    if not isinstance(item, np.ndarray):
        raise UsageError(f"picture {number} is a {type(item).__name__}; DATA is {KINDS}")
    return _with_channels(item, 2)


def _with_channels(array: NDArray[Any], plain: int) -> Pixels:
    if array.dtype != np.uint8:
        raise UsageError(f"pixels are uint8, 0 to 255, not {array.dtype}; scale and convert them first")
    array = array[..., None] if array.ndim == plain else array
    if 0 in array.shape[-3:-1]:
        raise UsageError(f"a picture has a pixel at least, not uint8{list(array.shape)}")
    if array.ndim != plain + 1 or array.shape[-1] not in (1, 3):
        raise UsageError(f"DATA is {KINDS}, c = 1 or 3, not uint8{list(array.shape)}")
    return np.ascontiguousarray(array)


def _class_names(data: Any) -> tuple[str, ...]:
    """Those that a data set says its classes have."""
    features = getattr(data, "features", None)
    named = getattr(features["label"], "names", None) if isinstance(features, Mapping) and "label" in features else None
    return tuple(named or getattr(data, "classes", ()) or getattr(data, "class_names", ()) or ())


@dataclass(frozen=True, eq=False, init=False)
class _InMemory(Assortment):
    """Pictures of many sizes in memory, named by their numbers."""

    pictures: tuple[Pixels, ...]

    def __init__(self, pictures: Sequence[Pixels], labels: NDArray[np.int64] | None, classes: tuple[str, ...]) -> None:
        digits = len(str(len(pictures) - 1))
        names = tuple(f"{number:0{digits}}.png" for number in range(len(pictures)))
        sizes = np.array([picture.shape[:2] for picture in pictures], np.int32)
        files = Files((Path(),), np.array([len(pictures)]), names)
        super().__init__("DATA", files, sizes, pictures[0].shape[2], labels, classes, ())
        object.__setattr__(self, "pictures", tuple(pictures))

    def read(self, rows: NDArray[np.int64], size: tuple[int, int]) -> Pixels:
        images = np.empty((len(rows), *size, self.channels), np.uint8)
        for row, canvas in zip(rows.tolist(), images, strict=True):
            lay(self.pictures[row], canvas)
        return images
