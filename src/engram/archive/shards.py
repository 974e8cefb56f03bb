"""A shard set: archives that are read as one, and the manifest that says which. See FORMAT.md.

A shard is opened when it is first read. Its first look is at the manifest's checksum of it, so a shard that was written
anew, or another's, is found out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engram import storage
from engram.archive import format, frame
from engram.archive.archive import Archive
from engram.archive.blocks import Source
from engram.archive.errors import CorruptArchive, UnsupportedVersion
from engram.archive.format import Directory
from engram.archive.models import GivenModel
from engram.datasets.names import UnsafeName, check_file_name, check_path
from engram.errors import EngramError, UsageError
from engram.storage import Location
from engram.table import parse_json

MANIFEST = "shards.json"
VERSION = 2


class CorruptManifest(CorruptArchive):
    """A manifest that is not what FORMAT.md says."""


class MissingShard(EngramError):
    """A shard that a manifest names and that is not there."""


@dataclass(frozen=True)
class Shard:
    """A file of a set, of one segment: its name, its bytes, the CRC-32 in its trailer, and its directory."""

    name: str
    bytes: int
    crc32: int
    directory: Directory


@dataclass(frozen=True)
class Manifest:
    """model: the name of a file beside it that holds the model which the shards leave out, or None."""

    model: str | None
    shards: tuple[Shard, ...]

    @property
    def images(self) -> int:
        return sum(shard.directory.rows for shard in self.shards)


def emit(manifest: Manifest) -> bytes:
    content = {"engram_shards": VERSION} | asdict(manifest)
    for shard in content["shards"]:
        shard["directory"]["needs"] = []
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def parse(data: bytes, shown: str) -> Manifest:
    """Raises CorruptManifest, UnsupportedVersion and LimitExceeded."""
    try:
        content = parse_json(data)
        if (version := content["engram_shards"]) != VERSION:
            raise UnsupportedVersion(f"a set of version {version!r}; this engram reads version {VERSION}")
        found = Manifest(
            None if content["model"] is None else _name(content["model"]),
            tuple(_shard(each) for each in content["shards"]),
        )
        format.whole(found.images)
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError, UnsafeName):
        raise CorruptManifest(f"{shown} is not the manifest of a shard set") from None
    except CorruptArchive as error:
        raise type(error)(f"{shown}: {error}") from None
    names = [shard.name for shard in found.shards]
    if not names or len(set(names)) < len(names):
        raise CorruptManifest(f"{shown} names no shard, or one of them twice")
    return found


def _shard(each: Any) -> Shard:
    directory = format.directory_of(each["directory"])
    if directory.before or frame.PRELUDE.size + directory.model_bytes + directory.index_bytes > each["bytes"]:
        raise ValueError
    return Shard(_name(each["name"]), format.whole(each["bytes"]), format.whole(each["crc32"], 0xFFFFFFFF), directory)


def _name(value: Any) -> str:
    if type(value) is not str:
        raise TypeError
    check_file_name(value)
    check_path(value)
    return value


def of_manifest(location: Location, model: GivenModel = None) -> Archive:
    """The set of a manifest; its shards and its model lie beside it. Raises CorruptManifest, MissingShard."""
    if not storage.is_url(location):
        location = Path(location).absolute()
    found = parse(storage.read_whole(location), storage.shown(location))
    sources = []
    for shard in found.shards:
        place = storage.beside(location, shard.name)
        if isinstance(place, Path) and not place.is_file():
            raise MissingShard(f"{storage.shown(place)} is missing, which {storage.shown(location)} names as a shard")
        sources.append(Source(place, shard.bytes, shard.bytes, shard.crc32, shard.directory))
    beside = None if found.model is None else storage.beside(location, found.model)
    return Archive(location, sources, model, beside)


def of_glob(pattern: str, model: GivenModel = None) -> Archive:
    """The archives that a pattern matches, in the order of their names; each is opened once, to see what it is."""
    from engram.archive.opening import sources_of

    places: Sequence[Location] = storage.glob(pattern)
    if not places:
        raise UsageError(f"no archive matches {storage.shown(pattern)}")
    sources = []
    for place in places:
        with storage.open(place) as file:
            sources += sources_of(place, file)
    return Archive(pattern, sources, model)
