"""The fixed parts of an archive, as FORMAT.md draws them: prelude, header, index, footer. Each comes as parse/emit.

    prelude | header | checksum | model | block 0 | block 1 | ... | class names | labels | names | index | footer

Parsing believes no length before it is checked against the limits and against the bytes that are there.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from engram.archive.errors import CorruptHeader, CorruptIndex, LimitExceeded, TruncatedArchive, UnsupportedVersion
from engram.codecs.contract import Config, CorruptModel, image_shape_of

MAGIC = b"\x89EGM\r\n\x1a\n"
VERSION = 1

MOST_HEADER_BYTES = 1 << 20
MOST_IMAGES_IN_BLOCK = 1 << 16
MOST_BLOCK_PIXELS = 1 << 28
"""A decoded block has at most so many bytes: block size x height x width x channels."""

PRELUDE = struct.Struct("<8sII")
CHECKSUM = struct.Struct("<I")
FOOTER = struct.Struct("<Q QI QI QI II II 8s")
_CHECKED_FOOTER_BYTES = FOOTER.size - 4 - len(MAGIC)


@dataclass(frozen=True)
class Header:
    """What every block is read with. model_bytes and model_sha256 speak of the model also where it is left out."""

    codec: str
    config: Config
    block_size: int
    model_bytes: int
    model_sha256: str
    model_embedded: bool

    @classmethod
    def of(cls, codec: str, config: Config, model: bytes, block_size: int, embed_model: bool) -> Self:
        return cls(codec, config, block_size, len(model), hashlib.sha256(model).hexdigest(), embed_model)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels), which every codec's configuration names."""
        return image_shape_of(self.config)

    @property
    def block_pixels(self) -> int:
        """Bytes of a full block's pixels."""
        height, width, channels = self.image_shape
        return self.block_size * height * width * channels


def emit_header(header: Header) -> bytes:
    """Prelude, header and checksum. Raises LimitExceeded."""
    text = _emit_json(header)
    if len(text) > MOST_HEADER_BYTES:
        raise LimitExceeded(f"a header of {len(text):,} bytes; the limit is {MOST_HEADER_BYTES:,}")
    box = PRELUDE.pack(MAGIC, VERSION, len(text)) + text
    return box + CHECKSUM.pack(zlib.crc32(box))


def header_to_json(header: Header) -> dict[str, Any]:
    """The header's JSON, where it stands in another."""
    content: dict[str, Any] = json.loads(_emit_json(header))
    return content


def header_from_json(content: Any) -> Header:
    """The header of its JSON in another. Raises CorruptHeader and LimitExceeded, TypeError and ValueError."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    box = PRELUDE.pack(MAGIC, VERSION, len(text)) + text
    return parse_header(box + CHECKSUM.pack(zlib.crc32(box)))


def header_size(prelude: bytes) -> int:
    """How many bytes prelude, header and checksum have together; the magic is already known to be right.

    Raises UnsupportedVersion and LimitExceeded.
    """
    _, version, length = PRELUDE.unpack(prelude)
    if version != VERSION:
        raise UnsupportedVersion(f"format version {version} is not known; this engram reads version {VERSION}")
    if length > MOST_HEADER_BYTES:
        raise LimitExceeded(f"a header of {length:,} bytes is declared; the limit is {MOST_HEADER_BYTES:,}")
    return PRELUDE.size + int(length) + CHECKSUM.size


def parse_header(box: bytes) -> Header:
    """The header of the bytes that `emit_header` gave. Raises CorruptHeader and LimitExceeded."""
    if zlib.crc32(box[:-4]) != CHECKSUM.unpack(box[-4:])[0]:
        raise CorruptHeader("the header's checksum is wrong")
    text = box[PRELUDE.size : -4]
    try:
        found = json.loads(text)
        model = found["model"]
        header = Header(
            found["codec"], found["config"], found["block_size"], model["bytes"], model["sha256"], model["embedded"]
        )
        # Only one text makes a header: this refuses unknown, missing and doubled keys, spaces and odd numbers alike.
        canonical = _emit_json(header) == text and _has_right_types(header)
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        canonical = False
    if not canonical:
        raise CorruptHeader("the header is not the canonical JSON of the format's keys")
    check_limits(header)
    return header


def check_limits(header: Header) -> None:
    """Raises LimitExceeded for blocks of too many images or pixels, CorruptHeader where there is no image shape."""
    if not 1 <= header.block_size <= MOST_IMAGES_IN_BLOCK:
        raise LimitExceeded(f"blocks of {header.block_size:,} images; a block has 1 to {MOST_IMAGES_IN_BLOCK:,}")
    try:
        pixels = header.block_pixels
    except CorruptModel as error:
        raise CorruptHeader(str(error)) from None
    if pixels > MOST_BLOCK_PIXELS:
        raise LimitExceeded(f"blocks of {pixels:,} bytes of pixels; the limit is {MOST_BLOCK_PIXELS:,}")


def _emit_json(header: Header) -> bytes:
    content: dict[str, Any] = {
        "block_size": header.block_size,
        "codec": header.codec,
        "config": header.config,
        "model": {"bytes": header.model_bytes, "embedded": header.model_embedded, "sha256": header.model_sha256},
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _has_right_types(header: Header) -> bool:
    digest = header.model_sha256
    return (
        type(header.codec) is str
        and type(header.config) is dict
        and type(header.block_size) is int
        and type(header.model_bytes) is int
        and header.model_bytes >= 0
        and type(header.model_embedded) is bool
        and type(digest) is str
        and len(digest) == 64
        and set(digest) <= set("0123456789abcdef")
    )


@dataclass(frozen=True)
class Section:
    """A compressed section's length and checksum; length 0 says that there is none."""

    length: int = 0
    checksum: int = 0

    @classmethod
    def of(cls, data: bytes) -> Self:
        return cls(len(data), zlib.crc32(data))


