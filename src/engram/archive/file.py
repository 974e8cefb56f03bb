"""An open archive file: its bytes, each piece confirmed by its checksum before anyone sees it. Nothing is decoded here.

Every read names its offset, so threads and forked processes share the open file without harm.
"""

from __future__ import annotations

import hashlib
import os
import stat
import weakref
import zlib
from pathlib import Path
from typing import Literal

from engram.archive import layout
from engram.archive.directory import Directory
from engram.archive.errors import CorruptBlock, CorruptMetadata, CorruptModel, ModelMismatch, ModelMissing
from engram.errors import UsageError

GivenModel = bytes | Path | str | None
"""For an archive that was packed without its model: the model, a file of it, or another archive that embeds it."""


class ArchiveFile:
    """An archive's bytes by block and section. Raises UsageError where there is no such file, and CorruptArchive."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).absolute()
        try:
            self._file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise UsageError(f"{path} cannot be opened: {error.strerror}") from None
        if not stat.S_ISREG(os.fstat(self._file).st_mode):
            os.close(self._file)
            raise UsageError(f"{path} is no file, so it is no archive")
        self.close = weakref.finalize(self, os.close, self._file)
        try:
            self.directory = Directory.read(self._file, str(path))
        except BaseException:
            self.close()
            raise

    def block(self, number: int) -> bytes:
        """A block's bytes. Raises CorruptBlock."""
        index = self.directory.index
        data = self._read(int(self.directory.block_offsets[number]), int(index.lengths[number]))
        if len(data) < index.lengths[number] or zlib.crc32(data) != index.checksums[number]:
            raise self.damaged(number, "is damaged: its checksum is wrong")
        return data

    def damaged(self, number: int, reason: str) -> CorruptBlock:
        """The error that names a block's images."""
        return CorruptBlock(str(self.path), number, *self.directory.images_of(number), reason)

    def section(self, what: Literal["class names", "labels", "names"]) -> bytes:
        """A compressed section's bytes, empty where there is none. Raises CorruptMetadata."""
        offset, section = self.directory.sections[what]
        data = self._read(offset, section.length)
        if layout.Section.of(data) != section:
            raise CorruptMetadata(f"{self.path}: the {what} are damaged: their checksum is wrong; images can be read")
        return data

    def model(self, given: GivenModel) -> bytes:
        """The embedded model, or else the given one, by its SHA-256 the right one.

        Raises CorruptModel, ModelMissing, ModelMismatch.
        """
        header = self.directory.header
        if header.model_embedded:
            model = self._read(self.directory.model_offset, header.model_bytes)
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

    def _read(self, offset: int, length: int) -> bytes:
        if not self.close.alive:
            raise UsageError(f"{self.path} was closed; read it within the `with` block")
        try:
            return os.pread(self._file, length, offset)
        except OSError:  # a sector that the disk cannot read is damage like any other
            return b""


def _given(model: GivenModel) -> bytes:
    if model is None or isinstance(model, bytes):
        return model or b""
    try:
        data = Path(model).read_bytes()
    except OSError as error:
        raise UsageError(f"the model {model} cannot be read: {error.strerror}") from None
    return ArchiveFile(model).model(None) if data.startswith(layout.MAGIC) else data
