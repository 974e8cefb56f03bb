"""Collection: pictures of any sizes and kinds with the table of what is known of them, read as often as asked.

How many there are, their sizes, kinds and columns are known before; pixels are read as they pass. A format says how
its pictures are read; how they share cells, `cells.py` says.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from engram.datasets.cells import LARGEST, Group, cut, may_be_files, share
from engram.datasets.notices import Notice
from engram.datasets.stream import Stream, in_pieces, without_pixels
from engram.errors import UsageError
from engram.images import ImageSet, classes_of
from engram.kinds import KINDS, AnyPixels, Kind
from engram.table import Column, joined, missing


class MixedSizes(UsageError):
    """Pictures of more than one size or kind, where all have to be of one."""


class NoSuchSplit(UsageError):
    """A split of something that does not come divided, or by a name that none of its splits has."""


class Collection(ABC):
    """Pictures in order.

    name: what messages call it. table: their columns. sizes: int32[n, 2], height and width of each. kinds: those that
    there are; kind_numbers: uint8[n], which of them each is of. notices: what is done to pictures so that they can be
    taken. files: what is kept beside them, by its path. is_lossy: whether they have lost something already.
    as_files: bool[n], which come back as the files that they are, where nothing may be lost: JPEG files; None for none.
    notices_with_files: the notices then.
    """

    name: str
    table: dict[str, Column]
    sizes: NDArray[np.int32]
    kinds: tuple[Kind, ...]
    kind_numbers: NDArray[np.uint8]
    notices: tuple[Notice, ...] = ()
    notices_with_files: tuple[Notice, ...] | None = None
    files: dict[str, bytes]
    is_lossy: bool = False
    as_files: NDArray[np.bool_] | None = None

    @abstractmethod
    def read(self, rows: NDArray[np.int64]) -> Sequence[AnyPixels]:
        """The pictures of some rows, each of its own size and kind."""

    @abstractmethod
    def where(self, row: int) -> str:
        """What messages call a picture."""

    def read_files(self, rows: NDArray[np.int64]) -> list[bytes]:
        """The files of some pictures, of those that have a size in `file_sizes`."""
        raise NotImplementedError

    @property
    def file_sizes(self) -> NDArray[np.int64]:
        """int64[n]: the bytes of the file that each picture is; 0 where it is none, or one of several in a file."""
        return np.zeros(len(self), np.int64)

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def is_uniform(self) -> bool:
        """Whether all pictures are of one size and kind; so they are where there is none."""
        return len(self.kinds) <= 1 and bool((self.sizes == self.sizes[:1]).all())

    @property
    def known(self) -> ImageSet:
        """What is known of all of them, in the form of a set of one size; pixels are none."""
        return self._known(np.arange(len(self)), (1, 1, 1))

    def _known(self, rows: NDArray[np.int64], shape: tuple[int, int, int]) -> ImageSet:
        table = {name: column[rows] for name, column in self.table.items()}
        labels, class_names = _classes(table.pop("label", None))
        path = table.pop("path", None)
        paths = None if path is None else tuple(path.values)
        return ImageSet(without_pixels((len(rows), *shape)), labels, class_names, paths, table)

    def groups(self, with_files: bool = False) -> list[Group]:
        """Every picture in one group of cells; one group of no pictures where there are none.

        with_files: those in `as_files` are in groups of files.
        """
        kept = np.zeros(len(self), bool)
        if with_files and self.as_files is not None:
            kept = self.as_files & may_be_files(self.sizes, self.kinds, self.kind_numbers)
        if self.is_uniform and self.sizes.max(initial=0) <= LARGEST and not kept.any():
            height, width = self._size()
            return [Group(self.kinds[0], (height, width), np.arange(len(self)), self.sizes)]
        return share(self.sizes, self.kinds, self.kind_numbers, kept=kept)

    def _size(self) -> tuple[int, int]:
        """(height, width) of all pictures, where they have one."""
        height, width = self.sizes[0].tolist()
        return height, width

    def cells(self, group: Group) -> Stream:
        """The cells of a group, as a stream of one size."""
        return _Cells(self, group)

    def stream(self) -> Stream:
        """All pictures as one stream, gray or RGB; gray beside RGB becomes RGB. Raises MixedSizes."""
        if not (self.sizes == self.sizes[:1]).all():
            other = int((self.sizes != self.sizes[0]).any(axis=1).argmax())
            sizes = [f"{width} x {height}" for height, width in self.sizes[[0, other]].tolist()]
            raise MixedSizes(
                f"{self.where(0)} is {sizes[0]} pixels, {self.where(other)} is {sizes[1]}: "
                "make them one size, or make a folder for each size"
            )
        names = {kind.name for kind in self.kinds}
        if not names <= {"gray", "rgb"}:
            number = next(k for k, kind in enumerate(self.kinds) if kind.name not in ("gray", "rgb"))
            row = int((self.kind_numbers == number).argmax())
            raise MixedSizes(f"{self.where(row)} is {self.kinds[number].name}, and gray or RGB is needed here")
        if len(names) == 2:
            gray = np.flatnonzero(self.kind_numbers == self.kinds.index(KINDS["gray"]))
            what = "gray beside colour: made RGB"
            warnings.warn(Notice(what, len(gray), len(self), self.where(int(gray[0]))), stacklevel=3)
        return _Alike(self, 1 if names == {"gray"} else 3)


class OfStreams(Collection):
    """Streams of one size, one after another. splits: what each of them is called, where they are splits."""

    def __init__(self, parts: Sequence[Stream], splits: Sequence[str] = ()) -> None:
        self.splits = tuple(splits)
        self.parts, first = tuple(parts), parts[0].known
        self.name, self.files = parts[0].name.removesuffix(f":{splits[0]}" if splits else ""), {}
        self.notices = tuple(notice for part in parts for notice in part.notices)
        tables = [dict(part.known.table()) for part in parts]
        for number, table in enumerate(tables if splits else ()):
            table["split"] = Column("category", np.full(len(parts[number]), number, np.int64), self.splits)
        names = dict.fromkeys(name for table in tables for name in table)
        blanks = [missing(len(part)) for part in parts]
        self.table = {
            name: joined([table.get(name, blank) for table, blank in zip(tables, blanks, strict=True)])
            for name in names
        }
        shapes = [part.image_shape for part in parts]
        if len({part.known.images.dtype for part in parts} | {shape[2] for shape in shapes}) > 2:
            raise UsageError(f"the halves of DATA have images of {' and '.join(map(str, shapes))}; make them one size")
        self.kinds = (part_kind(first.images),)
        self.sizes = np.concatenate(
            [np.broadcast_to(np.array(s[:2], np.int32), (len(p), 2)) for s, p in zip(shapes, parts, strict=True)]
        )
        self.kind_numbers = np.zeros(len(self.sizes), np.uint8)
        self._starts = np.cumsum([0] + [len(part) for part in parts])

    def read(self, rows: NDArray[np.int64]) -> Sequence[AnyPixels]:
        found: list[AnyPixels | None] = [None] * len(rows)
        for number, part in enumerate(self.parts):
            mine = np.flatnonzero((rows >= self._starts[number]) & (rows < self._starts[number + 1]))
            for at, row in zip(mine.tolist(), (rows[mine] - self._starts[number]).tolist(), strict=True):
                [piece] = part.pieces(range(row, row + 1))
                found[at] = piece.images[0]
        return [each for each in found if each is not None]

    def where(self, row: int) -> str:
        return f"{self.name}, image {row}"

    def _size(self) -> tuple[int, int]:
        return self.parts[0].image_shape[:2]

    def cells(self, group: Group) -> Stream:
        if self.is_uniform and group.is_whole(self.sizes):
            return self.parts[0] if len(self.parts) == 1 else _Chained(self.parts)
        return super().cells(group)

    def part(self, split: str) -> Stream:
        """That of a split. Raises NoSuchSplit."""
        if split not in self.splits:
            known = f"it has {', '.join(self.splits)}" if self.splits else f"leave out :{split}"
            raise NoSuchSplit(f"{self.name} has no split {split!r}; {known}")
        return self.parts[self.splits.index(split)]

    def stream(self) -> Stream:
        if len(self.parts) == 1:
            return self.parts[0]
        if not self.is_uniform:
            shapes = " and ".join("{} x {}".format(*part.image_shape) for part in self.parts)
            raise MixedSizes(f"{self.name} has splits of images of {shapes}; take one of them, {self.name}:SPLIT")
        return _Chained(self.parts, self._known(np.arange(len(self)), self.parts[0].image_shape))


class OfPictures(Collection):
    """Pictures that are in memory, of any sizes and kinds."""

    def __init__(self, name: str, pictures: Sequence[AnyPixels], table: dict[str, Column]) -> None:
        from engram.kinds import kind_of

        self.name, self.table, self.files, self._pictures = name, table, {}, tuple(pictures)
        self.sizes = np.array([picture.shape[:2] for picture in pictures], np.int32).reshape(-1, 2)
        kinds = [kind_of(picture) for picture in pictures]
        self.kinds = tuple(dict.fromkeys(kinds))
        self.kind_numbers = np.array([self.kinds.index(kind) for kind in kinds], np.uint8)

    def read(self, rows: NDArray[np.int64]) -> Sequence[AnyPixels]:
        return [self._pictures[row] for row in rows.tolist()]

    def where(self, row: int) -> str:
        return f"picture {row}"


def _classes(label: Column | None) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """(numbers of classes, their names) of a column without a missing value; none of one that names no classes."""
    if label is None or label.present is not None:
        return None, ()
    if label.type == "category":
        return label.values, label.categories
    try:
        return classes_of(label.array().tolist())
    except UsageError:
        return None, ()


def tell_of_files(collection: Collection, kept: bool) -> None:
    """Warns of JPEG files that do not come back as files; kept: whether those do that are not too large."""
    if collection.as_files is None:
        return
    words = "JPEG files whose pixels are packed, which come back as PNG files; without a dial or a model the files do"
    lost = collection.as_files
    if kept:
        lost = lost & ~may_be_files(collection.sizes, collection.kinds, collection.kind_numbers)
        words = "JPEG files of too many pixels to be kept as files: they come back as PNG files"
    rows = np.flatnonzero(lost)
    if len(rows):
        warnings.warn(Notice(words, len(rows), len(collection), collection.where(int(rows[0]))), stacklevel=3)


def part_kind(images: AnyPixels) -> Kind:
    """The kind of a set's pictures."""
    from engram.kinds import kind_of

    return kind_of(images)


