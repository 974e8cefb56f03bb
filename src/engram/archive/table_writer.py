"""Columns into pieces, as they come in, rows by rows: a chunk is deflated as soon as it is full."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from engram.archive import columns
from engram.archive.format import ROWS_IN_CHUNK, ColumnHead
from engram.datasets.names import UnsafeName, check_class_names, check_path
from engram.errors import UsageError
from engram.table import MOST_CATEGORIES, Column, joined


def check_table(table: Mapping[str, Column], rows: int) -> None:
    """Raises what a Writer would of a table, before a pixel is read; nothing is deflated."""
    ColumnsWriter().check(table, rows)


class ColumnsWriter:
    """Columns as they come in, rows by rows, deflated as soon as a chunk is full."""

    def __init__(self) -> None:
        self.rows = 0
        self._names: tuple[str, ...] | None = None
        self._pending = dict[str, list[Column]]()
        self._chunks = dict[str, list[bytes]]()
        self._heads = dict[str, ColumnHead]()
        self._last = dict[str, list[str]]()
        self._highest = list[str]()
        self._seen: set[str] | None = None
        """All paths, once they do not rise any more."""

    def add(self, table: Mapping[str, Column], rows: int) -> None:
        """Raises UnsafeName and UsageError."""
        self.check(table, rows)
        for start, stop in _cuts(rows, ROWS_IN_CHUNK - self.rows % ROWS_IN_CHUNK):
            for name, column in table.items():
                self._pending[name].append(column[start:stop])
            self.rows += stop - start
            if self.rows % ROWS_IN_CHUNK == 0:
                self._flush()

    def check(self, table: Mapping[str, Column], rows: int) -> None:
        """Raises what `add` would of rows that come next; they count as taken. Raises UnsafeName and UsageError."""
        if self._names is None:
            self._names = tuple(table)
            for name, column in table.items():
                self._heads[name] = ColumnHead(name, column.type, len(column.categories), column.type == "text")
                self._pending[name], self._chunks[name] = [column[:0]], []
                if len(column.categories) > MOST_CATEGORIES:
                    raise UsageError(
                        f"column {name!r} has {len(column.categories):,} categories; an archive's have up to "
                        f"{MOST_CATEGORIES:,}"
                    )
                columns.emit_categories((name, *column.categories))  # raises, before any work, what `finish` would
            if "label" in table:
                check_class_names(table["label"].categories)
        elif tuple(table) != self._names:
            raise UsageError(
                f"all pictures of an archive have the same columns: {', '.join(self._names) or 'none'}, "
                f"not {', '.join(table) or 'none'}"
            )
        for name, column in table.items():
            first = self._pending[name][0]
            if (column.type, column.categories) != (first.type, first.categories):
                what = "the same classes" if name == "label" else f"a column {name!r} of one type"
                raise UsageError(f"all pictures of an archive have {what}")
            if len(column) != rows:
                raise UsageError(f"column {name!r} has {len(column):,} values for {rows:,} pictures")
            columns.check_texts(column)
        if "path" in table:
            self._check_paths(table["path"])

    def has_path(self, path: str) -> bool:
        """Whether a picture has this path."""
        if self._seen is not None:
            return path in self._seen
        before = [chunk for chunk in self._chunks.get("path", ()) if columns.first_text(chunk) <= path][-1:]
        near = [columns.parse_chunk(chunk, "text", ROWS_IN_CHUNK, ()) for chunk in before]
        return any(path in part.values.tolist() for part in (*near, *self._pending.get("path", ())))

    def finish(self) -> tuple[tuple[ColumnHead, ...], list[bytes]]:
        """(what the directory says of the columns, all their pieces in order)."""
        if self.rows % ROWS_IN_CHUNK:
            self._flush()
        pieces = list[bytes]()
        for name, head in self._heads.items():
            if head.type == "category":
                pieces.append(columns.emit_categories(self._pending[name][0].categories))
            pieces += self._chunks[name]
        return tuple(self._heads.values()), pieces

    def _flush(self) -> None:
        for name, parts in self._pending.items():
            column = joined(parts)
            if self._heads[name].ordered:
                self._note_order(name, column)
            self._chunks[name].append(columns.emit_chunk(column))
            self._pending[name] = [parts[0][:0]]

    def _note_order(self, name: str, column: Column) -> None:
        values = [] if column.present is not None else column.values.tolist()
        rises = column.present is None and _rise([*self._last.get(name, []), *values])
        self._heads[name] = replace(self._heads[name], ordered=rises)
        self._last[name] = values[-1:]

    def _check_paths(self, column: Column) -> None:
        if column.type != "text" or column.present is not None:
            raise UsageError("paths are texts, one for each picture")
        paths = column.values.tolist()
        for path in paths:
            check_path(path)
        if self._seen is None and _rise([*self._highest, *paths]):  # so they do where a folder is packed
            self._highest = paths[-1:] or self._highest
            return
        if self._seen is None:
            self._seen = set(self._paths_so_far())
        for path in paths:
            if path in self._seen:
                raise UnsafeName(f"two images are called {path!r}; give each its own name")
            self._seen.add(path)

    def _paths_so_far(self) -> Iterator[str]:
        """All that were added before."""
        for chunk in self._chunks["path"]:
            yield from columns.parse_chunk(chunk, "text", ROWS_IN_CHUNK, ()).values
        for part in self._pending["path"]:
            yield from part.values


def _rise(values: Sequence[str]) -> bool:
    """Whether each comes after the one before it, in the order of UTF-8 bytes, which is that of code points."""
    return all(before < after for before, after in pairwise(values))


def _cuts(rows: int, first: int) -> Iterable[tuple[int, int]]:
    """(start, stop) of the parts of rows that fill chunks, of which the first has room for `first`."""
    start, stop = 0, min(first, rows)
    while start < rows:
        yield start, stop
        start, stop = stop, min(stop + ROWS_IN_CHUNK, rows)
