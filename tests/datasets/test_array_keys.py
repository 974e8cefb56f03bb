"""Arrays of a .npz by any names: which are images and labels of which split, and what is said of those that are not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram.datasets import arrays
from engram.datasets.array_keys import roles_of
from engram.datasets.collection import Collection, NoSuchSplit
from engram.datasets.source import Reading, collection, load
from engram.images import ImageSet

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 4, 5), np.uint8)
LABELS = np.array([2, 0, 1, 0, 0, 1, 1, 3, 0])


def written(folder: Path, **parts: Any) -> Path:
    np.savez(folder / "a.npz", **parts)
    return folder / "a.npz"


def values(found: Collection, name: str) -> list[Any]:
    return [found.table[name].value(row) for row in range(len(found))]


@pytest.mark.parametrize(
    ("keys", "roles"),
    [
        (["images", "labels"], {"": ("images", "labels")}),
        (["X", "Y"], {"": ("X", "Y")}),
        (["data", "target", "more"], {"": ("data", "target")}),
        (["anything"], {"": ("anything", "")}),
        (["arr_0", "arr_1"], {"": ("arr_0", "")}),
        (["x_train", "y_train", "x_test"], {"train": ("x_train", "y_train"), "test": ("x_test", "")}),
        (["test_images", "val_images", "train_images"], dict.fromkeys(("train", "val", "test"))),
        (["images", "labels", "test_images"], {"": ("images", "labels")}),
        (["a", "b"], {}),
        ([], {}),
    ],
)
def test_the_roles_of_arrays(keys: list[str], roles: dict[str, tuple[str, str] | None]) -> None:
    found = roles_of(keys)
    assert list(found) == list(roles)
    assert all(found[split] == role for split, role in roles.items() if role)


def test_a_set_as_medmnist_has_it_comes_divided(tmp_path: Path) -> None:
    """Labels are of shape (n, 1) there, and the largest class may be in one split alone."""
    cuts = {"train": slice(0, 5), "val": slice(5, 7), "test": slice(7, 9)}
    parts = {f"{split}_images": PIXELS[cut] for split, cut in cuts.items()}
    path = written(tmp_path, **parts, **{f"{split}_labels": LABELS[cut, None] for split, cut in cuts.items()})
    whole = collection(path)
    assert values(whole, "split") == ["train"] * 5 + ["val"] * 2 + ["test"] * 2
    assert values(whole, "label") == [str(label) for label in LABELS]
    loaded = load(path)
    assert loaded.splits == ("train", "val", "test")
    for split, cut in cuts.items():
        expected = ImageSet(PIXELS[cut], LABELS[cut], ("0", "1", "2", "3"))
        assert loaded.split(split).fingerprint() == expected.fingerprint()
    assert np.array_equal(load(f"{path}:val").images[..., 0], PIXELS[cuts["val"]])
    with pytest.raises(NoSuchSplit, match="has no split 'dev'; it has train, val, test"):
        load(f"{path}:dev")


def test_a_set_as_keras_has_it_comes_divided(tmp_path: Path) -> None:
    path = written(tmp_path, x_train=PIXELS[:6], y_train=LABELS[:6], x_test=PIXELS[6:], y_test=LABELS[6:])
    loaded = load(path)
    assert loaded.splits == ("train", "test")
    assert loaded.labels is not None
    assert loaded.labels.tolist() == [*LABELS[:6].tolist(), 1, 3, 0]


def test_several_labels_of_a_picture_are_a_column(tmp_path: Path) -> None:
    several = np.stack([LABELS > 0, LABELS > 1], 1).astype(np.uint8)
    path = written(tmp_path, train_images=PIXELS[:6], train_labels=several[:6], test_images=PIXELS[6:])
    found = collection(path)
    assert values(found, "labels") == [*several[:6].tolist(), None, None, None]
    assert "label" not in found.table
    assert values(collection(written(tmp_path, x=PIXELS, y=several)), "labels") == several.tolist()


def test_a_divided_set_is_no_single_stream(tmp_path: Path) -> None:
    path = written(tmp_path, x_train=PIXELS[:6], x_test=PIXELS[6:])
    with pytest.raises(arrays.NotImages, match="comes divided into train, test, and one set is needed here"):
        arrays.stream(path)


@pytest.mark.parametrize(
    ("reading", "labels"),
    [
        (Reading(images_key="a", labels_key="b"), LABELS),
        (Reading(images_key="a"), None),
        (Reading(images_key="train_images"), LABELS[::-1]),
        (Reading(images_key="train_images", labels_key="b"), LABELS),
    ],
)
def test_keys_that_are_given(reading: Reading, labels: np.ndarray | None, tmp_path: Path) -> None:
    path = written(tmp_path, a=PIXELS, b=LABELS, train_images=PIXELS, train_labels=LABELS[::-1])
    stream = collection(path, reading=reading).stream()
    found = stream.load()
    assert np.array_equal(found.images[..., 0], PIXELS)
    assert (found.labels is None) if labels is None else np.array_equal(found.labels, labels)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reading", "what"),
    [
        (Reading(), "images, or train_images, x_train and the like"),
        (Reading(images_key="c"), "c"),
        (Reading(images_key="a", labels_key="c"), "a, or none c"),
    ],
)
def test_keys_that_there_are_not(reading: Reading, what: str, tmp_path: Path) -> None:
    path = written(tmp_path, a=PIXELS, b=LABELS)
    message = f"{path}: no array is called {what}; there are a, b: say which, --images-key KEY --labels-key KEY"
    with pytest.raises(arrays.NotImages, match=f"^{re.escape(message)}$"):
        collection(path, reading=reading)


CONVERTED = {
    "NCHW": (np.moveaxis(np.stack([PIXELS] * 3, -1), -1, 1), np.stack([PIXELS] * 3, -1)),
    "float": ((PIXELS / 255).astype(np.float32), PIXELS[..., None]),
    "float NCHW": ((PIXELS / 255)[:, None], PIXELS[..., None]),
    "bool": (PIXELS > 99, (PIXELS > 99)[..., None] * np.uint8(255)),
}


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("kind", CONVERTED)
def test_an_array_that_is_no_image_set_is_refused_with_the_line_that_converts_it(
    kind: str, suffix: str, tmp_path: Path
) -> None:
    (array, expected), path = CONVERTED[kind], tmp_path / f"it's{suffix}"
    np.save(path, array) if suffix == ".npy" else np.savez(path, X=array, y=LABELS)
    with pytest.raises(arrays.NotImages, match=r"; convert .*so: np\.save") as raised:
        load(path)
    exec(str(raised.value).rpartition(" so: ")[2], {"np": np})
    found = load(tmp_path / f"converted{suffix}")
    assert isinstance(found, ImageSet)
    assert np.array_equal(found.images, expected)
    assert suffix == ".npy" or np.array_equal(found.labels, LABELS)  # type: ignore[arg-type]
