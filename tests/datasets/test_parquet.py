"""Parquet files with a column of pictures: what is taken for them, what the others become, and what is refused."""

from __future__ import annotations

import datetime
import json
import re
import sys
import tempfile
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from boxes import content, png, values
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq

from engram.datasets import folders, parquet
from engram.datasets.parquet import NoPictureColumn, Parquet
from engram.datasets.source import Reading, collection
from engram.datasets.tree import DamagedContainer, DamagedMember
from engram.errors import EngramError, MissingLibrary

PNG = [png(value, (2 + value % 2, 3)) for value in range(6)]
STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def images(paths: list[str | None] | None = None) -> Any:
    """The pictures as Hugging Face has them."""
    where = paths or [f"{'ab'[row % 2]}/{row}.png" for row in range(6)]
    return pa.array([{"bytes": data, "path": path} for data, path in zip(PNG, where, strict=True)], STRUCT)


def written(folder: Path, rows: int = 4, metadata: dict[str, Any] | None = None, **columns: Any) -> Path:
    """A file of these columns, so many rows in a group."""
    table = pa.table(columns)
    known = {key: json.dumps(value) for key, value in (metadata or {}).items()}
    pq.write_table(table.replace_schema_metadata(known or None), folder / "a.parquet", row_group_size=rows)
    return folder / "a.parquet"


def test_pictures_as_hugging_face_has_them(tmp_path: Path) -> None:
    path = written(tmp_path, image=images(), label=[0, 1, 0, 1, 0, -1], fine=[3.5, 1, 2, None, 5, 6])
    found = collection(path)
    table, pictures, files = content(found)
    assert table["path"] == ["a/0.png", "b/1.png", "a/2.png", "b/3.png", "a/4.png", "b/5.png"]
    assert pictures == [bytes([value] * 3 * (2 + value % 2)) for value in range(6)]
    assert (table["label"], table["fine"], files) == ([0, 1, 0, 1, 0, -1], [3.5, 1, 2, None, 5, 6], {})
    assert found.where(1) == f"{path}/b/1.png"


def test_classes_by_their_names(tmp_path: Path) -> None:
    features = {"label": {"names": ["zebra", "ape", "bee"], "_type": "ClassLabel"}, "image": {"_type": "Image"}}
    known = {"huggingface": {"info": {"features": features}}}
    label = collection(written(tmp_path, metadata=known, image=images(), label=[0, 1, 0, 1, 0, -1])).table["label"]
    assert label.categories == ("zebra", "ape", "bee")
    assert [label.value(row) for row in range(6)] == ["zebra", "ape", "zebra", "ape", "zebra", None]


@pytest.mark.parametrize("known", [7, {"info": None}, {"info": {"features": {"label": {"names": [1]}}}}])
def test_metadata_that_says_nothing_is_ignored(known: Any, tmp_path: Path) -> None:
    path = written(tmp_path, metadata={"huggingface": known, "engram": known}, image=images(), label=[0, 1, 0, 1, 0, 1])
    assert collection(path).table["label"].categories == ("0", "1")


@pytest.mark.parametrize(
    ("values_given", "kind", "expected"),
    [
        (pa.array([1, None, 3, 4, 5, 6], pa.int8()), "integer", [1, None, 3, 4, 5, 6]),
        (pa.array([2**64 - 1] * 6, pa.uint64()), "json", [2**64 - 1] * 6),
        (pa.array([0.5] * 6, pa.float32()), "number", [0.5] * 6),
        (pa.array([True, None] * 3), "boolean", [True, None] * 3),
        (pa.array(["a", "b", "c", "d", "e", None]), "text", ["a", "b", "c", "d", "e", None]),
        (pa.array(["a", "b"] * 3).dictionary_encode(), "text", ["a", "b"] * 3),
        (pa.array([[1, 2], None] * 3), "json", [[1, 2], None] * 3),
        (pa.array([{"x": 1, "y": [2]}] * 6), "json", [{"x": 1, "y": [2]}] * 6),
        (pa.array(['{"x": 1}', None, "[2]"] * 2, pa.json_()), "json", [{"x": 1}, None, [2]] * 2),
        (pa.array(["{", None, "[2]"] * 2, pa.json_()), "text", ["{", None, "[2]"] * 2),
        (pa.array([datetime.date(2024, 1, 2)] * 6), "text", ["2024-01-02"] * 6),
        (pa.array([1] * 6, pa.timestamp("ns")), "text", ["1970-01-01 00:00:00.000000001"] * 6),
        (pa.array([Decimal("1.50")] * 6), "text", ["1.50"] * 6),
    ],
)
def test_the_type_of_a_column(values_given: Any, kind: str, expected: list[Any], tmp_path: Path) -> None:
    found = collection(written(tmp_path, image=images(), x=values_given))
    assert (found.table["x"].type.replace("category", "text"), values(found, "x")) == (kind, expected)


