"""FORMAT.md against the archives: its example, and the independent decoder on what engram writes, new and golden."""

from __future__ import annotations

import json
import re
import zlib
from pathlib import Path
from typing import Any

import independent
import numpy as np
import pytest

from engram import archive
from engram.archive import Archive, Coder, columns, format, segment
from engram.archive.changing import remove
from engram.codecs.raw import Raw
from engram.datasets import names
from engram.datasets.cells import share
from engram.datasets.collection import OfPictures
from engram.images import ImageSet
from engram.kinds import KINDS
from engram.table import MOST_CATEGORIES, MOST_NESTED, column_of, texts

FORMAT = Path(__file__).parents[2] / "FORMAT.md"
GOLDEN = Path(__file__).parents[1] / "golden" / "archives"


def example() -> bytes:
    """The bytes of FORMAT.md's example, whose offsets must be right."""
    (block,) = re.findall(r"```egm\n(.*?)```", FORMAT.read_text(), re.DOTALL)
    data = b""
    for offset, row in re.findall(r"^ *(\d+)  ((?:[0-9a-f]{2} ?)+)", block, re.MULTILINE):
        assert int(offset) == len(data)
        data += bytes.fromhex(row)
    return data


def check_example(images: list[Any], paths: list[str]) -> None:
    assert [image[..., 0].tolist() for image in images] == [[[0, 20], [40, 60]], [[80, 100], [120, 140]], [[160, 180]]]
    assert paths == ["a08.png", "a09.png", "b.png"]


def check_equal(found: dict[str, Any], opened: Archive) -> None:
    """What the independent decoder found, and what engram reads."""
    assert [each.dtype for each in found["images"]] == [each.dtype for each in opened]
    assert all(map(np.array_equal, found["images"], opened[:]))
    assert found["columns"].keys() == set(opened.column_names)
    for name, values in found["columns"].items():
        column = opened.column(name)
        assert values == [column.value(row) for row in range(len(column))]
        assert found["categories"][name] == list(column.categories)
    files = [(number, name) for number, each in enumerate(opened.sources) for name in each.directory.files]
    assert found["files"] == {name: opened.segment(number).kept_file(name) for number, name in files}
    rows = np.flatnonzero(opened.are_files(opened.rows)).tolist()
    assert found["as_files"] == {row: opened.file(row) for row in rows}


def test_the_example_is_an_archive(tmp_path: Path) -> None:
    (tmp_path / "a.egm").write_bytes(example())
    with archive.open(tmp_path / "a.egm") as opened:
        check_example(list(opened), list(opened.paths or ()))
    found = independent.read(example())
    check_example(found["images"], found["columns"]["path"])
    (shown,) = re.findall(r"```json\n(.*?)```", FORMAT.read_text(), re.DOTALL)
    assert json.loads(shown) == independent.read_directory(example())


@pytest.mark.parametrize("offset", range(0, len(example()), 3))
def test_the_independent_decoder_sees_damage(offset: int) -> None:
    data = bytearray(example())
    data[offset] ^= 1
    with pytest.raises((independent.Refused, zlib.error)):
        independent.read(bytes(data))


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.egm")), ids=lambda path: path.stem)
def test_the_independent_decoder_reads_the_golden_archives(path: Path) -> None:
    left_out = path.with_suffix(".model")
    model = left_out.read_bytes() if left_out.exists() else None
    with archive.open(path, model) as opened:
        check_equal(independent.read(path.read_bytes(), model), opened)


def test_the_independent_decoder_reads_the_golden_set() -> None:
    with archive.open(GOLDEN / "set") as opened:
        check_equal(independent.read_set({path.name: path.read_bytes() for path in (GOLDEN / "set").iterdir()}), opened)