class _Alike(Stream):
    """Pictures of one size, gray or RGB."""

    def __init__(self, collection: Collection, channels: int) -> None:
        self._collection, self._channels = collection, channels
        self.name = collection.name
        height, width = collection.sizes[0].tolist() if len(collection) else (1, 1)
        self.known = collection._known(np.arange(len(collection)), (height, width, channels))

    def pixels(self, rows: range) -> Iterator[NDArray[np.uint8]]:
        for some in in_pieces(rows, self.image_shape):
            found = self._collection.read(np.arange(some.start, some.stop, some.step))
            yield np.stack([each if each.shape[2] == self._channels else each.repeat(3, 2) for each in found])


class _Chained(Stream):
    """Streams of one size, one after another. known: what is known of all of them, if that is asked for."""

    def __init__(self, parts: Sequence[Stream], known: ImageSet | None = None) -> None:
        self._parts, self.name = parts, parts[0].name
        shape = (sum(map(len, parts)), *parts[0].image_shape)
        self.known = known or ImageSet(without_pixels(shape, parts[0].known.images.dtype))

    def pixels(self, rows: range) -> Iterator[NDArray[np.uint8]]:
        first = 0
        for part in self._parts:
            start = next((k for k in range(len(rows)) if rows[k] >= first), len(rows)) if rows.step > 1 else None
            if start is None:
                mine = range(max(0, rows.start - first), max(0, min(len(part), rows.stop - first)))
            else:
                some = [row - first for row in rows[start:] if row < first + len(part)]
                mine = range(some[0], some[-1] + 1, rows.step) if some else range(0)
            for piece in part.pieces(mine) if mine else ():
                yield piece.images
            first += len(part)


class _Cells(Stream):
    """The cells of a group: whole pictures, padded ones, and tiles."""

    def __init__(self, collection: Collection, group: Group) -> None:
        self._collection, self._group = collection, group
        self.name = collection.name
        self.known = ImageSet(without_pixels((group.cells, *group.size, group.kind.channels), group.kind.dtype))

    def pixels(self, rows: range) -> Iterator[AnyPixels]:
        group = self._group
        for some in in_pieces(rows, self.image_shape):
            wanted = np.arange(some.start, some.stop, some.step)
            owners = np.searchsorted(group.first_cells, wanted, side="right") - 1
            needed, places = np.unique(owners, return_inverse=True)
            pictures = self._collection.read(group.rows[needed])
            cells = np.empty((len(wanted), *self.image_shape), group.kind.dtype)
            for at, (place, cell) in enumerate(zip(places.tolist(), wanted.tolist(), strict=True)):
                cut(pictures[place], cell - int(group.first_cells[owners[at]]), cells[at])
            yield cells
