"""The archive's reader: one file as a read-only sequence of images.

It is safe to use from several threads and after a fork. Pickled, it is a path or a URL (as it was given, credentials
in it included); unpickled, it opens that again and checks that the file is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.archive import metadata
from engram.archive.breakdown import Breakdown, breakdown
from engram.archive.errors import ArchiveChanged, CorruptArchive, CorruptBlock, CorruptMetadata, CorruptModel
from engram.archive.file import ArchiveFile, GivenModel
from engram.archive.sequence import Reader
from engram.codecs import contract, registry
from engram.codecs.contract import Codec
from engram.storage import Location, Storage, open


class Archive(Reader):
    """An archive file, open for reading: len, a[i], a[i:j], a[[7, 3, 7]], iteration, labels, names, class_names.

    `path` may be a URL, for fsspec. `model` (bytes, or the file that holds them) is needed where the archive was packed
    without it. `opened`: its bytes, where they are open already; it closes them.
    Raises CorruptArchive, and at the first image ModelMissing, ModelMismatch, CorruptModel, UnknownCodec.
    """

    def __init__(self, path: Location, model: GivenModel = None, opened: Storage | None = None) -> None:
        self._given_model = model
        self.file = ArchiveFile(path, opened)
        directory = self.file.directory
        starts = np.arange(directory.blocks + 1) * directory.header.block_size
        starts[-1] = directory.footer.count
        super().__init__(starts, directory.header.image_shape, directory.header.block_pixels)

    @property
    def path(self) -> Location:
        return self.file.path

    def close(self) -> None:
        self.file.close()

    def read_blocks(self, numbers: Sequence[int]) -> list[bytes]:
        return self.file.blocks(numbers)

    def expect(self, numbers: Sequence[int]) -> None:
        self.file.expect(numbers)

    def damaged(self, number: int, reason: str) -> CorruptBlock:
        return self.file.damaged(number, reason)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """The classes' names, () where there are none. Raises CorruptMetadata."""
        data = self.file.section("class names")
        with self._naming_the_file():
            return metadata.parse_class_names(data) if data else ()

    @cached_property
    def labels(self) -> NDArray[np.int64] | None:
        """int64[n], or None. Raises CorruptMetadata."""
        data = self.file.section("labels")
        if not data:
            return None
        classes = len(self.class_names)
        with self._naming_the_file():
            labels = metadata.parse_labels(data, len(self), classes)
        labels.flags.writeable = False
        return labels

    def labels_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
        return None if self.labels is None else self.labels[rows]

    def iterate_names(self) -> Iterator[str] | None:
        """The names one after another in constant memory, or None where there are none. Raises CorruptMetadata."""
        data = self.file.section("names")
        return self._parse_names(data) if data else None

    def _parse_names(self, data: bytes) -> Iterator[str]:
        with self._naming_the_file():
            yield from metadata.parse_names(data, len(self))

    @contextmanager
    def _naming_the_file(self) -> Iterator[None]:
        try:
            yield
        except CorruptMetadata as error:
            raise CorruptMetadata(f"{self.path}: {error}") from None

    @cached_property
    def codec(self) -> Codec:
        """The codec that decodes this archive. Raises ModelMissing, ModelMismatch, CorruptModel, UnknownCodec."""
        header = self.file.directory.header
        made = registry.get(header.codec)
        try:
            return made.from_config(header.config, self.file.model(self._given_model))
        except contract.CorruptModel as error:
            raise CorruptModel(f"{self.path}: {error}") from error

    @property
    def info(self) -> Breakdown:
        """What each byte is for."""
        return breakdown(self.file.directory)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.image_shape))
        return f"<Archive {self.path}: {len(self):,} images {shape}, {self.file.directory.header.codec}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (str(self.file.location), self._given_model, self.file.directory.identity)


def _reopen(path: str, model: GivenModel, identity: tuple[int, int]) -> Archive:
    opened = open(path, identity[0])  # as it was, if it grew since
    try:
        archive = Archive(path, model, opened)
    except CorruptArchive:
        archive = None
    if archive is None or archive.file.directory.identity != identity:
        opened.close()
        raise ArchiveChanged(f"{opened.shown} is not the archive that was pickled; it was written anew since")
    return archive
