"""Bytes that are no archive, each with the error that says so and a part of its text. Most end in right checksums."""

from __future__ import annotations

import struct
import zlib

from crafted import (
    BLOCKS,
    CODING,
    END,
    GROUP,
    PRELUDE,
    archive,
    column,
    end_of,
    grown,
    index_of,
    length_of,
    placed,
    records,
    segment,
    text_of,
    trailed,
    with_column,
    with_text,
)

HUGE = (1 << 53) - 1
SHA256 = "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603"
"""Of the bytes ab."""


def replaced(old: bytes, new: bytes) -> bytes:
    """The archive with other text in its directory."""
    assert old in text_of()
    return with_text(text_of().replace(old, new))


def shaped(*shape: int) -> list[dict[str, object]]:
    return [CODING | {"config": {"image_shape": list(shape)}}]


def nested(depth: int) -> bytes:
    text = text_of(codings=[CODING | {"config": {"image_shape": [1, 1, 1], "x": 0}}])
    return with_text(text.replace(b'"x": 0', b'"x": %s%s' % (b"[" * depth, b"]" * depth)))


def damaged(data: bytes, piece: bytes) -> bytes:
    """With the last byte of a piece changed."""
    assert data.count(piece) == 1
    return data.replace(piece, piece[:-1] + bytes([piece[-1] ^ 1]))


def with_chunk(piece: bytes) -> bytes:
    return archive([*BLOCKS, piece], columns=[column("x", "boolean")])


def with_categories(count: int, names: bytes, chunk: bytes) -> bytes:
    return archive([*BLOCKS, zlib.compress(names), zlib.compress(chunk)], columns=[column("x", "category", count)])


def sharing() -> bytes:
    """A hundred texts of a megabyte, of which each is all of the one before."""
    texts = records(bytes(1 << 20)) + (b"\0" + length_of(1 << 20) + b"\0") * 99
    group = GROUP | {"block_size": 100, "cells": 100}
    pieces = [zlib.compress(bytes(100)), zlib.compress(texts)]
    return archive(pieces, rows=100, groups=[group], columns=[column("x", "text")])


def overlapping() -> bytes:
    """The middle one of three segments begins at the first one's start, by its own directory."""
    first = segment()
    middle = segment([first + BLOCKS[0], BLOCKS[1]])[len(first) :]
    ends = [len(PRELUDE + first), len(PRELUDE + first + middle)]
    before = [
        {"stop": stop, "rows": 3, "crc32": struct.unpack("<I", data[-12:-8])[0]}
        for stop, data in zip(ends, (first, middle), strict=True)
    ]
    return PRELUDE + first + middle + segment(before=before)


MODEL = {"bytes": 2, "sha256": SHA256, "embedded": True}
GOOD = archive()
NO_JSON = "not the JSON object that the format describes"
TWO = [GROUP, GROUP | {"cells": 1}]
DEEP = GROUP | {"kind": "gray16", "codings": [0, 0]}
BOOLEANS = with_column("boolean", b"\0\xe0")
LONG_CATEGORIES = with_categories(65536, records(b"a" * 1020 + b"1")[1:] + b"\1" * 65535, b"")
FIRST = {"stop": len(GOOD), "rows": 3, "crc32": struct.unpack("<I", GOOD[-12:-8])[0]}

