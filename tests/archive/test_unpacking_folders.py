"""unpack to a folder: the tree comes back, with the same paths and pixels, and nothing else is touched."""

from __future__ import annotations

import os
import shutil
import unicodedata
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from drawing import (
    CLASSES,
    coder_of,
    collection_of,
    draw,
    draw_rich,
    flip_block,
    flip_column,
    pack_pictures,
    picture,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from engram import archive
from engram.archive import blocks, table_writer, to_folder, writer
from engram.archive.errors import CorruptBlock, CorruptColumn, UnsafeName
from engram.codecs.raw import Raw
from engram.datasets import folders
from engram.datasets.names import folder_of
from engram.errors import UsageError
from engram.files import OutputExists
from engram.images import ImageSet
from engram.kinds import KINDS, AnyPixels
from engram.table import Column

RAW = Raw((4, 3, 1))


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BATCH_BYTES", 2 * 16 * 12)


def pack(tmp_path: Path, *paths: str) -> Path:
    archive.pack(ImageSet(draw(len(paths)).images, paths=paths), RAW, tmp_path / "a.egm", force=True)
    return tmp_path / "a.egm"


def files(folder: Path) -> list[str]:
    """All files below a folder."""
    return sorted(str(PurePosixPath(path.relative_to(folder))) for path in folder.rglob("*") if path.is_file())


def pixels(path: Path) -> AnyPixels:
    found = np.asarray(Image.open(path))
    return found[..., None] if found.ndim == 2 else found


TREE = (
    "a.png",
    "train/cat/0001.png",
    "train/cat/deeper/still/0001.png",
    "train/dog/0001.png",
    "val/猫/写真 1.png",
    "val/кот/é%20b&c.png",
    "val/" + unicodedata.normalize("NFD", "é") + ".png",
    "2024/01/no suffix.png",
    "x" * 200 + ".png",
)


def test_a_tree_comes_back(tmp_path: Path) -> None:
    archive.unpack(pack(tmp_path, *TREE), tmp_path / "out")
    assert files(tmp_path / "out") == sorted(TREE)
    for image, path in zip(draw(len(TREE)).images, TREE, strict=True):
        assert np.array_equal(pixels(tmp_path / "out" / path), image)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "rgb16"])
def test_every_kind_comes_back_as_png(tmp_path: Path, kind: str) -> None:
    given = [picture(height, 5, kind, height) for height in (3, 7, 300)]
    pack_pictures(given, tmp_path / "a.egm")
    archive.unpack(tmp_path / "a.egm", tmp_path / "out")
    for row, image in enumerate(given):
        found = pixels(tmp_path / "out" / f"{row:03}.png")
        assert (found.dtype, np.array_equal(found, image)) == (image.dtype, True)


def test_a_folder_of_a_folder_of_an_archive_is_the_same(tmp_path: Path) -> None:
    """What comes out goes in again, colours of 16 bits too, and a metadata file with it."""
    given = {f"cat/{kind}.png": picture(5, 4, kind) for kind in KINDS}
    collection = collection_of([*given.values()])
    collection.table["path"].values[:] = [*given]
    collection.files = {"metadata.csv": "".join(["file_name,age\n", *(f"{name},7\n" for name in given)]).encode()}
    groups = collection.groups()
    coders = [coder_of(group.size, group.kind.name) for group in groups]
    archive.pack_collection(collection, groups, coders, tmp_path / "a.egm")
    archive.unpack(tmp_path / "a.egm", tmp_path / "out")
    assert files(tmp_path / "out") == sorted([*given, "metadata.csv"])
    found = folders.collection(tmp_path / "out")
    read = found.read(np.arange(len(found)))
    names = [found.table["path"].value(row) for row in range(len(found))]
    assert all(np.array_equal(image, given[name]) for image, name in zip(read, names, strict=True))
    assert found.table["age"].values.tolist() == [7] * len(KINDS)
    assert found.files == collection.files


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["a.jpg", "b.JPEG", "c", "d.tar.gz"], ["a.png", "b.png", "c.png", "d.tar.png"]),
        (["a.png", "a.bmp"], ["a.png", "a.bmp.png"]),
        (["a.bmp", "a.png"], ["a.bmp.png", "a.png"]),
        (["a.bmp", "a.gif", "a.jpg"], ["a.png", "a.gif.png", "a.jpg.png"]),
        (["x/a.png", "y/a.bmp"], ["x/a.png", "y/a.png"]),
        (["a.bmp", "a.png/b.png"], ["a.bmp.png", "a.png/b.png"]),
        (["a", "a/b", "a/b/c.png"], ["a.png", "a/b.png", "a/b/c.png"]),
        (["A.png/c.png", "a.png"], ["A.png/c.png", "a.png"]),
        (["A.png", "a.png", "a.bmp"], ["A.png", "a.png", "a.bmp.png"]),
        (["a.png", "a.png/b.png"], ["a-2.png", "a.png/b.png"]),
    ],
)
def test_each_picture_has_a_file_of_its_own(tmp_path: Path, paths: list[str], expected: list[str]) -> None:
    archive.unpack(pack(tmp_path, *paths), tmp_path / "out")
    assert files(tmp_path / "out") == sorted(expected)
    for image, path in zip(draw(len(paths)).images, expected, strict=True):
        assert np.array_equal(pixels(tmp_path / "out" / path), image)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.from_regex(r"([aA]/)?[aA](-2)?(\.(png|PNG|bmp))?(\.png)?", fullmatch=True), unique=True, min_size=1))
