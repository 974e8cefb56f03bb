"""What a program hands over in place of a name: an array, pictures of any sizes, or a data set of PyTorch's kind.

| data                                                     | becomes                                    |
|----------------------------------------------------------|--------------------------------------------|
| uint8[n, h, w], uint8[n, h, w, c], uint16 likewise       | pictures of one size                       |
| a sequence or an iterable of pictures                    | pictures of any sizes and kinds            |
| one of (picture, label) pairs, as torchvision's sets are | pictures with labels, `classes` their names |
| one of {"image": picture, "label": label, ...}, as Hugging Face's are | the same with columns, named by `features` |
| an archive, or a part of one                             | its pictures with all of its columns       |

A picture is uint8[h, w], uint8[h, w, c], c = 1 to 4, uint16 with c = 1 or 3, or one of Pillow's. A label is what
`images.classes_of` takes. Nothing is scaled or cut to integers in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.datasets.collection import Collection, OfPictures, OfStreams
from engram.datasets.names import are_paths
from engram.datasets.notices import Notice
from engram.datasets.stream import InMemory
from engram.errors import UsageError
from engram.images import ImageSet, classes_of
from engram.kinds import AnyPixels, kind_of
from engram.table import Column, column_of, texts

KINDS = "uint8[n, h, w] or uint8[n, h, w, c], pictures, (picture, label) pairs, or mappings with 'image' and 'label'"


def collection(data: Any) -> Collection:
    """The pictures with what is known of them. Raises UsageError for what is none of the above."""
    if isinstance(data, np.ndarray) and data.dtype != object:
        return OfStreams((InMemory(ImageSet(_with_channels(data, 3))),))
    if not isinstance(data, Iterable) and not hasattr(data, "__getitem__"):
        raise UsageError(f"DATA is a path, a name, or {KINDS}, not {type(data).__name__}")
    if hasattr(data, "archive") and hasattr(data, "table"):
        return OfPictures("DATA", list(data), {name: data.column(name) for name in data.column_names})
    pictures, known = list[AnyPixels](), dict[str, list[Any]]()
    for number, item in enumerate(_items(data)):
        picture, more = _divided(item)
        pictures.append(_picture(picture, number))
        for name in more:
            known.setdefault(name, [None] * number)
        for name, values in known.items():
            values.append(more.get(name))
    if not pictures:
        raise UsageError("DATA has no picture in it")
    table, lost = _table(data, known, len(pictures))
    found = OfPictures("DATA", pictures, table)
    if lost:
        what = f"columns that an archive cannot hold ({', '.join(lost)}): left out"
        found.notices = (Notice(what, len(pictures), len(pictures), "picture 0"),)
    return found


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


def _divided(item: Any) -> tuple[Any, dict[str, Any]]:
    """(picture, what else is known of it)."""
    if isinstance(item, Mapping):
        found = [key for key in ("image", "img") if key in item]
        if not found:
            raise UsageError(f"a mapping has its picture under 'image', not only {', '.join(map(repr, item))}")
        return item[found[0]], {str(key): value for key, value in item.items() if key != found[0]}
    if isinstance(item, tuple | list) and len(item) == 2:
        return item[0], {"label": item[1]}
    return item, {}


def _picture(item: Any, number: int) -> AnyPixels:
    """uint8 or uint16[h, w, c]."""
    if hasattr(item, "getbands"):  # one of Pillow's
        from engram.datasets.kinds import taken

        item = taken(item, f"picture {number}")
    if not isinstance(item, np.ndarray):
        raise UsageError(f"picture {number} is a {type(item).__name__}; DATA is {KINDS}")
    return _with_channels(item, 2)


def _with_channels(array: NDArray[Any], plain: int) -> AnyPixels:
    if array.dtype.kind != "u" or array.dtype.itemsize > 2:
        raise UsageError(f"pixels are uint8, 0 to 255, or uint16, not {array.dtype}; scale and convert them first")
    array = array[..., None] if array.ndim == plain else array
    if 0 in array.shape[-3:-1]:
        raise UsageError(f"a picture has a pixel at least, not {array.dtype}{list(array.shape)}")
    if array.ndim != plain + 1:
        raise UsageError(f"DATA is {KINDS}, not {array.dtype}{list(array.shape)}")
    found = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    kind_of(found)
    return found


def _table(data: Any, known: dict[str, list[Any]], rows: int) -> tuple[dict[str, Column], list[str]]:
    """(the columns, the names of those that no column can hold)."""
    named, lost = _class_names(data), list[str]()
    table = _paths(data, known, rows)
    labels = known.pop("label", None) or _attribute(data, "labels", rows) or []
    label = _label([None if each == -1 and named else each for each in map(_plain, labels)], named)
    table |= {} if label is None else {"label": label}
    for name, values in known.items():
        try:
            table[name] = column_of(values, f"column {name!r}")
        except UsageError:
            lost.append(name)
    return table, lost


def _paths(data: Any, known: dict[str, list[Any]], rows: int) -> dict[str, Column]:
    """The column of paths, if there is one that can name files; else what is called so stays, by another name."""
    for name in ("path", "file_name"):
        values = known.pop(name, None)
        if values is not None and are_paths(values):
            return {"path": texts(values)}
        if values is not None:
            known[f"metadata_{name}"] = values
    values = _attribute(data, "paths", rows) or _attribute(data, "names", rows)
    return {"path": texts(list(map(str, values)))} if values else {}


def _attribute(data: Any, name: str, rows: int) -> list[Any] | None:
    """What a data set says of all of its pictures, if it does."""
    values = getattr(data, name, None)
    if values is None or callable(values) or not isinstance(values, Iterable):
        return None
    found = list(values)
    if len(found) != rows:
        raise UsageError(f"DATA has {len(found):,} {name} for {rows:,} pictures")
    return found


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _label(values: list[Any], names: tuple[str, ...]) -> Column | None:
    """The column of labels, if there is one."""
    present = np.array([value is not None for value in values], bool)
    if not present.any():
        return None
    whole, names = classes_of([value for value in values if value is not None], names)
    numbers = np.zeros(len(values), np.int64)
    numbers[present] = whole
    return Column("category", numbers, names, None if present.all() else present)


def _class_names(data: Any) -> tuple[str, ...]:
    """Those that a data set says its classes have."""
    features = getattr(data, "features", None)
    named = getattr(features["label"], "names", None) if isinstance(features, Mapping) and "label" in features else None
    return tuple(named or getattr(data, "classes", ()) or getattr(data, "class_names", ()) or ())
