"""Archives that change without a block of them being decoded: `engram set` gives columns, `engram rm` takes rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike

from engram import storage
from engram.archive import frame
from engram.archive.about import Info
from engram.archive.archive import Archive
from engram.archive.extension import growing
from engram.archive.joining import Copied
from engram.archive.models import GivenModel
from engram.archive.opening import info, open
from engram.archive.table_writer import check_table
from engram.datasets.progress import Progress
from engram.errors import UsageError
from engram.files import replacing_file
from engram.table import columns_of, converted


def set_columns(
    path: Path | str,
    columns: Mapping[str, Iterable[Any] | None],
    *,
    model: GivenModel = None,
    progress: Progress | None = None,
) -> Info:
    """Gives the pictures of an archive these columns, a value for each picture in its order; None takes one away.

    Others stay. The archive is copied with its blocks as they are, and takes the place of the old one when it is whole:
    who has that open reads on in it. Raises UsageError, ArchiveBusy, CorruptArchive, UnsafeName.
    """
    with _replaced(path, "columns are set", model) as (archive, file):
        gone = [name for name, values in columns.items() if values is None]
        if unknown := [name for name in gone if name not in archive.column_names]:
            raise UsageError(f"{archive.path} has no column {unknown[0]!r} to take away")
        given = columns_of({name: each for name, each in columns.items() if each is not None}, len(archive))
        if "label" in given:
            given["label"] = converted(given["label"], "category")
        if "path" in given:
            check_table({"path": given["path"]}, len(archive))
        table = {name: archive.column(name) for name in archive.column_names if name not in gone} | given
        Copied(len(archive), progress, completes=False).add(file, archive, table)
    return info(path)


def remove(
    path: Path | str,
    rows: ArrayLike,
    *,
    model: GivenModel = None,
    progress: Progress | None = None,
) -> Info:
    """Takes pictures out of an archive: a list of indices, or a mask.

    Blocks that have none but these go, others stay as they are: what they still hold of these, `engram pack` of the
    archive gives back. The archive is copied, and takes the place of the old one when it is whole: who has that open
    reads on in it. Raises IndexError, UsageError, ArchiveBusy, CorruptArchive.
    """
    with _replaced(path, "images are taken out", model) as (archive, file):
        kept = np.ones(len(archive), bool)
        kept[archive.rows_at(rows)] = False
        table = {name: archive.column(name) for name in archive.column_names}
        Copied(int(kept.sum()), progress, completes=False).add(file, archive, table, kept)
    return info(path)


@contextmanager
def _replaced(path: Path | str, what: str, model: GivenModel) -> Iterator[tuple[Archive, BinaryIO]]:
    """(the archive, a file that takes its place when the block ends well). Raises UsageError and ArchiveBusy."""
    if storage.is_url(path):
        raise UsageError(f"{storage.shown(path)}: {what} in a file of this machine, not at a URL")
    path = Path(path).absolute()
    if path.is_dir() or path.suffix == ".json":
        raise UsageError(f"{path} is a shard set; join it to one file first: `engram cat`")
    with growing(path), open(path, model) as archive, replacing_file(path) as file:
        file.write(frame.emit_prelude())
        yield archive, file
