"""Folders of pictures: what their paths say, that collection undoes save, and that nothing is left out in silence."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engram.datasets import folders, pictures, wardrobe
from engram.datasets.collection import Collection, MixedSizes, NoSuchSplit
from engram.datasets.kinds import UnreadablePicture
from engram.datasets.listing import SPLITS
from engram.datasets.names import MOST_NAME_BYTES, UnsafeName, check_path, class_of, folder_of
from engram.datasets.tree import SUFFIXES
from engram.errors import UsageError
from engram.files import CannotWrite, OutputExists
from engram.images import ImageSet

DRAWN = wardrobe.draw(40, 0)
FLAT = ImageSet(DRAWN.images)
DIVIDED = replace(DRAWN, columns={"split": ["train"] * 30 + ["test"] * 10})
RGB = ImageSet(np.random.default_rng(0).integers(0, 256, (5, 6, 8, 3), np.uint8), np.array([1, 0, 1, 1, 0]), ("a", "b"))


def load(folder: Path) -> ImageSet:
    """The pictures of a folder that does not come divided."""
    stream = folders.collection(folder).stream()
    return stream.load()


def by_class(images: ImageSet) -> ImageSet:
    """The same images as a folder holds them: by the name of the class, then by the name of the file."""
    assert images.labels is not None
    used = sorted({images.class_names[label] for label in images.labels}, key=folder_of)
    labels = np.array([used.index(images.class_names[label]) for label in images.labels])
    names = images.paths or tuple(f"{index:05}" for index in range(len(images)))
    order = np.lexsort((names, labels))
    return ImageSet(images.images[order], labels[order], tuple(used))


@pytest.mark.parametrize("images", [DRAWN, RGB, DRAWN[:1]], ids=["gray", "rgb", "one"])
def test_class_folders_come_back(images: ImageSet, tmp_path: Path) -> None:
    written = folders.save(images, tmp_path / "set", "png")
    assert written == sum(path.stat().st_size for path in tmp_path.rglob("*.png"))
    back, expected = load(tmp_path / "set"), by_class(images)
    assert back.class_names == expected.class_names
    assert back.fingerprint() == expected.fingerprint()


@pytest.mark.parametrize("count", [1, 40])
def test_a_flat_folder_comes_back_in_order(count: int, tmp_path: Path) -> None:
    folders.save(FLAT[:count], tmp_path / "set", "png")
    back = load(tmp_path / "set")
    assert back.labels is None
    assert back.fingerprint() == FLAT[:count].fingerprint()
    assert back.paths == tuple(f"{index:05}.png" for index in range(count))


def test_file_names_are_kept_with_the_format_s_suffix(tmp_path: Path) -> None:
    named = replace(FLAT[:2], paths=("b.v1.jpeg", "a.png"))
    folders.save(named, tmp_path / "set", "png")
    back = load(tmp_path / "set")
    assert back.paths == ("a.png", "b.v1.png")
    np.testing.assert_array_equal(back.images, FLAT.images[[1, 0]])


@pytest.mark.parametrize("quality", [50, 95])
@pytest.mark.parametrize("images", [DRAWN, RGB], ids=["gray", "rgb"])
def test_jpg_files_hold_what_the_roundtrip_says(images: ImageSet, quality: int, tmp_path: Path) -> None:
    folders.save(images, tmp_path / "set", quality=quality)
    recoded = images.with_images(pictures.jpeg_roundtrip(images.images, quality))
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".jpg"}
    assert load(tmp_path / "set").fingerprint() == by_class(recoded).fingerprint()


def put(folder: Path, *paths: str) -> Path:
    """Writes a picture to each path."""
    for number, path in enumerate(paths):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        image = np.full((2, 3, 1), number, np.uint8)
        (folder / path).write_bytes(pictures.encode_picture(image, ".png", 95))
    return folder


def column(found: Collection, name: str) -> list[object]:
    return [found.table[name].value(row) for row in range(len(found))]


def test_a_divided_set_comes_back_divided(tmp_path: Path) -> None:
    folders.save(DIVIDED, tmp_path / "set", "png")
    found = folders.collection(tmp_path / "set")
    loaded = found.stream().load()
    train, test = loaded.split("train"), loaded.split("test")
    assert train.fingerprint() == by_class(DRAWN[:30]).fingerprint()
    assert len(test) == 10
    assert test.class_names == train.class_names
    again = tmp_path / "again"
    folders.save(loaded, again, "png")
    assert column(folders.collection(again), "path") == column(found, "path")


@pytest.mark.parametrize(
    ("paths", "splits", "labels"),
    [
        (["a.png", "b.png"], None, None),
        (["cat/1.png", "dog/1.png"], None, ["cat", "dog"]),
        (["2024/01/a.png", "2024/02/a.png", "2025/01/a.png"], None, ["2024", "2024", "2025"]),
        (["a.png", "cat/1.png"], None, None),
        (["test/cat/1.png", "train/dog/1.png"], ["test", "train"], ["cat", "dog"]),
        (["test/1.png", "train/1.png", "val/1.png"], ["test", "train", "val"], None),
        (["train/cat/1.png", "train/dog/x/1.png"], ["train", "train"], ["cat", "dog"]),
        (["dev/cat/1.png", "validation/2.png"], ["dev", "validation"], None),
        (["more/1.png", "train/1.png"], None, ["more", "train"]),
        (["a.png", "train/cat/1.png"], None, None),
        (["T-shirt%2FTop/1.png", "bag/1.png"], None, ["T-shirt/Top", "bag"]),
    ],
)
def test_what_paths_say(paths: list[str], splits: list[str] | None, labels: list[str] | None, tmp_path: Path) -> None:
    found = folders.collection(put(tmp_path, *paths))
    assert column(found, "path") == paths
    assert ("split" in found.table, "label" in found.table) == (splits is not None, labels is not None)
    assert splits is None or column(found, "split") == splits
    assert labels is None or column(found, "label") == labels
    assert [int(picture[0, 0, 0]) for picture in found.read(np.arange(len(paths)))] == list(range(len(paths)))


def test_the_order_of_splits_and_classes(tmp_path: Path) -> None:
    found = folders.collection(put(tmp_path, "test/b/1.png", "train/a/1.png", "val/c/1.png"))
    assert found.table["split"].categories == ("train", "val", "test")
    assert found.table["label"].categories == ("a", "b", "c")


@pytest.mark.parametrize(
    ("label_from", "labels"),
    [
        ("auto", None),
        ("none", None),
        ("top", ["x", None, "x"]),
        ("parent", ["2", None, "x"]),
    ],
)
def test_labels_are_taken_from_where_it_is_said(label_from: str, labels: list[str] | None, tmp_path: Path) -> None:
    put(tmp_path, "test/x/1/2/a.png", "train/b.png", "train/x/c.png")
    found = folders.collection(tmp_path, label_from=label_from)
    assert ("label" in found.table) == (labels is not None)
    assert labels is None or column(found, "label") == labels


def test_labels_from_nowhere(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^labels are taken from auto, none, parent, top, not 'age'$"):
        folders.collection(put(tmp_path, "a.png"), label_from="age")


def test_a_split_alone_is_looked_at_alone_and_knows_all_classes(tmp_path: Path) -> None:
    put(tmp_path, "train/a/1.png", "val/b/1.png")
    (tmp_path / "train" / "a" / "broken.png").write_bytes(b"")
    found = folders.collection(tmp_path, split="val")
    assert column(found, "path") == ["val/b/1.png"]
    assert found.table["label"].categories == ("a", "b")
    with pytest.raises(NoSuchSplit, match=re.escape(f"{tmp_path} has no split 'test', only train, val")):
        folders.collection(tmp_path, split="test")


NAMES = st.text(st.sampled_from("ab!#-.Z0\u00e4\U0001f600"), min_size=1, max_size=3).filter(lambda name: name[0] != ".")


@settings(max_examples=25)
@given(st.lists(st.lists(NAMES, min_size=1, max_size=3), min_size=1, max_size=6))
def test_every_picture_is_taken_in_the_order_of_the_bytes_of_its_path(trees: list[list[str]]) -> None:
    paths = {"/".join([*(f"{name}_" for name in folders), f"{file}.png"]) for *folders, file in trees}
    with tempfile.TemporaryDirectory() as folder:
        found = folders.collection(put(Path(folder), *paths), label_from="top")
        assert column(found, "path") == sorted(paths, key=str.encode)
        values = dict(zip(paths, range(len(paths)), strict=True))
        read = found.read(np.arange(len(found)))
        assert [int(each[0, 0, 0]) for each in read] == [values[str(path)] for path in column(found, "path")]


def test_one_name_of_two_formats_is_two_pictures_and_stays_two(tmp_path: Path) -> None:
    found = folders.collection(put(tmp_path / "set", "a.jpg", "a.png"))
    images = found.stream().load()
    assert images.paths == ("a.jpg", "a.png")
    folders.save(images, tmp_path / "again", "png")
    assert load(tmp_path / "again").paths == ("a.jpg.png", "a.png")


def test_frames_have_files_of_their_own(tmp_path: Path) -> None:
    images = replace(FLAT[:3], paths=("a.gif#0", "a.gif#1", "x#y.png"))
    folders.save(images, tmp_path / "set", "png")
    assert load(tmp_path / "set").paths == ("a.gif#0.png", "a.gif#1.png", "x#y.png")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are texts")
def test_a_name_that_is_no_text_is_refused_before_any_picture_is_read(tmp_path: Path) -> None:
    put(tmp_path, "a.png")
    (tmp_path / "broken.png").write_bytes(b"")
    with open(os.fsencode(tmp_path) + b"/b\xff.png", "xb"):
        pass
    with pytest.raises(UnsafeName, match=r"is not text that UTF-8 can hold; rename the file"):
        folders.collection(tmp_path)


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    put(tmp_path / "set", "a/1.png")
    put(tmp_path / "other", "2.png")
    (tmp_path / "set" / "b").symlink_to(tmp_path / "other")
    (tmp_path / "set" / "a" / "up").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "self").symlink_to("self")
    found = folders.collection(tmp_path / "set")
    assert column(found, "path") == ["a/1.png", "b/2.png"]
    assert [notice.first for notice in found.notices] == [str(tmp_path / "set" / "self")]


def test_a_class_called_like_a_split_is_no_split(tmp_path: Path) -> None:
    for name in SPLITS:
        folders.save(replace(RGB, class_names=(name, "b")), tmp_path / name, "png")
        assert set(load(tmp_path / name).class_names) == {name, "b"}
    only = replace(RGB, class_names=("train", "test"))
    folders.save(only, tmp_path / "only", "png")
    assert load(tmp_path / "only").class_names == ("test", "train")


def test_progress_runs_over_both_halves(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    folders.save(DIVIDED, tmp_path / "set", progress=lambda *now: seen.append(now))
    assert seen == [(30, 40), (40, 40)]


def test_files_that_are_no_pictures_are_left_out_and_told_of_once(tmp_path: Path) -> None:
    folders.save(RGB, tmp_path / "set", "png")
    (tmp_path / "set" / ".hidden.png").write_bytes(b"no picture")
    (tmp_path / "set" / ".git").mkdir()
    (tmp_path / "set" / ".git" / "a.png").write_bytes(b"no picture")
    (tmp_path / "set" / "empty").mkdir()
    others = [tmp_path / "set" / name for name in ("a/Thumbs.db", "a/gone.png", "b/metadata.csv", "notes.txt")]
    for path in others:
        path.symlink_to(tmp_path / "nothing") if path.suffix == ".png" else path.write_bytes(b"no picture")
    found = folders.collection(tmp_path / "set")
    assert found.stream().load().fingerprint() == by_class(RGB).fingerprint()
    first = ", ".join(map(str, others[:3]))
    assert [str(notice) for notice in found.notices] == [
        f"no picture, by its name, or a link that leads to none: left out; 4 of {len(RGB) + 4} files, the first {first}"
    ]


def test_suffixes_may_be_capital(tmp_path: Path) -> None:
    (tmp_path / "A.PNG").write_bytes(pictures.encode_picture(RGB.images[0], ".png", 95))
    assert load(tmp_path).paths == ("A.PNG",)


def refused(load: Callable[[Path], object], folder: Path, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        load(folder)


def test_no_folder(tmp_path: Path) -> None:
    refused(folders.collection, tmp_path / "none", UsageError, f"{tmp_path / 'none'}: no such folder")


@pytest.mark.parametrize("inside", [[], ["a"], ["a", "b/c"]])
def test_an_empty_folder(inside: list[str], tmp_path: Path) -> None:
    for name in inside:
        (tmp_path / name).mkdir(parents=True)
    message = f"{tmp_path}: no picture in it or its sub-folders ({', '.join(sorted(SUFFIXES))})"
    refused(load, tmp_path, folders.EmptyFolder, message)


def test_mixed_sizes_and_unreadable_pictures_are_named(tmp_path: Path) -> None:
    folders.save(RGB, tmp_path / "set", "png")
    odd = tmp_path / "set" / "b" / "odd.png"
    odd.write_bytes(pictures.encode_picture(DRAWN.images[0], ".png", 95))
    with pytest.raises(MixedSizes, match=re.escape(f"{odd} is 28 x 28: make them one size")):
        load(tmp_path / "set")
    odd.write_bytes(b"")
    with pytest.raises(UnreadablePicture, match=re.escape(f"{odd} cannot be read as a picture")):
        load(tmp_path / "set")


SAFE_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(SAFE_TEXT)
def test_a_class_of_any_name_has_a_folder(name: str) -> None:
    folder = folder_of(name)
    assert class_of(folder) == name
    assert folder not in {".", "..", *SPLITS}
    assert not set(folder) & set('/\\:*?"<>|\0')
    if len(folder.encode()) <= MOST_NAME_BYTES:
        check_path(folder)


def test_the_rule_for_folders() -> None:
    names = ["T-shirt/Top", "50%", "..", "test", "train", "a ", "Käse", "COM1"]
    assert [folder_of(name) for name in names] == [
        "T-shirt%2FTop",
        "50%25",
        "%2E%2E",
        "%74est",
        "%74rain",
        "a%20",
        "Käse",
        "%43OM1",
    ]
    assert class_of("100% wool") == "100% wool"  # not of our making


@given(st.lists(SAFE_TEXT, min_size=2, max_size=2, unique=True))
def test_classes_of_any_name_come_back(names: list[str]) -> None:
    images = replace(RGB[:2], labels=np.array([0, 1]), class_names=tuple(names))
    with tempfile.TemporaryDirectory() as folder:
        folders.save(images, Path(folder) / "set", "png")
        back = load(Path(folder) / "set")
    assert back.labels is not None
    found = {back.class_names[label]: image.tobytes() for label, image in zip(back.labels, back, strict=True)}
    assert found == {name: image.tobytes() for name, image in zip(names, images, strict=True)}


@pytest.mark.parametrize(
    "name", ["", "..", "../a.png", "/a.png", "a//b.png", "a\\b.png", ".a.png", "C:a.png", "a\n.png"]
)
def test_names_that_leave_the_folder_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnsafeName, match="is not a plain file name: no folders, no drive, no leading dot, no control"):
        folders.save(replace(FLAT[:1], paths=(name,)), tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_pictures_with_names_alone_go_to_class_folders(tmp_path: Path) -> None:
    named = replace(FLAT[:2], paths=("a.png", "a.jpg"), labels=np.array([0, 1]), class_names=("x", "y"))
    folders.save(named, tmp_path / "set")
    assert load(tmp_path / "set").paths == ("x/a.jpg", "y/a.jpg")


def test_pictures_that_jpg_cannot_hold(tmp_path: Path) -> None:
    images = ImageSet(np.random.default_rng(0).integers(0, 256, (2, 3, 4, 4), np.uint8))
    with pytest.raises(UsageError, match="jpg holds gray and RGB, not rgba; write png"):
        folders.save(images, tmp_path / "set")
    folders.save(images, tmp_path / "set", "png")
    found = folders.collection(tmp_path / "set")
    assert np.array_equal(found.read(np.arange(2)), images.images)


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


def test_no_images_to_write(tmp_path: Path) -> None:
    message = f"{tmp_path / 'set'}: no images to write, and a folder of none could not be read again"
    refused(lambda folder: folders.save(FLAT[:0], folder), tmp_path / "set", folders.EmptyFolder, message)


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
    assert len(load(tmp_path / "set")) == 40
    folders.save(RGB, tmp_path / "set", "png", force=True)
    assert load(tmp_path / "set").fingerprint() == by_class(RGB).fingerprint()
    assert os.listdir(tmp_path) == ["set"]


@pytest.mark.parametrize("name", ["thesis.txt", "a/thesis.txt", "a/.hidden.png"])
def test_force_never_deletes_more_than_pictures(name: str, tmp_path: Path) -> None:
    folders.save(RGB, tmp_path / "set", "png")
    kept = tmp_path / "set" / name
    kept.touch()
    (tmp_path / "set" / "metadata.csv").touch()
    message = f"{tmp_path / 'set'}: not replaced, since it holds more than pictures: {kept}"
    with pytest.raises(OutputExists, match=f"^{re.escape(message)}$"):
        folders.save(FLAT, tmp_path / "set", force=True)
    assert kept.exists()


@pytest.mark.parametrize(
    ("paths", "told", "told_with_files"),
    [
        (["a.bmp", "a.png"], ["PNG 1 of 2: a.bmp and a.png"], ["PNG 1 of 2: a.bmp and a.png"]),
        (["a.bmp", "a.gif", "a.tif"], ["PNG 2 of 3: a.bmp and a.gif"], ["PNG 2 of 3: a.bmp and a.gif"]),
        (["a.jpg", "a.png"], ["PNG 1 of 2: a.jpg and a.png"], []),
        (["a.JPG", "a.jpg"], ["PNG 1 of 2: a.JPG and a.jpg"], ["case 1 of 2: a.JPG and a.jpg"]),
        (["A.bmp", "a.png"], ["case 1 of 2: A.bmp and a.png"], ["case 1 of 2: A.bmp and a.png"]),
        (["a.bmp", "b.png", "c/a.png"], [], []),
    ],
)
def test_pictures_that_come_back_as_one_file_are_told(
    paths: list[str], told: list[str], told_with_files: list[str], tmp_path: Path
) -> None:
    for path in paths:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(encode(path))
    found = folders.collection(tmp_path)
    words = {
        "PNG": "pictures that come back as PNG files of one name: all but one of them get a longer name",
        "case": "paths that differ in case alone: where a disk folds case, files get a number",
    }
    for notices, expected in ((found.notices, told), (found.notices_with_files, told_with_files)):
        assert notices is not None
        assert [(n.what, f"{n.images} of {n.total}: {n.first}") for n in notices] == [
            (words[line.split()[0]], line.partition(" ")[2]) for line in expected
        ]


def encode(path: str) -> bytes:
    """A small picture in the format of a file of this name."""
    file = BytesIO()
    Image.new("L", (4, 4)).save(file, Image.registered_extensions()[Path(path).suffix.lower()])
    return file.getvalue()