def test_columns_that_no_archive_holds_are_left_out_and_told_of(tmp_path: Path) -> None:
    columns = {"mask": [b"\0"] * 6, ".x": [1] * 6, "nan": [[float("nan")]] * 6, "ok": [1] * 6}
    path = written(tmp_path, **{"image": images(), **columns})
    with pytest.warns(UserWarning, match=r"columns that an archive cannot hold \(mask, \.x, nan\): left out; 6 of 6"):
        assert set(collection(path).table) == {"path", "label", "ok"}


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        ({"img": PNG}, ""),
        ({"anything": PNG}, ""),
        ({"anything": images()}, ""),
        ({"mask": PNG[::-1], "Image": PNG}, ""),
        ({"depth": PNG[::-1], "photo": pa.array(PNG, pa.large_binary()), "image_id": list("abcdef")}, ""),
        ({"depth": PNG[::-1], "jpg": pa.array(PNG, pa.binary_view())}, ""),
        ({"mask": PNG[::-1], "scan": images()}, ""),
        ({"image": PNG[::-1], "scan": PNG}, "scan"),
    ],
)
def test_which_column_is_taken_for_pictures(columns: dict[str, Any], key: str, tmp_path: Path) -> None:
    tree = Parquet(written(tmp_path, **columns), key)
    assert [tree.read(path) for path, _ in tree.files()] == PNG


@pytest.mark.parametrize(
    ("columns", "key", "message"),
    [
        (
            {"x": [1], "y": ["a"]},
            "",
            "no column has pictures, which are bytes, or bytes and path; there are x (int64), ",
        ),
        ({"x": [1]}, "image", "no column image has pictures, which are bytes, or bytes and path; there are x (int64)"),
        ({}, "", "no column has pictures, which are bytes, or bytes and path; there are nothing: say which, --images-"),
        ({"x": [b""], "y": [b""]}, "", "which of its columns has the pictures is not clear; there are x (binary), y"),
    ],
)
def test_no_column_of_pictures(columns: dict[str, Any], key: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, **columns)
    with pytest.raises(NoPictureColumn, match=f"^{re.escape(f'{path}: {message}')}"):
        collection(path, reading=Reading(images_key=key))


def test_labels_by_the_key_of_their_column(tmp_path: Path) -> None:
    path = written(tmp_path, image=images(), kind=list("xyzxyz"))
    assert values(collection(path, reading=Reading(labels_key="kind")), "label") == list("xyzxyz")


@pytest.mark.parametrize(
    ("columns", "expected", "others"),
    [
        ({"image": images(["x"] * 6)}, [f"0000{row}.png" for row in range(6)], set()),
        ({"image": images(["x", None, "a", "b", "c", "d"])}, [f"0000{row}.png" for row in range(6)], set()),
        ({"image": images(["../x", *"abcde"])}, [f"0000{row}.png" for row in range(6)], set()),
        ({"image": PNG, "file_name": list("abcdef")}, list("abcdef"), set()),
        ({"image": PNG, "path": list("abcdef"), "file_name": list("aabcde")}, list("abcdef"), {"file_name"}),
        ({"image": PNG, "path": list("aabcde")}, [f"0000{row}.png" for row in range(6)], {"metadata_path"}),
        ({"image": images(list("abcdef")), "path": list("ghijkl")}, list("abcdef"), {"metadata_path"}),
        ({"image": [None, b"\xff\xd8", b"", b"", b"", b""]}, [f"0000{row}.jpg" for row in range(6)], set()),
    ],
)
def test_the_paths_of_pictures(columns: dict[str, Any], expected: list[str], others: set[str], tmp_path: Path) -> None:
    tree = Parquet(written(tmp_path, **columns))
    assert ([path for path, _ in tree.files()], set(tree.columns())) == (expected, others)


