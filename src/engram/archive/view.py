"""Pictures: what an archive has in common with a View, the part of it that `where` picks; and the Table of columns."""

from __future__ import annotations

import operator
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.archive.format import ROWS_IN_CHUNK
from engram.errors import MissingLibrary
from engram.kinds import AnyPixels
from engram.table import Column
from engram.words import counted

if TYPE_CHECKING:
    from engram.archive.archive import Archive


class Pictures(Sequence[AnyPixels]):
    """A sequence of pictures with a table of what is known of them."""

    @property
    @abstractmethod
    def archive(self) -> Archive:
        """The archive that they lie in."""

    @property
    @abstractmethod
    def rows(self) -> NDArray[np.int64]:
        """Their indices in the archive."""

    @property
    @abstractmethod
    def sizes(self) -> NDArray[np.int64]:
        """int64[n, 2]: the height and width of each picture. Raises CorruptColumn."""

    @property
    @abstractmethod
    def column_names(self) -> tuple[str, ...]:
        """The names of all columns, in the order in which they came."""

    @property
    @abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """The classes' names, () where there are none. Raises CorruptColumn."""

    @abstractmethod
    def column(self, name: str, rows: NDArray[np.int64] | None = None) -> Column:
        """A column, of all pictures or of some. Raises UsageError where there is none of this name, CorruptColumn."""

    @abstractmethod
    def batches(self) -> Iterator[tuple[NDArray[np.int64], Any]]:
        """(places, their pictures), all of them, in the order in which they are stored, in constant memory."""

    @abstractmethod
    def runs(self) -> Iterator[NDArray[np.int64]]:
        """The places of `batches`."""

    @property
    def table(self) -> Table:
        """All columns by their names, as NumPy arrays."""
        return Table(self)

    @cached_property
    def labels(self) -> NDArray[np.int64] | None:
        """int64[n], numbers in class_names, or None where there are none. Raises CorruptColumn."""
        labels = self.labels_of(None)
        if labels is not None:
            labels.flags.writeable = False
        return labels

    def labels_of(self, rows: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
        """The labels of some pictures, or None; no others are read where they lie apart. A missing one is -1."""
        if "label" not in self.column_names:
            return None
        column = self.column("label", rows)
        labels = column.values if column.type == "category" else None
        if labels is not None and column.present is not None:
            labels = np.where(column.present, labels, -1)
        return labels

    @property
    def paths(self) -> Paths | None:
        """The pictures' paths below their folder, read when they are asked for; None where they have none."""
        return Paths(self) if "path" in self.column_names else None

    def where(self, **wanted: Any) -> View:
        """The pictures whose columns have these values: where(split="train", label=["cat", "dog"]).

        A list, set or tuple means any of its values, None a missing value. Raises UsageError for an unknown column.
        """
        found = np.ones(len(self), bool)
        for name, value in wanted.items():
            found &= self.column(name).mask(value)
        return View(self.archive, self.rows[found])

    def rows_at(self, index: ArrayLike) -> NDArray[np.intp]:
        """Non-negative places of an index array or mask. Raises IndexError."""
        found = np.asarray(index)
        if found.dtype == bool and found.shape == (len(self),):
            return np.flatnonzero(found)
        if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
            raise IndexError(
                f"index images by a list of integers or a mask of {len(self)}, not {found.dtype}{list(found.shape)}"
            )
        for beyond in found[(found >= len(self)) | (found < -len(self))][:1].tolist():
            raise self.outside(beyond)
        rows = found.astype(np.intp)
        rows[rows < 0] += len(self)
        return rows

    def outside(self, row: int) -> IndexError:
        """The error for an index that there is not."""
        return IndexError(f"image {row} is not among the {counted(len(self), 'image')} of {self.archive.path}")

    def __iter__(self) -> Iterator[AnyPixels]:
        """Each picture, decoded many at a time in constant memory."""
        step = max(1, (1 << 24) // max(1, self.archive.block_bytes)) * 64
        for start in range(0, len(self), step):
            yield from self[start : start + step]

    def __contains__(self, image: object) -> bool:
        """Whether a picture has exactly these pixels; all are looked through. A text is asked of the paths."""
        if isinstance(image, str):
            return any(path == image for path in self.paths or ())
        return any(np.array_equal(image, each) for each in self)  # type: ignore[arg-type]

    def index(self, image: ArrayLike, start: int = 0, stop: int | None = None) -> int:
        """Where the first picture with exactly these pixels is. Raises ValueError where there is none."""
        for row in range(*slice(start, stop).indices(len(self))):
            if np.array_equal(image, self[row]):
                return row
        raise ValueError("no image has these pixels")

    def count(self, image: ArrayLike) -> int:
        """How many pictures have exactly these pixels."""
        return sum(np.array_equal(image, each) for each in self)


class View(Pictures):
    """Some pictures of an archive, in an order; what it is asked is asked of the archive."""

    def __init__(self, archive: Archive, rows: NDArray[np.int64]) -> None:
        self._archive, self._rows = archive, rows

    @property
    def archive(self) -> Archive:
        return self._archive

    @property
    def rows(self) -> NDArray[np.int64]:
        return self._rows

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        found: NDArray[np.int64] = self._archive.sizes[self._rows]
        return found

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of all pictures. Raises ManySizes where these differ."""
        return self._archive.image_shape

    @property
    def column_names(self) -> tuple[str, ...]:
        return self._archive.column_names

    @property
    def class_names(self) -> tuple[str, ...]:
        return self._archive.class_names

    def column(self, name: str, rows: NDArray[np.int64] | None = None) -> Column:
        return self._archive.column(name, self._rows if rows is None else self._rows[rows])

    def batches(self) -> Iterator[tuple[NDArray[np.int64], Any]]:
        for rows, images in self._archive.batches(self._rows):
            yield self._places_of(rows), images

    def runs(self) -> Iterator[NDArray[np.int64]]:
        yield from map(self._places_of, self._archive.runs(self._rows))

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        return np.argsort(self._rows)

    def _places_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        found: NDArray[np.int64] = self._order[np.searchsorted(self._rows, rows, sorter=self._order)]
        return found

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        """As of an archive: uint8[h, w, c] of an index or a path; of several an array or a list."""
        if isinstance(index, str):
            row = self._archive.row_of(index)
            if row not in self._rows:
                raise KeyError(index)
            return self._archive[row]
        if isinstance(index, slice):
            return self._archive.gather(self._rows[index])
        if np.ndim(index):
            return self._archive.gather(self._rows[self.rows_at(index)])
        row = operator.index(index)
        if not -len(self) <= row < len(self):
            raise self.outside(row)
        return self._archive[int(self._rows[row])]

    def __repr__(self) -> str:
        return f"<{len(self):,} of the {counted(len(self._archive), 'image')} of {self._archive.path}>"


class Table(Mapping[str, NDArray[Any]]):
    """Columns by their names, as NumPy arrays: numbers as such, texts, lists and JSON as objects.

    Missing values are NaN among numbers, None among objects, and masked among integers and booleans. A column is read
    when it is asked for. Raises KeyError for one that there is not, and CorruptColumn.
    """

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._pictures.column_names:
            raise KeyError(name)
        return self._pictures.column(name).array()

    def __iter__(self) -> Iterator[str]:
        return iter(self._pictures.column_names)

    def __len__(self) -> int:
        return len(self._pictures.column_names)

    def to_pandas(self) -> Any:
        """A pandas.DataFrame of all columns. Raises MissingLibrary without pandas."""
        try:
            import pandas  # type: ignore[import-untyped]
        except ModuleNotFoundError:
            raise MissingLibrary("a DataFrame needs pandas; `pip install pandas` brings it") from None
        found = {}
        for name in self:
            column = self._pictures.column(name)
            values = column.array()
            if column.type == "category":
                values = pandas.Categorical(values, categories=list(column.categories))
            elif isinstance(values, np.ma.MaskedArray):
                values = pandas.array(values.tolist(), dtype="Int64" if column.type == "integer" else "boolean")
            found[name] = values
        return pandas.DataFrame(found)

    def __repr__(self) -> str:
        return f"<Table of {counted(len(self._pictures), 'row')}: {', '.join(self) or 'no columns'}>"


class Paths(Sequence[str]):
    """Paths, read in chunks when they are asked for: len, p[i], p[i:j], iteration; equal to a sequence of the same."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: Any) -> Any:
        """A path; a tuple of paths of a slice."""
        if isinstance(index, slice):
            return tuple(self._some(np.arange(*index.indices(len(self)))))
        row = operator.index(index)
        if not -len(self) <= row < len(self):
            raise self._pictures.outside(row)
        return self._some(np.array([row % len(self)]))[0]

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), ROWS_IN_CHUNK):
            yield from self._some(np.arange(start, min(start + ROWS_IN_CHUNK, len(self))))

    def _some(self, rows: NDArray[np.int64]) -> list[str]:
        column = self._pictures.column("path", rows)
        if column.type == "category" or column.present is not None:
            return [column.value(row) or "" for row in range(len(column))]
        found: list[str] = column.values.tolist()
        return found

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(mine == yours for mine, yours in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{counted(len(self), 'path')} of {self._pictures.archive.path}>"
