"""The writer: what it refuses, and what it leaves behind."""

from __future__ import annotations

import errno
import fcntl
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from drawing import CLASSES, draw, draw_rich
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engram import archive
from engram.archive import columns, table_writer
from engram.archive import writer as writing
from engram.archive.errors import ArchiveBusy, ArchiveExists, PackInterrupted
from engram.archive.format import GROUP
from engram.archive.table_writer import check_table
from engram.codecs.contract import Codec, Config, DecodeOnly
from engram.codecs.frozen import Frozen
from engram.codecs.raw import Raw
from engram.datasets import stream
from engram.datasets.names import UnsafeName
from engram.errors import UsageError
from engram.images import ImageSet
from engram.table import column_of, texts


def test_a_disk_that_is_full_from_the_start(tmp_path: Path, raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(PackInterrupted, match=r"\(No space left on device\); nothing was left there: make room"):
        archive.pack(draw(10), raw, tmp_path / "a.egm")
    monkeypatch.undo()
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_not_there(tmp_path: Path, raw: Raw) -> None:
    with pytest.raises(PackInterrupted, match=r"could not be written \(No such file or directory\)"):
        archive.pack(draw(1), raw, tmp_path / "no" / "a.egm")


@given(cuts=st.lists(st.integers(0, 150), max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_bytes_do_not_depend_on_how_sets_are_cut(
    rich: Path, tmp_path: Path, raw: Raw, monkeypatch: pytest.MonkeyPatch, cuts: list[int]
) -> None:
    monkeypatch.setattr(writing, "BATCH_BYTES", 2 * 16 * 12)
    images, path = draw_rich(), tmp_path / "a.egm"
    archive.pack(
        [images[start:stop] for start, stop in pairwise(sorted([0, 150, *cuts]))], raw, path, block_size=16, force=True
    )
    assert path.read_bytes() == rich.read_bytes()


def test_an_existing_archive_is_replaced_by_force_only(tmp_path: Path, raw: Raw, packed: Path) -> None:
    before = packed.read_bytes()
    with pytest.raises(ArchiveExists, match="exists already; choose another name, or replace it with --force"):
        archive.pack(draw(3), raw, packed)
    assert packed.read_bytes() == before
    with archive.open(packed) as opened:
        archive.pack(draw(3), raw, packed, force=True)
        assert np.array_equal(opened[:], draw(150).images)  # what was opened is still what it was
    assert len(archive.load(packed)) == 3


def test_an_archive_that_appears_meanwhile_is_not_replaced(tmp_path: Path, raw: Raw) -> None:
    writer = archive.Writer(tmp_path / "a.egm", [raw])
    writer.append(draw(3))
    (tmp_path / "a.egm").write_bytes(b"another")
    with pytest.raises(ArchiveExists):
        writer.finish()
    writer.abandon()
    assert (tmp_path / "a.egm").read_bytes() == b"another"
    assert archive.pack(draw(3), raw, tmp_path / "a.egm", force=True, resume=True).images_resumed == 3
    assert os.listdir(tmp_path) == ["a.egm"]


def test_two_writers_of_one_archive(tmp_path: Path, raw: Raw) -> None:
    with archive.Writer(tmp_path / "a.egm", [raw]) as writer:
        with pytest.raises(ArchiveBusy, match="is being written by another process"):
            archive.pack(draw(3), raw, tmp_path / "a.egm")
        writer.append(draw(3))
    assert len(archive.load(tmp_path / "a.egm")) == 3


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "not a plain file name"),
        ("..", "not a plain file name"),
        ("../a.png", "not a plain file name"),
        ("a/../../b.png", "not a plain file name"),
        ("/a.png", "not a plain file name"),
        ("a//b.png", "not a plain file name"),
        ("a/b/", "not a plain file name"),
        ("a\\b.png", "not a plain file name"),
        ("c:a.png", "not a plain file name"),
        (".hidden", "not a plain file name"),
        ("a/.hidden/b.png", "not a plain file name"),
        ("a\0.png", "not a plain file name"),
        ("a\n.png", "not a plain file name"),
        ("CON", "a device and no file on Windows"),
        ("a/lpt1.png", "a device and no file on Windows"),
        ("a/\udcff.png", "not text that UTF-8 can hold"),
        ("é" * 128 + "/a.png", "a file name has up to 255 bytes of UTF-8"),
        ("/".join(["a" * 100] * 11), "a path has up to 1024 bytes of UTF-8"),
    ],
)
def test_a_path_that_could_not_be_unpacked_is_not_packed(tmp_path: Path, raw: Raw, path: str, message: str) -> None:
    with pytest.raises(UnsafeName, match=message):
        archive.pack(ImageSet(draw(1).images, paths=(path,)), raw, tmp_path / "a.egm")
    with pytest.raises(UnsafeName, match=message), archive.Writer(tmp_path / "a.egm", [raw]) as writer:
        writer.keep_file(path, b"")
    assert os.listdir(tmp_path) == []


