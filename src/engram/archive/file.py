"""An open archive file: its bytes, each piece confirmed by its checksum before anyone sees it. Nothing is decoded here.

Threads and forked processes share it without harm.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

from engram import storage
from engram.archive import layout
from engram.archive.directory import Directory
from engram.archive.errors import CorruptBlock, CorruptMetadata, CorruptModel, ModelMismatch, ModelMissing
from engram.errors import UsageError
from engram.storage import Location

GivenModel = bytes | Path | str | None
"""For an archive that was packed without its model: the model, a file of it, or another archive that embeds it."""


class ArchiveFile:
    """An archive's bytes by block and section. Raises what `storage.open` raises, and CorruptArchive.

    `location` opens it again; `path` is what messages call it, a URL without its credentials. `opened`: the bytes
    that lie there, where they are open already.
    """

    def __init__(self, location: Location, opened: storage.Storage | None = None) -> None:
        self.location = location if storage.is_url(location) else Path(location).absolute()
        self.path = Path(location).absolute() if isinstance(self.location, Path) else storage.shown(location)
        self._storage = opened or storage.open(location)
        try:
            self.directory = Directory.read(self._storage)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._storage.close()

    def blocks(self, numbers: Sequence[int]) -> list[bytes]:
        """The bytes of blocks. Raises CorruptBlock for the first that is damaged."""
        index, found = self.directory.index, self._read([self.directory.span_of(number) for number in numbers])
        for number, data in zip(numbers, found, strict=True):
            if len(data) < index.lengths[number] or zlib.crc32(data) != index.checksums[number]:
                raise self.damaged(number, "is damaged: its checksum is wrong")
        return found

    def block(self, number: int) -> bytes:
        """A block's bytes. Raises CorruptBlock."""
        return self.blocks([number])[0]

    def expect(self, numbers: Sequence[int]) -> None:
        """Is told which blocks will be read next, so that they may be fetched meanwhile."""
        self._storage.expect([self.directory.span_of(number) for number in numbers])

    def damaged(self, number: int, reason: str) -> CorruptBlock:
        """The error that names a block's images."""
        return CorruptBlock(str(self.path), number, *self.directory.images_of(number), reason)

    def section(self, what: Literal["class names", "labels", "names"]) -> bytes:
        """A compressed section's bytes, empty where there is none. Raises CorruptMetadata."""
        offset, section = self.directory.sections[what]
        [data] = self._read([(offset, offset + section.length)])
        if layout.Section.of(data) != section:
            raise CorruptMetadata(f"{self.path}: the {what} are damaged: their checksum is wrong; images can be read")
        return data

    def model(self, given: GivenModel) -> bytes:
        """The embedded model, or else the given one, by its SHA-256 the right one.

        Raises CorruptModel, ModelMissing, ModelMismatch.
        """
        header = self.directory.header
        if header.model_embedded:
            start = self.directory.model_offset
            [model] = self._read([(start, start + header.model_bytes)])
        elif given is None and header.model_bytes:
            from engram.archive import shipped  # which reads archives, so it cannot be imported before them

            found = shipped.find(header.model_sha256)
            if found is not None:
                return found
            raise ModelMissing(
                f"{self.path} was packed without its model; give the model of SHA-256 {header.model_sha256}"
            )
        else:
            model = _given(given)
        if len(model) == header.model_bytes and hashlib.sha256(model).hexdigest() == header.model_sha256:
            return model
        if header.model_embedded:
            raise CorruptModel(f"{self.path}: the embedded model is damaged: its SHA-256 is wrong")
        raise ModelMismatch(f"{self.path} was packed with another model, of SHA-256 {header.model_sha256}")

    def _read(self, spans: Sequence[storage.Span]) -> list[bytes]:
        if self._storage.closed:
            raise UsageError(f"{self.path} was closed; read it within the `with` block")
        return self._storage.read_many(spans)


def _given(model: GivenModel) -> bytes:
    if model is None or isinstance(model, bytes):
        return model or b""
    with storage.open(model) as file:
        if file.read(0, len(layout.MAGIC)) != layout.MAGIC:
            return file.read(0, file.size)
    with closing(ArchiveFile(model)) as archive:
        return archive.model(None)
