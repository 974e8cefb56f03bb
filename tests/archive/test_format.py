"""Prelude, directory, index and trailer: what is emitted is parsed, and no wrong number is believed."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawing import coder_of, collection_of, draw, picture
from hypothesis import given, settings
from hypothesis import strategies as st

from engram import archive
from engram.archive import format, frame
from engram.archive.errors import (
    CorruptArchive,
    CorruptDirectory,
    LimitExceeded,
    NotAnArchive,
    TruncatedArchive,
    UnsupportedVersion,
)
from engram.archive.format import Before, Coding, ColumnHead, Directory, Group, Model
from engram.archive.frame import TRAILER
from engram.archive.index import Index, emit_index, parse_index
from engram.codecs.contract import Codec
from engram.errors import UsageError
from engram.images import ImageSet
from engram.kinds import KINDS
from engram.table import TYPES

Change = Callable[[dict[str, Any]], object]
DIRECTORY = Directory(
    rows=70,
    models=(Model(9, "ab" * 32, True),),
    codings=(
        Coding("raw", {"image_shape": [4, 3, 3]}, None),
        Coding("x", {"image_shape": [4, 3, 1]}, 0),
        Coding("raw", {"image_shape": [4, 5, 1]}, None),
    ),
    groups=(Group("rgb", (0,), 64, 30), Group("rgba", (0, 1), 64, 40)),
    columns=(ColumnHead("path", "text", 0, True), ColumnHead("label", "category", 3, False)),
    files=("metadata.csv",),
    before=(Before(500, 9, 7), Before(700, 3, 0)),
    width=2,
    index_crc32=5,
)

texts = st.text(st.characters(codec="utf-8"), max_size=9)
checksums = st.integers(0, 2**32 - 1)


@st.composite
def directories(draw: st.DrawFn) -> Directory:
    """Any directory whose parts fit together."""
    models = draw(st.lists(st.builds(Model, st.integers(1, 2**50), st.from_regex(r"[0-9a-f]{64}", fullmatch=True))))
    model = st.none() | st.integers(0, len(models) - 1) if models else st.none()
    codings, groups = list[Coding](), list[Group]()
    for kind in draw(st.lists(st.sampled_from([*KINDS.values()]), max_size=3)):
        size, numbers = [draw(st.integers(1, 64)), draw(st.integers(1, 64))], []
        for channels in kind.layers:
            config = {"image_shape": [*size, channels], "more": draw(texts)}
            codings.append(Coding(draw(texts), config, draw(model)))
            numbers.append(len(codings) - 1)
        groups.append(Group(kind.name, tuple(numbers), draw(st.integers(1, 99)), draw(st.integers(0, 2**40))))
    cells = sum(group.cells for group in groups)
    names = draw(st.lists(texts.filter(bool), unique=True, max_size=4))
    heads = [
        ColumnHead(name, draw(st.sampled_from(TYPES)), draw(st.integers(0, 99)), draw(st.booleans())) for name in names
    ]
    gaps = draw(st.lists(st.integers(TRAILER.size, 2**40), max_size=3))
    stops = np.cumsum([12, *gaps])[1:].tolist()
    return Directory(
        rows=draw(st.integers(min(cells, 1), cells)),
        models=tuple(models),
        codings=tuple(codings),
        groups=tuple(groups),
        columns=tuple(heads),
        files=tuple(draw(st.lists(texts, max_size=2, unique=True))),
        before=tuple(Before(stop, draw(st.integers(0, 2**40)), draw(checksums)) for stop in stops),
        width=draw(st.integers(1, 4)),
        index_crc32=draw(checksums),
    )


st.register_type_strategy(bool, st.booleans())


@settings(max_examples=25)
@given(directories())
def test_any_directory_comes_back(directory: Directory) -> None:
    data = format.emit_directory(directory)
    size, checksum = frame.parse_trailer(data[-TRAILER.size :], "x")
    assert size == len(data) - TRAILER.size
    assert format.parse_directory(data[:size], checksum) == directory


def parsed(change: Change) -> Directory:
    """The directory of a changed JSON, whose checksum is right."""
    content: Any = json.loads(json.dumps(asdict(DIRECTORY) | {"needs": []}))
    content = change(content) or content
    deflated = zlib.compress(json.dumps(content).encode())
    return format.parse_directory(deflated, zlib.crc32(deflated))


def put(*path: str | int, value: object) -> Change:
    """Another value at a place of the JSON."""

    def change(content: Any) -> None:
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = value

    return change


NO_JSON = "is not the JSON object that the format describes"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: [1], NO_JSON),
        (lambda content: content.pop("width") and None, NO_JSON),
        (put("rows", value=-1), NO_JSON),
        (put("rows", value=True), NO_JSON),
        (put("rows", value=70.0), NO_JSON),
        (put("rows", value=2**53), NO_JSON),
        (put("rows", value=71), "71 pictures cannot have 70 cells"),
        (put("rows", value=0), "0 pictures cannot have 70 cells"),
        (put("models", 0, "sha256", value="AB" * 32), NO_JSON),
        (put("models", 0, "bytes", value=0), NO_JSON),
        (put("models", 0, "embedded", value=1), NO_JSON),
        (put("codings", 0, "id", value=7), NO_JSON),
        (put("codings", 0, "config", value=[]), NO_JSON),
        (put("codings", 1, "model", value=1), "a codec has model 1, and there are 1"),
        (put("codings", 1, "model", value=-1), NO_JSON),
        *[
            (put("codings", 2, "config", "image_shape", value=shape), "image_shape must be")
            for shape in ([4, 3], [4, 3, 2], [0, 3, 1], [4, 3, 1.0], [65536, 1, 1], "431", None)
        ],
        (put("groups", 0, "codings", value=[3]), "a group names a codec, and there are 3"),
        (put("groups", 0, "codings", value=[]), "are not those of layers of rgb pictures of one size"),
        (put("groups", 0, "codings", value=[1]), "are not those of layers of rgb"),
        (put("groups", 1, "codings", value=[0, 2]), "are not those of layers of rgba pictures of one size"),
        (put("groups", 0, "cells", value=-1), NO_JSON),
        (put("columns", 0, "ordered", value=None), NO_JSON),
        (put("columns", 0, "name", value=None), NO_JSON),
        (put("columns", 0, "name", value="\ud800"), NO_JSON),
        (put("columns", 0, "name", value="label"), "two columns have one name, or one has none"),
        (put("columns", 0, "name", value=""), "two columns have one name, or one has none"),
        (put("columns", 0, "type", value="json"), "a column 'path' of type 'json'"),
        (put("columns", 1, "name", value=".height"), "a column '.height' of type 'category'"),
        (put("files", value=[7]), NO_JSON),
        (put("files", value=["a", "a"]), "two files have one name"),
        (put("before", 1, "stop", value=500), "do not lie one after another"),
        (put("before", 0, "stop", value=12), "do not lie one after another"),
        (put("before", 0, "crc32", value=2**32), NO_JSON),
        (put("width", value=5), NO_JSON),
        (put("width", value=0), NO_JSON),
        (put("index_crc32", value=2**32), NO_JSON),
    ],
)
def test_a_wrong_directory_is_refused(change: Change, message: str) -> None:
    with pytest.raises(CorruptDirectory, match=message):
        parsed(change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("groups", 0, "block_size", value=0), "blocks of 0 images"),
        (put("groups", 0, "block_size", value=65537), "blocks of 65,537 images; a block has 1 to 65,536"),
        (put("groups", 0, "block_size", value=2**50), "blocks of 1,125,899,906,842,624 images"),
        (put("codings", 0, "config", "image_shape", value=[16384, 16384, 3]), "bytes of pixels; the limit is 268,4"),
        (put("codings", 0, "config", "image_shape", value=[16385, 1, 3]), "pixels; a side has up to 16,384"),
        (put("columns", 1, "categories", value=65537), "a column of more than 65,536 categories"),
        (put("files", value=[str(number) for number in range(4097)]), "more than 4,096 models, codecs, groups, col"),
    ],
)
def test_sizes_beyond_the_limits_are_refused(change: Change, message: str) -> None:
    def alone(content: dict[str, Any]) -> None:
        content.update(groups=content["groups"][:1], rows=30)
        change(content)

    with pytest.raises(LimitExceeded, match=message):
        parsed(alone)


def test_what_a_later_version_adds_is_passed_over_unless_it_is_needed() -> None:
    assert parsed(put("comment", value="new")) == parsed(put("models", 0, "comment", value="new")) == DIRECTORY
    with pytest.raises(UnsupportedVersion, match="the archive needs layers, tiers, which this engram does not know"):
        parsed(put("needs", value=["layers", "tiers"]))
    with pytest.raises(UnsupportedVersion, match="pictures of kind 'cmyk', which this engram does not know"):
        parsed(put("groups", 0, "kind", value="cmyk"))


@pytest.mark.parametrize(
    "deflated", [b"", b"x", zlib.compress(b"{}")[:-1], zlib.compress(b"{}") + b"x", zlib.compress(b"\xff")]
)
def test_a_directory_is_one_zlib_stream_of_json(deflated: bytes) -> None:
    with pytest.raises(CorruptDirectory, match="the directory"):
        format.parse_directory(deflated, zlib.crc32(deflated))
    with pytest.raises(CorruptDirectory, match="checksum is wrong"):
        format.parse_directory(deflated, zlib.crc32(deflated) ^ 1)


def test_a_directory_has_a_limit_both_ways() -> None:
    for level in (0, 9):
        bomb = zlib.compress(b" " * (format.MOST_DIRECTORY_BYTES + 1), level)
        with pytest.raises(CorruptDirectory, match=r"does not end within (4,194,304|261,568) bytes"):
            format.parse_directory(bomb, zlib.crc32(bomb))
    with pytest.raises(UsageError, match=r"directory would have [\d,]+ bytes, and 4,194,304 is the limit"):
        format.emit_directory(replace(DIRECTORY, files=("x" * format.MOST_DIRECTORY_BYTES,)))


def test_prelude() -> None:
    frame.check_prelude(frame.emit_prelude(), "x")
    for data in (b"", frame.MAGIC, b"\x89PNG\r\n\x1a\n\2\0\0\0"):
        with pytest.raises(NotAnArchive, match="x is no archive: it does not begin as one does"):
            frame.check_prelude(data, "x")
    for version in (1, 3):
        with pytest.raises(UnsupportedVersion, match=f"version {version}; this engram reads version 2"):
            frame.check_prelude(frame.PRELUDE.pack(frame.MAGIC, version), "x")


@pytest.mark.parametrize("cut", [slice(1, None), slice(-1), slice(0)])
def test_a_trailer_must_be_whole(cut: slice) -> None:
    data = TRAILER.pack(1, 2, frame.END_MAGIC)
    assert frame.parse_trailer(data, "x") == (1, 2)
    with pytest.raises(TruncatedArchive, match="x does not end with its trailer; it was cut, or something was put"):
        frame.parse_trailer(data[cut], "x")


def of_pieces(count: int, box: bytes, width: int) -> Directory:
    """A directory with so many pieces and that index."""
    return replace(DIRECTORY, groups=(), columns=(), files=("x",) * count, width=width, index_crc32=zlib.crc32(box))


@given(st.lists(st.tuples(checksums, checksums), max_size=9))
def test_any_index_comes_back(entries: list[tuple[int, int]]) -> None:
    lengths, sums = (np.array([entry[k] for entry in entries], np.int64) for k in (0, 1))
    index = Index(lengths, sums.astype(np.uint32))
    box = emit_index(index)
    found = parse_index(box, of_pieces(len(entries), box, index.width))
    assert len(box) == len(entries) * (index.width + 4)
    assert (found.lengths.tolist(), found.checksums.tolist()) == (lengths.tolist(), sums.tolist())


@pytest.mark.parametrize(("longest", "width"), [(0, 1), (255, 1), (256, 2), (65535, 2), (65536, 3), (2**32 - 1, 4)])
def test_width_is_the_fewest_bytes(longest: int, width: int) -> None:
    assert Index(np.array([0, longest]), np.zeros(2, np.uint32)).width == width


def test_a_wrong_index_is_refused() -> None:
    with pytest.raises(CorruptDirectory, match="lengths of pieces have 2 bytes where 1 would do"):
        parse_index(bytes(6), of_pieces(1, bytes(6), 2))
    for box, directory in ((bytes(5), of_pieces(1, b"x", 1)), (bytes(5), of_pieces(2, bytes(5), 1))):
        with pytest.raises(CorruptDirectory, match="the index's checksum is wrong"):
            parse_index(box, directory)
    with pytest.raises(UsageError, match="less than 4 GiB"):
        emit_index(Index(np.array([1 << 32]), np.zeros(1, np.uint32)))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of two sizes and kinds, with columns and a kept file: few bytes of everything."""
    path = tmp_path_factory.mktemp("small") / "a.egm"
    collection = collection_of([picture(2, 2), picture(1, 2, "rgba"), picture(2, 2, seed=1)], age=[1, None, 3])
    groups = collection.groups()
    coders = [coder_of(group.size, group.kind.name) for group in groups]
    collection.files = {"notes.txt": b"notes"}
    archive.pack_collection(collection, groups, coders, path, block_size=2)
    return path


