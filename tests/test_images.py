"""ImageSet: what it takes as it comes, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.errors import UsageError
from engram.images import ImageSet, classes_of

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 3, 5, 1), np.uint8)


@pytest.mark.parametrize(
    ("labels", "class_names", "whole", "names"),
    [
        ([0, 2, 1, 0], (), [0, 2, 1, 0], ("0", "1", "2")),
        (np.array([0, 2, 1, 0], np.uint8), ["a", "b", "c"], [0, 2, 1, 0], ("a", "b", "c")),
        (np.array([0, 2, 1, 0]), np.array(["a", "b", "c"]), [0, 2, 1, 0], ("a", "b", "c")),
        (np.array([0, 2, 1, 0]), (), [0, 2, 1, 0], ("0", "1", "2")),
        (["b", "a", "b", "c"], (), [1, 0, 1, 2], ("a", "b", "c")),
        (np.array(["b", "a", "b", "c"]), ("c", "b", "a"), [1, 2, 1, 0], ("c", "b", "a")),
        ([True, False, True, True], (), [1, 0, 1, 1], ("0", "1")),
    ],
)
def test_labels_and_classes_are_taken_as_they_come(labels: Any, class_names: Any, whole: Any, names: Any) -> None:
    images = ImageSet(PIXELS, labels, class_names, paths=list("abcd"))
    assert images.labels is not None
    assert images.labels.dtype == np.int64
    assert (images.labels.tolist(), images.class_names, images.paths) == (whole, names, tuple("abcd"))
    assert images[1:3].labels.tolist() == whole[1:3]  # type: ignore[union-attr]


def test_columns_follow_their_images() -> None:
    images = ImageSet(
        PIXELS, list("abba"), paths=list("wxyz"), columns={"age": [3, None, 5, 6], "note": [[1], {}, 0, "a"]}
    )
    table = images[[3, 1, 0]].table()
    assert list(table) == ["path", "label", "age", "note"]
    assert {name: [column.value(row) for row in range(3)] for name, column in table.items()} == {
        "path": ["z", "x", "w"],
        "label": ["a", "b", "a"],
        "age": [6, None, 3],
        "note": ["a", {}, [1]],
    }


def test_gray_pictures_need_no_channel() -> None:
    assert ImageSet(PIXELS[..., 0]).fingerprint() == ImageSet(PIXELS).fingerprint()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((PIXELS.tolist(),), "images must be a NumPy array, not a list"),
        ((PIXELS.astype(float),), "pixels are uint8 with 1 to 4 channels, or uint16 with 1 or 3, not float64"),
        ((PIXELS.repeat(5, 3),), "pixels are uint8 with 1 to 4 channels"),
        ((PIXELS.repeat(4, 3).astype(np.uint16),), "or uint16 with 1 or 3, not uint16"),
        ((PIXELS[..., 0, 0],), "images must be uint8"),
        ((PIXELS, [0.0, 1.0, 0.5, 0.0]), "a label is a whole number or a text, not float"),
        ((PIXELS, np.array([0.0, 1.0, 2.0, 0.0])), "a label is a whole number or a text, not float"),
        ((PIXELS, [0, "a", 1, 2]), "a label is a whole number or a text, not str"),
        ((PIXELS, [None, 0, 0, 0]), "a label is a whole number or a text, not NoneType"),
        ((PIXELS, [-1, 0, 0, 0]), "labels are whole numbers from 0 to 1048575, not -1"),
        ((PIXELS, [0, 1]), "4 images need 4 labels"),
        ((PIXELS, [0, 1, 2, 3], ("a", "b")), "labels run from 0 to 3, but there are 2 class names"),
        ((PIXELS, ["a", "b", "a", "x"], ("a", "b")), "a label is 'x', which is none of the classes a, b"),
        ((PIXELS, None, (), ["a.png"]), "4 images need 4 paths, not 1"),
        ((PIXELS, None, (), None, {"age": [1, 2]}), "column 'age' has 2 values for 4 pictures"),
        ((PIXELS, None, (), None, {"label": [1, 2, 3, 4]}), "paths and labels are given as such"),
        ((PIXELS, None, (), None, {".group": [1, 2, 3, 4]}), "that does not begin with a dot"),
        ((PIXELS[:, :0],), "images of 0 x 5 pixels hold nothing"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ImageSet(*arguments)


@given(st.lists(st.text(max_size=3), max_size=9))
def test_every_text_finds_its_class_again(labels: list[str]) -> None:
    whole, names = classes_of(labels)
    assert [names[label] for label in whole] == labels
    assert list(names) == sorted(set(labels))
