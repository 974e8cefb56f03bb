"""A Parquet file with a column of picture files, read a row group at a time.

The pictures are bytes, or as Hugging Face has them bytes and path. The other columns are what is known of them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from engram.datasets.arrow_columns import Known, from_arrow, parquet_library
from engram.datasets.names import are_paths
from engram.datasets.notices import Notice
from engram.datasets.pictures import MOST_AT_ONCE
from engram.datasets.tree import DamagedContainer, DamagedMember, Tree
from engram.errors import UsageError
from engram.table import Column

_NAMES = ("image", "img", "picture", "photo", "jpg", "jpeg", "png", "webp", "bytes", "content", "data")
"""What the column of pictures is called, where there are several of bytes."""
_PATHS = ("path", "file_name")
"""Columns that may say where pictures lay."""
_MAGIC = {b"\xff\xd8": ".jpg", b"\x89P": ".png", b"RI": ".webp", b"GI": ".gif", b"BM": ".bmp"}
MOST_GROUP_BYTES = 1 << 31
"""Of the pictures of a row group, which is in memory as a whole."""
_MOST_ROWS = 1 << 20
"""Of a file of fewer bytes; equal pictures take none."""


class NoPictureColumn(UsageError):
    """A Parquet file in which no column is taken for pictures, or several might be."""


class Parquet(Tree):
    """Pictures by their paths where each has one of its own, else by their numbers, in the order of the rows.

    Raises MissingLibrary, DamagedContainer, NoPictureColumn.
    """

    def __init__(self, path: Path, images_key: str = "") -> None:
        self.name, self._lock, self._groups = str(path), Lock(), OrderedDict[int, Any]()
        library = parquet_library()
        with self._explaining():
            self._file = library.ParquetFile(path, page_checksum_verification=True)
            self._image = _image_column(self.name, self._file.schema_arrow, images_key)
            self._is_struct = bool(self._file.schema_arrow.field(self._image).type.num_fields)
            self._sizes = [self._file.metadata.row_group(n).num_rows for n in range(self._file.num_row_groups)]
            self._starts = [sum(self._sizes[:number]) for number in range(len(self._sizes))]
            count = sum(self._sizes)
            if min(self._sizes, default=0) < 0 or count > max(_MOST_ROWS, path.stat().st_size):
                raise ValueError(f"{count:,} rows are more than it can hold")
            paths = self._paths_of_pictures()
            self._columns, lost = self._other_columns(count)
        if lost:
            what = f"columns that an archive cannot hold ({', '.join(lost)}): left out"
            self.notices = (Notice(what, count, count, self.name),)
        self._rows = {path: row for row, path in enumerate(self._named(paths, count))}

    @property
    def has_sidecars(self) -> bool:
        return False

    def columns(self) -> dict[str, Column]:
        return self._columns

    def files(self) -> Iterator[tuple[str, bool]]:
        yield from ((path, True) for path in self._rows)

    def read(self, path: str) -> bytes:
        data = self._bytes(self._rows[path])
        if data is None:
            raise DamagedMember(f"{self.name}/{path} is a row without a picture; fill it in or take it out")
        return data

    def _bytes(self, row: int) -> bytes | None:
        number = bisect_right(self._starts, row) - 1
        with self._lock:
            group = self._group(number)
        found: bytes | None = group[row - self._starts[number]].as_py()
        return found

    def _group(self, number: int) -> Any:
        """The pictures of a row group; the last two are kept, or as many as threads may be at."""
        if number in self._groups:
            self._groups.move_to_end(number)
            return self._groups[number]
        found = self._groups[number] = self._read_group(number)
        most, rows = MOST_AT_ONCE + 2 * len(found), sum(map(len, self._groups.values()))
        while len(self._groups) > 2 and rows > most:
            rows -= len(self._groups.popitem(last=False)[1])
        return found

    def _read_group(self, number: int) -> Any:
        import pyarrow

        parts, size = [], 0
        column = f"{self._image}.bytes" if self._is_struct else self._image
        with self._explaining():
            for batch in self._file.iter_batches(1024, row_groups=[number], columns=[column]):
                part = batch.column(0)
                parts.append(part.flatten()[0] if self._is_struct else part)
                size += parts[-1].nbytes
                if size > MOST_GROUP_BYTES:
                    raise ValueError(
                        f"a row group has more than {MOST_GROUP_BYTES:,} bytes of pictures: make smaller ones"
                    )
            if sum(map(len, parts)) != self._sizes[number]:
                raise ValueError(f"row group {number} has not {self._sizes[number]:,} rows")
            return pyarrow.chunked_array(parts)

    def _paths_of_pictures(self) -> list[str | None] | None:
        """What the column of pictures says of where they lay."""
        kind = self._file.schema_arrow.field(self._image).type
        if not self._is_struct or kind.get_field_index("path") < 0:
            return None
        parts = self._file.read(columns=[f"{self._image}.path"]).column(0).chunks
        return [path for part in parts for path in part.flatten()[0].to_pylist()]

    def _other_columns(self, count: int) -> tuple[dict[str, Column], list[str]]:
        """(the columns, the names of those that no column can hold)."""
        known, lost, columns = Known.of(self._file.schema_arrow), list[str](), dict[str, Column]()
        table = self._file.read(columns=[name for name in self._file.schema_arrow.names if name != self._image])
        for name, values in zip(table.column_names, table.columns, strict=True):
            try:
                if name[:1] in ("", ".") or name in columns:
                    raise UsageError(f"a column is called {name!r}")
                columns[name] = from_arrow(name, values, known)
            except UsageError:
                lost.append(name)
        if any(len(column) != count for column in columns.values()):
            raise ValueError(f"columns have not {count:,} rows")
        return columns, lost

    def _named(self, paths: list[str | None] | None, count: int) -> list[str]:
        """The path of each picture; a column that says it is one no longer, and another called so gets another name."""
        says = {name: self._columns[name].array().tolist() for name in _PATHS if name in self._columns}
        found = next((name for name, given in ({"": paths} | says).items() if given and are_paths(given)), None)
        self._columns.pop(found or "", None)
        if "path" in self._columns:
            self._columns["metadata_path"] = self._columns.pop("path")
        if found is not None:
            return [str(path) for path in says.get(found, paths) or ()]
        digits, suffix = max(5, len(str(count - 1))), self._suffix()
        return [f"{row:0{digits}}{suffix}" for row in range(count)]

    def _suffix(self) -> str:
        """That of the first picture, or of .png files where it is none of those that begin as they should."""
        data = next((found for row in range(min(64, sum(self._sizes))) if (found := self._bytes(row))), b"")
        return _MAGIC.get(data[:2], ".png")

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        import pyarrow

        try:
            yield
        except (pyarrow.ArrowException, OSError, ValueError, LookupError, MemoryError) as error:
            if isinstance(error, OSError) and error.errno:
                raise
            raise DamagedContainer(f"{self.name} cannot be read as Parquet ({error}); write it anew") from error


def _image_column(name: str, schema: Any, asked: str) -> str:
    """The column of pictures. Raises NoPictureColumn."""
    fields = [(field.name, field.type) for field in schema]
    structs = [column for column, kind in fields if kind.num_fields and _has_bytes(kind)]
    found = [*structs, *(column for column, kind in fields if _is_bytes(kind))]
    if asked:
        found = [column for column in found if column == asked]
    words = [column for word in _NAMES for column in found if column.lower() == word]
    for some in (words[:1], structs if len(structs) == 1 and not asked else found):
        if len(some) == 1:
            return str(some[0])
    held = ", ".join(f"{column} ({kind})" for column, kind in fields) or "nothing"
    what = (
        "which of its columns has the pictures is not clear"
        if len(found) > 1
        else (f"no column {asked and asked + ' '}has pictures, which are bytes, or bytes and path")
    )
    raise NoPictureColumn(f"{name}: {what}; there are {held}: say which, --images-key COLUMN")


def _has_bytes(kind: Any) -> bool:
    import pyarrow

    return bool(pyarrow.types.is_struct(kind)) and any(f.name == "bytes" and _is_bytes(f.type) for f in kind)


def _is_bytes(kind: Any) -> bool:
    import pyarrow

    types = pyarrow.types
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind))