def test_paths_are_unique_in_the_whole_archive(tmp_path: Path, raw: Raw) -> None:
    def images(*paths: str) -> ImageSet:
        return ImageSet(draw(2).images, np.array([0, 1]), ("a", "b"), paths)

    archive.pack(images("a/x.png", "b/x.png"), raw, tmp_path / "a.egm")
    for sets in ([images("x.png", "x.png")], [images("x.png", "y.png"), images("y.png", "z.png")]):
        with pytest.raises(UnsafeName, match=r"two images are called '[xy]\.png'; give each its own name"):
            archive.pack(sets, raw, tmp_path / "b.egm")
    assert os.listdir(tmp_path) == ["a.egm"]


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("rises", [True, False])
def test_a_kept_file_has_a_path_of_its_own(tmp_path: Path, raw: Raw, rises: bool) -> None:
    images = draw(70) if rises else draw(70)[::-1]
    with archive.Writer(tmp_path / "a.egm", [raw]) as writer:
        writer.append(images)
        writer.keep_file("notes/a.txt", b"a" * 1000)
        for name in ("notes/a.txt", "0000.png", "0016.png", "0031.png", "0069.png"):
            with pytest.raises(UnsafeName, match=f"two files are called '{name}'"):
                writer.keep_file(name, b"b")
    with archive.open(tmp_path / "a.egm") as opened:
        assert opened.sources[0].directory.files == ("notes/a.txt",)
        assert opened.segment(0).kept_file("notes/a.txt") == b"a" * 1000


