"""DATA: every kind of it, its halves, what is no DATA, and drawing from it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engram
from engram import archive as archives
from engram.codecs.raw import Raw
from engram.datasets import arrays, catalog, folders, idx, wardrobe
from engram.datasets.collection import MixedSizes, NoSuchSplit
from engram.datasets.selection import of_split
from engram.datasets.source import TooFewImages, UnknownData, collection, draw_split, load
from engram.datasets.stream import CannotRead, InMemory
from engram.errors import UsageError
from engram.images import ImageSet

DRAWN = wardrobe.draw(30, 0)
FLAT = ImageSet(DRAWN.images)


def save_folder(path: Path, images: ImageSet) -> None:
    folders.save(images, path, "png")


def save_archive(path: Path, images: ImageSet) -> None:
    archives.pack(images, Raw(images.image_shape), path)


KINDS: dict[str, tuple[str, Callable[[Path, ImageSet], object]]] = {
    "npy": ("a.npy", arrays.save),
    "npz": ("a.npz", arrays.save),
    "idx": ("a-images-idx3-ubyte", idx.save_set),
    "idx.gz": ("a-images-idx3-ubyte.gz", idx.save_set),
    "idx of another name": ("a.dat", idx.save_set),
    "folder": ("a", save_folder),
    "archive": ("a.egm", save_archive),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("as_text", [False, True])
def test_each_kind_of_data(kind: str, as_text: bool, tmp_path: Path) -> None:
    name, save = KINDS[kind]
    save(tmp_path / name, FLAT)
    loaded = load(str(tmp_path / name) if as_text else tmp_path / name)
    assert isinstance(loaded, ImageSet)
    np.testing.assert_array_equal(loaded.images, FLAT.images, strict=True)


@pytest.mark.parametrize("kind", ["npz", "idx", "idx.gz", "archive"])
def test_labels_come_along(kind: str, tmp_path: Path) -> None:
    name, save = KINDS[kind]
    save(tmp_path / name, DRAWN)
    loaded = load(tmp_path / name)
    assert isinstance(loaded, ImageSet)
    assert loaded.fingerprint() == DRAWN.fingerprint()


def test_archives_are_data_for_whom_never_imported_them(tmp_path: Path) -> None:
    save_archive(tmp_path / "a.egm", DRAWN)
    code = """
import sys
from engram.datasets.source import load
assert "engram.archive" not in sys.modules
print(load(sys.argv[1]).fingerprint())
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a.egm"], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == DRAWN.fingerprint()


def test_sets_pass_through() -> None:
    assert load(DRAWN) is DRAWN


@pytest.fixture
def small_wardrobe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wardrobe, "COUNTS", {"train": 20, "test": 10})


@pytest.mark.usefixtures("small_wardrobe")
def test_the_built_in_set_by_name() -> None:
    both, train, test = (load(name) for name in ("wardrobe", "wardrobe:train", "wardrobe:test"))
    assert both.splits == ("train", "test")
    assert both.split("train").fingerprint() == train.fingerprint() == wardrobe.draw(20, 0).fingerprint()
    assert both.split("test").fingerprint() == test.fingerprint() == wardrobe.draw(10, 1).fingerprint()


def test_a_known_set_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    halves = DRAWN[:20], DRAWN[20:]
    monkeypatch.setattr(catalog, "stream", lambda name, progress: tuple(map(InMemory, halves)))
    assert load("fashion-mnist").fingerprint() == DRAWN.fingerprint()
    assert load("fashion-mnist:train") is halves[0]
    assert load("fashion-mnist:test") is halves[1]


def test_a_divided_folder(tmp_path: Path) -> None:
    folders.save(replace(FLAT, columns={"split": ["train"] * 20 + ["test"] * 10}), tmp_path / "set", "png")
    both = load(tmp_path / "set")
    for split, half in (("train", FLAT[:20]), ("test", FLAT[20:])):
        assert load(f"{tmp_path / 'set'}:{split}").fingerprint() == half.fingerprint()
        assert both.split(split).fingerprint() == half.fingerprint()


def test_a_colon_in_a_name_is_no_split(tmp_path: Path) -> None:
    arrays.save(tmp_path / "a:b.npz", FLAT)
    loaded = load(f"{tmp_path}/a:b.npz")
    assert isinstance(loaded, ImageSet)
    assert len(loaded) == 30


def test_progress_is_passed_on(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    save_folder(tmp_path / "a", FLAT)
    load(tmp_path / "a", lambda *now: seen.append(now))
    assert seen == [(30, 30)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            "fashion-mnsit",
            "'fashion-mnsit' is no file, no folder and no known name; did you mean fashion-mnist? DATA is",
        ),
        ("wardrobes:test", "'wardrobes' is no file, no folder and no known name; did you mean wardrobe? DATA is"),
        ("/no/such/file.npy", "'/no/such/file.npy' is no file, no folder and no known name. DATA is fashion-mnist, "),
    ],
)
def test_unknown_names(data: str, message: str) -> None:
    with pytest.raises(UnknownData, match=f"^{re.escape(message)}") as raised:
        load(data)
    assert raised.value.exit_code == 2
    assert str(raised.value).endswith(
        "DATA is fashion-mnist, wardrobe (with :train or :test), an IDX file, a folder of pictures, a picture, "
        "or a file .zip, .tar, .parquet, .npy, .npz, .egm"
    )


