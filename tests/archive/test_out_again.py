"""unpack to a .zip, .tar or .parquet: what goes in again is what was packed, and equal archives give equal bytes."""

from __future__ import annotations

import os
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import run
from drawing import draw, draw_rich, flip_block, flip_column, pack_pictures, picture
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq

from engram import archive
from engram.archive import blocks, to_parquet, unpacking
from engram.archive.errors import CorruptBlock, UnsafeName
from engram.codecs.raw import Raw
from engram.datasets.collection import Collection
from engram.datasets.source import collection
from engram.errors import MissingLibrary, UsageError
from engram.files import CannotWrite, OutputExists
from engram.images import ImageSet
from engram.kinds import KINDS
from engram.table import Column, column_of

RAW = Raw((4, 3, 1))
NAMES = ["out.zip", "out.tar", "out.parquet"]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BATCH_BYTES", 2 * 16 * 12)
    monkeypatch.setattr(unpacking, "BATCH_BYTES", 2 * 16 * 12)
    monkeypatch.setattr(to_parquet, "ROWS_IN_GROUP", 40)


def rows(found: Collection) -> dict[str, tuple[bytes, dict[str, Any]]]:
    """Pixels and columns by path."""
    read = found.read(np.arange(len(found)))
    known = [{name: column.value(row) for name, column in found.table.items()} for row in range(len(found))]
    return {each["path"]: (pixels.tobytes(), each) for pixels, each in zip(read, known, strict=True)}


