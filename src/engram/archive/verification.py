"""Every promise of an archive asked for, and every broken one listed: `engram verify`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engram.archive.errors import CorruptBlock
from engram.archive.file import GivenModel
from engram.archive.reader import Archive
from engram.datasets.progress import Progress
from engram.errors import CorruptData
from engram.storage import Location


@dataclass(frozen=True)
class Verification:
    """What is damaged: blocks, in order; and of "model", "labels" and "names", each with its error."""

    images: int
    blocks: int
    damaged_blocks: tuple[CorruptBlock, ...]
    damaged_parts: dict[str, CorruptData]

    @property
    def ok(self) -> bool:
        """Whether everything comes back."""
        return not (self.damaged_blocks or self.damaged_parts)

    @property
    def images_lost(self) -> int:
        """How many images the damaged blocks hold."""
        return sum(block.stop - block.first for block in self.damaged_blocks)


def verify(archive: Archive | Location, model: GivenModel = None, progress: Progress | None = None) -> Verification:
    """What is damaged in an archive, found by checking and decoding all of it; it does not stop at the first.

    Raises CorruptArchive where header, footer or index are damaged, for then nothing can be found.
    """
    if not isinstance(archive, Archive):
        with Archive(archive, model) as opened:
            return verify(opened, progress=progress)
    damaged_parts = {}
    for name, check in (("model", _make_codec), ("labels", _decode_labels), ("names", _decode_names)):
        try:
            check(archive)
        except CorruptData as error:
            damaged_parts[name] = error
    found = []
    for blocks in archive.block_groups():
        found += _damaged(archive, blocks, decodable="model" not in damaged_parts)
        if progress:
            progress(archive.file.directory.images_of(blocks[-1])[1], len(archive))
    return Verification(len(archive), archive.file.directory.blocks, tuple(found), damaged_parts)


def _damaged(archive: Archive, blocks: Sequence[int], decodable: bool) -> list[CorruptBlock]:
    """The errors of the damaged among the blocks; where the model is damaged, only checksums can tell."""
    try:
        if decodable:
            archive.decode_blocks(blocks)
        else:
            archive.file.blocks(blocks)
        return []
    except CorruptBlock as error:
        if len(blocks) == 1:
            return [error]
    return [error for block in blocks for error in _damaged(archive, [block], decodable)]


def _make_codec(archive: Archive) -> None:
    _ = archive.codec


def _decode_labels(archive: Archive) -> None:
    _ = archive.class_names, archive.labels


def _decode_names(archive: Archive) -> None:
    for _ in archive.iterate_names() or ():
        pass