REFUSED: list[tuple[str, str, bytes]] = [
    ("NotAnArchive", "does not begin as one does", b""),
    ("NotAnArchive", "does not begin as one does", b"PK\3\4\x14\0\0\0\0\0\0\0"),
    ("NotAnArchive", "does not begin as one does", PRELUDE[:11]),
    ("NotAnArchive", "does not begin as one does", GOOD.replace(b"\r\n", b"\n")),
    ("TruncatedArchive", "does not end with its trailer", PRELUDE),
    ("TruncatedArchive", "does not end with its trailer", GOOD[:-1]),
    ("TruncatedArchive", "does not end with its trailer; it was cut, or something was put after it", GOOD + b"\0"),
    ("TruncatedArchive", "shorter than its directory says", GOOD[:-16] + struct.pack("<II", 1 << 31, 0) + END),
    # what a later version may add
    ("UnsupportedVersion", "format version 1; this engram reads version 2", PRELUDE[:8] + b"\1" + GOOD[9:]),
    ("UnsupportedVersion", "format version 4294967295", PRELUDE[:8] + b"\xff\xff\xff\xff" + GOOD[12:]),
    ("UnsupportedVersion", "needs time", archive(needs=["time"])),
    ("UnsupportedVersion", "pictures of kind 'cmyk'", archive(groups=[GROUP | {"kind": "cmyk"}])),
    # limits
    ("LimitExceeded", "a block has 1 to 65,536", archive(groups=[GROUP | {"block_size": HUGE}])),
    ("LimitExceeded", "a block has 1 to 65,536", archive(groups=[GROUP | {"block_size": 0}])),
    ("LimitExceeded", "bytes of pixels; the limit is 268,435,456", archive(codings=shaped(16384, 16384, 1))),
    ("LimitExceeded", "a side has up to 16,384", archive(codings=shaped(1, 16385, 1))),
    ("LimitExceeded", "more than 4,096 models", archive(codings=[CODING] * 4097)),
    ("LimitExceeded", "more than 4,096 models", archive(groups=[GROUP] + [GROUP | {"cells": 0}] * 4096)),
    ("LimitExceeded", "more than 65,536 categories", archive(columns=[column("x", "category", HUGE)])),
    # the directory as bytes
    ("CorruptDirectory", "the directory's checksum is wrong", GOOD[:-17] + bytes([GOOD[-17] ^ 1]) + GOOD[-16:]),
    ("CorruptDirectory", "is no zlib stream", PRELUDE + trailed(b"abc")),
    ("CorruptDirectory", "does not end within", PRELUDE + trailed(zlib.compress(b"{}")[:-1])),
    ("CorruptDirectory", "does not end within", PRELUDE + trailed(zlib.compress(b"{}") + b"a")),
    ("CorruptDirectory", "does not end within", PRELUDE + end_of(bytes(1 << 28))),
    ("CorruptDirectory", "does not end within", with_text(text_of() + b" " * 20_000)),
    ("CorruptDirectory", "within 4,194,304 bytes", PRELUDE + trailed(zlib.compress(bytes((1 << 22) + 1), 0))),
    # the directory as JSON
    ("CorruptDirectory", NO_JSON, PRELUDE + end_of(b"")),
    ("CorruptDirectory", NO_JSON, PRELUDE + end_of(b"[]")),
    ("CorruptDirectory", NO_JSON, PRELUDE + end_of(b"{}")),
    ("CorruptDirectory", NO_JSON, with_text(text_of()[:-1])),
    ("CorruptDirectory", NO_JSON, with_text(text_of().decode().encode("utf-16"))),
    ("CorruptDirectory", NO_JSON, with_text(text_of().decode().encode("utf-8-sig"))),
    ("CorruptDirectory", NO_JSON, replaced(b'"rows": 3', b'"rows": 3.0')),
    ("CorruptDirectory", NO_JSON, replaced(b'"rows": 3', b'"rows": true')),
    ("CorruptDirectory", NO_JSON, replaced(b'"rows": 3', b'"rows": -1')),
    ("CorruptDirectory", NO_JSON, replaced(b'"rows": 3', b'"rows": 9007199254740992')),
    ("CorruptDirectory", NO_JSON, replaced(b'"rows": 3', b'"rows": 3, "rows": 3')),
    ("CorruptDirectory", NO_JSON, replaced(b'"rows": 3', b'"rows": 3, "more": NaN')),
    ("CorruptDirectory", NO_JSON, replaced(b'"rows": 3', b'"rows": 3, "more": "\\ud800"')),
    ("CorruptDirectory", NO_JSON, replaced(b'"rows": 3', b'"rows": %s' % (b"9" * 10_000))),
    ("CorruptDirectory", NO_JSON, nested(62)),
    ("CorruptDirectory", NO_JSON, nested(970)),
    ("CorruptDirectory", NO_JSON, PRELUDE + trailed(zlib.compress(b"[" * 1_000_000, 0))),
    ("CorruptDirectory", NO_JSON, replaced(b'"width": 1', b'"width": 5')),
    ("CorruptDirectory", NO_JSON, archive(models=[MODEL | {"bytes": 0}])),
    ("CorruptDirectory", NO_JSON, archive(models=[MODEL | {"sha256": SHA256.upper()}])),
    ("CorruptDirectory", NO_JSON, archive(models=[MODEL | {"embedded": 1}])),
    ("CorruptDirectory", NO_JSON, archive(columns=[column("\ud800", "text")])),
    # what does not fit together
    ("CorruptDirectory", "3 pictures cannot have 0 cells", archive(groups=[])),
    ("CorruptDirectory", "4 pictures cannot have 3 cells", archive(rows=4)),
    ("CorruptDirectory", "0 pictures cannot have 3 cells", archive(rows=0)),
    ("CorruptDirectory", "do not add up", archive(rows=HUGE, groups=[GROUP | {"cells": HUGE}])),
    ("CorruptDirectory", "do not add up", archive(models=[MODEL | {"bytes": HUGE}])),
    ("CorruptDirectory", "the index's checksum is wrong", archive(columns=[column("x", "text")])),
    ("CorruptDirectory", "the index's checksum is wrong", archive(files=["a"])),
    ("CorruptDirectory", "the index's checksum is wrong", archive(index_crc32=0)),
    ("CorruptDirectory", "do not add up", PRELUDE + b"\0" + segment()),
    ("CorruptDirectory", "do not add up", PRELUDE + segment()[1:]),
    ("CorruptDirectory", "a codec has model 0, and there are 0", archive(codings=[CODING | {"model": 0}])),
    ("CorruptDirectory", "names a codec, and there are 1", archive(groups=[GROUP | {"codings": [HUGE]}])),
    ("CorruptDirectory", "image_shape must be", archive(codings=shaped(0, 1, 1))),
    ("CorruptDirectory", "are not those of layers of gray", archive(groups=[GROUP | {"codings": []}])),
    ("CorruptDirectory", "are not those of layers of gray", archive(groups=[GROUP | {"codings": [0, 0]}])),
    ("CorruptDirectory", "are not those of layers of rgb", archive(groups=[GROUP | {"kind": "rgb"}])),
    (
        "CorruptDirectory",
        "of layers of gray16 pictures of one size",
        archive(codings=[CODING, *shaped(1, 2, 1)], groups=[DEEP | {"codings": [0, 1]}]),
    ),
    ("CorruptDirectory", "two columns have one name", archive(columns=[column("x", "text")] * 2)),
    ("CorruptDirectory", "two columns have one name, or one has none", archive(columns=[column("", "text")])),
    ("CorruptDirectory", "a column 'path' of type 'json'", archive(columns=[column("path", "json")])),
    ("CorruptDirectory", "a column '.group' of type 'text'", archive(columns=[column(".group", "text")])),
    ("CorruptDirectory", "a column '.width' of type 'number'", archive(columns=[column(".width", "number")])),
    ("CorruptDirectory", "two files have one name", archive(files=["a", "a"])),
    (
        "CorruptDirectory",
        "have 2 bytes where 1 would do",
        PRELUDE
        + b"".join(BLOCKS)
        + (box := b"".join(struct.pack("<H", len(b)) for b in BLOCKS) + index_of(BLOCKS)[1][2:])
        + end_of(text_of(width=2, index_crc32=zlib.crc32(box))),
    ),
    # segments
    ("CorruptDirectory", "do not add up", archive(before=[{"stop": HUGE, "rows": 3, "crc32": 0}])),
    ("CorruptDirectory", "do not add up", archive(before=[{"stop": len(GOOD), "rows": 3, "crc32": 0}])),
    ("CorruptDirectory", "do not lie one after another", archive(before=[FIRST | {"stop": 12}])),
    ("CorruptDirectory", "do not lie one after another", grown({}, {}, {"before": [FIRST, FIRST]})),
    ("TruncatedArchive", "does not end with its trailer", grown({}, {"before": [FIRST | {"stop": 40}]})),
    ("CorruptDirectory", "not the one that the directory names", grown({}, {"before": [FIRST | {"crc32": 0}]})),
    ("CorruptDirectory", "not the one that the directory names", grown({}, {"before": [FIRST | {"rows": 2}]})),
    ("CorruptDirectory", "not the one that the directory names", overlapping()),
    ("CorruptDirectory", "do not add up", grown({}, {}, {"before": [FIRST]})),
    # models and blocks
    ("CorruptModel", "its SHA-256 is wrong", archive(model=b"ac", models=[MODEL], codings=[CODING | {"model": 0}])),
    ("CorruptModel", "nothing else", archive(model=b"ab", models=[MODEL], codings=[CODING | {"model": 0}])),
    ("CorruptModel", "nothing else", archive(codings=[CODING | {"config": {"image_shape": [1, 1, 1], "x": 1}}])),
    ("CorruptBlock", "block 1 (images 2 to 2) is damaged: its checksum", damaged(GOOD, BLOCKS[1])),
    ("CorruptBlock", "block 1 (images 2 to 2) has the right checksum", archive([BLOCKS[0], BLOCKS[0]])),
    ("CorruptBlock", "block 0 (images 0 to 1) has the right checksum", archive([b"", BLOCKS[1]])),
    ("CorruptBlock", "has the right checksum but", archive([zlib.compress(bytes(1 << 28)), BLOCKS[1]])),
    ("CorruptBlock", "a block ends within a layer", archive([b"\xff\xff\xff\xff" + BLOCKS[0]] * 2, groups=[DEEP])),
    ("CorruptBlock", "a block ends before its layers", archive([b"\0\0\0"] * 2, groups=[DEEP])),
    # columns
    ("CorruptColumn", "'x' is damaged: its checksum is wrong", damaged(BOOLEANS, zlib.compress(b"\0\xe0"))),
    ("CorruptColumn", "a chunk is no zlib stream", archive([*BLOCKS, b"abc"], columns=[column("x", "text")])),
    ("CorruptColumn", "no whole zlib stream", archive([*BLOCKS, b""], columns=[column("x", "text")])),
    ("CorruptColumn", "no whole zlib stream", with_chunk(zlib.compress(b"\0\xe0") + b"a")),
    ("CorruptColumn", "inflates beyond the limit", with_chunk(zlib.compress(bytes((1 << 26) + 1)))),
    ("CorruptColumn", "does not say whether values are missing", with_column("integer", b"")),
    ("CorruptColumn", "does not say whether values are missing", with_column("integer", b"\2")),
    ("CorruptColumn", "ends within its mask", with_column("text", b"\1")),
    ("CorruptColumn", "a mask goes on after its rows", with_column("text", b"\1\x10")),
    ("CorruptColumn", "booleans goes on after its rows", with_column("boolean", b"\0\xf0")),
    ("CorruptColumn", "without its width and least value", with_column("integer", b"\0\0\0")),
    ("CorruptColumn", "without its width and least value", with_column("integer", b"\0\x09" + bytes(35))),
    ("CorruptColumn", "a chunk of 2 bytes where 3 are needed", with_column("integer", b"\0\1" + bytes(10))),
    ("CorruptColumn", "a chunk of 25 bytes where 24 are needed", with_column("number", b"\0" + bytes(25))),
    ("CorruptColumn", "of type 'time', which this engram does not know", with_column("time", b"\0")),
    ("CorruptColumn", "category 2, and there are 2", with_categories(2, b"\0\0\1a\0\0\1b", b"\0\0\1\2")),
    ("CorruptColumn", "two categories have one name", with_categories(2, b"\0\0\1a\0\0\1a", b"\0\0\1\1")),
    ("CorruptColumn", "there are fewer texts than 2", with_categories(2, b"\0\0\1a", b"\0\0\1\1")),
    ("CorruptColumn", "there are more texts than 1", with_categories(1, b"\0\0\1a\0\0\1b", b"\0\0\0\0")),
    (
        "CorruptColumn",
        "longer than the limits",
        LONG_CATEGORIES,
    ),
    ("CorruptColumn", "there are fewer texts than 3", with_column("text", records(b"a", b"b"))),
    ("CorruptColumn", "there are more texts than 3", with_column("text", records(b"a", b"b", b"c", b"d"))),
    ("CorruptColumn", "a text is not UTF-8", with_column("text", records(b"a", b"\xff", b"c"))),
    ("CorruptColumn", "a text is not UTF-8", with_column("text", records(b"a", b"\xed\xa0\x80", b"c"))),
    ("CorruptColumn", "adds to a number that is not there", with_column("text", records(b"a") + b"\1\1")),
    ("CorruptColumn", "adds to a number that is not there", with_column("text", records(b"9" * 19) + b"\1\1")),
    ("CorruptColumn", "takes more than there is", with_column("text", records(b"a", b"b") + b"\0\2\0")),
    ("CorruptColumn", "takes more than there is", with_column("text", records(b"a", b"b") + b"\0\0\x7f")),
    ("CorruptColumn", "a length without an end", with_column("text", b"\0\0\xff\xff\xff\xff\0\0")),
    ("CorruptColumn", "a length without an end", with_column("text", b"\0\0\xff")),
    ("CorruptColumn", "longer than the limits", with_column("text", records(bytes((1 << 20) + 1)))),
    ("CorruptColumn", "longer than the limits", sharing()),
    *(
        ("CorruptColumn", "a value is not JSON", with_column("json", records(b"1", text, b"2")))
        for text in (b"", b"NaN", b"[1", b'"\\ud800"', b'{"a":1,"a":1}', b"\xff", "1".encode("utf-16"), b"[" * 65)
    ),
    (
        "CorruptColumn",
        "a value is not JSON",
        with_column("json", records(b"[" * 65 + b"]" * 65, b"1", b"2")),
    ),
    # places
    ("CorruptColumn", "in groups that there are not", placed(GROUP, group=[0, 0, 1])),
    ("CorruptColumn", "in groups that there are not", placed(GROUP, group=[0, 0, -1])),
    ("CorruptColumn", "in groups that there are not", placed(GROUP, group=[HUGE, 0, 0])),
    ("CorruptColumn", "a side that is not 1 to 16384", placed(GROUP, height=[0, 1, 1])),
    ("CorruptColumn", "a side that is not 1 to 16384", placed(GROUP, width=[1, 1, -1])),
    ("CorruptColumn", "a side that is not 1 to 16384", placed(GROUP, width=[1 << 62, 1 << 62, 1])),
    ("CorruptColumn", "more than 65,536 cells", placed(GROUP, height=[16384, 1, 1], width=[16384, 1, 1])),
    ("CorruptColumn", "another number of cells", placed(GROUP, height=[256, 1, 1], width=[256, 1, 1])),
    ("CorruptColumn", "another number of cells", placed(GROUP, height=[2, 1, 1])),
    ("CorruptColumn", "another number of cells", placed(GROUP, height=[1, 1])),
    ("CorruptColumn", "another number of cells", archive([*BLOCKS, BLOCKS[1]], groups=TWO)),
    ("CorruptColumn", "'.group' is damaged: it lacks values", with_column("integer", b"\1\xc0" + bytes(9), ".group")),
    (
        "CorruptColumn",
        "'path' is damaged: it lacks values",
        with_column("text", records(b"a", b"b", none_missing=b"\1\xc0"), "path"),
    ),
    ("CorruptColumn", "in cells that there are not", placed(GROUP, cell=[0, 1, 3])),
    ("CorruptColumn", "in cells that there are not", placed(GROUP, cell=[0, 1, -1])),
    ("CorruptColumn", "in cells that there are not", placed(GROUP, cell=[0, 1, (1 << 63) - 1])),
    ("CorruptColumn", "in cells that there are not", placed(GROUP, cell=[0, 0, 2], height=[1, 1, 2])),
    ("CorruptDirectory", "do not add up", archive(rows=HUGE, columns=[column(".cell", "integer")])),
    # names
    *(
        ("UnsafeName", what, with_column("text", records(path, b"b", b"c"), "path"))
        for path, what in {
            b"../x": "'..' is not a plain file name",
            b"a/../../x": "'..' is not a plain file name",
            b"/x": "'' is not a plain file name",
            b"a//b": "'' is not a plain file name",
            b"": "'' is not a plain file name",
            b".x": "'.x' is not a plain file name",
            b"a\\b": "is not a plain file name",
            b"c:x": "'c:x' is not a plain file name",
            b"a\0": "is not a plain file name",
            b"a/con.png": "a device",
        }.items()
    ),
    (
        "UnsafeName",
        "up to 1024 bytes",
        with_column("text", records(b"a/" * 512 + b"a", b"b", b"c"), "path"),
    ),
    ("UnsafeName", "'..' is not a plain file name", archive([*BLOCKS, zlib.compress(b"x")], files=["../x"])),
    ("CorruptColumn", "'a' is damaged: a chunk is no zlib stream", archive([*BLOCKS, b"abc"], files=["a"])),
]