@pytest.mark.parametrize("seed", range(12))
def test_the_independent_decoder_reads_what_engram_writes(seed: int, tmp_path: Path) -> None:
    """Pictures of many sizes and kinds, columns of any type, an append, a kept file; then some are taken out."""
    rng = np.random.default_rng(seed)
    kinds = [kind for kind in KINDS.values() if rng.integers(2)] or [KINDS["rgba"]]
    for first, count, most in ((0, 30, 9), (30, 8, 9)) if seed % 4 else ((0, 3, 600), (3, 8, 9)):
        found = [
            rng.integers(0, 1 << kind.bits, (*rng.integers(1, most, 2), kind.channels), kind.dtype)
            for kind in rng.choice(kinds, count)
        ]
        rows = range(first, first + len(found))
        table = {"path": texts([f"{row % 5}/{row:03}.png" for row in rows])} | {
            f"{kind} {missing}": column_of([None if missing and row % 3 else give(row) for row in rows])
            for kind, give in VALUES.items()
            for missing in (False, True)
        }
        collection = OfPictures("drawn", found, table)
        groups = share(collection.sizes, collection.kinds, collection.kind_numbers, fewest=4)
        coders = [Coder(g.kind, tuple(Raw((*g.size, c)) for c in g.kind.layers)) for g in groups]
        if not first:
            collection.files = {"a/b.csv": b"x" * seed}
            archive.pack_collection(collection, groups, coders, tmp_path / "a.egm", block_size=int(rng.integers(1, 9)))
        else:
            archive.append(collection, tmp_path / "a.egm")
    with archive.open(tmp_path / "a.egm") as opened:
        assert len(opened.sources) == 2
        check_equal(independent.read((tmp_path / "a.egm").read_bytes()), opened)
        kept = rng.integers(2, size=len(opened)) > 0
        right = [image for image, keep in zip(opened, kept, strict=True) if keep]
    remove(tmp_path / "a.egm", ~kept)
    with archive.open(tmp_path / "a.egm") as opened:
        assert all(map(np.array_equal, opened, right))
        check_equal(independent.read((tmp_path / "a.egm").read_bytes()), opened)


VALUES = {
    "integer": lambda row: (-1) ** row * 7**row if row < 20 else row,
    "number": lambda row: row / 7,
    "boolean": lambda row: row % 2 == 0,
    "category": lambda row: "abé"[row % 2],
    "text": lambda row: f"{row}é"[: row % 9],
    "json": lambda row: [row, {"é": None}],
}


def test_the_independent_decoder_sees_damage_in_a_grown_archive() -> None:
    data = (GOLDEN / "grown.egm").read_bytes()
    for offset in range(5, len(data), 61):
        with pytest.raises((independent.Refused, zlib.error)):
            independent.read(data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :])


def test_the_independent_decoder_reads_shards(tmp_path: Path) -> None:
    images = ImageSet(np.arange(90, dtype=np.uint8).reshape(10, 3, 3, 1), np.arange(10) % 2, ("ape", "bee"))
    archive.pack(images, Raw((3, 3, 1)), tmp_path / "a.egm", block_size=2)
    archive.shard([tmp_path / "a.egm"], tmp_path / "set", images=4)
    files = {path.name: path.read_bytes() for path in (tmp_path / "set").iterdir()}
    with archive.open(tmp_path / "set") as opened:
        check_equal(independent.read_set(files), opened)
    files["00001.egm"] = files["00000.egm"]
    with pytest.raises(independent.Refused, match="another shard"):
        independent.read_set(files)


def test_the_limits_in_the_text_are_those_of_the_code() -> None:
    text = FORMAT.read_text()
    assert f"ceil(`rows` / {format.ROWS_IN_CHUNK:,})" in text
    assert f"at most {segment.MOST_CELLS_IN_PICTURE:,}: its tiles" in text
    assert f"The categories, at most {MOST_CATEGORIES:,}" in text
    assert f"at most {MOST_NESTED} lists and objects" in text
    assert f"but in a config | {format.MOST_LISTED:,} entries" in text
    assert f"| sides of cells and pictures | 1 to {format.MOST_SIDE:,} |" in text
    assert f"1 to {format.MOST_CELLS_IN_BLOCK:,}; 2^28" in text
    assert f"2^22 bytes, and {format.MOST_EXPANSION} for each" in text
    assert f"at most {names.MOST_PATH_BYTES:,} bytes: names of 1 to {names.MOST_NAME_BYTES} bytes" in text
    sizes = format.MOST_DIRECTORY_BYTES, format.MOST_BLOCK_BYTES, columns.MOST_FILE_BYTES
    assert (*sizes, columns.MOST_TEXT_BYTES, columns.MOST_CHUNK_BYTES) == (2**22, 2**28, 2**28, 2**20, 2**26)


def test_the_independent_decoder_is_independent() -> None:
    files = sorted(Path(__file__).parent.glob("independent*.py"))
    assert len(files) == 8
    allowed = {"hashlib", "io", "json", "lzma", "re", "struct", "zlib", "numpy", *(file.stem for file in files)}
    for file in files:
        pillow = {"PIL"} if file.stem == "independent_files" else set()
        assert set(re.findall(r"^(?:import|from) (\w+)", file.read_text(), re.MULTILINE)) <= allowed | pillow
