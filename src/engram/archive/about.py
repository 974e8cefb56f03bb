"""What each byte of an archive is for: what `engram info` prints. No model is read and no picture decoded."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from engram.archive import frame
from engram.archive.errors import CorruptColumn
from engram.archive.format import Model
from engram.codecs.contract import Config
from engram.datasets.notices import is_left_out
from engram.words import counted

if TYPE_CHECKING:
    from engram.archive.archive import Archive


@dataclass(frozen=True)
class GroupInfo:
    """Pictures of one kind that share a size of cells, coded alike; a codec and a configuration for each layer."""

    kind: str
    height: int
    width: int
    cells: int
    block_size: int
    blocks: int
    codecs: tuple[str, ...]
    configs: tuple[Config, ...]


@dataclass(frozen=True)
class Info:
    """An archive's settings, and its bytes by purpose: `bytes_by_part` sums to `archive_bytes`.

    segments: how many writes it is made of. models: each once, also those that were left out of it. columns: their
    types by their names. heights and widths: the least and the largest of the pictures'. left_out: how many pictures
    were left out when it was packed, which its file left-out.txt lists. as_files: how many are kept as files.
    """

    images: int
    segments: int
    files: int
    groups: tuple[GroupInfo, ...]
    models: tuple[Model, ...]
    columns: dict[str, str]
    bytes_by_part: dict[str, int]
    heights: tuple[int, int]
    widths: tuple[int, int]
    left_out: int
    as_files: int

    @classmethod
    def of(cls, archive: Archive) -> Info:
        """That of an archive that is open."""
        groups = dict[tuple[Any, ...], GroupInfo]()
        models, columns, parts = dict[str, Model](), dict[str, str](), dict[str, int]()
        for number, source in enumerate(archive.sources):
            directory = source.directory
            for group in directory.groups:
                codings = [directory.codings[coding] for coding in group.codings]
                found = GroupInfo(
                    group.kind,
                    *directory.size_of(group),
                    group.cells,
                    group.block_size,
                    group.blocks,
                    tuple(coding.id for coding in codings),
                    tuple(coding.config for coding in codings),
                )
                key = (group.kind, *directory.size_of(group), repr(found.configs), found.block_size)
                if key in groups:
                    before = groups[key]
                    found = GroupInfo(
                        *(before.kind, before.height, before.width, before.cells + found.cells, before.block_size),
                        *(before.blocks + found.blocks, before.codecs, before.configs),
                    )
                groups[key] = found
            for model in directory.models:
                embedded = model.embedded or (model.sha256 in models and models[model.sha256].embedded)
                models[model.sha256] = replace(model, embedded=embedded)
            shown = (column for column in directory.columns if not column.name.startswith("."))
            columns |= {column.name: column.type for column in shown}
            for part, size in archive.segment(number).bytes_by_part.items():
                parts[part] = parts.get(part, 0) + size
        files = len({source.place for source in archive.sources})
        parts["prelude"] = files * frame.PRELUDE.size
        found_models = tuple(model for model in models.values() if model.bytes)
        return cls(
            len(archive),
            len(archive.sources),
            files,
            tuple(groups.values()),
            found_models,
            columns,
            parts,
            *_sides(archive, list(groups.values())),
            _left_out(archive),
            _as_files(archive),
        )

    @property
    def archive_bytes(self) -> int:
        """The size of the file, or of all shards."""
        return sum(self.bytes_by_part.values())

    @property
    def model_bytes(self) -> int:
        """Of all models, also of those that were left out."""
        return sum(model.bytes for model in self.models)

    @property
    def model_embedded(self) -> bool:
        """Whether the archive can be read without anything else."""
        return all(model.embedded for model in self.models)

    @property
    def bytes_per_image(self) -> float:
        """All bytes but the models', for each image; 0 where there are no images."""
        return (self.archive_bytes - self.bytes_by_part.get("models", 0)) / max(1, self.images)

    @property
    def bytes_per_image_with_model(self) -> float:
        """All bytes and the models', embedded or not, for each image."""
        return self.bytes_per_image + self.model_bytes / max(1, self.images)

    @property
    def blocks(self) -> int:
        return sum(group.blocks for group in self.groups)

    def in_a_line(self) -> str:
        """Images, kinds, sizes and codecs."""
        kinds = list(dict.fromkeys(group.kind for group in self.groups))
        codecs = ", ".join(dict.fromkeys(codec for group in self.groups for codec in group.codecs)) or "no codec"
        words = counted(self.images, f"{kinds[0]} image" if len(kinds) == 1 else "image")
        if len(kinds) > 1:
            words += f" ({', '.join(kinds)})"
        sides = [str(low) if low == high else f"{low} to {high}" for low, high in (self.heights, self.widths)]
        if self.heights[1] == self.heights[0] and self.widths[1] == self.widths[0]:
            return f"{words} {sides[0]} x {sides[1]}, {codecs}"
        return f"{words}, {sides[0]} pixels high and {sides[1]} wide, {codecs}"


def _sides(archive: Archive, groups: list[GroupInfo]) -> tuple[tuple[int, int], tuple[int, int]]:
    """The least and the largest height, and width, of the pictures; of the groups where no size of its own is known."""
    sizes = np.array([(group.height, group.width) for group in groups] or [(0, 0)])
    if len(archive) and not archive.is_plain:
        with suppress(CorruptColumn):  # all bytes are told of all the same
            sizes = archive.sizes
    low, high = sizes.min(axis=0).tolist(), sizes.max(axis=0).tolist()
    return (low[0], high[0]), (low[1], high[1])


def _as_files(archive: Archive) -> int:
    """How many pictures are kept as files."""
    codings = [coding for source in archive.sources for coding in source.directory.codings]
    return int(archive.are_files(archive.rows).sum()) if any(coding.kind for coding in codings) else 0


def _left_out(archive: Archive) -> int:
    """How many pictures were left out: lines of the files that list them."""
    found = 0
    for number, source in enumerate(archive.sources):
        for name in filter(is_left_out, source.directory.files):
            with suppress(CorruptColumn):
                found += archive.segment(number).kept_file(name).count(b"\n")
    return found
