"""Every promise of an archive asked for, and every broken one listed: `engram verify`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engram.archive.errors import CorruptBlock
from engram.archive.file import GivenModel
from engram.archive.mixed import Mixed
from engram.archive.opening import open
from engram.archive.sequence import Reader
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


def verify(archive: Reader | Location, model: GivenModel = None, progress: Progress | None = None) -> Verification:
    """What is damaged in an archive, found by checking and decoding all of it; it does not stop at the first.

    Raises CorruptArchive where header, footer or index are damaged, for then nothing can be found.
    """
    if not isinstance(archive, Reader):
        with open(archive, model) as opened:
            return verify(opened, progress=progress)
    if isinstance(archive, Mixed):
        archive = archive.canvases
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
            progress(archive.images_of(blocks[-1])[1], len(archive))
    return Verification(len(archive), archive.blocks, tuple(found), damaged_parts)


def _damaged(archive: Reader, blocks: Sequence[int], decodable: bool) -> list[CorruptBlock]:
    """The errors of the damaged among the blocks; where the model is damaged, only checksums can tell."""
    try:
        if decodable:
            archive.decode_blocks(blocks)
        else:
            archive.read_blocks(blocks)
        return []
    except CorruptBlock as error:
        if len(blocks) == 1:
            return [error]
    return [error for block in blocks for error in _damaged(archive, [block], decodable)]


def _make_codec(archive: Reader) -> None:
    _ = archive.codecs


def _decode_labels(archive: Reader) -> None:
    _ = archive.class_names, archive.labels


def _decode_names(archive: Reader) -> None:
    for _ in archive.iterate_names() or ():
        pass
