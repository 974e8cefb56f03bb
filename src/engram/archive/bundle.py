"""The directory of a bundle: a file of several archives, one after another. See FORMAT.md.

archive | ... | archive | directory and trailer (superseded) | archive | order | sizes | directory | trailer
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any
from zlib import crc32

from engram.archive.errors import CorruptArchive
from engram.storage import Storage

MAGIC = b"\x89EGB\r\n\x1a\n"
VERSION = 1
TRAILER = struct.Struct("<II8s")
MOST_DIRECTORY_BYTES = 1 << 26


class CorruptBundle(CorruptArchive):
    """A bundle whose directory does not keep FORMAT.md's promises."""


@dataclass(frozen=True)
class Member:
    """An archive in a bundle: where it begins, its bytes and images, and the checksum in its footer."""

    bytes: int
    footer_crc32: int
    images: int
    offset: int

    @property
    def identity(self) -> tuple[int, int]:
        """What `Directory.identity` is for this archive."""
        return self.bytes, self.footer_crc32


@dataclass(frozen=True)
class Stored:
    """A section of a bundle: where it begins, its bytes and their checksum."""

    bytes: int
    crc32: int
    offset: int


@dataclass(frozen=True)
class Part:
    """What was packed at once: its images, its archives, and the sections that say which image lies where."""

    images: int
    members: tuple[Member, ...]
    order: Stored | None = None
    sizes: Stored | None = None


def stored(offset: int, data: bytes) -> Stored:
    """The section of these bytes."""
    return Stored(len(data), crc32(data), offset)


def emit(parts: tuple[Part, ...]) -> bytes:
    """Directory and trailer, the end of a bundle."""
    directory = _emit_json(parts)
    return directory + TRAILER.pack(len(directory), crc32(directory), MAGIC)


def read(file: Storage) -> tuple[Part, ...] | None:
    """The parts of an open bundle; None for a file that is none. Raises CorruptBundle."""
    trailer_offset = file.size - TRAILER.size
    trailer = file.read(trailer_offset, TRAILER.size) if trailer_offset >= 0 else b""
    if not trailer.endswith(MAGIC):
        return None
    length, checksum, _ = TRAILER.unpack(trailer)
    if length > min(MOST_DIRECTORY_BYTES, trailer_offset):
        raise CorruptBundle(f"{file.shown}: a directory of {length:,} bytes is declared, more than there can be")
    data = file.read(trailer_offset - length, length)
    if crc32(data) != checksum:
        raise CorruptBundle(f"{file.shown}: the checksum of its directory is wrong")
    try:
        return _parse(data, trailer_offset - length)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CorruptBundle(f"{file.shown}: its directory of archives is none: {error}") from None


def _emit_json(parts: tuple[Part, ...]) -> bytes:
    content = {"engram_bundle": VERSION, "parts": [asdict(part) for part in parts]}
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _parse(data: bytes, offset: int) -> tuple[Part, ...]:
    """The parts of a directory that begins there. Raises ValueError, and what JSON of another shape raises."""
    content = json.loads(data)
    if content["engram_bundle"] != VERSION:
        raise ValueError(f"version {content['engram_bundle']!r} is not known")
    parts = tuple(_part(entry) for entry in content["parts"])
    if _emit_json(parts) != data:  # refuses unknown, missing and doubled keys, spaces and odd numbers alike
        raise ValueError("it is not the canonical JSON of the format's keys")
    if not parts:
        raise ValueError("it has no part")
    end = 0
    for box in _boxes(parts):
        if box.offset < end or (end == 0) != (box.offset == 0):
            raise ValueError("its boxes overlap, are out of order, or do not begin with the file")
        end = box.offset + box.bytes
    if end > offset:
        raise ValueError("its boxes do not end before it")
    return parts


def _part(entry: dict[str, Any]) -> Part:
    members = tuple(Member(**each) for each in entry["members"])
    order, sizes = (None if entry[key] is None else Stored(**entry[key]) for key in ("order", "sizes"))
    part = Part(entry["images"], members, order, sizes)
    if not members or any(type(n) is not int or n < 0 for n in (part.images, *_numbers(part))):
        raise ValueError("a part has no archive, or numbers that are none")
    if part.images != sum(member.images for member in members):
        raise ValueError(f"a part of {part.images:,} images has archives of others")
    if (order is None) != (len(members) == 1):
        raise ValueError("an order belongs to a part of several archives")
    return part


def _boxes(parts: tuple[Part, ...]) -> Iterator[Member | Stored]:
    for part in parts:
        yield from part.members
        yield from (section for section in (part.order, part.sizes) if section is not None)


def _numbers(part: Part) -> Iterator[int]:
    for box in _boxes((part,)):
        yield from vars(box).values()
