"""Taking up an interrupted pack: the bytes of one that was not, or a reason why not."""

from __future__ import annotations

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
from drawing import draw, flip, load

from engram import archive
from engram.archive import writer as writing
from engram.archive.errors import PackInterrupted, ResumeMismatch
from engram.archive.interrupted import interrupted
from engram.codecs.contract import Codec
from engram.codecs.raw import Raw
from engram.images import ImageSet


class Killed(BaseException):
    """Stands for whatever ends a pack in the middle."""


def killed_after(count: int, images: ImageSet) -> Iterator[ImageSet]:
    yield images[:count]
    raise Killed


def interrupt(path: Path, images: ImageSet, count: int, raw: Raw) -> None:
    with pytest.raises(Killed):
        archive.pack(killed_after(count, images), raw, path, block_size=16)


@pytest.mark.usefixtures("small_batches")
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


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize(
    ("name", "cut", "resumed"),
    [
        ("a.egm.part", 1, 96),
        ("a.egm.part", 500, 64),
        ("a.egm.part", 10_000, 0),
        ("a.egm.part.blocks", 1, 96),
        ("a.egm.part.blocks", 17, 96),
        ("a.egm.part.blocks", 70, 32),
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


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize(("offset", "resumed"), [(-1, 96), (-500, 64), (-1500, 0)])
def test_a_damaged_part_is_taken_up_before_the_damage(
    tmp_path: Path, raw: Raw, images: ImageSet, offset: int, resumed: int
) -> None:
    archive.pack(images, raw, tmp_path / "whole.egm", block_size=16)
    interrupt(tmp_path / "a.egm", images, 128, raw)
    flip(tmp_path / "a.egm.part", offset)
    assert archive.pack(images, raw, tmp_path / "a.egm", block_size=16, resume=True).images_resumed == resumed
    assert (tmp_path / "a.egm").read_bytes() == (tmp_path / "whole.egm").read_bytes()


@pytest.mark.usefixtures("small_batches")
def test_resuming_with_other_images_is_refused_and_loses_nothing(tmp_path: Path, raw: Raw, images: ImageSet) -> None:
    path = tmp_path / "a.egm"
    interrupt(path, images, 128, raw)
    part = (tmp_path / "a.egm.part").read_bytes()
    with pytest.raises(ResumeMismatch, match="made from other images, the images of group 0 up to 32 are others"):
        archive.pack(draw(150, seed=1), raw, path, block_size=16, resume=True)
    with pytest.raises(ResumeMismatch, match="made from other images, it has more images already"):
        archive.pack(images[:64], raw, path, block_size=16, resume=True)
    with pytest.raises(ResumeMismatch, match=r"a\.egm\.part was begun with another codec, model or block size"):
        archive.pack(images, raw, path, block_size=17, resume=True)
    assert (tmp_path / "a.egm.part").read_bytes() == part
    assert archive.pack(images, raw, path, block_size=16, resume=True).images_resumed == 128


@pytest.mark.usefixtures("small_batches")
def test_without_resume_an_interrupted_pack_begins_afresh(tmp_path: Path, raw: Raw, images: ImageSet) -> None:
    interrupt(tmp_path / "a.egm", draw(150, seed=1), 128, raw)
    assert archive.pack(images, raw, tmp_path / "a.egm", block_size=16).images_resumed == 0
    assert load(tmp_path / "a.egm").fingerprint() == images.fingerprint()


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from drawing import draw
from engram import archive
from engram.archive import writer
from engram.codecs.raw import Raw

writer.BATCH_BYTES = 2 * 16 * 12

class Dying(Raw):
    encoded = 0
    def encode(self, block):
        Dying.encoded += 1
        if Dying.encoded > 7:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode(block)

archive.pack(draw(150), Dying((4, 3, 1)), sys.argv[1], block_size=16)
"""


@pytest.mark.usefixtures("small_batches")
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
    writing.BATCH_BYTES = 2 * 16 * 12
    try:
        archive.pack(draw(150), Raw((4, 3, 1)), path, block_size=16)
    except PackInterrupted as error:
        print(error, file=sys.stderr)
        os._exit(error.exit_code)


@pytest.mark.usefixtures("small_batches")
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


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("embed_model", [True, False])
def test_an_interrupted_pack_says_what_it_packed_with(
    tmp_path: Path, images: ImageSet, lossy: Codec, embed_model: bool
) -> None:
    """Where it can encode with it; a frozen network's decoder cannot."""
    from engram.archive import shipped

    path, grays = tmp_path / "a.egm", ImageSet(np.repeat(np.repeat(images.images, 3, 1), 3, 2))
    codec = shipped.load("generic-gray", grays.image_shape)
    for learned, whole in ((codec, grays), (lossy, images)):
        with pytest.raises(Killed):
            archive.pack(killed_after(100, whole), learned, path, block_size=16, embed_model=embed_model)
        begun = interrupted(path)
        if learned is lossy:
            assert begun is None
            continue
        assert begun is not None
        assert [each.model for coder in begun[0] for each in coder.codecs] == [codec.model]
        assert begun[1] == embed_model
        done = archive.pack(grays, begun[0][0], path, block_size=16, embed_model=embed_model, resume=True)
        assert done.images_resumed > 0
        path.unlink()
    for name in ("a.egm.part", "a.egm.part.blocks"):
        place = tmp_path / name
        data = place.read_bytes()
        for size in (0, 3, 40, 100):
            place.write_bytes(data[:size])
            assert interrupted(path) is None
    assert interrupted(tmp_path / "none.egm") is None
