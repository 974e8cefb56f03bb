"""Archives put together by hand, right or wrong, with right checksums: the standard library alone."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

PRELUDE = bytes.fromhex("89 45 47 4d 0d 0a 1a 0a 02 00 00 00")
END = bytes.fromhex("89 45 47 54 0d 0a 1a 0a")
CODING = {"id": "raw", "config": {"image_shape": [1, 1, 1]}, "model": None}
GROUP = {"kind": "gray", "codings": [0], "block_size": 2, "cells": 3}
BLOCKS = [zlib.compress(b"ab"), zlib.compress(b"c")]
"""Three gray pictures of one pixel, codec raw, in blocks of two."""


def directory_of(pieces: list[bytes] = BLOCKS, **changes: Any) -> dict[str, Any]:
    """The directory of those pictures, and of what else there is."""
    width, box = index_of(pieces)
    return {
        "rows": 3,
        "models": [],
        "codings": [CODING],
        "groups": [GROUP],
        "columns": [],
        "files": [],
        "before": [],
        "needs": [],
        "width": width,
        "index_crc32": zlib.crc32(box),
    } | changes


def index_of(pieces: list[bytes]) -> tuple[int, bytes]:
    """(bytes of a length, the index)."""
    width = max([1, *((len(piece).bit_length() + 7) // 8 for piece in pieces)])
    lengths = b"".join(len(piece).to_bytes(width, "little") for piece in pieces)
    return width, lengths + b"".join(struct.pack("<I", zlib.crc32(piece)) for piece in pieces)


def end_of(text: bytes) -> bytes:
    """Directory and trailer."""
    return trailed(zlib.compress(text, 9))


def trailed(deflated: bytes) -> bytes:
    return deflated + struct.pack("<II", len(deflated), zlib.crc32(deflated)) + END


def segment(pieces: list[bytes] = BLOCKS, model: bytes = b"", **changes: Any) -> bytes:
    text = json.dumps(directory_of(pieces, **changes)).encode()
    deflated = zlib.compress(text, 9 if len(text) < 5000 else 0)  # which may not expand too much
    return model + b"".join(pieces) + index_of(pieces)[1] + trailed(deflated)


def archive(pieces: list[bytes] = BLOCKS, model: bytes = b"", **changes: Any) -> bytes:
    return PRELUDE + segment(pieces, model, **changes)


def with_text(text: bytes) -> bytes:
    """The archive with another text of its directory."""
    return PRELUDE + b"".join(BLOCKS) + index_of(BLOCKS)[1] + end_of(text)


def text_of(**changes: Any) -> bytes:
    return json.dumps(directory_of(**changes)).encode()


def with_column(type: str, body: bytes, name: str = "x", **changes: Any) -> bytes:
    """With a column of one chunk, deflated here."""
    return archive([*BLOCKS, zlib.compress(body)], columns=[column(name, type)], **changes)


def column(name: str, type: str, categories: int = 0) -> dict[str, Any]:
    return {"name": name, "type": type, "categories": categories, "ordered": False}


def length_of(value: int) -> bytes:
    """The length in a record."""
    return bytes([value & 127 | 128]) + length_of(value >> 7) if value > 127 else bytes([value])


def records(*texts: bytes, none_missing: bytes = b"\0") -> bytes:
    """Texts that share nothing, after what says which are missing."""
    return none_missing + b"".join(b"\0\0" + length_of(len(text)) + text for text in texts)


def integers(*values: int) -> bytes:
    return zlib.compress(b"\0\x08" + bytes(8) + bytes(value >> 8 * k & 255 for k in range(8) for value in values))


def placed(cells_of: dict[str, Any], **places: list[int]) -> bytes:
    """Cells of one pixel in blocks of two, and columns that place them: group=[0, 0, 1]."""
    cells = cells_of["cells"]
    blocks = [zlib.compress(bytes(min(2, cells - first))) for first in range(0, cells, 2)]
    return archive(
        [*blocks, *(integers(*values) for values in places.values())],
        rows=len(next(iter(places.values()))),
        groups=[cells_of],
        columns=[column(f".{name}", "integer") for name in places],
    )


def grown(*segments: dict[str, Any]) -> bytes:
    """Segments one after another, each knowing those before; what is given of one is changed in its directory."""
    data, before = PRELUDE, list[dict[str, int]]()
    for changes in segments:
        data += segment(**{"before": list(before)} | changes)
        before.append({"stop": len(data), "rows": 3, "crc32": struct.unpack("<I", data[-12:-8])[0]})
    return data


def manifest(*shards: bytes, **changes: Any) -> dict[str, Any]:
    """The manifest of archives of three pictures, 0.egm and so on; changes are of the first shard."""
    found = [
        {
            "name": f"{number}.egm",
            "bytes": len(data),
            "crc32": struct.unpack("<I", data[-12:-8])[0],
            "directory": directory_of(),
        }
        for number, data in enumerate(shards)
    ]
    return {"engram_shards": 2, "model": None, "shards": [found[0] | changes, *found[1:]]}
