"""What a program hands over: each form of it, and what it says of its pictures."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import engram
from engram.datasets import source
from engram.datasets.collection import Collection
from engram.errors import UsageError
from engram.images import ImageSet

RNG = np.random.default_rng(0)
GRAY, RGBA = RNG.integers(0, 256, (6, 4, 5), np.uint8), RNG.integers(0, 256, (3, 7, 2, 4), np.uint8)
WIDE = RNG.integers(0, 1 << 16, (2, 4, 5), np.uint16)


def values(found: Collection, name: str) -> list[Any]:
    return [found.table[name].value(row) for row in range(len(found))]


def pictures(found: Collection) -> list[np.ndarray]:
    return list(found.read(np.arange(len(found))))


@pytest.mark.parametrize("kind", ["gray", "gray-alpha", "rgb", "rgba", "gray16", "rgb16"])
@pytest.mark.parametrize("as_list", [False, True])
def test_arrays_of_each_kind(kind: str, as_list: bool) -> None:
    wanted = engram.kinds.KINDS[kind]
    images = RNG.integers(0, 1 << wanted.bits, (3, 4, 5, wanted.channels), wanted.dtype)
    found = source.collection(list(images) if as_list else images)
    assert [each.name for each in found.kinds] == [kind]
    assert np.array_equal(found.read(np.array([2, 0])), images[[2, 0]])


def test_pictures_of_any_sizes_and_kinds() -> None:
    given = [GRAY[0], RGBA[0], WIDE[0], Image.fromarray(RGBA[1]), Image.fromarray(GRAY[1])]
    found = source.collection(iter(given))
    assert [found.kinds[number].name for number in found.kind_numbers] == ["gray", "rgba", "gray16", "rgba", "gray"]
    for picture, expected in zip(pictures(found), given, strict=True):
        assert np.array_equal(picture.squeeze(), np.asarray(expected))
    assert not found.table


def test_pairs_have_labels_and_their_set_names_them() -> None:
    class Pairs:
        classes = ("b", "a")

        def __getitem__(self, row: int) -> tuple[np.ndarray, int | None]:
            if row > 2:
                raise IndexError
            return GRAY[row], (1, None, 0)[row]

    assert values(source.collection(Pairs()), "label") == ["a", None, "b"]


def rows(*given: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"image": Image.fromarray(GRAY[number]), **each} for number, each in enumerate(given)]


def test_a_mapping_s_other_keys_are_columns() -> None:
    given = rows({"label": "cat", "age": 3, "box": np.array([1, 2])}, {"label": "dog", "age": None, "said": "x"})
    found = source.collection(given)
    assert {name: column.type for name, column in found.table.items()} == {
        "label": "category",
        "age": "integer",
        "box": "json",
        "said": "text",
    }
    assert [values(found, name) for name in found.table] == [["cat", "dog"], [3, None], [[1, 2], None], [None, "x"]]


def test_hugging_face_s_features_name_classes_and_minus_one_is_none() -> None:
    class Rows(list[dict[str, Any]]):
        features = {"label": SimpleNamespace(names=["cat", "dog"])}  # noqa: RUF012

    assert values(source.collection(Rows(rows({"label": 1}, {"label": -1}))), "label") == ["dog", None]


@pytest.mark.parametrize("key", ["path", "file_name"])
def test_paths_are_taken_where_they_can_name_files(key: str) -> None:
    assert values(source.collection(rows({key: "a/1.png"}, {key: "a/2.png"})), "path") == ["a/1.png", "a/2.png"]
    for paths in (("/tmp/1.png", "/tmp/2.png"), ("a.png", "a.png"), ("a.png", None)):
        found = source.collection(rows(*({key: path} for path in paths)))
        assert "path" not in found.table
        assert values(found, f"metadata_{key}") == list(paths)


def test_names_of_a_whole_set() -> None:
    class Named(list[np.ndarray]):
        names = ("x.png", "y.png")
        labels = (1, 0)

    found = source.collection(Named(GRAY[:2]))
    assert (values(found, "path"), values(found, "label")) == (["x.png", "y.png"], ["1", "0"])
    Named.names = ("x.png",)  # type: ignore[assignment]
    with pytest.raises(UsageError, match="DATA has 1 names for 2 pictures"):
        source.collection(Named(GRAY[:2]))


def test_a_column_that_cannot_be_kept_is_told_of() -> None:
    with pytest.warns(engram.Notice, match=r"columns that an archive cannot hold \(raw\): left out; 2 of 2 files"):
        found = source.collection(rows({"raw": b"1", "x": 1}, {"raw": b"2", "x": 2}))
    assert list(found.table) == ["x"]


def test_sets_keep_what_is_known_of_them() -> None:
    images = ImageSet(GRAY[:2], [0, 1], ("a", "b"), ("1.png", "2.png"), {"age": [3, 4]})
    found = source.collection(images)
    assert [values(found, name) for name in found.table] == [["1.png", "2.png"], ["a", "b"], [3, 4]]
    halves = source.collection(ImageSet(GRAY, columns={"split": ["train"] * 4 + ["test"] * 2}))
    assert values(halves, "split") == ["train"] * 4 + ["test"] * 2
    assert np.array_equal(np.stack(pictures(halves))[..., 0], GRAY)
    assert source.collection(found) is found


def endless() -> Iterator[str]:
    yield "a"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (GRAY.astype(np.float32), "pixels are uint8, 0 to 255, or uint16, not float32; scale and convert them first"),
        (GRAY[0, 0], r"DATA is uint8\[n, h, w\] or .*, not uint8\[5\]"),
        (RGBA[..., [0, 1, 2, 3, 3]], "pixels are uint8 with 1 to 4 channels, or uint16 with 1 or 3"),
        (GRAY[:, :0], "a picture has a pixel at least"),
        ([], "DATA has no picture in it"),
        (endless(), "picture 0 is a str; DATA is"),
        (7, "DATA is a path, a name, or .*, not int"),
        ([{"pixels": 1}], "a mapping has its picture under 'image', not only 'pixels'"),
        ([(GRAY[0], 1.5)], "a label is a whole number or a text, not float"),
    ],
)
def test_what_is_no_data(data: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        source.collection(data)