def entries(path: Path) -> dict[str, bytes]:
    """The files of a box, in their order."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as box:
            return {name: box.read(name) for name in box.namelist()}
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


@pytest.mark.parametrize("name", NAMES)
def test_all_columns_come_back(name: str, rich: Path, tmp_path: Path) -> None:
    done = archive.unpack(rich, tmp_path / name, sidecars=name != "out.parquet")
    there, here = collection(rich), collection(tmp_path / name)
    expected = rows(there)
    for path, (pixels, known) in rows(here).items():
        split = {"split": path.split("/")[0]}  # which is what the paths say
        assert (pixels, known) == (expected[path][0], expected[path][1] | split)
    assert len(here) == len(there) == done.images
    assert {n: c.type for n, c in here.table.items() if n != "split"} == {n: c.type for n, c in there.table.items()}


@pytest.mark.parametrize("name", NAMES)
def test_pictures_of_any_sizes_and_kinds_come_back_in_their_order(name: str, tmp_path: Path) -> None:
    given = [picture(3 + row % 5, 5 + row % 2, list(KINDS)[row % len(KINDS)], row) for row in range(40)]
    given.append(picture(300, 7))
    pack_pictures(given, tmp_path / "a.egm")
    archive.unpack(tmp_path / "a.egm", tmp_path / name)
    found = collection(tmp_path / name)
    assert [found.table["path"].value(row) for row in range(41)] == [f"{row:03}.png" for row in range(41)]
    for image, back in zip(given, found.read(np.arange(41)), strict=True):
        assert (back.dtype, np.array_equal(back, image)) == (image.dtype, True)
    if name != "out.parquet":
        assert list(entries(tmp_path / name)) == [f"{row:03}.png" for row in range(41)]


@pytest.mark.parametrize("name", NAMES[:2])
def test_a_box_has_the_files_of_the_folder(name: str, tmp_path: Path) -> None:
    with archive.Writer(tmp_path / "a.egm", [RAW]) as writing:
        writing.append(ImageSet(draw(3).images, paths=("x/b.jpg", "a.bmp", "ä.png")))
        writing.keep_file("metadata.csv", b"file_name,age\na.png,7\n")
        writing.keep_file("a.png", b"no picture")
    for out in (name, "folder"):
        archive.unpack(tmp_path / "a.egm", tmp_path / out)
    folder = tmp_path / "folder"
    files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert entries(tmp_path / name) == files
    assert list(files) != []
    assert list(entries(tmp_path / name)) == ["x/b.png", "a.png", "ä.png", "metadata.csv", "a-2.png"]


@pytest.mark.parametrize("name", NAMES)
def test_equal_archives_give_equal_bytes_whatever_their_blocks(name: str, tmp_path: Path) -> None:
    found = []
    for number, size in enumerate((16, 64)):
        archive.pack(draw_rich(), RAW, tmp_path / f"{number}.egm", block_size=size)
        (tmp_path / str(number)).mkdir()
        archive.unpack(tmp_path / f"{number}.egm", tmp_path / str(number) / name)
        found.append((tmp_path / str(number) / name).read_bytes())
    assert found[0] == found[1]


def test_files_of_a_box_are_plain_and_of_1980(rich: Path, tmp_path: Path) -> None:
    for name in NAMES[:2]:
        archive.unpack(rich, tmp_path / name)
    with zipfile.ZipFile(tmp_path / "out.zip") as box:
        assert {(m.date_time, m.compress_type, m.external_attr >> 16) for m in box.infolist()} == {
            ((1980, 1, 1, 0, 0, 0), zipfile.ZIP_STORED, 0o100644)
        }
    with tarfile.open(tmp_path / "out.tar") as tar:
        assert {(m.mtime, m.mode, m.uid, m.gid, m.uname, m.type) for m in tar} == {
            (315532800, 0o644, 0, 0, "", tarfile.REGTYPE)
        }


def test_sidecars_are_as_webdataset_has_them(tmp_path: Path) -> None:
    images = ImageSet(draw(2).images, np.array([1, 0]), ("ape", "bee"), ("x/0.jpg", "1.png"))
    columns = {"age": column_of([7, None]), "said": column_of(["ä", "b"])}
    archive.pack(
        ImageSet(images.images, images.labels, images.class_names, images.paths, columns), RAW, tmp_path / "a.egm"
    )
    archive.unpack(tmp_path / "a.egm", tmp_path / "out.tar", sidecars=True)
    found = entries(tmp_path / "out.tar")
    assert list(found) == ["x/0.png", "x/0.json", "1.png", "1.json"]
    assert found["x/0.json"].decode() == '{"label": "bee", "age": 7, "said": "ä"}'
    assert found["1.json"].decode() == '{"label": "ape", "said": "b"}'


def test_without_columns_there_are_no_sidecars(tmp_path: Path) -> None:
    archive.pack(ImageSet(draw(2).images), RAW, tmp_path / "a.egm")
    archive.unpack(tmp_path / "a.egm", tmp_path / "out.tar", sidecars=True)
    assert list(entries(tmp_path / "out.tar")) == ["00000.png", "00001.png"]


@pytest.mark.parametrize("name", ["out", "out.npz", "out.parquet"])
def test_sidecars_go_to_boxes_alone(name: str, rich: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"files beside the pictures go to a \.zip or \.tar, not here"):
        archive.unpack(rich, tmp_path / name, sidecars=True)


def test_a_parquet_file_is_what_others_read(rich: Path, tmp_path: Path) -> None:
    archive.unpack(rich, tmp_path / "out.parquet")
    found = pq.ParquetFile(tmp_path / "out.parquet")
    assert {field.name: str(field.type) for field in found.schema_arrow} == {
        "image": "struct<bytes: binary, path: string>",
        "label": "string",
        "age": "int64",
        "weight": "double",
        "fresh": "bool",
        "maker": "string",
        "note": "string",
        "box": "list<element: int64>",
    }
    assert [found.metadata.row_group(number).num_rows for number in range(4)] == [40, 40, 40, 30]
    row = found.read().to_pylist()[1]
    assert row["image"]["path"] == "test/001.png"
    assert (row["age"], row["maker"], row["box"]) == (-69, "Bo", [1, 2])


VALUES = {
    "integer": st.integers(-(1 << 63), (1 << 63) - 1),
    "number": st.floats(allow_nan=False),
    "boolean": st.booleans(),
    "text": st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
    "json": st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=2),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=1), inner, max_size=2),
    ).filter(lambda value: value is not None),
}


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(sorted(VALUES)))
def test_any_column_comes_back_from_parquet(data: st.DataObject, kind: str) -> None:
    given = data.draw(st.lists(st.none() | VALUES[kind], min_size=1, max_size=5))
    with tempfile.TemporaryDirectory() as folder:
        columns = {"x": column_of(given), "y": Column("category", np.zeros(len(given), np.int64), ("b", "a"))}
        archive.pack(ImageSet(draw(len(given)).images, columns=columns), RAW, Path(folder) / "a.egm")
        archive.unpack(Path(folder) / "a.egm", Path(folder) / "a.parquet")
        found = collection(Path(folder) / "a.parquet").table
    assert repr([found["x"].value(row) for row in range(len(given))]) == repr(given)
    assert found["y"].categories == ("b", "a")


@pytest.mark.parametrize("name", NAMES)
def test_without_paths_pictures_are_numbered(name: str, tmp_path: Path) -> None:
    archive.pack(ImageSet(draw(45).images), RAW, tmp_path / "a.egm")
    archive.unpack(tmp_path / "a.egm", tmp_path / name)
    found = collection(tmp_path / name)
    assert [found.table["path"].value(row) for row in (0, 44)] == ["00000.png", "00044.png"]
    assert np.array_equal(found.read(np.arange(45)), draw(45).images)


def test_a_column_that_is_called_as_the_pictures(tmp_path: Path) -> None:
    archive.pack(ImageSet(draw(2).images, columns={"image": column_of([1, 2])}), RAW, tmp_path / "a.egm")
    with pytest.raises(
        UsageError, match=r"a column called 'image' has no place in a \.parquet file; unpack to a folder"
    ):
        archive.unpack(tmp_path / "a.egm", tmp_path / "out.parquet")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_there_is_replaced_by_force_only(name: str, rich: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"years of work")
    with pytest.raises(OutputExists, match="exists already; choose another name, or replace it with --force"):
        archive.unpack(rich, tmp_path / name)
    assert (tmp_path / name).read_bytes() == b"years of work"
    archive.unpack(rich, tmp_path / name, force=True)
    assert len(collection(tmp_path / name)) == 150


@pytest.mark.parametrize("name", NAMES)
def test_damage_leaves_nothing_or_what_can_be_saved(name: str, tmp_path: Path) -> None:
    archive.pack(draw(150), RAW, tmp_path / "a.egm", block_size=16)
    flip_block(tmp_path / "a.egm", 1)
    with pytest.raises(CorruptBlock, match=r"block 1 \("):
        archive.unpack(tmp_path / "a.egm", tmp_path / name)
    assert os.listdir(tmp_path) == ["a.egm"]
    archive.unpack(tmp_path / "a.egm", tmp_path / name, skip_damaged=True)
    expected = [f"{row:04}.png" for row in range(150) if not 16 <= row < 32]
    assert list(rows(collection(tmp_path / name))) == expected


def test_a_damaged_file_can_be_left_out(tmp_path: Path) -> None:
    with archive.Writer(tmp_path / "a.egm", [RAW]) as writing:
        writing.append(draw(1))
        writing.keep_file("notes.txt", b"notes")
    flip_column(tmp_path / "a.egm", "")
    archive.unpack(tmp_path / "a.egm", tmp_path / "out.zip", skip_damaged=True)
    assert list(entries(tmp_path / "out.zip")) == ["0000.png"]


@pytest.mark.parametrize("name", NAMES)
def test_a_view_is_unpacked_alone(name: str, rich: Path, tmp_path: Path) -> None:
    with archive.open(rich) as opened:
        assert archive.unpack(opened.where(maker="Bo"), tmp_path / name).images == 75
    found = rows(collection(tmp_path / name))
    assert list(found) == [path for path in sorted(draw_rich().paths or ()) if path.startswith("test/")]


@pytest.mark.parametrize("name", NAMES)
def test_a_disk_that_is_full_leaves_nothing(name: str, rich: Path, tmp_path: Path) -> None:
    with pytest.raises(CannotWrite):
        archive.unpack(rich, tmp_path / "no" / name)

    def stop(done: int, total: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(CannotWrite, match="No space left on device"):
        archive.unpack(rich, tmp_path / name, progress=stop)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", NAMES[:2])
def test_a_path_that_leaves_its_folder_is_not_written(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("engram.archive.table_writer.check_path", lambda path: None)
        archive.pack(ImageSet(draw(1).images, paths=("../a.png",)), RAW, tmp_path / "a.egm")
    with pytest.raises(UnsafeName, match=r"a\.egm: .*; unpack to a \.npz file"):
        archive.unpack(tmp_path / "a.egm", tmp_path / name)
    assert os.listdir(tmp_path) == ["a.egm"]


def test_without_pyarrow_it_says_what_to_install(rich: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        MissingLibrary, match=r"Parquet files need pyarrow; `pip install 'engram-images\[parquet\]'` brings it"
    ):
        archive.unpack(rich, tmp_path / "out.parquet")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", NAMES)
def test_from_the_command_line_and_back(name: str, rich: Path, tmp_path: Path) -> None:
    words = [] if name == "out.parquet" else ["--sidecars"]
    assert run("unpack", rich, name, *words, cwd=tmp_path).returncode == 0
    done = run("pack", name, "-o", "b.egm", "--budget", "0", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert {p: pixels for p, (pixels, _) in rows(collection(tmp_path / "b.egm")).items()} == {
        p: pixels for p, (pixels, _) in rows(collection(rich)).items()
    }
