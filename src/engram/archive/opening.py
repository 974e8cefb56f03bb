"""`engram.open`: an archive, or a shard set, by what was given."""

from __future__ import annotations

import os
from pathlib import Path

from engram import storage
from engram.archive import journal, shards
from engram.archive.about import Info
from engram.archive.archive import Archive
from engram.archive.blocks import Source
from engram.archive.errors import CorruptArchive
from engram.archive.models import GivenModel
from engram.archive.segment import read_directories
from engram.errors import UsageError
from engram.storage import Location, Storage


def open(location: Location, model: GivenModel = None, *, size: int | None = None) -> Archive:
    """The pictures that lie there: an archive; a shard set by its folder, its manifest or a glob of archives.

    A URL of a folder ends in "/". size: read a file as it was when it had so many bytes, before it grew. Raises
    CorruptArchive, and UsageError for what is no path and no URL.
    """
    if not isinstance(location, str | os.PathLike):
        raise UsageError(f"an archive is opened by its path or URL, not as a {type(location).__name__}")
    place = _manifest_of(location)
    if place is not None:
        return shards.of_manifest(place, model)
    return shards.of_glob(str(location), model) if _is_glob(location) else _open_file(location, model, size)


def sources_of(location: Location, file: Storage) -> list[Source]:
    """The segments of an open file. Raises CorruptArchive."""
    return [Source(location, file.size, stop, crc32, directory) for directory, stop, crc32 in read_directories(file)]


def _open_file(location: Location, model: GivenModel, size: int | None) -> Archive:
    """The pictures of one file: as they were before, where some are being appended, or were when that was cut off.

    What fails is looked at again until nothing has changed since: an append may begin or end between any two looks.
    """
    before = size
    seen: tuple[int | None, int] | None = None
    while True:
        file = storage.open(location, before)
        try:
            archive = Archive(location, sources_of(location, file), model, opened=file)
            archive.segment(len(archive.sources) - 1)
            return archive
        except CorruptArchive:
            file.close()
            if size is not None:
                raise
            before = journal.size_before(location)
            with storage.open(location) as whole:
                now = before, whole.size
            if now == seen:
                raise
            seen = now
        except BaseException:
            file.close()
            raise


def _manifest_of(location: Location) -> Location | None:
    """The manifest that a folder, or a manifest, names."""
    if storage.is_url(location):
        path = str(location).partition("?")[0]
        if path.endswith("/"):
            return storage.beside(location, shards.MANIFEST)
        return location if path.endswith(".json") else None
    folder = Path(location)
    if not folder.is_dir():
        return location if folder.suffix == ".json" else None
    if (folder / shards.MANIFEST).exists():
        return folder / shards.MANIFEST
    raise UsageError(
        f"{location} has no {shards.MANIFEST}, so it is no shard set; "
        f"open its archives as {folder / '*.egm'}, or write one with `engram shard`"
    )


def _is_glob(location: Location) -> bool:
    if storage.is_url(location):
        return "*" in str(location).partition("?")[0]
    return any(mark in str(location) for mark in "*?[") and not Path(location).exists()


def info(location: Location) -> Info:
    """What each byte of an archive, or of a shard set, is for. Raises CorruptArchive."""
    with open(location) as archive:
        return archive.info
