"""A shard set: many archives, of one header, as one sequence of images. See FORMAT.md.

A shard is opened when it is first read, and the last MOST_OPEN stay open. Its first look is at the manifest's checksum
of it, so a shard that was written anew, or another's, is found out.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Self

from engram import storage
from engram.archive import layout, manifest
from engram.archive.errors import ArchiveChanged, CorruptArchive
from engram.archive.file import GivenModel
from engram.archive.joined import Joined
from engram.archive.manifest import Manifest, Shard
from engram.archive.reader import Archive
from engram.codecs.contract import Codec
from engram.errors import UsageError
from engram.storage import Location
from engram.storage.transport import NothingThere

MOST_OPEN = 64


class MissingShard(CorruptArchive):
    """A shard that the manifest names is not there."""


class ShardMismatch(CorruptArchive):
    """A shard that is not the one that the manifest names, or not of one kind with the others."""


class ShardSet(Joined):
    """Archives of one header as one sequence: what an `Archive` can do, over all of them; blocks are numbered through.

    Raises CorruptManifest, MissingShard (for URLs when the shard is first read), ShardMismatch, UsageError.
    """

    def __init__(self, location: Location, kind: Manifest, places: Sequence[Location], model: GivenModel) -> None:
        self._location, self._kind, self._places_of, self._given_model = location, kind, places, model
        super().__init__([(shard.images, kind.header) for shard in kind.shards])
        self._closed = False
        self._opened = lru_cache(MOST_OPEN)(self._open)

    @classmethod
    def of_manifest(cls, location: Location, model: GivenModel = None) -> Self:
        """The set of a manifest; its shards and its model lie beside it."""
        if not storage.is_url(location):
            location = Path(location).absolute()
        kind = manifest.parse(storage.read_whole(location), storage.shown(location))
        places = [storage.beside(location, shard.name) for shard in kind.shards]
        for place in places:
            if isinstance(place, Path) and not place.is_file():
                raise _missing(place, location)
        if model is None and kind.model is not None:
            model = storage.beside(location, kind.model)
        return cls(location, kind, places, model)

    @classmethod
    def of_glob(cls, pattern: str, model: GivenModel = None) -> Self:
        """The archives that a pattern matches, in the order of their names; each is opened once, to see what it is."""
        places = storage.glob(pattern)
        if not places:
            raise UsageError(f"no archive matches {storage.shown(pattern)}")
        headers, shards = [], []
        for place in places:
            with Archive(place) as archive:
                directory = archive.file.directory
                headers.append(directory.header)
                shards.append(Shard(Path(archive.path).name, len(archive), *directory.identity))
        kind = Manifest(headers[0], None, tuple(shards))
        for place, header in zip(places, headers, strict=True):
            _check(header, kind, place)
        return cls(pattern, kind, places, model)

    @property
    def path(self) -> Location:
        return storage.shown(self._location) if storage.is_url(self._location) else Path(self._location)

    @cached_property
    def codec(self) -> Codec:
        return self.archive(0).codec

    def archive(self, number: int) -> Archive:
        return self._opened(number)

    def shown(self, number: int) -> str:
        return f"{storage.shown(self._places_of[number])} of {self.path}"

    def mismatch(self, number: int, reason: str) -> ShardMismatch:
        return ShardMismatch(f"{self.archive(number).path} {reason} the first shard of {self.path}")

    def close(self) -> None:
        self._closed = True
        self._opened.cache_clear()

    def _open(self, number: int) -> Archive:
        if self._closed:
            raise UsageError(f"{self.path} was closed; read it within the `with` block")
        place, shard = self._places_of[number], self._kind.shards[number]
        anew = ShardMismatch(
            f"{storage.shown(place)} is not the shard that {self.path} names; it was written anew since"
        )
        try:
            file = storage.open(place)
        except NothingThere:
            raise _missing(place, self._location) from None
        grew = file.size > shard.bytes
        file.size = min(file.size, shard.bytes)  # as it was, if it was appended to since
        try:
            archive = Archive(place, self._given_model, file)
        except CorruptArchive:
            file.close()
            if grew:
                raise anew from None
            raise
        _check(archive.file.directory.header, self._kind, place)
        if (len(archive), *archive.file.directory.identity) != (shard.images, *shard.identity):
            raise anew
        return archive

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.image_shape))
        return (
            f"<ShardSet {self.path}: {len(self):,} images {shape} in {self.archives} shards, {self._kind.header.codec}>"
        )

    @property
    def identity(self) -> int:
        """What tells two sets apart."""
        return zlib.crc32(manifest.emit(self._kind))

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (str(self._location), self._given_model, self.identity)


def _check(header: layout.Header, kind: Manifest, place: Location) -> None:
    """Raises ShardMismatch for an archive of another kind; a model may be embedded in some and left out of others."""
    if replace(header, model_embedded=True) != replace(kind.header, model_embedded=True):
        raise ShardMismatch(
            f"{storage.shown(place)} has another codec, model, image shape or block size than the other shards"
        )


def _missing(place: Location, location: Location) -> MissingShard:
    return MissingShard(f"{storage.shown(place)} is missing, which {storage.shown(location)} names as a shard")


def _reopen(location: str, model: GivenModel, identity: int) -> ShardSet:
    is_manifest = location.partition("?")[0].endswith(".json")
    found = ShardSet.of_manifest(location, model) if is_manifest else ShardSet.of_glob(location, model)
    if found.identity != identity:
        raise ArchiveChanged(f"{found.path} is not the shard set that was pickled; it was written anew since")
    return found
