"""Every promise of an archive asked for, and every broken one listed: `engram verify`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np

from engram.archive.archive import Archive
from engram.archive.errors import CorruptBlock
from engram.archive.format import PLACES
from engram.archive.models import GivenModel
from engram.archive.opening import open
from engram.datasets.progress import Progress
from engram.errors import CorruptData
from engram.storage import Location

_Error = TypeVar("_Error", bound=Exception)


@dataclass(frozen=True)
class Verification:
    """What is damaged: blocks, in order; and of "model", columns and files by their names, each with its error."""

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
        """How many images have a cell in a damaged block; one that has several is counted for each."""
        return sum(block.count for block in self.damaged_blocks)


def verify(archive: Archive | Location, model: GivenModel = None, progress: Progress | None = None) -> Verification:
    """What is damaged in an archive, found by checking and decoding all of it; it does not stop at the first.

    Raises CorruptArchive where a directory or an index is damaged, for then nothing can be found.
    """
    if not isinstance(archive, Archive):
        with open(archive, model) as opened:
            return verify(opened, progress=progress)
    damaged_parts = {}
    for name, check in _checks(archive).items():
        try:
            check()
        except CorruptData as error:
            damaged_parts[name] = _alone(error)
    found, done = list[CorruptBlock](), 0
    for blocks in archive.block_groups():
        found += _damaged(archive, blocks, decodable="model" not in damaged_parts)
        done += len(blocks)
        if progress:
            progress(len(archive) * done // archive.blocks, len(archive))
    return Verification(len(archive), archive.blocks, tuple(found), damaged_parts)


def _checks(archive: Archive) -> dict[str, Callable[[], object]]:
    """What can be damaged beside blocks, and what finds out."""
    found: dict[str, Callable[[], object]] = {"model": lambda: archive.coders}
    for number, source in enumerate(archive.sources):
        for column in (each for each in source.directory.columns if each.name[0] != "." or each.name in PLACES):
            found[_own(column.name, found)] = partial(_read_column, archive, number, column.name)
        for name in source.directory.files:
            found[_own(f"file {name}", found)] = partial(_read_file, archive, number, name)
        found[_own("places", found)] = partial(_place, archive, number)
    for name in archive.column_names:
        found[_own(f"all of {name}", found)] = partial(archive.column, name, np.empty(0, np.int64))
    return found


def _own(name: str, found: dict[str, Callable[[], object]]) -> str:
    """The name, with a number where it is taken."""
    number, free = 2, name
    while free in found:
        free, number = f"{name} {number}", number + 1
    return free


def _read_column(archive: Archive, number: int, name: str) -> None:
    for _ in archive.segment(number).chunks(name):
        pass
    archive.segment(number).categories(name)


def _read_file(archive: Archive, number: int, name: str) -> None:
    archive.segment(number).kept_file(name)


def _place(archive: Archive, number: int) -> None:
    _ = archive.segment(number).placement


def _damaged(archive: Archive, blocks: Sequence[int], decodable: bool) -> list[CorruptBlock]:
    """The errors of the damaged among the blocks; where the model is damaged, only checksums can tell."""
    try:
        if decodable:
            archive.decode_blocks(blocks)
        else:
            archive.read_blocks(blocks)
        return []
    except CorruptBlock as error:
        if len(blocks) == 1:
            return [_alone(error)]
    return [error for block in blocks for error in _damaged(archive, [block], decodable)]


def _alone(error: _Error) -> _Error:
    """The error without what held on to pixels where it was raised."""
    error.__traceback__ = error.__context__ = error.__cause__ = None
    return error