def is_found(path: Path) -> bool:
    try:
        return not archive.verify(path).ok
    except CorruptArchive:
        return True


def test_every_single_changed_byte_is_found(small: Path, tmp_path: Path) -> None:
    data, path = small.read_bytes(), tmp_path / "a.egm"
    assert archive.verify(small).ok
    assert len(data) < 1200
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :])
        assert is_found(path), f"byte {at}"


def test_every_single_changed_byte_of_a_grown_archive_with_a_model_is_found(tmp_path: Path, lossy: Codec) -> None:
    path = tmp_path / "a.egm"
    archive.pack(draw(3), lossy, path)
    archive.append(ImageSet(draw(2).images, draw(2).labels, draw(2).class_names, ("x", "y")), path, lossy)
    data = path.read_bytes()
    assert archive.verify(path).ok
    for at in [*range(0, len(data), 7), *range(len(data) - TRAILER.size, len(data))]:
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :])
        assert is_found(path), f"byte {at}"


def test_an_archive_that_was_cut_or_goes_on_is_refused(small: Path, tmp_path: Path) -> None:
    data, path = small.read_bytes(), tmp_path / "a.egm"
    for changed in [*(data[:stop] for stop in range(0, len(data), 3)), data[:-1], data + b"x", data + data]:
        path.write_bytes(changed)
        with pytest.raises(CorruptArchive):
            archive.open(path)