@given(st.lists(st.text("ab", min_size=1, max_size=3), max_size=12), st.integers(1, 5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_path_is_found_twice_however_paths_come(
    monkeypatch: pytest.MonkeyPatch, paths: list[str], chunk: int
) -> None:
    monkeypatch.setattr(table_writer, "ROWS_IN_CHUNK", chunk)
    added = table_writer.ColumnsWriter()
    for number, path in enumerate(paths):
        assert added.has_path(path) == (path in paths[:number])
        if path in paths[:number]:
            with pytest.raises(UnsafeName, match="two images are called"):
                added.add({"path": texts([path])}, 1)
            break
        added.add({"path": texts([path])}, 1)


def test_a_kept_file_has_a_limit(tmp_path: Path, raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "MOST_FILE_BYTES", 9)
    with (
        pytest.raises(UsageError, match=r"a\.txt has 10 bytes; an archive keeps files up to 9"),
        archive.Writer(tmp_path / "a.egm", [raw]) as writer,
    ):
        writer.keep_file("a.txt", bytes(10))


@pytest.mark.parametrize(
    ("names", "message"), [(("a", "a"), "two classes are called 'a'"), (("a", ""), "a class without a name")]
)
def test_classes_have_names_of_their_own(tmp_path: Path, raw: Raw, names: tuple[str, str], message: str) -> None:
    with pytest.raises(UnsafeName, match=message):
        archive.pack(ImageSet(draw(1).images, np.zeros(1, int), names), raw, tmp_path / "b.egm")


def test_sets_of_one_archive_are_alike(tmp_path: Path, raw: Raw) -> None:
    images = draw(4)
    for other, message in (
        (ImageSet(images.images, images.labels, images.class_names), "have the same columns: path, label, not label"),
        (ImageSet(images.images, images.labels, (*CLASSES, "dog"), tuple("abcd")), "have the same classes"),
    ):
        with pytest.raises(UsageError, match=f"all pictures of an archive {message}"):
            archive.pack([images, other], raw, tmp_path / "a.egm")
    ages = [ImageSet(images.images, columns={"age": column_of(age)}) for age in ([1] * 4, ["x"] * 4)]
    with pytest.raises(UsageError, match="all pictures of an archive have a column 'age' of one type"):
        archive.pack(ages, raw, tmp_path / "a.egm")
    for shape, dtype in (((3, 4, 1), np.uint8), ((4, 3, 1), np.uint16)):
        with pytest.raises(UsageError, match=r"takes images of uint8\[n, 4, 3, 1\], not uint"):
            archive.pack(ImageSet(draw(4, shape).images.astype(dtype)), raw, tmp_path / "a.egm")
    assert os.listdir(tmp_path) == []


def test_rows_and_cells_must_agree(tmp_path: Path, raw: Raw) -> None:
    for rows in (0, 4):
        writer = archive.Writer(tmp_path / "a.egm", [raw])
        writer.add(0, draw(3).images)
        writer.describe({}, rows)
        with pytest.raises(UsageError, match=f"{rows} pictures cannot have 3 cells"):
            writer.finish()
        writer.abandon()
    with pytest.raises(UsageError, match="'age' has 2 values for 3 pictures"):
        check_table({"age": column_of([1, 2])}, 3)
    with archive.Writer(tmp_path / "a.egm", [raw, raw]) as writer:
        writer.add(1, draw(3).images)
        with pytest.raises(UsageError, match="group 0 is complete; cells come group after group"):
            writer.add(0, draw(3).images)
        writer.describe({GROUP: column_of([1, 1, 1])}, 3)
    with archive.open(tmp_path / "a.egm") as opened:
        assert np.array_equal(opened[:], draw(3).images)


@pytest.mark.parametrize("block_size", [0, -1, 65_537])
def test_block_sizes_have_limits(tmp_path: Path, raw: Raw, block_size: int) -> None:
    with pytest.raises(UsageError, match="a block has 1 to 65,536"):
        archive.pack(draw(1), raw, tmp_path / "a.egm", block_size=block_size)
    with pytest.raises(UsageError, match="bytes of pixels; the limit is 268,435,456"):
        archive.pack(draw(1), Raw((128, 128, 3)), tmp_path / "a.egm", block_size=65_536)


def test_a_directory_that_is_too_long_is_refused_before_the_work(tmp_path: Path) -> None:
    class Wordy(Raw):
        def config(self) -> Config:
            return super().config() | {"comment": "x" * (1 << 22)}

    with pytest.raises(UsageError, match=r"directory would have [\d,]+ bytes, and 4,194,304 is the limit"):
        archive.Writer(tmp_path / "a.egm", [Wordy((4, 3, 1))])
    assert os.listdir(tmp_path) == []


def test_too_many_classes_are_refused_before_the_work(tmp_path: Path, raw: Raw) -> None:
    classes = tuple(map(str, range(65_537)))
    with pytest.raises(UsageError, match="column 'label' has 65,537 categories; an archive's have up to 65,536"):
        archive.pack(ImageSet(draw(1).images, np.zeros(1, int), classes), raw, tmp_path / "a.egm")
    assert os.listdir(tmp_path) == []


def test_a_file_system_without_locks(tmp_path: Path, raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(file: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    archive.pack(draw(3), raw, tmp_path / "a.egm")
    assert len(archive.load(tmp_path / "a.egm")) == 3


def test_a_codec_that_only_decodes_cannot_pack(tmp_path: Path, lossy: Codec) -> None:
    assert isinstance(lossy, Frozen)
    with pytest.raises(DecodeOnly, match="this frozen codec can only decode"):
        archive.pack(draw(1), Frozen(lossy.synthesis), tmp_path / "a.egm")


def test_progress_is_told(tmp_path: Path, raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PIECE_BYTES", 64 * 12)
    told: list[tuple[int, int]] = []
    archive.pack(draw(150), raw, tmp_path / "a.egm", progress=lambda done, total: told.append((done, total)))
    assert told == [(64, 150), (128, 150), (150, 150)]