def test_no_two_pictures_are_one_file_where_a_disk_folds_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paths: list[str]
) -> None:
    monkeypatch.setattr(to_folder, "folds_case", lambda folder: True)
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    archive.unpack(pack(tmp_path, *paths), tmp_path / "out")
    found = files(tmp_path / "out")
    assert len({path.casefold() for path in found}) == len(paths)
    shown = {pixels(tmp_path / "out" / path).tobytes() for path in found}
    assert shown == {image.tobytes() for image in draw(len(paths)).images}


def test_without_paths_they_are_numbered(tmp_path: Path) -> None:
    archive.pack(ImageSet(draw(20).images), RAW, tmp_path / "a.egm")
    archive.unpack(tmp_path / "a.egm", tmp_path / "out")
    assert files(tmp_path / "out") == [f"{row:05}.png" for row in range(20)]
    assert np.array_equal(pixels(tmp_path / "out" / "00019.png"), draw(20).images[19])


def test_without_paths_labels_are_folders(tmp_path: Path) -> None:
    names = ("../x", "/tmp", "..", "a\0b", "T-shirt/Top")
    with archive.Writer(tmp_path / "a.egm", [RAW]) as writing:
        writing.add(0, draw(6).images)
        writing.describe({"label": Column("category", np.arange(6) % 5, names, np.arange(6) < 5)}, 6)
    archive.unpack(tmp_path / "a.egm", tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == ["a.egm", "out"]
    found = files(tmp_path / "out")
    below = [f"{folder_of(name)}/{row:05}.png" for row, name in enumerate(names)]
    assert found == sorted([*below, "00005.png"])


def test_files_that_were_kept_come_back(tmp_path: Path) -> None:
    with archive.Writer(tmp_path / "a.egm", [RAW]) as writing:
        writing.append(ImageSet(draw(2).images, paths=("a.bmp", "x/b.png")))
        writing.keep_file("x/metadata.csv", b"file_name\nb.png\n")
        writing.keep_file("readme.txt", b"")
        writing.keep_file("a.png", b"no picture")
    archive.unpack(tmp_path / "a.egm", tmp_path / "out")
    assert files(tmp_path / "out") == ["a-2.png", "a.png", "readme.txt", "x/b.png", "x/metadata.csv"]
    assert (tmp_path / "out" / "x" / "metadata.csv").read_bytes() == b"file_name\nb.png\n"
    assert np.array_equal(pixels(tmp_path / "out" / "a.png"), draw(2).images[0])


def test_a_view_is_unpacked_alone(rich: Path, tmp_path: Path) -> None:
    with archive.open(rich) as opened:
        assert archive.unpack(opened.where(maker="Bo"), tmp_path / "out").images == 75
    assert files(tmp_path / "out") == [path for path in sorted(draw_rich().paths or ()) if path.startswith("test/")]


UNSAFE = ["../a.png", "/tmp/a.png", "a\\b.png", "..", ".a", "a/../../b.png", "c:a", "a\0", "nul", "Com1.png", "a//b"]


@pytest.mark.parametrize("path", UNSAFE)
def test_a_path_that_leaves_the_folder_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(table_writer, "check_path", lambda path: None)
        pack(tmp_path, "ok.png", path)
    with pytest.raises(UnsafeName, match=r"a\.egm: .*; unpack to a \.npz file"):
        archive.unpack(tmp_path / "a.egm", tmp_path / "out")
    assert os.listdir(tmp_path) == ["a.egm"]


@pytest.mark.parametrize("path", UNSAFE)
def test_a_kept_file_that_leaves_the_folder_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(writer, "check_path", lambda path: None)
    with archive.Writer(tmp_path / "a.egm", [RAW]) as writing:
        writing.append(draw(1))
        writing.keep_file(path, b"evil")
    with pytest.raises((UnsafeName, archive.CorruptArchive)):
        archive.unpack(tmp_path / "a.egm", tmp_path / "out")
    assert os.listdir(tmp_path) == ["a.egm"]


@pytest.mark.parametrize("class_names", [("a", ""), ("a", "a")])
def test_classes_without_a_folder_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, class_names: tuple[str, ...]
) -> None:
    monkeypatch.setattr(table_writer, "check_class_names", lambda names: None)
    archive.pack(ImageSet(draw(2).images, np.arange(2), class_names), RAW, tmp_path / "a.egm")
    with pytest.raises((UnsafeName, CorruptColumn)):
        archive.unpack(tmp_path / "a.egm", tmp_path / "out")
    assert os.listdir(tmp_path) == ["a.egm"]