@dataclass(frozen=True)
class Footer:
    """The last 68 bytes. `width` is the number of bytes of a block's length in the index."""

    count: int
    class_names: Section
    labels: Section
    names: Section
    width: int
    index_checksum: int
    header_checksum: int


def emit_footer(footer: Footer) -> bytes:
    sections = (number for s in (footer.class_names, footer.labels, footer.names) for number in (s.length, s.checksum))
    fields = (footer.count, *sections, footer.width, footer.index_checksum, footer.header_checksum)
    checked = FOOTER.pack(*fields, 0, MAGIC)[:_CHECKED_FOOTER_BYTES]
    return checked + CHECKSUM.pack(zlib.crc32(checked)) + MAGIC


def footer_checksum(footer: Footer) -> int:
    """The checksum that stands in the footer, of all that is before it."""
    return zlib.crc32(emit_footer(footer)[:_CHECKED_FOOTER_BYTES])


def parse_footer(data: bytes) -> Footer:
    """The footer of an archive's last bytes. Raises TruncatedArchive and CorruptIndex."""
    if len(data) < FOOTER.size or not data.endswith(MAGIC):
        raise TruncatedArchive("the archive does not end with its footer; it was cut, or something was put after it")
    count, *sections, width, index_checksum, header_checksum, checksum, _ = FOOTER.unpack(data)
    if zlib.crc32(data[:_CHECKED_FOOTER_BYTES]) != checksum:
        raise CorruptIndex("the footer's checksum is wrong")
    if not 1 <= width <= 4:
        raise CorruptIndex(f"block lengths of {width} bytes are declared; they have 1 to 4")
    class_names, labels, names = (Section(*sections[i : i + 2]) for i in (0, 2, 4))
    return Footer(count, class_names, labels, names, width, index_checksum, header_checksum)


@dataclass(frozen=True, eq=False)
class Index:
    """The blocks' lengths and checksums. Where a block lies follows by addition: none can overlap or leave a hole."""

    lengths: NDArray[np.int64]
    checksums: NDArray[np.uint32]

    @property
    def width(self) -> int:
        """The fewest bytes that hold the longest length, at least 1."""
        return max(1, -(-int(self.lengths.max(initial=0)).bit_length() // 8))


def emit_index(index: Index) -> bytes:
    """All lengths, each in `width` bytes, then all checksums; little-endian."""
    lengths = index.lengths.astype("<u4").view(np.uint8).reshape(-1, 4)[:, : index.width]
    return lengths.tobytes() + index.checksums.astype("<u4").tobytes()


def emit_tail(header_box: bytes, count: int, sections: tuple[bytes, bytes, bytes], index: Index) -> bytes:
    """All that follows the blocks of `count` images; the sections are class names, labels and names, in that order."""
    index_box = emit_index(index)
    of_class_names, of_labels, of_names = map(Section.of, sections)
    checksums = zlib.crc32(index_box), zlib.crc32(header_box[: -CHECKSUM.size])
    footer = Footer(count, of_class_names, of_labels, of_names, index.width, *checksums)
    return b"".join(sections) + index_box + emit_footer(footer)


def parse_index(data: bytes, footer: Footer) -> Index:
    """The index of its bytes, one entry of footer.width + 4 bytes for each block. Raises CorruptIndex."""
    if zlib.crc32(data) != footer.index_checksum:
        raise CorruptIndex("the index's checksum is wrong")
    blocks = len(data) // (footer.width + 4)
    lengths = np.zeros((blocks, 4), np.uint8)
    lengths[:, : footer.width] = np.frombuffer(data, np.uint8, blocks * footer.width).reshape(blocks, footer.width)
    index = Index(
        lengths.view("<u4")[:, 0].astype(np.int64), np.frombuffer(data, "<u4", offset=blocks * footer.width).copy()
    )
    if index.width != footer.width:
        raise CorruptIndex(f"block lengths have {footer.width} bytes where {index.width} would do")
    return index
