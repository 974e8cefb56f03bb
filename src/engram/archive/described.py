"""Described: what is known of the pictures of an archive, column by column, over all of its segments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from engram.archive.blocks import Blocks
from engram.archive.errors import CorruptColumn
from engram.archive.format import ROWS_IN_CHUNK, Directory
from engram.errors import UsageError
from engram.table import Column, joined, missing

_CHUNKS = 64
"""Chunks that look-ups leave behind."""


class Described(Blocks):
    """Segments with their columns."""

    @cached_property
    def _chunk_of(self) -> Callable[[int, str, int], Column]:
        """(segment, column, chunk) to the chunk; the last are kept."""
        return lru_cache(_CHUNKS)(lambda number, name, chunk: self.segment(number).chunk(name, chunk))

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """The names of all columns, in the order in which they came."""
        names = [column.name for source in self.sources for column in source.directory.columns]
        return tuple(dict.fromkeys(name for name in names if not name.startswith(".")))

    def column(self, name: str, rows: NDArray[np.int64] | None = None) -> Column:
        """A column, of all pictures or of some; no more of it is read than is asked for.

        Raises UsageError where there is none of this name, and CorruptColumn.
        """
        if name not in self.column_names:
            raise UsageError(f"{self.path} has no column {name!r}; it has {', '.join(self.column_names) or 'none'}")
        if rows is None:
            parts = [self._segment_column(number, name) for number in range(len(self.sources))]
            return self._in_categories(name, joined(parts))
        parts, places = [], list[NDArray[np.int64]]()
        for number, mine in self.by_segment(rows):
            directory, within = self.sources[number].directory, rows[mine] - self.first_rows[number]
            if not _has(directory, name):
                parts.append(missing(len(mine)))
                places.append(mine)
                continue
            chunks = within // ROWS_IN_CHUNK
            for chunk in np.unique(chunks).tolist():
                spots = chunks == chunk
                parts.append(self._chunk_of(number, name, chunk)[within[spots] - chunk * ROWS_IN_CHUNK])
                places.append(mine[spots])
        if not parts:
            newest = max(number for number, each in enumerate(self.sources) if _has(each.directory, name))
            return self.segment(newest).no_rows(name)
        order = np.argsort(np.concatenate(places), kind="stable")
        return self._in_categories(name, joined(parts)[order])

    def _segment_column(self, number: int, name: str) -> Column:
        directory = self.sources[number].directory
        return self.segment(number).column(name) if _has(directory, name) else missing(directory.rows)

    def _categories(self, name: str) -> tuple[str, ...]:
        """All that a column has: those of the newest segment begin with those before. A segment keeps its own."""
        for number in reversed(range(len(self.sources))):
            if _has(self.sources[number].directory, name):
                return self.segment(number).categories(name)
        return ()

    def _in_categories(self, name: str, column: Column) -> Column:
        """The column with all categories. Raises CorruptColumn where the newest segment lacks one."""
        if column.type != "category":
            return column
        names = self._categories(name)
        if column.categories == names:
            return column
        if column.categories == names[: len(column.categories)]:
            return Column("category", column.values, names, column.present)
        places = {each: number for number, each in enumerate(names)}
        if lacking := [each for each in column.categories if each not in places]:
            raise CorruptColumn(f"{self.path}: {name!r} has {lacking[0]!r}, which its newest segment does not know")
        moved = np.array([places[each] for each in column.categories], np.int64)
        return Column("category", moved[column.values], names, column.present)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """The classes' names, () where there are none. Raises CorruptColumn."""
        return self._categories("label") if "label" in self.column_names else ()

    def iterate_paths(self) -> Iterator[str] | None:
        """The paths one after another in constant memory, or None where there are none. Raises CorruptColumn."""
        return self._iterate_paths() if "path" in self.column_names else None

    def _iterate_paths(self) -> Iterator[str]:
        for number, source in enumerate(self.sources):
            if not _has(source.directory, "path"):
                raise CorruptColumn(f"{self.path}: some pictures have paths, and some have none")
            for chunk in self.segment(number).chunks("path"):
                yield from chunk.values

    def row_of(self, path: str) -> int:
        """The index of the picture of a path. Raises KeyError where there is none."""
        for number, source in enumerate(self.sources):
            heads = [column for column in source.directory.columns if column.name == "path"]
            if heads:
                found = self._row_in(number, path, heads[0].ordered)
                if found is not None:
                    return int(self.first_rows[number]) + found
        raise KeyError(path)

    def _row_in(self, number: int, path: str, ordered: bool) -> int | None:
        """The row of a segment. Where paths rise, few chunks are looked at."""
        low, high = 0, self.sources[number].directory.chunks
        if ordered:
            wanted = path.encode(errors="surrogatepass")
            while high - low > 1:
                middle = (low + high) // 2
                if self.segment(number).first_text("path", middle).encode() <= wanted:
                    low = middle
                else:
                    high = middle
        for chunk in range(low, high):
            found = self._chunk_of(number, "path", chunk) if ordered else self.segment(number).chunk("path", chunk)
            places = np.flatnonzero(found.values == path)
            if len(places):
                return chunk * ROWS_IN_CHUNK + int(places[0])
        return None


def _has(directory: Directory, name: str) -> bool:
    return any(column.name == name for column in directory.columns)
