"""Blocks: the segments of an archive, and their blocks decoded. No more is decoded than must be.

Threads may share it, and forked processes: nothing that is shared changes but caches that bear it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from engram import storage
from engram.archive.errors import ArchiveChanged, CorruptArchive, CorruptBlock, CorruptModel
from engram.archive.format import Directory
from engram.archive.frame import TRAILER, parse_trailer
from engram.archive.layers import Coder
from engram.archive.models import GivenModel, find_model
from engram.archive.segment import DamagedPiece, Segment
from engram.codecs import contract, registry
from engram.codecs.contract import Codec, Rows
from engram.errors import CorruptData, UsageError
from engram.kinds import KINDS, AnyPixels
from engram.storage import Location, Storage

MOST_OPEN = 64
"""Segments, and files, that stay open."""
BATCH_BYTES = 1 << 24
"""Pixels decoded in one go."""
_CACHE_BYTES = 1 << 24
"""Pixels of whole blocks that reads by index leave behind; one block is kept however large it is."""
_VISITS_BEFORE_WHOLE = 4
"""So many images of a frozen network, decoded alone, cost about as much as their block of 64: whatever the pattern of
reads, it costs no more than about twice what the best choice would."""


@dataclass(frozen=True)
class Source:
    """Where a segment lies: its file, and the file's size then; where it stops, and the CRC-32 in its trailer."""

    place: Location
    size: int
    stop: int
    crc32: int
    directory: Directory


