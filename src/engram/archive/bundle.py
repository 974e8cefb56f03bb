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

from engram.archive import layout
from engram.archive.errors import CorruptArchive
from engram.archive.layout import Header
from engram.storage import Storage

MAGIC = b"\x89EBN\r\n\x1a\n"
VERSION = 1
TRAILER = struct.Struct("<II8s")
MOST_DIRECTORY_BYTES = 1 << 26
LEAST_INDEX_BYTES = 5
"""Of a block, in an archive's index."""


class CorruptBundle(CorruptArchive):
    """A bundle whose directory does not keep FORMAT.md's promises."""


@dataclass(frozen=True)
class Member:
    """An archive in a bundle: where it begins, its bytes and images, its header's number, its footer's checksum."""

    bytes: int
    footer_crc32: int
    header: int
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


@dataclass(frozen=True)
class Bundle:
    """The headers that archives of a bundle have, and its parts."""

    headers: tuple[Header, ...]
    parts: tuple[Part, ...]

    @property
    def members(self) -> tuple[Member, ...]:
        """All archives, in their order in the file."""
        return tuple(member for part in self.parts for member in part.members)

    def header_of(self, member: Member) -> Header:
        return self.headers[member.header]

    @property
    def is_plain(self) -> bool:
        """Whether its images are those of its archives, one after another, and of one size."""
        sections = any(part.order or part.sizes for part in self.parts)
        return not sections and len({header.image_shape for header in self.headers}) == 1


def stored(offset: int, data: bytes) -> Stored:
    """The section of these bytes."""
    return Stored(len(data), crc32(data), offset)


def emit(bundle: Bundle) -> bytes:
    """Directory and trailer, the end of a bundle."""
    directory = _emit_json(bundle)
    return directory + TRAILER.pack(len(directory), crc32(directory), MAGIC)


def read(file: Storage) -> Bundle | None:
    """The directory of an open bundle; None for a file that is none. Raises CorruptBundle."""
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
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, CorruptArchive) as error:
        raise CorruptBundle(f"{file.shown}: its directory of archives is none: {error}") from None


def _emit_json(bundle: Bundle) -> bytes:
    content = {
        "engram_bundle": VERSION,
        "headers": [layout.header_to_json(header) for header in bundle.headers],
        "parts": [asdict(part) for part in bundle.parts],
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _parse(data: bytes, offset: int) -> Bundle:
    """The directory that begins there. Raises ValueError, CorruptArchive, and what JSON of another shape raises."""
    content = json.loads(data)
    if content["engram_bundle"] != VERSION:
        raise ValueError(f"version {content['engram_bundle']!r} is not known")
    headers = tuple(layout.header_from_json(header) for header in content["headers"])
    found = Bundle(headers, tuple(_part(entry) for entry in content["parts"]))
    if _emit_json(found) != data:  # refuses unknown, missing and doubled keys, spaces and odd numbers alike
        raise ValueError("it is not the canonical JSON of the format's keys")
    used = [member.header for member in found.members]
    if list(dict.fromkeys(used)) != list(range(len(headers))) or len(set(map(layout.emit_header, headers))) < len(
        headers
    ):
        raise ValueError("its headers are not those of its archives, each once, in the order of their use")
    if len({header.image_shape[2] for header in headers}) != 1:
        raise ValueError("its archives have not the same number of channels")
    for member in found.members:  # before anything is allocated in proportion
        if -(-member.images // headers[member.header].block_size) * LEAST_INDEX_BYTES > member.bytes:
            raise ValueError(f"an archive of {member.bytes:,} bytes cannot have {member.images:,} images")
    end = 0
    for box in _boxes(found.parts):
        if box.offset < end or (end == 0) != (box.offset == 0):
            raise ValueError("its boxes overlap, are out of order, or do not begin with the file")
        end = box.offset + box.bytes
    if end > offset:
        raise ValueError("its boxes do not end before it")
    return found


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
