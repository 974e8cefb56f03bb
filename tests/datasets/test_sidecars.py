"""webdataset's files beside a picture in a .zip or .tar: columns, and what each that says nothing is told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from boxes import BOXES, as_folder, png, values

from engram.datasets import folders
from engram.datasets.collection import Collection
from engram.datasets.tree import tree_of
from engram.errors import UsageError


def taken(files: dict[str, str | bytes], path: Path) -> Collection:
    """A box of two pictures and these files."""
    data = {name: text if isinstance(text, bytes) else text.encode() for name, text in files.items()}
    tree = tree_of(BOXES[path.suffix[1:]]({"x/000.jpg": png(), "x/001.png": png()} | data, path))
    assert tree is not None
    return folders.collection(tree)


@pytest.fixture(params=BOXES)
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"a.{request.param}"


@pytest.mark.parametrize(
    ("files", "columns"),
    [
        ({"x/000.cls": "3", "x/001.cls": "0\n"}, {"label": ["3", "0"]}),
        ({"x/000.cls": "cat\n", "x/001.cls": "dog"}, {"label": ["cat", "dog"]}),
        ({"x/001.cls": "dog"}, {"label": [None, "dog"]}),
        ({"x/000.txt": "a cat\n"}, {"label": ["x", "x"], "text": ["a cat\n", None]}),
        ({"x/000.json": '{"age": 3, "box": [1, 2]}'}, {"age": [3, None], "box": [[1, 2], None]}),
        ({"x/000.json": "[1, 2]", "x/001.json": "7"}, {"json": [[1, 2], 7]}),
        ({"x/000.json": '{"label": "cat", "split": "val"}'}, {"label": ["cat", None], "split": ["val", None]}),
        ({"x/000.json": '{"label": 5}', "x/000.cls": "1"}, {"label": ["1", None], "json_label": [5, None]}),
        ({"x/000.json": '{"text": 5}', "x/001.txt": "b"}, {"text": [None, "b"], "json_text": [5, None]}),
        ({"x/000.json": '{"path": "a/b"}'}, {"path": ["x/000.jpg", "x/001.png"], "json_path": ["a/b", None]}),
    ],
)
def test_what_is_beside_a_picture_is_a_column(
    files: dict[str, str | bytes], columns: dict[str, Any], box: Path
) -> None:
    found = taken(files, box)
    assert {name: values(found, name) for name in columns} == columns
    assert set(found.table) - set(columns) <= {"path", "label"}
    assert (found.notices, found.files) == ((), {})


def test_what_is_beside_no_picture_is_told_of(box: Path) -> None:
    found = taken({"x/002.cls": "1", "000.json": "no json", "x/000.npy": "", "x/000.CLS": "1"}, box)
    assert [str(notice) for notice in found.notices] == [
        "no picture, by its name, or a link that leads to none: left out; 4 of 6 files, the first "
        + ", ".join(f"{box}/{name}" for name in ("000.json", "x/000.CLS", "x/000.npy"))
    ]


def test_metadata_goes_before(box: Path) -> None:
    found = taken({"x/000.json": '{"age": 1, "size": 2}', "metadata.csv": "file_name,age\nx/001.png,9\n"}, box)
    assert (values(found, "age"), values(found, "size")) == ([None, 9], [2, None])


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("x/000.json", "{", "says nothing that can be kept (Expecting"),
        ("x/000.json", "[" * 100_000, "says nothing that can be kept (maximum recursion"),
        ("x/000.cls", "9" * 5000, "says nothing that can be kept (Exceeds the limit"),
        ("x/000.txt", b"\xff", "says nothing that can be kept ('utf-8' codec"),
        ("x/000.json", '{".a": 1}', ": a column is called by a text without a dot before it, not '.a'"),
        ("x/000.json", '{"": 1}', ": a column is called by a text without a dot before it, not ''"),
    ],
)
def test_what_says_nothing(name: str, text: str | bytes, reason: str, box: Path) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(f'{box}/{name}')}.*{re.escape(reason)}"):
        taken({name: text}, box)


def test_in_a_folder_they_are_files_that_are_no_pictures(tmp_path: Path) -> None:
    found = folders.collection(as_folder({"0.png": png(), "0.cls": b"1"}, tmp_path))
    assert (list(found.table), len(found.notices)) == (["path"], 1)