class Blocks:
    """All segments as one; blocks are numbered through, and so are rows.

    Raises what `coder_of` does at the first block that is decoded.
    """

    def __init__(
        self,
        location: Location,
        sources: Sequence[Source],
        model: GivenModel = None,
        beside: Location | None = None,
        opened: Storage | None = None,
    ) -> None:
        """model: the model that was left out of it; beside: a file of it, for a set. opened: the only file."""
        self.location = location if storage.is_url(location) else Path(location).absolute()
        self.sources = tuple(sources)
        self._given_model, self._beside = model, beside
        self.first_rows = np.cumsum([0] + [source.directory.rows for source in sources])
        self.first_blocks = np.cumsum([0] + [source.directory.blocks for source in sources])
        self._closed = False
        self._file = lru_cache(MOST_OPEN)(self._open_file)
        self._only = opened
        self.segment = lru_cache(MOST_OPEN)(self._open_segment)
        self._coders = dict[tuple[int, int], Coder]()
        self._codecs = dict[tuple[str, str, str], Codec]()
        sizes = [
            group.block_size * source.directory.cell_bytes(group)
            for source in sources
            for group in source.directory.groups
        ]
        self.block_bytes = max(sizes, default=1)
        """The pixels of the largest block."""
        self._blocks_at_once = max(1, BATCH_BYTES // self.block_bytes)
        self._places = lru_cache(max(1, _CACHE_BYTES // self.block_bytes))(_Place)

    @property
    def path(self) -> Location:
        """Where it lies: an absolute Path; a URL as it may be shown, without credentials."""
        return self.location if isinstance(self.location, Path) else storage.shown(self.location)

    def __len__(self) -> int:
        return int(self.first_rows[-1])

    @property
    def given(self) -> tuple[GivenModel, Location | None]:
        """(the model that was given, where one lies beside the archive)."""
        return self._given_model, self._beside

    def first_of(self, number: int) -> tuple[int, int]:
        """(the first picture, the first block) of a segment."""
        return int(self.first_rows[number]), int(self.first_blocks[number])

    @property
    def identity(self) -> tuple[tuple[int, int], ...]:
        """What tells two archives apart: where each segment stops, and the CRC-32 in its trailer."""
        return tuple((source.stop, source.crc32) for source in self.sources)

    @property
    def blocks(self) -> int:
        """How many there are."""
        return int(self.first_blocks[-1])

    def rows_of(self, block: int) -> NDArray[np.int64]:
        """The pictures that have a cell in a block."""
        number, local = self._local(block)
        return self.segment(number).rows_of(local) + int(self.first_rows[number])

    def block_groups(self) -> Iterator[range]:
        """All blocks' numbers, in groups that are best decoded in one go; the next is fetched meanwhile."""
        numbers = range(self.blocks)
        for first in range(0, len(numbers), self._blocks_at_once):
            following = first + self._blocks_at_once
            self.expect(numbers[following : following + self._blocks_at_once])
            yield numbers[first:following]

    def decode_blocks(self, blocks: Sequence[int]) -> list[AnyPixels]:
        """The cells of whole blocks, decoded in one go. Raises CorruptBlock for the first that is damaged."""
        return self._decode_some([(block, np.arange(self._count(block))) for block in blocks])

    def files_in(self, block: int, places: Rows) -> list[bytes]:
        """The files at some places in a block of files. Raises CorruptBlock."""
        coder, [data] = self.coder_of(block), self.read_blocks([block])
        assert coder.files is not None
        try:
            return coder.files.files(data, self._count(block), places)
        except CorruptData as error:
            raise self._undecodable(block, error) from error

    def read_blocks(self, numbers: Sequence[int]) -> list[bytes]:
        """The bytes of blocks. Raises CorruptBlock for the first that is damaged."""
        found = list[bytes]()
        for number, run in groupby(numbers, lambda block: self._local(block)[0]):
            some = list(run)
            try:
                found += self.segment(number).pieces([self._local(block)[1] for block in some])
            except DamagedPiece as error:
                block = int(str(error)) + int(self.first_blocks[number])
                raise self.damaged(block, "is damaged: its checksum is wrong") from None
        return found

    def expect(self, numbers: Sequence[int]) -> None:
        """Is told which blocks will be read next, so that they may be fetched meanwhile."""
        for number, run in groupby(numbers, lambda block: self._local(block)[0]):
            segment = self.segment(number)
            segment.file.expect([segment.span(self._local(block)[1]) for block in run])

    def damaged(self, block: int, reason: str) -> CorruptBlock:
        """The error that names a block's pictures."""
        rows = self.rows_of(block)
        first, stop = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)
        return CorruptBlock(str(self.place_of(block)), block, first, stop, reason, len(rows))

    def place_of(self, block: int) -> Location:
        """The file that a block lies in, as it may be shown."""
        place = self.sources[self._local(block)[0]].place
        return storage.shown(place)

    def coder_of(self, block: int) -> Coder:
        """What decodes a block. Raises ModelMissing, ModelMismatch, CorruptModel, UnknownCodec."""
        number, local = self._local(block)
        return self.coder(number, self.segment(number).cells_of(local)[0])

    def coder(self, number: int, group: int) -> Coder:
        """What decodes a group of a segment. Raises what `coder_of` does."""
        if (number, group) not in self._coders:
            directory = self.sources[number].directory
            found = directory.groups[group]
            codecs = tuple(self._codec(number, coding) for coding in found.codings)
            self._coders[number, group] = Coder(KINDS[found.kind], codecs)
        return self._coders[number, group]

    @property
    def coders(self) -> list[Coder]:
        """All that there are, one for each group of each segment. Raises what `coder_of` does."""
        return [
            self.coder(number, group)
            for number, source in enumerate(self.sources)
            for group in range(len(source.directory.groups))
        ]

    def _codec(self, number: int, coding: int) -> Codec:
        directory = self.sources[number].directory
        found = directory.codings[coding]
        model = None if found.model is None else directory.models[found.model]
        key = found.id, json.dumps(found.config, sort_keys=True), "" if model is None else model.sha256
        if key not in self._codecs:
            data = b"" if model is None else find_model(self, number, model, self._given_model, self._beside)
            try:
                self._codecs[key] = registry.get(found.id).from_config(found.config, data)
            except contract.CorruptModel as error:
                raise CorruptModel(f"{self.path}: {error}") from error
        return self._codecs[key]

    def _decode_some(self, wanted: Sequence[tuple[int, Rows]]) -> list[AnyPixels]:
        """The cells of each (block, places in it), decoded in one go. Raises CorruptBlock for the first damaged."""
        coders = [self.coder_of(block) for block, _ in wanted]
        coded = [
            (data, self._count(block), rows)
            for data, (block, rows) in zip(self.read_blocks([block for block, _ in wanted]), wanted, strict=True)
        ]
        found = list[AnyPixels]()
        try:
            for _, run in groupby(zip(coders, coded, strict=True), lambda each: id(each[0])):
                some = list(run)
                found += some[0][0].decode_some([each for _, each in some])
        except CorruptData as error:
            if len(wanted) > 1:  # of one of them: find which
                return [self._decode_some([one])[0] for one in wanted]
            raise self._undecodable(wanted[0][0], error) from error
        return found

    def _undecodable(self, block: int, error: CorruptData) -> CorruptBlock:
        return self.damaged(block, f"has the right checksum but cannot be decoded ({error})")

    def _count(self, block: int) -> int:
        """How many cells a block has."""
        number, local = self._local(block)
        return len(self.segment(number).cells_of(local)[1])

    def block_in(self, number: int, group: int, cell: int) -> tuple[int, int]:
        """(block, place in it) of a cell of a segment's group."""
        local, within = divmod(cell, self.sources[number].directory.groups[group].block_size)
        return int(self.first_blocks[number] + self.segment(number).group_blocks[group]) + local, within

    def _local(self, block: int) -> tuple[int, int]:
        """(segment, block in it)."""
        number = int(np.searchsorted(self.first_blocks, block, side="right")) - 1
        return number, block - int(self.first_blocks[number])

    def segment_of(self, row: int) -> int:
        return int(np.searchsorted(self.first_rows, row, side="right")) - 1

    def by_segment(self, rows: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """(segment, which of the rows lie in it)."""
        owners = np.searchsorted(self.first_rows, rows, side="right") - 1
        for number in np.unique(owners).tolist():
            yield number, np.flatnonzero(owners == number)

    def cells_at(
        self, blocks: NDArray[np.int64], withins: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], AnyPixels]]:
        """(places in what was asked, their cells); a block is decoded once, and kept where it was asked often."""
        order = np.argsort(blocks, kind="stable")
        numbers, starts = np.unique(blocks[order], return_index=True)
        waiting = []
        for block, spots in zip(numbers.tolist(), np.split(order, starts[1:]), strict=False):  # none has one group
            place = self._places(block)
            if place.pixels is None:
                waiting.append((place, spots, block))
            else:
                yield spots, place.pixels[withins[spots]]
        for first in range(0, len(waiting), self._blocks_at_once):
            some = waiting[first : first + self._blocks_at_once]
            often = [place.visits >= _VISITS_BEFORE_WHOLE for place, _, _ in some]
            wanted = [
                (block, np.arange(self._count(block)) if keep else withins[spots])
                for keep, (_, spots, block) in zip(often, some, strict=True)
            ]
            for keep, (place, spots, _), pixels in zip(often, some, self._decode_some(wanted), strict=True):
                place.visits += 1
                yield spots, pixels[withins[spots]] if keep else pixels
                if keep:
                    place.pixels = pixels.copy()  # not a view of what was decoded with it

    def cell(self, block: int, within: int) -> AnyPixels:
        place = self._places(block)
        if place.pixels is None and place.visits < _VISITS_BEFORE_WHOLE:
            place.visits += 1
            coder, [data] = self.coder_of(block), self.read_blocks([block])
            try:
                return coder.decode_one(data, self._count(block), within)
            except CorruptData as error:
                raise self._undecodable(block, error) from error
        if place.pixels is None:
            [place.pixels] = self.decode_blocks([block])
        cell: AnyPixels = place.pixels[within].copy()
        return cell

    def _open_file(self, place: Location, size: int) -> Storage:
        if self._only is not None and len({source.place for source in self.sources}) == 1:
            return self._only
        return storage.open(place, size)

    def _open_segment(self, number: int) -> Segment:
        if self._closed:
            raise UsageError(f"{self.path} was closed; read it within the `with` block")
        source = self.sources[number]
        file = self._file(source.place, source.size)
        changed = ArchiveChanged(
            f"{storage.shown(source.place)} is not the archive that {self.path} names; it was written anew since"
        )
        if self._only is None:
            _check_same(file, source, changed)
        return Segment(file, source.directory, source.stop, source.crc32)

    def close(self) -> None:
        """Closes the files; what was read stays valid."""
        self._closed = True
        if self._only is not None:
            self._only.close()
        self.segment.cache_clear()
        self._file.cache_clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check_same(file: Storage, source: Source, changed: ArchiveChanged) -> None:

    try:
        _, crc32 = parse_trailer(file.read(max(0, source.stop - TRAILER.size), TRAILER.size), file.shown)
    except CorruptArchive:
        raise changed from None
    if crc32 != source.crc32:
        raise changed


class _Place:
    """A block's place in the cache: how often cells of it were decoded, and its pixels once they are kept."""

    __slots__ = ("pixels", "visits")

    def __init__(self, block: int) -> None:
        self.pixels: AnyPixels | None = None
        self.visits = 0
