"""Folders of pictures: load undoes save, and each folder that is no set says why and what to do."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.datasets import folders, pictures, wardrobe
from engram.datasets.assortment import MixedSizes
from engram.datasets.kinds import UnreadablePicture
from engram.datasets.names import UnsafeName, class_of, folder_of
from engram.datasets.pictures import SUFFIXES
from engram.errors import UsageError
from engram.files import CannotWrite, OutputExists
from engram.images import ImageSet, Splits

DRAWN = wardrobe.draw(40, 0)
FLAT = ImageSet(DRAWN.images)
RGB = ImageSet(np.random.default_rng(0).integers(0, 256, (5, 6, 8, 3), np.uint8), np.array([1, 0, 1, 1, 0]), ("a", "b"))


def by_class(images: ImageSet) -> ImageSet:
    """The same images as a folder holds them: by the name of the class, then by the name of the file."""
    assert images.labels is not None
    used = sorted({images.class_names[label] for label in images.labels}, key=folder_of)
    labels = np.array([used.index(images.class_names[label]) for label in images.labels])
    names = images.names or tuple(f"{index:05}" for index in range(len(images)))
    order = np.lexsort((names, labels))
    return ImageSet(images.images[order], labels[order], tuple(used))


@pytest.mark.parametrize("images", [DRAWN, RGB, DRAWN[:1]], ids=["gray", "rgb", "one"])
def test_class_folders_come_back(images: ImageSet, tmp_path: Path) -> None:
    written = folders.save(images, tmp_path / "set", "png")
    assert written == sum(path.stat().st_size for path in tmp_path.rglob("*.png"))
    back, expected = folders.load(tmp_path / "set"), by_class(images)
    assert back.class_names == expected.class_names
    assert back.fingerprint() == expected.fingerprint()


@pytest.mark.parametrize("count", [1, 40])
def test_a_flat_folder_comes_back_in_order(count: int, tmp_path: Path) -> None:
    folders.save(FLAT[:count], tmp_path / "set", "png")
    back = folders.load(tmp_path / "set")
    assert back.labels is None
    assert back.fingerprint() == FLAT[:count].fingerprint()
    assert back.names == tuple(f"{index:05}.png" for index in range(count))


def test_file_names_are_kept_with_the_format_s_suffix(tmp_path: Path) -> None:
    named = replace(FLAT[:2], names=("b.v1.jpeg", "a.png"))
    folders.save(named, tmp_path / "set", "png")
    back = folders.load(tmp_path / "set")
    assert back.names == ("a.png", "b.v1.png")
    np.testing.assert_array_equal(back.images, FLAT.images[[1, 0]])


@pytest.mark.parametrize("quality", [50, 95])
@pytest.mark.parametrize("images", [DRAWN, RGB], ids=["gray", "rgb"])
def test_jpg_files_hold_what_the_roundtrip_says(images: ImageSet, quality: int, tmp_path: Path) -> None:
    folders.save(images, tmp_path / "set", quality=quality)
    recoded = images.with_images(folders.jpeg_roundtrip(images.images, quality))
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".jpg"}
    assert folders.load(tmp_path / "set").fingerprint() == by_class(recoded).fingerprint()


def test_a_divided_set_comes_back_divided(tmp_path: Path) -> None:
    assert not folders.has_splits(tmp_path)
    folders.save(Splits(DRAWN[:30], DRAWN[30:]), tmp_path / "set", "png")
    assert folders.has_splits(tmp_path / "set")
    train, test = (half.load() for half in folders.stream_splits(tmp_path / "set"))
    assert train.fingerprint() == by_class(DRAWN[:30]).fingerprint()
    assert len(test) == 10
    assert test.class_names == train.class_names


def test_a_class_of_the_test_half_alone_comes_last(tmp_path: Path) -> None:
    folders.save(Splits(RGB[[0, 2]], RGB[[1]]), tmp_path / "set", "png")
    train, test = (half.load() for half in folders.stream_splits(tmp_path / "set"))
    assert train.class_names == test.class_names == ("b", "a")
    assert test.labels is not None
    assert test.labels.tolist() == [1]


def test_halves_that_are_arranged_differently(tmp_path: Path) -> None:
    folders.save(Splits(DRAWN[:30], FLAT[30:]), tmp_path / "set", "png")
    message = f"{tmp_path / 'set'}: one of train and test has class folders, the other has not; arrange both alike"
    with pytest.raises(folders.MixedLayout, match=f"^{re.escape(message)}$"):
        folders.stream_splits(tmp_path / "set")


def test_progress_runs_over_both_halves(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    folders.save(Splits(DRAWN[:30], DRAWN[30:]), tmp_path / "set", progress=lambda *now: seen.append(now))
    assert seen == [(30, 40), (40, 40)]


def test_files_that_are_no_pictures_are_left_out_and_told_of(tmp_path: Path) -> None:
    folders.save(RGB, tmp_path / "set", "png")
    (tmp_path / "set" / ".hidden.png").write_bytes(b"no picture")
    (tmp_path / "set" / "notes.txt").write_bytes(b"no picture")
    (tmp_path / "set" / "a" / "Thumbs.db").write_bytes(b"no picture")
    (tmp_path / "set" / ".git").mkdir()
    (tmp_path / "set" / "a" / "gone.png").symlink_to(tmp_path / "nothing")
    loaded = folders.stream(tmp_path / "set")
    assert loaded.load().fingerprint() == by_class(RGB).fingerprint()
    first = tmp_path / "set" / "a" / "Thumbs.db"
    assert [str(notice) for notice in loaded.notices] == [
        f"no picture, by its name: left out; 3 of {len(RGB) + 3} files, the first {first}"
    ]


@pytest.mark.parametrize(
    ("lies", "message"),
    [
        ("a/more/b.png", "{0}/set/a/more/b.png lies deeper than a class folder"),
        ("2024/01/a.png", "{0}/set/2024/01/a.png lies deeper than a class folder"),
        ("val/a/b.png", "{0}/set is divided into train and test, and has pictures in val beside them"),
        ("b.png", "{0}/set is divided into train and test, and has pictures in itself beside them"),
    ],
)
def test_no_picture_is_left_out_in_silence(lies: str, message: str, tmp_path: Path) -> None:
    divided = "test" in message
    folders.save(Splits(RGB, RGB) if divided else RGB, tmp_path / "set", "png")
    path = tmp_path / "set" / lies
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pictures.encode_picture(RGB.images[0], ".png", 95))
    with pytest.raises(folders.MixedLayout, match=re.escape(message.format(tmp_path))):
        folders.collection(tmp_path / "set")


def test_suffixes_may_be_capital(tmp_path: Path) -> None:
    (tmp_path / "A.PNG").write_bytes(pictures.encode_picture(RGB.images[0], ".png", 95))
    assert folders.load(tmp_path).names == ("A.PNG",)


def refused(load: Callable[[Path], object], folder: Path, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        load(folder)


def test_no_folder(tmp_path: Path) -> None:
    refused(folders.load, tmp_path / "none", UsageError, f"{tmp_path / 'none'}: no such folder")


@pytest.mark.parametrize("inside", [[], ["a"], ["a", "b/c"]])
def test_an_empty_folder(inside: list[str], tmp_path: Path) -> None:
    for name in inside:
        (tmp_path / name).mkdir(parents=True)
    message = f"{tmp_path}: no picture in it or its sub-folders ({', '.join(sorted(SUFFIXES))})"
    refused(folders.load, tmp_path, folders.EmptyFolder, message)


def test_a_class_without_a_picture(tmp_path: Path) -> None:
    folders.save(RGB, tmp_path / "set", "png")
    (tmp_path / "set" / "empty").mkdir()
    message = f"{tmp_path / 'set' / 'empty'}: a class without a picture; fill the folder or remove it"
    refused(folders.load, tmp_path / "set", folders.EmptyClass, message)


def test_a_picture_beside_the_classes(tmp_path: Path) -> None:
    folders.save(RGB, tmp_path / "set", "png")
    (tmp_path / "set" / "loose.png").touch()
    message = f"{tmp_path / 'set'}: loose.png lies beside the class folders; put it into one, or take it out"
    refused(folders.load, tmp_path / "set", folders.MixedLayout, message)


def test_mixed_sizes_and_unreadable_pictures_are_named(tmp_path: Path) -> None:
    folders.save(RGB, tmp_path / "set", "png")
    odd = tmp_path / "set" / "b" / "odd.png"
    odd.write_bytes(pictures.encode_picture(DRAWN.images[0], ".png", 95))
    with pytest.raises(MixedSizes, match=re.escape(f"{odd} is 28 x 28: make them one size")):
        folders.load(tmp_path / "set")
    odd.write_bytes(b"")
    with pytest.raises(UnreadablePicture, match=re.escape(f"{odd} cannot be read as a picture")):
        folders.load(tmp_path / "set")


SAFE_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(SAFE_TEXT)
def test_a_class_of_any_name_has_a_folder(name: str) -> None:
    folder = folder_of(name)
    assert class_of(folder) == name
    assert folder not in {".", "..", "test"}
    assert not set(folder) & set('/\\:*?"<>|\0')
    assert not folder.startswith(".")


def test_the_rule_for_folders() -> None:
    names = ["T-shirt/Top", "50%", "..", "test", "train", "a ", "Käse"]
    assert [folder_of(name) for name in names] == [
        "T-shirt%2FTop",
        "50%25",
        "%2E%2E",
        "%74est",
        "train",
        "a%20",
        "Käse",
    ]
    assert class_of("100% wool") == "100% wool"  # not of our making


@given(st.lists(SAFE_TEXT, min_size=2, max_size=2, unique=True))
def test_classes_of_any_name_come_back(names: list[str]) -> None:
    images = replace(RGB[:2], labels=np.array([0, 1]), class_names=tuple(names))
    with tempfile.TemporaryDirectory() as folder:
        folders.save(images, Path(folder) / "set", "png")
        back = folders.load(Path(folder) / "set")
    assert back.labels is not None
    found = {back.class_names[label]: image.tobytes() for label, image in zip(back.labels, back, strict=True)}
    assert found == {name: image.tobytes() for name, image in zip(names, images, strict=True)}


@pytest.mark.parametrize(
    "name", ["", "..", "../a.png", "/a.png", "a/b.png", "a\\b.png", ".a.png", "C:a.png", "a\n.png"]
)
def test_names_that_leave_the_folder_are_refused(name: str, tmp_path: Path) -> None:
    message = f"{name!r} is not a plain file name: no folders, no drive, no leading dot, no control characters"
    with pytest.raises(UnsafeName, match=f"^{re.escape(message)}$"):
        folders.save(replace(FLAT[:1], names=(name,)), tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_names_that_would_be_one(tmp_path: Path) -> None:
    twice = replace(FLAT[:2], names=("a.png", "a.jpg"))
    with pytest.raises(UnsafeName, match=r"^two images would both be written as a\.jpg; give each its own name$"):
        folders.save(twice, tmp_path / "set")
    apart = replace(twice, labels=np.array([0, 1]), class_names=("x", "y"))
    folders.save(apart, tmp_path / "set")
    assert folders.load(tmp_path / "set").names == ("a.jpg", "a.jpg")


@pytest.mark.parametrize(
    ("class_names", "message"),
    [
        (("a", ""), "a class without a name has no folder; name every class"),
        (("a", "a"), "two classes are called 'a'; their folders would be one"),
    ],
)
def test_classes_without_a_folder_of_their_own(class_names: tuple[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UnsafeName, match=f"^{re.escape(message)}$"):
        folders.save(replace(RGB, class_names=class_names), tmp_path / "set")


@pytest.mark.parametrize(
    ("format", "quality", "message"),
    [
        ("bmp", 95, "pictures are written as jpg or png, not 'bmp'"),
        ("jpg", 0, "JPEG quality runs from 1 to 100, not 0"),
    ],
)
def test_settings_that_cannot_be(format: str, quality: int, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        folders.save(RGB, tmp_path / "set", format, quality)


@pytest.mark.parametrize("images", [FLAT[:0], Splits(FLAT, FLAT[:0])], ids=["set", "half"])
def test_no_images_to_write(images: ImageSet | Splits, tmp_path: Path) -> None:
    where = tmp_path / "set" / ("test" if isinstance(images, Splits) else "")
    message = f"{where}: no images to write, and a folder of none could not be read again"
    refused(lambda folder: folders.save(images, folder), tmp_path / "set", folders.EmptyFolder, message)


class Interruption(BaseException):
    """Stands for Ctrl-C."""


@pytest.mark.parametrize("failure", [ValueError, Interruption])
def test_a_failure_in_the_middle_leaves_nothing(failure: type[BaseException], tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        assert any(path.is_file() for path in tmp_path.rglob("*.jpg"))
        raise failure

    many = FLAT[np.arange(600) % 40]
    with pytest.raises(failure):
        folders.save(many, tmp_path / "set", progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_in_the_middle_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders, "encode_picture", full)
    with pytest.raises(CannotWrite, match=r"set: could not be written \(No space left on device\); nothing was left"):
        folders.save(FLAT, tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_replaced_only_by_force(tmp_path: Path) -> None:
    folders.save(FLAT, tmp_path / "set", "png")
    with pytest.raises(OutputExists, match="this folder exists already; choose another name, or force it"):
        folders.save(RGB, tmp_path / "set", "png")
    assert len(folders.load(tmp_path / "set")) == 40
    folders.save(RGB, tmp_path / "set", "png", force=True)
    assert folders.load(tmp_path / "set").fingerprint() == by_class(RGB).fingerprint()
    assert os.listdir(tmp_path) == ["set"]


@pytest.mark.parametrize("name", ["thesis.txt", "a/thesis.txt", "a/.hidden.png"])
def test_force_never_deletes_more_than_pictures(name: str, tmp_path: Path) -> None:
    folders.save(RGB, tmp_path / "set", "png")
    kept = tmp_path / "set" / name
    kept.touch()
    message = f"{tmp_path / 'set'}: not replaced, since it holds more than pictures: {kept}"
    with pytest.raises(OutputExists, match=f"^{re.escape(message)}$"):
        folders.save(FLAT, tmp_path / "set", force=True)
    assert kept.exists()


def test_what_lies_hidden_is_left_where_it_is(tmp_path: Path) -> None:
    folders.save(RGB, tmp_path / "set", "png")
    (tmp_path / "set" / "a" / "more" / ".hidden").mkdir(parents=True)
    (tmp_path / "set" / "a" / "more" / ".hidden" / "b.png").write_bytes(b"no picture")
    assert len(folders.load(tmp_path / "set")) == len(RGB)


def test_other_files_in_a_folder_beside_loose_pictures_are_told_of(tmp_path: Path) -> None:
    folders.save(FLAT, tmp_path / "set", "png")
    (tmp_path / "set" / "sub").mkdir()
    (tmp_path / "set" / "sub" / "p.heic").write_bytes(b"no picture")
    [notice] = folders.stream(tmp_path / "set").notices
    assert notice.first == str(tmp_path / "set" / "sub" / "p.heic")