@pytest.mark.parametrize("content", [b"", b"a text"])
def test_a_file_of_another_format(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    message = f"{str(tmp_path / 'a.txt')!r} is a file of a format that is not read. DATA is"
    with pytest.raises(UnknownData, match=f"^{re.escape(message)}"):
        load(tmp_path / "a.txt")


@pytest.mark.usefixtures("small_wardrobe")
def test_splits_that_there_are_not(tmp_path: Path) -> None:
    arrays.save(tmp_path / "a.npz", FLAT)
    save_archive(tmp_path / "a.egm", FLAT)
    for name in (str(tmp_path / "a.npz"), str(tmp_path / "a.egm")):
        with pytest.raises(NoSuchSplit, match=f"^{re.escape(name)} has no split 'train'; leave out :train$"):
            load(f"{name}:train")
    with pytest.raises(NoSuchSplit, match=r"^wardrobe has no split 'valid'; it has train, test$"):
        load("wardrobe:valid")


def test_a_split_of_any_name(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "val", "test")):
        folders.save(FLAT[number : 2 * number + 1], tmp_path / "set" / split, "png")
    whole = load(tmp_path / "set")
    assert {split: len(whole.split(split)) for split in whole.splits} == {"train": 1, "val": 2, "test": 3}
    val = load(f"{tmp_path / 'set'}:val")
    assert val.paths == ("val/00000.png", "val/00001.png")
    selected = of_split(collection(tmp_path / "set"), "val")
    np.testing.assert_array_equal(np.stack(list(selected.read(np.array([1, 0])))), val.images[::-1])
    assert selected.known.paths == val.paths


@pytest.mark.parametrize("kind", ["npy", "npz", "idx"])
def test_a_file_that_cannot_be_read(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, save = KINDS[kind]
    save(tmp_path / name, FLAT)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(idx if kind == "idx" else arrays, "stream_set" if kind == "idx" else "streams", refuse)
    message = f"{tmp_path / name}: could not be read (Permission denied); see to its permissions"
    with pytest.raises(CannotRead, match=f"^{re.escape(message)}$"):
        load(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_file_without_permission(tmp_path: Path) -> None:
    arrays.save(tmp_path / "a.npz", FLAT)
    (tmp_path / "a.npz").chmod(0)
    with pytest.raises(CannotRead, match="Permission denied"):
        load(tmp_path / "a.npz")


NUMBERED = ImageSet(np.arange(200, dtype=np.uint8).reshape(200, 1, 1, 1))


def values(images: ImageSet) -> list[int]:
    return [int(value) for value in images.images.ravel()]


@given(st.lists(st.integers(0, 60), max_size=3), st.integers(0, 2**32))
def test_drawn_subsets_are_disjoint_and_as_large_as_asked(counts: list[int], seed: int) -> None:
    drawn = draw_split(NUMBERED, {str(place): count for place, count in enumerate(counts)}, seed)
    assert [len(images) for images in drawn.values()] == counts
    together = [value for images in drawn.values() for value in values(images)]
    assert len(set(together)) == len(together)


def test_drawing_is_as_it_is_written() -> None:
    drawn = draw_split(NUMBERED, {"a": 3, "b": 2}, seed=7)
    order = np.random.default_rng(7).permutation(200).tolist()
    assert values(drawn["a"]) == order[:3]
    assert values(drawn["b"]) == order[3:5]
    assert values(draw_split(NUMBERED, {"a": 3}, seed=8)["a"]) != order[:3]


def test_all_images_may_be_drawn() -> None:
    assert sorted(values(draw_split(NUMBERED, {"all": 200}, 0)["all"])) == list(range(200))


def test_too_few_images() -> None:
    message = "5,000 train + 2,000 test = 7,000 images are needed, there are 200; ask for fewer"
    with pytest.raises(TooFewImages, match=f"^{re.escape(message)}$") as raised:
        draw_split(NUMBERED, {"train": 5000, "test": 2000}, 0)
    assert raised.value.exit_code == 2


def test_fewer_than_no_images() -> None:
    with pytest.raises(UsageError, match=r"^a subset cannot have fewer than 0 images: \{'a': -1\}$"):
        draw_split(NUMBERED, {"a": -1}, 0)


@pytest.mark.usefixtures("small_wardrobe")
def test_what_is_loaded_is_always_one_set(tmp_path: Path) -> None:
    arrays.save(tmp_path / "a.npz", FLAT)
    divided, whole = load("wardrobe"), load(tmp_path / "a.npz")
    assert type(divided) is type(whole) is ImageSet
    assert divided.columns["split"].array().tolist() == ["train"] * 20 + ["test"] * 10
    assert np.shares_memory(divided.split("train").images, divided.images)
    assert whole.splits == ()
    with pytest.raises(UsageError, match=r"^there is no split 'val'; it has train, test$"):
        divided.split("val")
    with pytest.raises(UsageError, match=r"^there is no split 'train'; it does not come divided$"):
        whole.split("train")


def test_splits_of_several_sizes_are_taken_one_by_one(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=FLAT.images[:3], x_test=FLAT.images[3:, :20])
    with pytest.raises(MixedSizes, match=r"a\.npz has splits of images of 28 x 28 and 20 x 28; take one of them"):
        load(tmp_path / "a.npz")
    assert len(load(f"{tmp_path / 'a.npz'}:test")) == 27


def test_how_data_is_read_is_said_by_reading(tmp_path: Path) -> None:
    folders.save(DRAWN, tmp_path / "set", "png")
    for reading, labels in ((engram.Reading(), True), (engram.Reading(label_from="none"), False)):
        engram.pack(tmp_path / "set", tmp_path / "a.egm", budget=0, reading=reading, force=True)
        with engram.open(tmp_path / "a.egm") as archive:
            assert ("label" in archive.column_names) == labels
