"""The archives of a bundle, each opened when it is first read."""

from __future__ import annotations

from pathlib import Path
from typing import Self
from zlib import crc32

from engram.archive import bundle
from engram.archive.bundle import Bundle, CorruptBundle
from engram.archive.errors import ArchiveChanged, CorruptArchive
from engram.archive.file import GivenModel
from engram.archive.reader import Archive
from engram.codecs.contract import Codec
from engram.storage import Location, Storage, Window, is_url, open


class Members:
    """The archives of an open file; equal codecs are made once, and a model that lies in one serves the others."""

    def __init__(self, location: Location, file: Storage, found: Bundle, model: GivenModel) -> None:
        self.location, self.file, self.bundle, self.given_model = location, file, found, model
        self.entries = found.members
        self.headers = [found.header_of(member) for member in self.entries]
        makes = [(header.codec, header.config, header.model_sha256) for header in found.headers]
        self._alike = [makes.index(each) for each in makes]
        self._archives = dict[int, Archive]()
        self._codecs = dict[int, Codec]()

    @classmethod
    def reopened(cls, location: str, model: GivenModel, identity: tuple[int, int]) -> Self:
        """Those of a bundle that was pickled, as it was then, if it grew since. Raises ArchiveChanged."""
        file = open(location, identity[0])
        try:
            found = bundle.read(file)
        except CorruptArchive:
            found = None
        members = None if found is None else cls(location, file, found, model)
        if members is None or members.identity != identity:
            file.close()
            raise ArchiveChanged(f"{file.shown} is not the archive that was pickled; it was written anew since")
        return members

    @property
    def made_of(self) -> tuple[str, GivenModel, tuple[int, int]]:
        """What `reopened` needs; a path from the root, or the URL."""
        location = self.location if is_url(self.location) else Path(self.location).absolute()
        return str(location), self.given_model, self.identity

    def __len__(self) -> int:
        return len(self.entries)

    def archive(self, number: int) -> Archive:
        """One of them. Raises CorruptArchive."""
        if number not in self._archives:
            self._archives[number] = self._open(number)
        return self._archives[number]

    def codec(self, number: int) -> Codec:
        """The codec of one. Raises ModelMissing, ModelMismatch, CorruptModel, UnknownCodec."""
        kind = self._alike[self.entries[number].header]
        if kind not in self._codecs:
            self._codecs[kind] = self.archive(number).codec
        return self._codecs[kind]

    @property
    def directory_bytes(self) -> int:
        """All bytes of the file that are in none of the archives."""
        return self.file.size - sum(member.bytes for member in self.entries)

    @property
    def identity(self) -> tuple[int, int]:
        """Size and the directory's checksum: what tells two bundles apart."""
        return self.file.size, crc32(bundle.emit(self.bundle))

    def close(self) -> None:
        self.file.close()

    def _open(self, number: int) -> Archive:
        member, header = self.entries[number], self.headers[number]
        window = Window(self.file, member.offset, member.bytes)
        archive = Archive(self.location, self._model_of(number), window)
        directory = archive.file.directory
        if (directory.header, len(archive), *directory.identity) != (header, member.images, *member.identity):
            raise CorruptBundle(f"{window.shown}: this is not the archive that the directory at the file's end names")
        return archive

    def _model_of(self, number: int) -> GivenModel:
        """For an archive without its model: that of the first which has it, or the one that was given."""
        header = self.headers[number]
        if not header.model_embedded and header.model_bytes:
            for other, each in enumerate(self.headers):
                if each.model_embedded and each.model_sha256 == header.model_sha256:
                    return self.archive(other).file.model(None)
        return self.given_model
