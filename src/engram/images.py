"""ImageSet: a collection of images of one size, the value that crosses every floor."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.errors import UsageError
from engram.kinds import kind_of
from engram.table import Column, categories, columns_of, texts
from engram.words import counted

Pixels = NDArray[np.uint8]
"""uint8[n, h, w, c], c = 1 (gray) or 3 (RGB): what networks and codecs take."""

MOST_CLASSES = 1 << 20
"""Labels number classes; what is larger is something else."""


@dataclass(frozen=True, eq=False, repr=False)
class ImageSet:
    """Images with what is known of them; indexing by a slice or an index array gives an ImageSet again.

    images: uint8[n, h, w, c], c = 1 (gray) or 3 (RGB); with alpha 2 or 4; or uint16, c = 1 or 3. labels: int64[n], each
    below len(class_names), or None. paths: where n pictures lay below their folder, or None. columns: what else is
    known of each, by name. Raises UsageError where these do not fit together.

    It may be given uint8[n, h, w], labels as `classes_of` takes them, any sequences of paths, and of columns.
    """

    images: Pixels
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()
    paths: tuple[str, ...] | None = None
    columns: Mapping[str, Column] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.images, np.ndarray):
            raise UsageError(f"images must be a NumPy array, not a {type(self.images).__name__}")
        self._become(images=self.images[..., None] if self.images.ndim == 3 else self.images)
        try:
            for name in ("class_names", "paths"):
                given = getattr(self, name)
                if given is not None and type(given) is not tuple:
                    self._become(**{name: tuple(map(str, given))})
            labels: Any = self.labels
            if labels is not None and not isinstance(labels, np.ndarray):
                labels = list(labels)
        except TypeError as error:
            raise UsageError(f"labels, class names and paths are sequences ({error})") from None
        if labels is not None and (isinstance(labels, list) or labels.dtype != np.int64 or not self.class_names):
            whole, class_names = classes_of(labels, self.class_names)
            self._become(labels=whole, class_names=class_names)
        if self.images.ndim != 4:
            raise UsageError(f"images must be uint8[n, h, w, c], not {self.images.dtype}{list(self.images.shape)}")
        kind_of(self.images)
        self._become(columns=columns_of(self.columns, len(self)))
        self._check()

    def _check(self) -> None:
        """Raises UsageError where its parts do not fit together."""
        if 0 in self.images.shape[1:]:
            raise UsageError(f"images of {self.images.shape[1]} x {self.images.shape[2]} pixels hold nothing")
        if self.labels is not None:
            if self.labels.shape != (len(self),):
                raise UsageError(f"{len(self)} images need {len(self)} labels, not {self.labels.shape}")
            if len(self) and not 0 <= self.labels.min() <= self.labels.max() < len(self.class_names):
                raise UsageError(
                    f"labels run from {self.labels.min()} to {self.labels.max()}, "
                    f"but there are {len(self.class_names)} class names"
                )
        if self.paths is not None and len(self.paths) != len(self):
            raise UsageError(f"{len(self)} images need {len(self)} paths, not {len(self.paths)}")
        if taken := {"path", "label"} & self.columns.keys():
            raise UsageError(f"paths and labels are given as such, not as the column {taken.pop()!r}")

    def _become(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        height, width, channels = self.image_shape
        classes = "no labels" if self.labels is None else f"{len(self.class_names)} classes"
        return f"ImageSet({counted(len(self), 'image')} of {height} x {width} x {channels}, {classes})"

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[Pixels]:
        """Each image, uint8[h, w, c]."""
        return iter(self.images)

    def __getitem__(self, index: slice | ArrayLike) -> ImageSet:
        """The images at a slice, an index array or a boolean mask, in that order."""
        rows: Any = index if isinstance(index, slice) else np.arange(len(self))[index]  # type: ignore[index]
        if not isinstance(rows, slice) and rows.ndim == 0:
            raise UsageError("index an ImageSet by a slice or an array; one image is `set.images[i]`")
        paths = self.paths
        if paths is not None:
            paths = paths[rows] if isinstance(rows, slice) else tuple(paths[row] for row in rows.tolist())
        return replace(
            self,
            images=self.images[rows],
            labels=None if self.labels is None else self.labels[rows],
            paths=paths,
            columns={name: column[rows] for name, column in self.columns.items()},
        )

    @property
    def splits(self) -> tuple[str, ...]:
        """The values of the column `split`, in the order in which they come first; () where there is no such column."""
        column = self.columns.get("split")
        return () if column is None else tuple(dict.fromkeys(v for v in column.array().tolist() if v is not None))

    def split(self, name: str) -> ImageSet:
        """The images whose column `split` says so: split("train"). Raises UsageError where there are none."""
        rows = np.flatnonzero(self.columns["split"].mask(name)) if "split" in self.columns else np.empty(0, np.int64)
        if not len(rows):
            known = f"it has {', '.join(map(str, self.splits))}" if self.splits else "it does not come divided"
            raise UsageError(f"there is no split {name!r}; {known}")
        first, last = rows[[0, -1]].tolist()
        return self[first : last + 1] if last + 1 - first == len(rows) else self[rows]  # a slice copies no pixels

    def table(self) -> dict[str, Column]:
        """All that is known of the images but their pixels: path, label, then all other columns."""
        found = {} if self.paths is None else {"path": texts(self.paths)}
        if self.labels is not None:
            found["label"] = categories(self.labels, self.class_names)
        return found | dict(self.columns)

    def with_images(self, images: Pixels) -> ImageSet:
        """The same set and all that is known of it, with other pixels (recovered ones, say)."""
        return replace(self, images=images)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of each image."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels

    def fingerprint(self) -> str:
        """SHA-256 (hex) of shape, pixels and labels: equal sets, equal fingerprints."""
        digest = hashlib.sha256(repr(self.images.shape).encode())
        digest.update(np.ascontiguousarray(self.images).data)
        if self.labels is not None:
            digest.update(np.ascontiguousarray(self.labels).data)
        return digest.hexdigest()


def classes_of(labels: Iterable[Any], class_names: Iterable[str] = ()) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """(int64[n], the names of the classes) of labels that are whole numbers from 0 on, or texts.

    class_names: of the numbers, or all that there are of the texts; else numbers are named by themselves, and texts are
    sorted. Raises UsageError for other labels: nothing is cut to a whole number in silence.
    """
    given, names = [each.item() if isinstance(each, np.generic) else each for each in labels], tuple(class_names)
    if all(isinstance(label, str) for label in given) and given:
        names = names or tuple(sorted(set(given)))
        places = {name: place for place, name in enumerate(names)}
        if missing := sorted(set(given) - places.keys()):
            raise UsageError(f"a label is {missing[0]!r}, which is none of the classes {', '.join(names)}")
        return np.array([places[label] for label in given], np.int64), names
    if strange := sorted({type(label).__name__ for label in given if not isinstance(label, int)}):
        raise UsageError(f"a label is a whole number or a text, not {', '.join(strange)}")
    if given and not 0 <= min(given) <= max(given) < MOST_CLASSES:
        wrong = min(given) if min(given) < 0 else max(given)
        raise UsageError(f"labels are whole numbers from 0 to {MOST_CLASSES - 1}, not {wrong}")
    whole = np.array(given, np.int64)
    return whole, names or _numbered(whole)


def _numbered(labels: NDArray[np.int64]) -> tuple[str, ...]:
    return tuple(map(str, range(int(labels.max(initial=-1)) + 1)))
