"""An archive as a Parquet file: the pictures as Hugging Face has them, and all columns; equal ones, equal bytes.

`image` is a struct of `bytes`, the file that was packed or else a PNG file, and `path`, where the pictures have any.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from engram.datasets.arrow_columns import Known, parquet_library, to_arrow
from engram.errors import UsageError
from engram.files import replacing_file

if TYPE_CHECKING:
    from engram.archive.unpacking import Told

_IMAGE = "image"
ROWS_IN_GROUP = 4096
_BYTES_IN_GROUP = 1 << 26
"""Of files; readers have a group in memory."""


def write_parquet(told: Told, out: Path) -> None:
    """Raises MissingLibrary, CannotWrite, and UsageError for a column that is called as that of the pictures."""
    library = parquet_library()
    import pyarrow

    pictures, known = told.pictures, Known()
    names = [name for name in pictures.column_names if name != "path"]
    if _IMAGE in names:
        raise UsageError(f"{out}: a column called {_IMAGE!r} has no place in a .parquet file; unpack to a folder")
    columns = {name: to_arrow(name, pictures.column(name), known) for name in names}
    paths = None if pictures.paths is None else pictures.column("path").array().tolist()
    kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    fields = [(_IMAGE, kind), *((name, column.type) for name, column in columns.items())]
    schema = pyarrow.schema(fields, known.metadata(_IMAGE))
    how = {"compression": "zstd", "use_dictionary": names, "write_page_checksum": True}
    with replacing_file(out) as file, library.ParquetWriter(file, schema, **how) as writer:
        first = 0
        for files in _groups(told):
            rows = slice(first, first + len(files))
            where = [None] * len(files) if paths is None else paths[rows]
            parts = [pyarrow.array(files, pyarrow.binary()), pyarrow.array(where, pyarrow.string())]
            images = pyarrow.StructArray.from_arrays(parts, fields=list(kind))
            some = [images, *(column[rows] for column in columns.values())]
            writer.write_table(pyarrow.Table.from_arrays(some, schema=schema), row_group_size=ROWS_IN_GROUP)
            first += len(files)


def _groups(told: Told) -> Iterator[list[bytes]]:
    """The files of each row group."""
    waiting, size = list[bytes](), 0
    for _, files in told.files(in_rows=True):
        for data in files:
            waiting.append(data)
            size += len(data)
            if len(waiting) == ROWS_IN_GROUP or size >= _BYTES_IN_GROUP:
                yield waiting
                waiting, size = [], 0
    if waiting:
        yield waiting
