"""metadata.csv and metadata.jsonl: each type of column, what is missing, and what each file that is none says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram.datasets import folders
from engram.datasets.collection import Collection
from engram.datasets.pictures import encode_picture
from engram.errors import UsageError

PNG = encode_picture(np.zeros((2, 2, 1), np.uint8), ".png", 95)
Written = Callable[..., Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes pictures and metadata, and gives the folder."""

    def write(*pictures: str, **metadata: str | bytes) -> Path:
        for path in pictures:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(PNG)
        for name, text in metadata.items():
            data = text if isinstance(text, bytes) else text.encode()
            (tmp_path / name.replace("__", "/").replace("_", ".")).write_bytes(data)
        return tmp_path

    return write


def values(found: Collection, name: str) -> list[Any]:
    return [found.table[name].value(row) for row in range(len(found))]


@pytest.mark.parametrize(
    ("texts", "kind", "expected"),
    [
        (["1", "-20", ""], "integer", [1, -20, None]),
        (["9223372036854775807", "0", "1"], "integer", [9223372036854775807, 0, 1]),
        (["9223372036854775808", "0", "1"], "text", ["9223372036854775808", "0", "1"]),
        (["1", "2.5", "-1e3"], "number", [1.0, 2.5, -1000.0]),
        (["true", "False", ""], "boolean", [True, False, None]),
        (['"[1, 2]"', "[]", ""], "json", [[1, 2], [], None]),
        (["007", "12", "3"], "text", ["007", "12", "3"]),
        (["9" * 5000, "0", "1"], "text", ["9" * 5000, "0", "1"]),
        (["1", "x", ""], "text", ["1", "x", None]),
        (['"a, ""b"""', '"two\nlines"', "ä"], "text", ['a, "b"', "two\nlines", "ä"]),
        (["", "", ""], "json", [None, None, None]),
    ],
)
def test_the_type_of_a_csv_column(texts: list[str], kind: str, expected: list[Any], written: Written) -> None:
    rows = "".join(f"{number}.png,{text}\n" for number, text in enumerate(texts))
    found = folders.collection(written("0.png", "1.png", "2.png", metadata_csv=f"file_name,x\n{rows}"))
    assert (found.table["x"].type, values(found, "x")) == (kind, expected)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ([1, 2, None], "integer"),
        ([1, 2.5, 3], "number"),
        ([True, None, False], "boolean"),
        (["1", "x", None], "text"),
        ([[1, 2], {"a": None}, 3], "json"),
        ([1, "x", True], "json"),
    ],
)
def test_json_lines_keep_their_types(given: list[Any], kind: str, written: Written) -> None:
    lines = [json.dumps({"file_name": f"{n}.png"} | ({} if v is None else {"x": v})) for n, v in enumerate(given)]
    found = folders.collection(written("0.png", "1.png", "2.png", metadata_jsonl="\n".join(lines)))
    assert (found.table["x"].type, values(found, "x")) == (kind, given)


def test_pictures_without_a_row_and_rows_without_a_picture(written: Written) -> None:
    text = "file_name,x\na.png,1\ngone.png,2\n"
    found = folders.collection(written("a.png", "b.png", metadata_csv=text))
    assert values(found, "x") == [1, None]
    assert [str(notice) for notice in found.notices] == [
        "rows of metadata for pictures that are not there: left out; 1 of 2 files, the first gone.png"
    ]
    assert found.files == {"metadata.csv": text.encode()}


def test_a_file_in_a_split_speaks_of_its_own_folder(written: Written) -> None:
    folder = written(
        "train/a/1.png",
        "test/2.png",
        train__metadata_csv="file_name,x\na/1.png,1\n",
        test__metadata_jsonl='{"file_name": "./2.png", "x": 2}\n',
    )
    found = folders.collection(folder)
    assert values(found, "path") == ["test/2.png", "train/a/1.png"]
    assert values(found, "x") == [2, 1]
    assert set(found.files) == {"train/metadata.csv", "test/metadata.jsonl"}
    assert not found.notices


def test_metadata_s_label_and_split_win_over_what_paths_say(written: Written) -> None:
    text = "file_name,label,split,path\na/1.png,dog,test,here\na/2.png,cat,train,there\n"
    found = folders.collection(written("a/1.png", "a/2.png", metadata_csv=text))
    assert values(found, "label") == ["dog", "cat"]
    assert found.table["label"].categories == ("cat", "dog")
    assert found.table["split"].categories == ("train", "test")
    assert values(found, "metadata_path") == ["here", "there"]
    assert found.stream().known.splits == ("test", "train")


