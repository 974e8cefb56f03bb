"""A fuzz target for the archive's reader, and what it asks of every input.

The first byte says what the others are: 0, an archive as it stands; 1, an archive whose checksums are made right first;
2, a directory's JSON and the plain content of pieces, which are deflated and put together with right checksums. So what
lies behind checksums and zlib is reached too. Then the reader must refuse the bytes with an EngramError, or agree with
the independent decoder on every pixel, column and file; it must not crash, hang, or take memory out of proportion.

    pip install atheris
    PYTHONPATH=src python tests/fuzz/read_archive.py -runs=1000000 -max_len=4096 CORPUS

CORPUS is a folder for what the fuzzer finds; the golden archives are put into it first.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS / "spec"))

PRELUDE = bytes.fromhex("89 45 47 4d 0d 0a 1a 0a 02 00 00 00")
END = bytes.fromhex("89 45 47 54 0d 0a 1a 0a")
SEPARATOR, LAYER = b"\xfe\xff", b"\xfe\xfe"
MOST_PIXELS, MOST_ROWS = 1 << 22, 1 << 15
"""Archives of more bytes of pixels, or of more pictures, are opened and asked for one image, not for all."""


def check(data: bytes, path: Path) -> bool:
    """Whether the reader took the input; `path` is a file to write it to. Raises AssertionError for a wrong answer."""
    import independent

    from engram import archive
    from engram.errors import EngramError

    content = {b"\1": repair, b"\2": assemble}.get(data[:1], bytes)(data[1:])
    path.write_bytes(content)
    try:
        with archive.open(path) as opened:
            groups = opened.info.groups
            pixels = sum(6 * group.height * group.width * group.cells for group in groups)
            if pixels > MOST_PIXELS or sum(group.cells for group in groups) > MOST_ROWS:
                opened[len(opened) - 1]
                return True
            report = archive.verify(path)
            images = list(opened[:])
            columns = {name: opened.column(name) for name in opened.column_names}
            table = {name: [column.value(row) for row in range(len(opened))] for name, column in columns.items()}
            files = {
                name: opened.segment(number).kept_file(name)
                for number, source in enumerate(opened.sources)
                for name in source.directory.files
            }
    except EngramError:
        return False
    if not report.ok:
        # without images nothing asks for a model that makes no codec, and nothing for a hidden column
        assert not images or all(name.startswith(".") for name in report.damaged_parts), report
        return False
    if any("picture-files" in group.codecs for group in groups) and "picture-files" not in independent.DECODERS:
        return True
    right = independent.read(content)
    assert [image.tolist() for image in images] == [image.tolist() for image in right["images"]]
    assert repr(table) == repr({name: right["columns"][name] for name in table})
    assert {name: list(column.categories) for name, column in columns.items()} == {
        name: right["categories"][name] for name in table
    }
    assert files == right["files"]
    return True


def emit(directory: dict[str, Any], models: bytes, pieces: list[bytes]) -> bytes:
    """A segment with right checksums."""
    width = max([1, *((len(piece).bit_length() + 7) // 8 for piece in pieces)])
    index = b"".join(len(piece).to_bytes(width, "little") for piece in pieces)
    index += b"".join(struct.pack("<I", zlib.crc32(piece)) for piece in pieces)
    directory = directory | {"width": width, "index_crc32": zlib.crc32(index)}
    deflated = zlib.compress(json.dumps(directory, sort_keys=True, separators=(",", ":")).encode(), 9)
    return models + b"".join(pieces) + index + deflated + struct.pack("<II", len(deflated), zlib.crc32(deflated)) + END


def repair(data: bytes) -> bytes:
    """The bytes with all checksums made right, as far as an archive can be made out in them."""
    try:
        found, start, before = PRELUDE, 12, list[dict[str, int]]()
        for stop in [*(each["stop"] for each in _directory(data)["before"]), len(data)]:
            directory, segment = _directory(data[:stop]), data[start:stop]
            found += emit(directory | {"before": list(before)}, *_boxes(directory, segment))
            (crc32,) = struct.unpack("<I", found[-12:-8])
            before.append({"stop": len(found), "rows": directory["rows"], "crc32": crc32})
            start = stop
        return found
    except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError, struct.error, zlib.error):
        return data


def _directory(data: bytes) -> dict[str, Any]:
    length, _ = struct.unpack("<II", data[-16:-8])
    found = json.loads(zlib.decompress(data[len(data) - 16 - length : -16]))
    if not isinstance(found, dict):
        raise TypeError
    return found


def _boxes(directory: dict[str, Any], segment: bytes) -> tuple[bytes, list[bytes]]:
    """(the models, the pieces) of a segment; the directory's SHA-256 of models are made right."""
    at, (length, _) = 0, struct.unpack("<II", segment[-16:-8])
    for model in directory["models"]:
        if model["embedded"]:
            model["sha256"] = hashlib.sha256(segment[at : at + model["bytes"]]).hexdigest()
            at += model["bytes"]
    models = segment[:at]
    count = sum(-(-group["cells"] // group["block_size"]) for group in directory["groups"]) + len(directory["files"])
    chunks = -(-directory["rows"] // 16384)
    count += sum((column["type"] == "category") + chunks for column in directory["columns"])
    width, end = directory["width"], len(segment) - 16 - length
    if not 0 <= count * (width + 4) <= end:
        raise ValueError
    pieces = []
    for place in range(end - count * (width + 4), end - count * 4, width):
        size = int.from_bytes(segment[place : place + width], "little")
        pieces.append(segment[at : at + size])
        at += size
    return models, pieces


def assemble(data: bytes) -> bytes:
    """An archive of a directory's JSON and of the plain content of pieces, or of their layers, between separators."""
    text, *contents = data.split(SEPARATOR)
    pieces = []
    for content in contents:
        *layers, last = (zlib.compress(layer) for layer in content.split(LAYER))
        pieces.append(b"".join(struct.pack("<I", len(layer)) + layer for layer in layers) + last)
    try:
        directory = json.loads(text)
        return PRELUDE + emit(directory, b"", pieces)
    except (ValueError, TypeError, RecursionError):
        return PRELUDE + text


def plain() -> dict[str, bytes]:
    """Contents for `assemble`: every type of columns, and pictures of two kinds in many sizes."""
    raw = {"id": "raw", "config": {"image_shape": [1, 1, 1]}, "model": None}
    wide = raw | {"config": {"image_shape": [2, 3, 1]}}
    blank = {"models": [], "files": [], "before": [], "needs": [], "columns": []}

    def column(name: str, type: str, categories: int = 0) -> dict[str, Any]:
        return {"name": name, "type": type, "categories": categories, "ordered": False}

    def content(directory: dict[str, Any], *pieces: bytes) -> bytes:
        return SEPARATOR.join([json.dumps(blank | directory, separators=(",", ":")).encode(), *pieces])

    group = {"kind": "gray", "codings": [0], "block_size": 3, "cells": 4}
    columns = [column(type, type, 2 * (type == "category")) for type in ("integer", "number", "boolean", "category")]
    types = {
        "rows": 4,
        "codings": [raw],
        "groups": [group],
        "columns": [*columns, column("path", "text"), column("json", "json")],
        "files": ["more/a.csv"],
    }
    sizes = {
        "rows": 3,
        "codings": [raw, wide],
        "groups": [{**group, "codings": [1]}, {"kind": "gray16", "codings": [0, 0], "block_size": 2, "cells": 2}],
        "columns": [column(".group", "integer"), column(".height", "integer"), column(".width", "integer")],
    }
    places = [column(".cell", "integer"), column(".width", "integer")]
    shared = {"rows": 3, "codings": [raw], "groups": [group], "columns": places}
    return {
        "types": content(
            types,
            *(b"abc", b"d", b"\0\1\5" + bytes(7) + b"\1\2\3\4", b"\1\xa0" + bytes(16), b"\0\xb0"),
            *(b"\0\0\3ape\0\0\3bee", b"\0\0\1\1\0", b"\0\0\0\0079a8.png\1\1\0\1\1b"),
            *(b"\1\x60\0\0\3[1]\0\0\4true", b"file_name\n"),
        ),
        "sizes": content(
            sizes,
            *(bytes(range(18)), b"ghijkl", b"ab" + LAYER + b"cd"),
            *(b"\0\1" + bytes(8) + b"\0\1\0", b"\0\1" + bytes(8) + b"\3\2\3", b"\0\1" + bytes(8) + b"\2\1\3"),
        ),
        "shared": content(shared, b"abc", b"d", *(b"\0\1" + bytes(8) + each for each in (b"\2\0\0", b"\1\3\1"))),
    }


def jpeg_files() -> bytes:
    """An archive of JPEG files, kept as files: two alike, a progressive one, and one with bytes after its end."""
    import numpy as np
    from PIL import Image

    import engram

    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "in"
        folder.mkdir()
        for name, options in (("a", {}), ("b", {}), ("c", {"progressive": True}), ("d", {})):
            image = Image.fromarray(random.integers(0, 256, (3, 3, 3), np.uint8)).resize((9, 9 + len(options)))
            image.save(folder / f"{name}.jpg", quality=60, **options)
        whole = (folder / "d.jpg").read_bytes()
        (folder / "d.jpg").write_bytes(whole + b"more")
        engram.pack(folder, Path(place) / "a.egm", budget=0)
        return (Path(place) / "a.egm").read_bytes()


def seeds() -> dict[str, bytes]:
    """The golden archives and one of JPEG files, both ways, and plain contents."""
    archives = {path.stem: path.read_bytes() for path in sorted((TESTS / "golden" / "archives").glob("*.egm"))}
    archives["jpeg-files"] = jpeg_files()
    golden = {f"{name} {mode}": bytes([mode]) + data for name, data in archives.items() for mode in (0, 1)}
    return golden | {name: b"\2" + content for name, content in plain().items()}


def main() -> None:
    import atheris

    with atheris.instrument_imports(include=["engram"]):
        from engram import archive  # noqa: F401

    corpus = Path(sys.argv[-1])
    if corpus.is_dir():
        for name, seed in seeds().items():
            (corpus / f"golden-{name}").write_bytes(seed)
    handle, name = tempfile.mkstemp(suffix=".egm", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    os.close(handle)
    atheris.Setup(sys.argv, lambda data: check(data, Path(name)) and None)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
