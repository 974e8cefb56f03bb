"""`engram.open`: one archive, or a shard set, by what was given."""

from __future__ import annotations

import os
from pathlib import Path

from engram import storage
from engram.archive import bundle, journal, manifest
from engram.archive.breakdown import Breakdown
from engram.archive.errors import CorruptArchive, SeveralArchives
from engram.archive.file import GivenModel
from engram.archive.members import Members
from engram.archive.mixed import reader_of
from engram.archive.reader import Archive
from engram.archive.sequence import Reader
from engram.archive.shards import ShardSet
from engram.errors import UsageError
from engram.storage import Location, Storage


def open(location: Location, model: GivenModel = None) -> Reader:
    """The images that lie there: an archive; a shard set by its folder, its manifest or a glob of archives.

    An archive may have grown by `append`, or have images of many sizes: then it is a `Mixed`. A URL of a folder ends
    in "/". Raises what `Archive` and `ShardSet` raise, and UsageError for what is no path and no URL.
    """
    if not isinstance(location, str | os.PathLike):
        raise UsageError(f"an archive is opened by its path or URL, not as a {type(location).__name__}")
    place = _manifest_of(location)
    if place is not None:
        return ShardSet.of_manifest(place, model)
    return ShardSet.of_glob(str(location), model) if _is_glob(location) else _open_file(location, model)


def _open_file(location: Location, model: GivenModel) -> Reader:
    """The images of one file: as they were before, where images are being appended, or were when that was cut off.

    What fails is looked at again until nothing has changed since: an append may begin or end between any two looks.
    """
    before: int | None = None
    seen: tuple[int | None, int] | None = None
    while True:
        file = storage.open(location, before)
        try:
            return _reader(location, file, model)  # what it opened closes itself when nobody has it any more
        except (CorruptArchive, SeveralArchives):
            file.close()
            before = journal.size_before(location)
            with storage.open(location) as whole:
                now = before, whole.size
            if now == seen:
                raise
            seen = now
        except BaseException:
            file.close()
            raise


def _reader(location: Location, file: Storage, model: GivenModel) -> Reader:
    found = bundle.read(file)
    return Archive(location, model, file) if found is None else reader_of(Members(location, file, found, model))


def _manifest_of(location: Location) -> Location | None:
    """The manifest that a folder, or a manifest, names."""
    if storage.is_url(location):
        path = str(location).partition("?")[0]
        if path.endswith("/"):
            return storage.beside(location, manifest.NAME)
        return location if path.endswith(".json") else None
    folder = Path(location)
    if not folder.is_dir():
        return location if folder.suffix == ".json" else None
    if (folder / manifest.NAME).exists():
        return folder / manifest.NAME
    raise UsageError(
        f"{location} has no {manifest.NAME}, so it is no shard set; "
        f"open its archives as {folder / '*.egm'}, or write one with `engram shard`"
    )


def _is_glob(location: Location) -> bool:
    if storage.is_url(location):
        return "*" in str(location).partition("?")[0]
    return any(mark in str(location) for mark in "*?[") and not Path(location).exists()


def info(location: Location) -> Breakdown:
    """What each byte of an archive, or of a shard set, is for. Raises CorruptArchive."""
    with open(location) as reader:
        return reader.info
