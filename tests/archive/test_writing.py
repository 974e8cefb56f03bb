"""The writer: what it refuses, what it leaves behind, and taking up an interrupted pack."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from drawing import draw, flip

from engram import archive
from engram.archive import writer as writing
from engram.archive.errors import ArchiveBusy, ArchiveExists, PackInterrupted, ResumeMismatch
from engram.codecs.contract import Codec, Config, DecodeOnly
from engram.codecs.frozen import Frozen
from engram.codecs.raw import Raw
from engram.datasets import stream
from engram.datasets.names import UnsafeName
from engram.errors import UsageError
from engram.images import ImageSet


class Killed(BaseException):
    """Stands for whatever ends a pack in the middle."""


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups of two blocks of 16 images of 12 bytes."""
    monkeypatch.setattr(writing, "GROUP_BYTES", 2 * 16 * 12)


def killed_after(count: int, images: ImageSet) -> Iterator[ImageSet]:
    yield images[:count]
    raise Killed


def interrupt(path: Path, images: ImageSet, count: int, raw: Raw) -> None:
    with pytest.raises(Killed):
        archive.pack(killed_after(count, images), raw, path, block_size=16)


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("count", [0, 31, 32, 100, 128, 150])
def test_a_resumed_pack_gives_the_bytes_of_an_uninterrupted_one(
    tmp_path: Path, raw: Raw, images: ImageSet, count: int
) -> None:
    archive.pack(images, raw, tmp_path / "whole.egm", block_size=16)
    path = tmp_path / "a.egm"
    interrupt(path, images, count, raw)
    assert not path.exists()
    assert (tmp_path / "a.egm.part").exists() == (count >= 32)
    packed = archive.pack(images, raw, path, block_size=16, resume=True)
    assert packed.images_resumed == count // 32 * 32
    assert path.read_bytes() == (tmp_path / "whole.egm").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["a.egm", "whole.egm"]


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize(
    ("name", "cut", "resumed"),
    [
        ("a.egm.part", 1, 96),
        ("a.egm.part", 500, 64),
        ("a.egm.part", 10_000, 0),
        ("a.egm.part.blocks", 1, 96),
        ("a.egm.part.blocks", 13, 96),
        ("a.egm.part.blocks", 60, 32),
        ("a.egm.part.blocks", 10_000, 0),
    ],
)
def test_a_torn_part_is_taken_up_where_it_is_whole(
    tmp_path: Path, raw: Raw, images: ImageSet, name: str, cut: int, resumed: int
) -> None:
    archive.pack(images, raw, tmp_path / "whole.egm", block_size=16)
    interrupt(tmp_path / "a.egm", images, 128, raw)
    size = (tmp_path / name).stat().st_size
    os.truncate(tmp_path / name, max(0, size - cut))
    packed = archive.pack(images, raw, tmp_path / "a.egm", block_size=16, resume=True)
    assert packed.images_resumed == resumed
    assert (tmp_path / "a.egm").read_bytes() == (tmp_path / "whole.egm").read_bytes()


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize(("offset", "resumed"), [(-1, 96), (-500, 64), (-1500, 0)])
def test_a_damaged_part_is_taken_up_before_the_damage(
    tmp_path: Path, raw: Raw, images: ImageSet, offset: int, resumed: int
) -> None:
    archive.pack(images, raw, tmp_path / "whole.egm", block_size=16)
    interrupt(tmp_path / "a.egm", images, 128, raw)
    flip(tmp_path / "a.egm.part", offset)
    assert archive.pack(images, raw, tmp_path / "a.egm", block_size=16, resume=True).images_resumed == resumed
    assert (tmp_path / "a.egm").read_bytes() == (tmp_path / "whole.egm").read_bytes()


@pytest.mark.usefixtures("small_groups")
def test_resuming_with_other_images_is_refused_and_loses_nothing(tmp_path: Path, raw: Raw, images: ImageSet) -> None:
    path = tmp_path / "a.egm"
    interrupt(path, images, 128, raw)
    part = (tmp_path / "a.egm.part").read_bytes()
    with pytest.raises(ResumeMismatch, match="made from other images, the images up to 32 are others"):
        archive.pack(draw(150, seed=1), raw, path, block_size=16, resume=True)
    with pytest.raises(ResumeMismatch, match="it has 128 images already, not 64"):
        archive.pack(images[:64], raw, path, block_size=16, resume=True)
    with pytest.raises(ResumeMismatch, match=r"a\.egm\.part was begun with another codec, model or block size"):
        archive.pack(images, raw, path, block_size=17, resume=True)
    assert (tmp_path / "a.egm.part").read_bytes() == part
    assert archive.pack(images, raw, path, block_size=16, resume=True).images_resumed == 128


@pytest.mark.usefixtures("small_groups")
def test_without_resume_an_interrupted_pack_begins_afresh(tmp_path: Path, raw: Raw, images: ImageSet) -> None:
    interrupt(tmp_path / "a.egm", draw(150, seed=1), 128, raw)
    assert archive.pack(images, raw, tmp_path / "a.egm", block_size=16).images_resumed == 0
    assert archive.load(tmp_path / "a.egm").fingerprint() == images.fingerprint()


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from drawing import draw
from engram import archive
from engram.archive import writer
from engram.codecs.raw import Raw

writer.GROUP_BYTES = 2 * 16 * 12

class Dying(Raw):
    encoded = 0
    def encode(self, block):
        Dying.encoded += 1
        if Dying.encoded > 7:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode(block)