def test_two_pictures_of_one_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No writer packs them; both come out all the same."""
    monkeypatch.setattr(table_writer.ColumnsWriter, "_check_paths", lambda *arguments: None)
    archive.unpack(pack(tmp_path, "a.png", "a.png"), tmp_path / "out")
    assert files(tmp_path / "out") == ["a-2.png", "a.png"]


def test_force_replaces_a_folder_of_pictures_only(tmp_path: Path) -> None:
    path = pack(tmp_path, "a.png")
    archive.unpack(path, tmp_path / "out")
    with pytest.raises(OutputExists, match="exists already; choose another name, or replace it with --force"):
        archive.unpack(path, tmp_path / "out")
    archive.unpack(pack(tmp_path, "b.png"), tmp_path / "out", force=True)
    assert files(tmp_path / "out") == ["b.png"]
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="holds more than pictures"):
        archive.unpack(path, tmp_path / "out", force=True)
    (tmp_path / "file").write_text("years of work")
    with pytest.raises(OutputExists, match="a file of this name exists already"):
        archive.unpack(path, tmp_path / "file", force=True)
    assert (tmp_path / "file").read_text() == "years of work"


@pytest.mark.parametrize("mixed", [False, True])
def test_damaged_blocks_can_be_left_out(tmp_path: Path, mixed: bool) -> None:
    path = tmp_path / "a.egm"
    given = [picture(4, 3 + (row % 2 if mixed else 0), seed=row) for row in range(150)]
    pack_pictures(given, path, block_size=16)
    flip_block(path, 1)
    with archive.open(path) as opened:
        lost = opened.rows_of(1).tolist()
    with pytest.raises(CorruptBlock, match=r"block 1 \("):
        archive.unpack(path, tmp_path / "out")
    assert os.listdir(tmp_path) == ["a.egm"]
    done = archive.unpack(path, tmp_path / "out", skip_damaged=True)
    assert (len(lost), done.images) == (16, 134)
    assert files(tmp_path / "out") == [f"{row:03}.png" for row in range(150) if row not in lost]
    for row in set(range(150)) - set(lost):
        assert np.array_equal(pixels(tmp_path / "out" / f"{row:03}.png"), given[row])


def test_damaged_paths_and_files_can_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.egm"
    with archive.Writer(path, [RAW]) as writing:
        writing.append(draw(3))
        writing.keep_file("good.txt", b"good")
        writing.keep_file("notes.txt", b"notes")
    flip_column(path, "")
    with pytest.raises(CorruptColumn, match=r"'notes\.txt' is damaged"):
        archive.unpack(path, tmp_path / "out")
    assert os.listdir(tmp_path) == ["a.egm"]
    archive.unpack(path, tmp_path / "out", skip_damaged=True)
    assert files(tmp_path / "out") == ["0000.png", "0001.png", "0002.png", "good.txt"]
    flip_column(path, "path")
    archive.unpack(path, tmp_path / "again", skip_damaged=True)
    below = [CLASSES[label].replace("/", "%2F") for label in draw(3).labels]  # type: ignore[union-attr]
    assert files(tmp_path / "again") == sorted([*(f"{b}/{row:05}.png" for row, b in enumerate(below)), "good.txt"])


def test_damaged_places_lose_what_lies_there(tmp_path: Path) -> None:
    pack_pictures([picture(3, 7), picture(6, 2)], tmp_path / "a.egm")
    flip_column(tmp_path / "a.egm", ".height")
    with pytest.raises(CorruptColumn, match=r"'\.height' is damaged"):
        archive.unpack(tmp_path / "a.egm", tmp_path / "out", skip_damaged=True)
    assert os.listdir(tmp_path) == ["a.egm"]


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    archive.pack(draw(70), RAW, tmp_path / "a.egm", block_size=16)

    def tell(done: int, total: int) -> Any:
        told.append((done, total))

    archive.unpack(tmp_path / "a.egm", tmp_path / "out", progress=tell)
    assert told == [(32, 70), (64, 70), (70, 70)]
