"""The manifest of a shard set, `shards.json`: which archives it has, in their order. See FORMAT.md."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from engram.archive import layout
from engram.archive.errors import CorruptArchive
from engram.archive.names import check_name
from engram.datasets.names import UnsafeName
from engram.datasets.source import MANIFEST

NAME = MANIFEST
VERSION = 1


class CorruptManifest(CorruptArchive):
    """A manifest that does not keep FORMAT.md's promises."""


@dataclass(frozen=True)
class Shard:
    """An archive beside the manifest: its name, its images, its size, and the checksum in its footer."""

    name: str
    images: int
    bytes: int
    footer_crc32: int

    @property
    def identity(self) -> tuple[int, int]:
        """What `Directory.identity` is for this archive."""
        return self.bytes, self.footer_crc32


@dataclass(frozen=True)
class Manifest:
    """The header that all shards have, the name of the model's file if they leave it out, and the shards."""

    header: layout.Header
    model: str | None
    shards: tuple[Shard, ...]


def emit(manifest: Manifest) -> bytes:
    content = {
        "engram_shards": VERSION,
        "header": layout.header_to_json(manifest.header),
        "model": manifest.model,
        "shards": [vars(shard) for shard in manifest.shards],
    }
    return (json.dumps(content, indent=1) + "\n").encode()


def parse(data: bytes, shown: str) -> Manifest:
    """The manifest of a file. Raises CorruptManifest."""
    try:
        content = json.loads(data)
        if content["engram_shards"] != VERSION:
            raise CorruptManifest(f"{shown}: manifests of version {content['engram_shards']!r} are not known")
        header = layout.header_from_json(content["header"])
        shards = tuple(_shard(each) for each in content["shards"])
        model = content["model"]
        if model is not None:
            check_name(model)
        if set(content) != {"engram_shards", "header", "model", "shards"} or not shards:
            raise ValueError("its keys are not those of the format, or it names no shard")
        if len({shard.name for shard in shards}) < len(shards):
            raise ValueError("it names a shard twice")
    except CorruptManifest:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, CorruptArchive, UnsafeName) as error:
        raise CorruptManifest(f"{shown} is no manifest of shards, or a damaged one: {error}") from None
    return Manifest(header, model, shards)


def _shard(entry: dict[str, Any]) -> Shard:
    shard = Shard(**entry)
    check_name(shard.name)
    numbers = (shard.images, shard.bytes, shard.footer_crc32)
    if any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError(f"{shard.name} has numbers that are none")
    return shard