def test_a_split_is_taken_alone(tmp_path: Path) -> None:
    path = written(tmp_path, image=images(), split=["val", "train"] * 3)
    found = collection(f"{path}:train")
    assert values(found, "path") == ["b/1.png", "b/3.png", "b/5.png"]


@pytest.mark.parametrize("gone", [None, {"bytes": None, "path": "c.png"}])
def test_rows_without_a_picture_are_counted_or_left_out(gone: Any, tmp_path: Path) -> None:
    rows = [*images().to_pylist()[:3], gone, gone and gone | {"path": "d.png"}]
    path = written(tmp_path, image=pa.array(rows, STRUCT), age=[0, 1, 2, 3, 4])
    first = f"{path}/{gone['path'] if gone else '00003.png'} is a row without a picture; fill it in or take it out"
    with pytest.raises(DamagedMember, match=f"^{re.escape(first)}\n2 of 5 pictures are not taken"):
        collection(path)
    with pytest.warns(UserWarning, match="left out; 2 of 5 files"):
        assert values(collection(path, reading=Reading(skip_broken=True)), "age") == [0, 1, 2]


@pytest.mark.parametrize("rows", [1, 4, 100])
def test_each_row_group_is_read_once_on_each_passage(
    rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "MOST_AT_ONCE", 2)
    tree = Parquet(written(tmp_path, rows, image=[PNG[row % 6] for row in range(40)]))
    read, numbers = tree._read_group, list[int]()
    monkeypatch.setattr(tree, "_read_group", lambda number: (numbers.append(number), read(number))[1])
    tree._groups.clear()
    for row, (path, _) in enumerate(tree.files()):
        assert tree.read(path) == PNG[row % 6]
    assert numbers == list(range(-(-40 // rows)))
    assert len(tree._groups) <= 4


def test_a_row_group_too_large_for_memory_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "MOST_GROUP_BYTES", 100)
    with pytest.raises(DamagedContainer, match="a row group has more than 100 bytes of pictures: make smaller ones"):
        collection(written(tmp_path, image=images()))


def test_more_rows_than_a_file_can_hold(tmp_path: Path) -> None:
    path = written(tmp_path, 1 << 22, image=pa.nulls(1 << 21, pa.binary()))
    with pytest.raises(
        DamagedContainer, match=r"cannot be read as Parquet \(2,097,152 rows are more than it can hold\)"
    ):
        collection(path)


def test_each_cut_is_refused(tmp_path: Path) -> None:
    data = written(tmp_path, image=images()).read_bytes()
    for end in range(0, len(data), 31):
        (tmp_path / "b.parquet").write_bytes(data[:end])
        with pytest.raises(DamagedContainer, match=r"b\.parquet cannot be read as Parquet \("):
            collection(tmp_path / "b.parquet")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=3))
def test_bytes_that_are_changed_give_pictures_or_an_error_of_ours(changes: list[tuple[int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), image=images(), age=[[1], [], None, [2], [], []])
        whole = bytearray(path.read_bytes())
        for place, value in changes:
            whole[place % len(whole)] = value
        path.write_bytes(whole)
        with suppress(EngramError):
            content(folders.collection(Parquet(path)))


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, image=images())
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    message = "Parquet files need pyarrow; `pip install 'engram-images[parquet]'` brings it"
    with pytest.raises(MissingLibrary, match=f"^{re.escape(message)}$"):
        collection(path)
