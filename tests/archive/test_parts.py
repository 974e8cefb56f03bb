"""Parts of an archive that is packed by an engine: what they were made by is asked before they are believed."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest
from drawing import draw, flip
from driving import interrupt, packed_by
from hypothesis import given
from hypothesis import strategies as st

from engram import archive
from engram.archive import engines, ranges
from engram.archive import writer as writing
from engram.archive.engines import in_process
from engram.archive.errors import ArchiveBusy, ArchiveExists, PackInterrupted, ResumeMismatch
from engram.archive.ranges import Coded, DamagedPart, ForeignPart, NotShared, OtherData, Plan, RangeEncoder
from engram.codecs.contract import Codec
from engram.codecs.raw import Raw
from engram.datasets import arrays
from engram.datasets.source import Reading
from engram.files import CannotWrite

pytestmark = pytest.mark.usefixtures("small_batches")


def test_a_part_of_another_version_or_model(
    tmp_path: Path, data: str, raw: Raw, lossy: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.egm"
    interrupt(3, data, raw, path)
    before = {each.name: each.read_bytes() for each in (tmp_path / "a.egm.parts").iterdir()}
    with monkeypatch.context() as patched:
        patched.setattr(engines, "__version__", "9.9")
        with pytest.raises(ForeignPart, match=r"0032 was made with engram '.*', not '9\.9'; pack as it was"):
            packed_by(in_process, data, raw, path, block_size=16, resume=True)
    for codec, block_size in ((lossy, 16), (raw, 17)):
        with pytest.raises(ResumeMismatch, match=r"a\.egm\.parts was begun with another codec, model or block size"):
            packed_by(in_process, data, codec, path, block_size=block_size, resume=True)
    assert before == {each.name: each.read_bytes() for each in (tmp_path / "a.egm.parts").iterdir()}
    other = tmp_path / "b.egm"
    interrupt(1, data, lossy, other)
    name = f"{0:012}-{32:012}"
    shutil.copy(tmp_path / "b.egm.parts" / name, tmp_path / "a.egm.parts" / name)
    with pytest.raises(ForeignPart, match=rf"{name} was made with another codec or setting"):
        packed_by(in_process, data, raw, path, block_size=16, resume=True)


def test_other_images_of_the_same_name(tmp_path: Path, data: str, raw: Raw) -> None:
    interrupt(3, data, raw, tmp_path / "a.egm")
    arrays.save(tmp_path / "data.npz", draw(150, seed=1))
    with pytest.raises(ResumeMismatch, match=r"-000000000032 was made from other images; give the same images"):
        packed_by(in_process, data, raw, tmp_path / "a.egm", block_size=16, resume=True)


@pytest.mark.parametrize("offset", [0, 30, -1])
def test_a_damaged_part_is_made_again(tmp_path: Path, data: str, raw: Raw, whole: bytes, offset: int) -> None:
    def damaging(work: RangeEncoder, wanted: Sequence[range]) -> Generator[range, None, None]:
        yield from in_process(work, wanted)
        flip(work.plan.path(wanted[2]), offset)

    path = tmp_path / "a.egm"
    with pytest.raises(DamagedPart, match=r"64-000000000096 is damaged; go on with --resume, which makes it again"):
        packed_by(damaging, data, raw, path, block_size=16)
    assert packed_by(in_process, data, raw, path, block_size=16, resume=True).images_resumed == 150
    assert path.read_bytes() == whole


def test_folders_that_are_not_the_same_for_all(tmp_path: Path, data: str, raw: Raw) -> None:
    def elsewhere(work: RangeEncoder, wanted: Sequence[range]) -> Generator[range, None, None]:
        yield from in_process(work, wanted)
        work.plan.path(wanted[1]).unlink()

    def nowhere(work: RangeEncoder, wanted: Sequence[range]) -> Generator[range, None, None]:
        shutil.rmtree(work.plan.folder)
        work.plan.folder.touch()
        try:
            yield from in_process(work, wanted)
        finally:
            work.plan.folder.unlink()
            work.plan.folder.mkdir()

    with pytest.raises(NotShared, match=r"000032-000000000064 was written and is not here; pack to a folder that is"):
        packed_by(elsewhere, data, raw, tmp_path / "a.egm", block_size=16)
    with pytest.raises(NotShared, match=r"b\.egm\.parts is not there; pack to a folder that is the same for all"):
        packed_by(nowhere, data, raw, tmp_path / "b.egm", block_size=16)


def test_data_that_is_another_elsewhere(tmp_path: Path, data: str, raw: Raw) -> None:
    def other(work: RangeEncoder, wanted: Sequence[range]) -> Generator[range, None, None]:
        arrays.save(tmp_path / "data.npz", draw(149))
        yield from in_process(work, wanted)

    with pytest.raises(OtherData, match=r"data\.npz has 149 images of \(4, 3, 1\) here, and 150 of \(4, 3, 1\)"):
        packed_by(other, data, raw, tmp_path / "a.egm")
    assert sorted(os.listdir(tmp_path)) == ["data.npz"]


def test_two_packs_of_one_archive(tmp_path: Path, data: str, raw: Raw, whole: bytes) -> None:
    def meanwhile(work: RangeEncoder, wanted: Sequence[range]) -> Generator[range, None, None]:
        for shard_images in (None, 64):
            with pytest.raises(ArchiveBusy, match=r"a\.egm\.part is being written by another process"):
                packed_by(in_process, data, raw, tmp_path / "a.egm", shard_images=shard_images)
        with pytest.raises(ArchiveBusy):
            archive.pack(draw(150), raw, tmp_path / "a.egm")
        yield from in_process(work, wanted)

    packed_by(meanwhile, data, raw, tmp_path / "a.egm", block_size=16)
    assert (tmp_path / "a.egm").read_bytes() == whole
    with pytest.raises(ArchiveExists):
        packed_by(in_process, data, raw, tmp_path / "a.egm")


def test_a_full_disk(tmp_path: Path, data: str, raw: Raw, whole: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_of(parts: int) -> None:
        if len(list(tmp_path.glob("a.egm.parts/*-*"))) >= parts:  # the one under way among them
            raise OSError(errno.ENOSPC, "No space left on device")

    path, write = tmp_path / "a.egm", os.write

    def written(file: int, some: bytes) -> int:
        full_of(5)
        return write(file, some)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda file: full_of(3))
        with pytest.raises(CannotWrite, match=r"64-000000000096: could not be written \(No space left on device\)"):
            packed_by(in_process, data, raw, path, block_size=16)
    assert sorted(os.listdir(tmp_path / "a.egm.parts")) == [f"{0:012}-{32:012}", f"{32:012}-{64:012}", "begun"]
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda file: full_of(3))
        with pytest.raises(CannotWrite, match="could not be written"):
            packed_by(in_process, data, raw, path, block_size=16, resume=True)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", written)
        with pytest.raises(PackInterrupted, match=r"a\.egm could not be written \(No space left on device\)"):
            packed_by(in_process, data, raw, path, block_size=16, resume=True)
    assert packed_by(in_process, data, raw, path, block_size=16, resume=True).images_resumed == 150
    assert path.read_bytes() == whole


@given(sizes=st.lists(st.integers(0, 50), min_size=1, max_size=5), at=st.integers(0), change=st.integers(1, 255))
def test_a_part_is_read_as_it_was_written_or_not_at_all(sizes: list[int], at: int, change: int) -> None:
    rows = range(32, 32 + 16 * len(sizes) - 3)
    setup = writing.Plan([Raw((4, 3, 1))], 16, False).as_json()
    plan = Plan("data", Reading(), 1000, setup, (4, 3, 1), 16, Path("x"), "1.0")
    coded = Coded([bytes([size]) * size for size in sizes], list(range(len(sizes))))
    data = bytearray(ranges.emit(plan, rows, coded))
    assert ranges.parse(plan, rows, bytes(data)) == coded
    data[at % len(data)] ^= change
    for spoiled in (bytes(data), bytes(data[: at % len(data)])):
        with pytest.raises(DamagedPart):
            ranges.parse(plan, rows, spoiled)