archive.pack(draw(150), Dying((4, 3, 1)), sys.argv[1], block_size=16)
"""


@pytest.mark.usefixtures("small_groups")
def test_kill_minus_nine_then_resume(tmp_path: Path, raw: Raw, images: ImageSet) -> None:
    path = tmp_path / "a.egm"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path), str(Path(__file__).parent)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not path.exists()
    archive.pack(images, raw, tmp_path / "whole.egm", block_size=16)
    assert archive.pack(images, raw, path, block_size=16, resume=True).images_resumed == 6 * 16
    assert path.read_bytes() == (tmp_path / "whole.egm").read_bytes()


def pack_with_little_room(path: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
    writing.GROUP_BYTES = 2 * 16 * 12
    try:
        archive.pack(draw(150), Raw((4, 3, 1)), path, block_size=16)
    except PackInterrupted as error:
        print(error, file=sys.stderr)
        os._exit(error.exit_code)


@pytest.mark.usefixtures("small_groups")
def test_a_full_disk(tmp_path: Path, raw: Raw, images: ImageSet, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.egm"
    process = multiprocessing.get_context("spawn").Process(target=pack_with_little_room, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == 1
    assert "a.egm could not be written (File too large); 6 blocks are kept in a.egm.part: make room, then go on" in (
        capfd.readouterr().err
    )
    assert not path.exists()
    archive.pack(images, raw, tmp_path / "whole.egm", block_size=16)
    assert archive.pack(images, raw, path, block_size=16, resume=True).images_resumed == 96
    assert path.read_bytes() == (tmp_path / "whole.egm").read_bytes()


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
    writer = archive.Writer(tmp_path / "a.egm", raw)
    writer.append(draw(3))
    (tmp_path / "a.egm").write_bytes(b"another")
    with pytest.raises(ArchiveExists):
        writer.finish()
    writer.abandon()
    assert os.listdir(tmp_path) == ["a.egm"]
    assert (tmp_path / "a.egm").read_bytes() == b"another"


def test_two_writers_of_one_archive(tmp_path: Path, raw: Raw) -> None:
    with archive.Writer(tmp_path / "a.egm", raw) as writer:
        with pytest.raises(ArchiveBusy, match="is being written by another process"):
            archive.pack(draw(3), raw, tmp_path / "a.egm")
        writer.append(draw(3))
    assert len(archive.load(tmp_path / "a.egm")) == 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "not a plain file name"),
        ("..", "not a plain file name"),
        ("../a.png", "not a plain file name"),
        ("/a.png", "not a plain file name"),
        ("a/b.png", "not a plain file name"),
        ("a\\b.png", "not a plain file name"),
        ("c:a.png", "not a plain file name"),
        (".hidden", "not a plain file name"),
        ("a\0.png", "not a plain file name"),
        ("a\n.png", "not a plain file name"),
        ("CON", "a device and no file on Windows"),
        ("lpt1.png", "a device and no file on Windows"),
    ],
)
def test_a_name_that_could_not_be_unpacked_is_not_packed(tmp_path: Path, raw: Raw, name: str, message: str) -> None:
    with pytest.raises(UnsafeName, match=message):
        archive.pack(ImageSet(draw(1).images, names=(name,)), raw, tmp_path / "a.egm")
    assert os.listdir(tmp_path) == []


def test_names_are_unique_within_a_class(tmp_path: Path, raw: Raw) -> None:
    def images(*labels: int) -> ImageSet:
        return ImageSet(draw(2).images, np.array(labels), ("a", "b"), ("x.png", "x.png"))

    archive.pack(images(0, 1), raw, tmp_path / "a.egm")
    with pytest.raises(UnsafeName, match=r"two images of one class are called 'x\.png'"):
        archive.pack(images(1, 1), raw, tmp_path / "b.egm")
    with pytest.raises(UnsafeName, match="two classes are called 'a'"):
        archive.pack(ImageSet(draw(1).images, class_names=("a", "a")), raw, tmp_path / "b.egm")


def test_sets_of_one_archive_are_alike(tmp_path: Path, raw: Raw) -> None:
    images = draw(4)
    for other in (ImageSet(images.images), ImageSet(images.images, images.labels, (*images.class_names, "dog"))):
        with pytest.raises(UsageError, match="all sets of an archive have the same class names"):
            archive.pack([images, other], raw, tmp_path / "a.egm")
    with pytest.raises(UsageError, match=r"takes images of uint8\[n, 4, 3, 1\], not uint8\[4, 3, 4, 1\]"):
        archive.pack(draw(4, (3, 4, 1)), raw, tmp_path / "a.egm")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("block_size", [0, -1, 65_537])
def test_block_sizes_have_limits(tmp_path: Path, raw: Raw, block_size: int) -> None:
    with pytest.raises(UsageError, match="a block has 1 to 65,536"):
        archive.pack(draw(1), raw, tmp_path / "a.egm", block_size=block_size)
    with pytest.raises(UsageError, match="bytes of pixels; the limit is 268,435,456"):
        archive.pack(draw(1), Raw((128, 128, 3)), tmp_path / "a.egm", block_size=65_536)


def test_a_configuration_too_long_for_a_header(tmp_path: Path) -> None:
    class Wordy(Raw):
        def config(self) -> Config:
            return super().config() | {"comment": "x" * (1 << 20)}

    with pytest.raises(UsageError, match=r"a header of 1,048,\d+ bytes; the limit is 1,048,576"):
        archive.pack(draw(1), Wordy((4, 3, 1)), tmp_path / "a.egm")
    assert os.listdir(tmp_path) == []


def test_too_many_classes_are_refused_before_the_work(tmp_path: Path, raw: Raw) -> None:
    classes = tuple(map(str, range(65_537)))
    with pytest.raises(UsageError, match="up to 65,536 classes"):
        archive.pack(ImageSet(draw(1).images, class_names=classes), raw, tmp_path / "a.egm")
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
