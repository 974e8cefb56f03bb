"""The table: every column as it was given, and views of the rows that a question picks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawing import TYPES, draw, draw_rich, with_columns
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engram import archive
from engram.archive import segment
from engram.codecs.raw import Raw
from engram.errors import MissingLibrary, UsageError
from engram.table import Column, column_of

reuse_fixtures = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
IMAGES = draw_rich()
RAW = Raw((4, 3, 1))


@pytest.fixture
def opened(rich: Path) -> Iterator[archive.Archive]:
    with archive.open(rich) as found:
        yield found


def values(column: Column) -> list[Any]:
    return [column.value(row) for row in range(len(column))]


def test_columns_are_arrays(opened: archive.Archive) -> None:
    table = opened.table
    assert list(table) == ["path", "label", *TYPES]
    assert {name: column.dtype.kind for name, column in table.items()} == {
        **{"path": "O", "label": "O", "age": "i", "weight": "f", "fresh": "b", "maker": "O", "note": "O", "box": "O"}
    }
    assert {name: table[name].tolist() for name in TYPES} == TYPES
    assert isinstance(table["age"], np.ma.MaskedArray)
    assert table["path"].tolist() == list(IMAGES.paths or ())
    assert table["label"].tolist() == [IMAGES.class_names[label] for label in IMAGES.labels]  # type: ignore[union-attr]
    assert repr(table) == "<Table of 150 rows: path, label, age, weight, fresh, maker, note, box>"
    with pytest.raises(KeyError, match="colour"):
        table["colour"]
    with pytest.raises(UsageError, match=r"rich\.egm has no column 'colour'; it has path, label, age, weight, fresh"):
        opened.column("colour")
    assert opened.info.columns == {
        **{"path": "text", "label": "category", "age": "integer", "weight": "number", "fresh": "boolean"},
        **{"maker": "category", "note": "text", "box": "json"},
    }


def test_missing_values_are_nan_none_or_masked(tmp_path: Path) -> None:
    known: dict[str, list[Any]] = {
        "age": [1, None, 3],
        "weight": [0.5, None, 2.0],
        "fresh": [True, None, False],
        "maker": [None] * 3,
        "note": ["a", None, "c"],
        "box": [[1], None, {"a": None}],
    }
    archive.pack(with_columns(3, **known), RAW, tmp_path / "a.egm")
    with archive.open(tmp_path / "a.egm") as opened:
        table = opened.table
        assert (table["age"].tolist(), table["fresh"].tolist()) == ([1, None, 3], [True, None, False])
        assert np.isnan(table["weight"]).tolist() == [False, True, False]
        assert {name: table[name].tolist() for name in ("maker", "note", "box")}.items() <= known.items()
        assert {name: values(opened.column(name)) for name in known} == known


@reuse_fixtures
@given(name=st.sampled_from([*TYPES, "path", "label"]), rows=st.lists(st.integers(0, 149), max_size=30))
def test_some_rows_of_a_column_are_those_of_all(opened: archive.Archive, name: str, rows: list[int]) -> None:
    whole, some = opened.column(name), opened.column(name, np.array(rows, np.int64))
    assert (some.type, some.categories) == (whole.type, whole.categories)
    assert values(some) == [whole.value(row) for row in rows]


@pytest.mark.usefixtures("small_chunks")
def test_no_more_of_a_column_is_read_than_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.pack(IMAGES, RAW, tmp_path / "a.egm")
    read, chunk = list[tuple[str, int]](), segment.Segment.chunk

    def noted(self: segment.Segment, name: str, number: int) -> Column:
        read.append((name, number))
        return chunk(self, name, number)

    monkeypatch.setattr(segment.Segment, "chunk", noted)
    with archive.open(tmp_path / "a.egm") as opened:
        assert values(opened.column("weight", np.array([149, 40, 33]))) == [149 / 7, 40 / 7, 33 / 7]
        assert sorted(read) == [("weight", 2), ("weight", 9)]
        assert opened.paths is not None
        assert opened.paths[17] == "test/017.png"
        assert read[2:] == [("path", 1)]
        assert opened.table["age"].tolist() == TYPES["age"]


@pytest.mark.parametrize(
    ("wanted", "is_wanted"),
    [
        ({}, lambda row: True),
        ({"maker": "Ada"}, lambda row: row % 2 == 0),
        ({"maker": ["Ada", "Bo", "Cy"]}, lambda row: True),
        ({"maker": "Cy"}, lambda row: False),
        ({"age": -69}, lambda row: row == 1),
        ({"age": {-69, 7, 10}}, lambda row: row in (1, 77)),
        ({"age": None}, lambda row: row % 5 == 0),
        ({"age": (None, -69)}, lambda row: row % 5 == 0 or row == 1),
        ({"age": 0}, lambda row: False),  # of row 70, which is missing
        ({"weight": 1.0}, lambda row: row == 7),
        ({"fresh": True}, lambda row: row % 3 == 0),
        ({"fresh": True, "maker": "Bo"}, lambda row: row % 3 == 0 and row % 2),
        ({"note": "no. 0"}, lambda row: row == 0),
        ({"box": [5, 6]}, lambda row: row == 5),
        ({"box": None}, lambda row: row % 4 == 0),
        ({"path": "test/149.png"}, lambda row: row == 149),
        ({"label": "cat"}, lambda row: IMAGES.labels[row] == 2),  # type: ignore[index]
    ],
)
def test_where(opened: archive.Archive, wanted: dict[str, Any], is_wanted: Any) -> None:
    view, rows = opened.where(**wanted), [row for row in range(150) if is_wanted(row)]
    assert view.rows.tolist() == rows
    assert np.array_equal(view[:], IMAGES.images[rows])


def test_where_there_is_no_such_column(opened: archive.Archive) -> None:
    with pytest.raises(UsageError, match="has no column 'colour'"):
        opened.where(colour="red")


@pytest.fixture
def view(opened: archive.Archive) -> archive.View:
    return opened.where(fresh=True)


@reuse_fixtures
@given(
    index=st.integers(-50, 49) | st.slices(50) | st.lists(st.integers(-50, 49)) | st.just([True] * 20 + [False] * 30)
)
def test_a_view_is_indexed_as_an_archive(view: archive.View, index: Any) -> None:
    expected = IMAGES.images[::3]
    rows = np.array(index, np.intp) if index == [] else index
    assert np.array_equal(view[index], expected[rows])


def test_a_view_is_told_of_as_an_archive(view: archive.View, opened: archive.Archive) -> None:
    known = IMAGES[::3]
    assert (len(view), view.image_shape, view.class_names) == (50, (4, 3, 1), known.class_names)
    assert np.array_equal(np.array(list(view)), known.images)
    assert view.labels is not None
    assert view.labels.tolist() == known.labels.tolist()  # type: ignore[union-attr]
    assert view.paths == known.paths
    assert view.sizes.tolist() == [[4, 3]] * 50
    assert view.column_names == opened.column_names
    assert {name: view.table[name].tolist() for name in TYPES} == {name: TYPES[name][::3] for name in TYPES}
    assert values(view.column("weight", np.array([2, 0]))) == [6 / 7, 0.0]
    assert repr(view) == f"<50 of the 150 images of {opened.path}>"


def test_pictures_of_a_view_by_their_paths_and_pixels(view: archive.View) -> None:
    assert np.array_equal(view["test/003.png"], IMAGES.images[3])
    assert "test/003.png" in view
    with pytest.raises(KeyError, match=r"test/001\.png"):
        view["test/001.png"]
    assert "test/001.png" not in view
    assert IMAGES.images[6] in view
    assert IMAGES.images[7] not in view
    assert (view.index(IMAGES.images[6]), view.count(IMAGES.images[6]), view.count(IMAGES.images[7])) == (2, 1, 0)
    for index in (50, -51, [50]):
        with pytest.raises(IndexError, match=r"is not among the 50 images of"):
            view[index]


def test_a_view_of_a_view(view: archive.View) -> None:
    fewer = view.where(maker="Ada", box=None)
    assert fewer.rows.tolist() == list(range(0, 150, 12))
    assert np.array_equal(fewer[1], IMAGES.images[12])


def test_batches_of_a_view(view: archive.View) -> None:
    found = np.zeros_like(IMAGES.images[::3])
    for places, images in view.batches():
        found[places] = images
    assert np.array_equal(found, IMAGES.images[::3])


def test_a_view_of_nothing(opened: archive.Archive) -> None:
    view = opened.where(maker="Cy")
    assert (len(view), list(view), list(view.batches()), view[:].shape) == (0, [], [], (0, 4, 3, 1))
    assert view.paths == ()
    assert view.table["age"].tolist() == []


def test_labels_may_be_missing_or_no_categories(tmp_path: Path) -> None:
    column = Column("category", np.array([1, 0, 0]), ("ape", "bee"), np.array([True, False, True]))
    for name, label in (("a.egm", column), ("b.egm", column_of([3, 1, 2]))):
        with archive.Writer(tmp_path / name, [RAW]) as writer:
            writer.add(0, draw(3).images)
            writer.describe({"label": label}, 3)
    with archive.open(tmp_path / "a.egm") as opened:
        assert opened.labels is not None
        assert opened.labels.tolist() == [1, -1, 0]
        assert opened.where(label=None).rows.tolist() == [1]
        with pytest.raises(ValueError, match="read-only"):
            opened.labels[0] = 7
    with archive.open(tmp_path / "b.egm") as opened:
        assert (opened.labels, opened.class_names, opened.table["label"].tolist()) == (None, (), [3, 1, 2])


def test_columns_that_some_archives_lack_are_missing_there(tmp_path: Path) -> None:
    first: dict[str, list[Any]] = {"note": ["a", "b"], "age": [1, 2], "box": [[1], [2]], "maker": ["Ada"] * 2}
    archive.pack(with_columns(2, **first), RAW, tmp_path / "a.egm")
    archive.pack(with_columns(2, tag=["x", "y"]), RAW, tmp_path / "b.egm")
    with archive.open(tmp_path / "?.egm") as opened:
        expected: dict[str, list[Any]] = {name: [*there, None, None] for name, there in first.items()}
        expected["tag"] = [None, None, "x", "y"]
        assert {name: array.tolist() for name, array in opened.table.items()} == expected
        assert {name: values(opened.column(name)) for name in expected} == expected
        assert {name: values(opened.column(name, opened.rows)) for name in expected} == expected
        assert opened.where(note=None).rows.tolist() == [2, 3]


def test_pandas(opened: archive.Archive) -> None:
    pandas = pytest.importorskip("pandas")
    frame = opened.table.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == list(opened.table)
    assert frame["label"].cat.categories.tolist() == list(IMAGES.class_names)
    assert frame["age"].isna().tolist() == [age is None for age in TYPES["age"]]
    assert frame["note"].tolist() == TYPES["note"]


def test_pandas_keeps_what_is_missing(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    columns: dict[str, list[Any]] = {
        "flag": [True, None, False],
        "number": [None, 2**62 + 1, -7],
        "share": [0.5, None, 1.5],
        "text": ["a", "b", None],
        "json": [None, {"a": [1]}, [2]],
    }
    archive.pack(with_columns(3, **columns), RAW, tmp_path / "a.egm")
    with archive.open(tmp_path / "a.egm") as opened:
        frame = opened.table.to_pandas()
        some = opened.where(flag=[True, None]).table.to_pandas()
    for name, expected in columns.items():
        assert [None if pandas.api.types.is_scalar(v) and pandas.isna(v) else v for v in frame[name]] == expected
        assert frame[name].isna().tolist() == [value is None for value in expected]
    assert str(frame["number"].dtype) == "Int64"
    assert str(frame["flag"].dtype) == "boolean"
    assert some["text"].tolist() == ["a", "b"]


def test_without_pandas(opened: archive.Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingLibrary, match="a DataFrame needs pandas; `pip install pandas` brings it"):
        opened.table.to_pandas()
