"""What each byte of an archive is for: what `engram info` prints. No model is read and no picture decoded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from engram.archive import frame
from engram.archive.format import Model
from engram.codecs.contract import Config

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
    types by their names.
    """

    images: int
    segments: int
    files: int
    groups: tuple[GroupInfo, ...]
    models: tuple[Model, ...]
    columns: dict[str, str]
    bytes_by_part: dict[str, int]

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
        return cls(len(archive), len(archive.sources), files, tuple(groups.values()), found_models, columns, parts)

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
        """Images, sizes and codecs."""
        shapes = list(dict.fromkeys((group.height, group.width, group.kind) for group in self.groups))
        codecs = ", ".join(dict.fromkeys(codec for group in self.groups for codec in group.codecs))
        if len(shapes) == 1:
            height, width, kind = shapes[0]
            return f"{self.images:,} {kind} images {height} x {width}, {codecs}"
        return f"{self.images:,} images in {len(shapes)} groups, {codecs or 'no codec'}"