def test_labels_from_a_column(written: Written) -> None:
    text = "file_name,age,breed,label\n1.png,2,pug,x\n2.png,0,collie,y\n"
    folder = written("1.png", "2.png", metadata_csv=text)
    found = folders.collection(folder, label_from="breed")
    assert [values(found, name) for name in ("label", "breed", "metadata_label")] == [
        ["pug", "collie"],
        ["pug", "collie"],
        ["x", "y"],
    ]
    ages = folders.collection(folder, label_from="age").table["label"]
    assert (ages.values.tolist(), ages.categories) == ([2, 0], ("0", "1", "2"))
    with pytest.raises(UsageError, match=re.escape("or a column of metadata (age, breed, label), not 'height'")):
        folders.collection(folder, label_from="height")


def test_a_row_holds_for_every_frame(written: Written, tmp_path: Path) -> None:
    from PIL import Image

    folder = written("b.png", metadata_csv="file_name,x\na.gif,1\nb.png,2\n")
    Image.new("L", (2, 2)).save(folder / "a.gif", save_all=True, append_images=[Image.new("L", (2, 2), 9)])
    assert values(folders.collection(folder, frames=True), "x") == [1, 1, 2]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("metadata_csv", "name,x\na.png,1\n", " has no column file_name, only name, x: name each row's picture"),
        ("metadata_csv", "", " has no column file_name, only nothing: name each row's picture"),
        ("metadata_csv", b"file_name\n\xff.png\n", " is not UTF-8 (byte 10): save it as UTF-8"),
        ("metadata_csv", "file_name,x\na.png\n", ", line 2: 1 fields, and the header has 2"),
        ("metadata_csv", 'file_name,x\na.png,"b\n', ", line 2: no sound CSV (unexpected end of data); mend the line"),
        ("metadata_csv", "file_name,x,x\na.png,1,2\n", " has two columns called x: rename one"),
        ("metadata_csv", "file_name,.x\na.png,1\n", ": a column is called by a text that does not begin with a dot"),
        ("metadata_csv", "file_name,x\n,1\n", ", line 2: file_name is the path of a picture, not ''"),
        ("metadata_csv", "file_name\na.png\na.png\n", " has a second row for a.png, after metadata.csv: keep one"),
        ("metadata_jsonl", "\n{\n", ", line 2: no sound JSON ("),
        ("metadata_jsonl", "[" * 100_000, ", line 1: no sound JSON ("),
        ("metadata_jsonl", "[1]", ", line 1: each line is a JSON object, not list"),
        ("metadata_jsonl", '{"x": 1}', " has no column file_name, only x: name each row's picture"),
        ("metadata_jsonl", '{"file_name": 1}', ", line 1: file_name is the path of a picture, not 1"),
    ],
)
def test_what_is_no_metadata(name: str, data: str | bytes, message: str, written: Written) -> None:
    folder = written("a.png", **{name: data})
    with pytest.raises(UsageError, match=f"^{re.escape(str(folder / name.replace('_', '.')) + message)}"):
        folders.collection(folder)


def test_pandas_writes_an_index_without_a_name(written: Written) -> None:
    found = folders.collection(written("a.png", metadata_csv="\ufeff,file_name\r\n0,a.png\r\n"))
    assert values(found, "column_0") == [0]


def test_rows_are_found_by_what_unpack_calls_their_pictures(written: Written) -> None:
    text = "file_name,x\na.jpg,1\nb.png,2\nc.bmp,3\nd.webp,4\n"
    found = folders.collection(written("a.png", "b.png", "b.jpg.png", "c.bmp.png", "c.png", metadata_csv=text))
    assert dict(zip(found.table["path"].values, values(found, "x"), strict=True)) == {
        "a.png": 1,
        "b.png": 2,
        "b.jpg.png": None,
        "c.bmp.png": 3,
        "c.png": None,
    }
    assert "1 of 4 files, the first d.webp" in str(found.notices[-1])


def test_metadata_of_several_appends_is_read(written: Written, tmp_path: Path) -> None:
    written("a.png", "b.png", metadata_csv="file_name,x\na.png,1\n")
    (tmp_path / "metadata-2.csv").write_text("file_name,x\nb.png,2\n")
    found = folders.collection(tmp_path)
    assert values(found, "x") == [1, 2]
    assert sorted(found.files) == ["metadata-2.csv", "metadata.csv"]
