"""Archives joined into one: `engram cat`. Blocks are copied as they are, whatever codes and models they have."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from engram import storage
from engram.archive import frame
from engram.archive.about import Info
from engram.archive.archive import Archive
from engram.archive.copying import kept_of, whole, write_segment
from engram.archive.errors import ArchiveExists
from engram.archive.format import Before, Directory, Model
from engram.archive.models import GivenModel, find_model
from engram.archive.opening import info, open
from engram.datasets.names import UnsafeName
from engram.datasets.progress import Progress
from engram.errors import UsageError
from engram.files import replacing_file
from engram.storage import Location
from engram.table import Column, converted, joined, missing, texts


def join(
    archives: Sequence[Location],
    out: Path | str,
    *,
    folders: bool = False,
    model: GivenModel = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Info:
    """Writes one archive of the pictures of all, in order, with all of their columns; every model is in it once.

    Values that an archive does not have are missing. folders: the pictures of each go into a folder that is called like
    its file, so that equal paths stay apart. force: replace an archive that is there. It appears whole or not at all.
    Raises UnsafeName where two pictures have one path, UsageError, CorruptArchive, ModelMissing, ArchiveExists.
    """
    out = Path(out)
    if not archives:
        raise UsageError("what is joined is at least one archive")
    if out.exists() and not force:
        raise ArchiveExists(f"{out} exists already; choose another name, or replace it with --force")
    with ExitStack() as stack:
        opened = [stack.enter_context(open(location, model)) for location in archives]
        tables = tables_of(opened, [_stem(location) for location in archives] if folders else [])
        copied = Copied(sum(map(len, opened)), progress)
        with replacing_file(out) as file:
            file.write(frame.emit_prelude())
            for archive, table in zip(opened, tables, strict=True):
                copied.add(file, archive, table)
    return info(out)


class Copied:
    """What was copied to a file: its segments, and the models that are in it."""

    def __init__(self, total: int, progress: Progress | None, completes: bool = True) -> None:
        """completes: models that were left out of an archive are put in."""
        self._completes = completes
        self._before, self._embedded = list[Before](), set[str]()
        self._done, self._total, self._progress = 0, total, progress

    def add(
        self,
        file: BinaryIO,
        archive: Archive,
        table: Mapping[str, Column],
        kept: NDArray[np.bool_] | None = None,
    ) -> None:
        """Copies the segments of an archive, with the columns of this table; kept: which of its pictures."""
        for number, source in enumerate(archive.sources):
            first, first_block = archive.first_of(number)
            rows = np.arange(source.directory.rows)
            part = whole(archive.segment(number))
            if kept is not None:
                rows = np.flatnonzero(kept[first : first + len(rows)])
                part = kept_of(archive.segment(number), rows)
            if not len(rows) and not source.directory.files and (self._total or self._before):
                continue
            some = {name: column[first + rows] for name, column in table.items()} | part.places
            like, models = self._models(archive, number)
            files = {name: deflated(archive, number, name) for name in source.directory.files}
            blocks = (archive.read_blocks([first_block + block])[0] for block in part.blocks)
            _, crc32 = write_segment(file, like, models, blocks, part.cells, some, len(rows), files, self._before)
            self._before.append(Before(file.tell(), len(rows), crc32))
            self._done += len(rows)
            if self._progress:
                self._progress(self._done, self._total)

    def _models(self, archive: Archive, number: int) -> tuple[Directory, list[bytes]]:
        """(the segment's directory as it will be, the models that come with it): those that are not there yet."""
        directory, found, models = archive.sources[number].directory, list[bytes](), list[Model]()
        there = {each.sha256 for source in archive.sources for each in source.directory.models if each.embedded}
        for each in directory.models:
            is_new = each.sha256 not in self._embedded and (self._completes or each.sha256 in there)
            models.append(replace(each, embedded=is_new))
            if is_new:
                found.append(find_model(archive, number, each, *archive.given))
                self._embedded.add(each.sha256)
        return replace(directory, models=tuple(models)), found


def _stem(location: Location) -> str:
    """What a folder for an archive's pictures is called."""
    return Path(storage.shown(location)).stem


def deflated(archive: Archive, number: int, name: str) -> bytes:
    return zlib.compress(archive.segment(number).kept_file(name), 9)


def tables_of(archives: Sequence[Archive], folders: Sequence[str]) -> list[dict[str, Column]]:
    """The columns of each archive: all that any has, of one type and with the categories of all.

    Raises UnsafeName and UsageError.
    """
    names = dict.fromkeys(name for archive in archives for name in archive.column_names)
    with_paths = [archive for archive in archives if "path" in archive.column_names]
    if with_paths and len(with_paths) < len(archives):
        without = next(archive for archive in archives if "path" not in archive.column_names)
        raise UsageError(f"{without.path} has no paths, and {with_paths[0].path} has; all pictures have one, or none")
    found: list[dict[str, Column]] = [{} for _ in archives]
    for name in names:
        there = [a.column(name) if name in a.column_names else missing(len(a)) for a in archives]
        if name == "path" and folders:
            there = [
                texts([f"{folder}/{path}" for path in column.values])
                for folder, column in zip(folders, there, strict=True)
            ]
        kind = _common(there)
        there = [converted(column, kind) for column in there]
        if name == "path":
            _check_apart(archives, there)
        names_of_all = joined([column[:0] for column in there if column.type == kind]).categories
        for table, column in zip(found, there, strict=True):
            table[name] = _as(column, kind, names_of_all)
    return found


def _common(columns: Sequence[Column]) -> str:
    """The type that holds the values of all."""
    kinds = {column.type for column in columns if len(column) and (column.present is None or column.present.any())}
    if len(kinds) < 2:
        return next(iter(kinds), columns[0].type)
    if kinds == {"category", "text"}:
        return "text"
    return "number" if kinds == {"integer", "number"} else "json"


def _as(column: Column, kind: str, categories: tuple[str, ...]) -> Column:
    """The column with the type and the categories of all."""
    if column.type != kind:  # it has no value
        blank = np.full(len(column), None, object) if kind in ("text", "json") else np.zeros(len(column), np.int64)
        return Column(kind, blank, categories, np.zeros(len(column), bool))
    if kind != "category" or column.categories == categories:
        return column
    places = {name: number for number, name in enumerate(categories)}
    moved = np.array([places[name] for name in column.categories] or [0], np.int64)
    return Column(kind, moved[column.values], categories, column.present)


def _check_apart(archives: Sequence[Archive], columns: Sequence[Column]) -> None:
    """Raises UnsafeName where two pictures have one path."""
    seen = dict[str, Archive]()
    for archive, column in zip(archives, columns, strict=True):
        for path in column.values:
            if path in seen:
                raise UnsafeName(
                    f"{seen[path].path} and {archive.path} both have an image called {path!r}; "
                    "--folders puts those of each archive into a folder of its own"
                )
            seen[path] = archive
