"""Packing by an engine: the bytes of one process, from parts that say what they were made by."""

from __future__ import annotations

import errno
import os
import pickle
import shutil
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from drawing import draw, flip
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engram import archive
from engram.archive import Packed, layout, packing, ranges
from engram.archive import writer as writing
from engram.archive.errors import ArchiveBusy, ArchiveExists, PackInterrupted, ResumeMismatch
from engram.archive.interrupted import interrupted
from engram.archive.packing import in_process, pack_by
from engram.archive.ranges import Coded, DamagedPart, ForeignPart, NotShared, OtherData, Plan, RangeEncoder
from engram.archive.sharding import shard
from engram.codecs.contract import Codec
from engram.codecs.raw import Raw
from engram.datasets import arrays, folders, source
from engram.datasets.names import UnsafeName
from engram.files import CannotWrite, OutputExists
from engram.images import ImageSet, Splits

reuse_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)


class Killed(BaseException):
    """Stands for whatever ends a pack in the middle."""


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups of two blocks of 16 images of 12 bytes."""
    monkeypatch.setattr(writing, "GROUP_BYTES", 2 * 16 * 12)


@pytest.fixture
def data(tmp_path: Path, images: ImageSet) -> str:
    arrays.save(tmp_path / "data.npz", images)
    return str(tmp_path / "data.npz")


@pytest.fixture
def whole(tmp_path: Path, images: ImageSet, raw: Raw) -> bytes:
    archive.pack(images, raw, tmp_path / "whole.egm", block_size=16)
    return (tmp_path / "whole.egm").read_bytes()


def backwards(work: RangeEncoder, wanted: Sequence[range]) -> Generator[range, None, None]:
    """Last range first, each sent to a process and back, and done twice, as when a lost node comes back."""
    for rows in reversed(wanted):
        for _ in range(2):
            pickle.loads(pickle.dumps(work))(rows)
        yield rows


def killed_after(count: int) -> packing.Engine:
    def engine(work: RangeEncoder, wanted: Sequence[range]) -> Generator[range, None, None]:
        yield from in_process(work, wanted[:count])
        raise Killed

    return engine


def packed_by(engine: packing.Engine, data: str, codec: Codec, path: Path, **options: Any) -> Packed:
    return pack_by(engine, data, source.stream(data), codec, path, **options)


def interrupt(count: int, data: str, codec: Codec, path: Path) -> None:
    with pytest.raises(Killed):
        packed_by(killed_after(count), data, codec, path, block_size=16)


@reuse_folder
@given(count=st.integers(0, 150), block_size=st.integers(1, 40), shard_images=st.integers(1, 160))
def test_any_engine_gives_the_bytes_of_one_process(
    tmp_path: Path, raw: Raw, images: ImageSet, count: int, block_size: int, shard_images: int
) -> None:
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    one, cut, other = tmp_path / "one.egm", tmp_path / "cut", tmp_path / "other"
    arrays.save(tmp_path / "a.npz", images[:count])
    archive.pack(images[:count], raw, one, block_size=block_size)
    packed = packed_by(backwards, str(tmp_path / "a.npz"), raw, other, block_size=block_size)
    assert (packed.breakdown.images, packed.images_resumed) == (count, 0)
    assert other.read_bytes() == one.read_bytes()
    other.unlink()
    if count > shard_images:
        shard([one], cut, images=shard_images)
    packed_by(in_process, str(tmp_path / "a.npz"), raw, other, block_size=block_size, shard_images=shard_images)
    if count > shard_images:
        assert {path.name: path.read_bytes() for path in other.iterdir()} == {
            path.name: path.read_bytes() for path in cut.iterdir()
        }
    else:
        assert other.read_bytes() == one.read_bytes()
    assert not {path.name for path in tmp_path.iterdir()} - {"one.egm", "a.npz", "cut", "other"}


def test_divided_data_with_a_model(tmp_path: Path, lossy: Codec) -> None:
    images = draw(150)
    folders.save(Splits(images[:70], images[70:]), tmp_path / "set", "png")
    data, streams = str(tmp_path / "set"), list(source.stream(tmp_path / "set"))
    archive.pack(streams, lossy, tmp_path / "a.egm", block_size=16)
    packed_by(backwards, data, lossy, tmp_path / "b.egm", block_size=16)
    assert (tmp_path / "b.egm").read_bytes() == (tmp_path / "a.egm").read_bytes()
    archive.shard([tmp_path / "a.egm"], tmp_path / "cut", images=32)
    packed_by(backwards, data, lossy, tmp_path / "c", block_size=16, shard_images=32)
    assert [path.read_bytes() for path in sorted((tmp_path / "c").iterdir())] == [
        path.read_bytes() for path in sorted((tmp_path / "cut").iterdir())
    ]


def test_a_model_that_is_left_out(tmp_path: Path, data: str, images: ImageSet, lossy: Codec) -> None:
    one, other = tmp_path / "a.egm", tmp_path / "b.egm"
    archive.pack(images, lossy, one, embed_model=False, model_path=tmp_path / "a.model")
    packed_by(in_process, data, lossy, other, embed_model=False, model_path=tmp_path / "b.model")
    assert other.read_bytes() == one.read_bytes()
    assert (tmp_path / "b.model").read_bytes() == lossy.model
    archive.shard([one], tmp_path / "cut", images=64, model=lossy.model)
    packed_by(in_process, data, lossy, tmp_path / "set", embed_model=False, shard_images=64)
    assert [path.read_bytes() for path in sorted((tmp_path / "set").iterdir())] == [
        path.read_bytes() for path in sorted((tmp_path / "cut").iterdir())
    ]


@pytest.mark.parametrize("as_set", [False, True])
@pytest.mark.parametrize("count", [0, 1, 3, 5])
def test_resume_encodes_what_is_missing(
    tmp_path: Path, data: str, raw: Raw, whole: bytes, count: int, as_set: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, encoded = tmp_path / "a.egm", list[int]()
    interrupt(count, data, raw, path)
    assert not path.exists()
    assert len(list(tmp_path.glob("a.egm.parts/*-*"))) == count
    assert (tmp_path / "a.egm.parts").exists() == (count > 0)
    begun = interrupted(path)
    assert (begun is not None and begun[0].id) == (count > 0 and "raw")
    encode = Raw.encode
    monkeypatch.setattr(Raw, "encode", lambda self, block: (encoded.append(len(block)), encode(self, block))[1])
    told: list[tuple[int, int]] = []
    packed = packed_by(
        in_process,
        data,
        raw,
        path,
        block_size=16,
        resume=True,
        shard_images=100 if as_set else None,
        progress=lambda done, total: told.append((done, total)),
    )
    assert packed.images_resumed == min(150, 32 * count)
    assert sum(encoded) == 150 - packed.images_resumed
    assert told == [(done, 150) for done in (32, 64, 96, 128, 150)]
    if as_set:
        shard([tmp_path / "whole.egm"], tmp_path / "cut", images=100)
        assert (path / "00000.egm").read_bytes() == (tmp_path / "cut" / "00000.egm").read_bytes()
    else:
        assert path.read_bytes() == whole
    assert not {"a.egm.parts", "a.egm.part", "a.egm.part.blocks"} & set(os.listdir(tmp_path))


def test_without_resume_a_pack_begins_afresh(tmp_path: Path, data: str, raw: Raw, whole: bytes) -> None:
    interrupt(3, data, raw, tmp_path / "a.egm")
    flip(next(tmp_path.glob("a.egm.parts/*-*")), -9)
    assert packed_by(in_process, data, raw, tmp_path / "a.egm", block_size=16).images_resumed == 0
    assert (tmp_path / "a.egm").read_bytes() == whole


def test_one_engine_goes_on_where_another_was_interrupted(
    tmp_path: Path, data: str, raw: Raw, images: ImageSet, whole: bytes
) -> None:
    def some() -> Iterator[ImageSet]:
        yield images[:100]
        raise Killed

    path = tmp_path / "a.egm"
    with pytest.raises(Killed):
        archive.pack(some(), raw, path, block_size=16)
    packed_by(in_process, data, raw, path, block_size=16, resume=True)
    assert path.read_bytes() == whole


def test_a_part_of_another_version_or_model(
    tmp_path: Path, data: str, raw: Raw, lossy: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.egm"
    interrupt(3, data, raw, path)
    before = {each.name: each.read_bytes() for each in (tmp_path / "a.egm.parts").iterdir()}
    with monkeypatch.context() as patched:
        patched.setattr(packing, "version", lambda name: "9.9")
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
    with pytest.raises(ForeignPart, match=rf"{name} was made with codec 'frozen', not 'raw'"):
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

    with pytest.raises(OtherData, match=r"data\.npz has 149 images of \[\(4, 3, 1\)\] here, and 150 of \(4, 3, 1\)"):
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
        patched.setattr(os, "write", lambda file, some: full_of(5) or write(file, some))
        with pytest.raises(PackInterrupted, match=r"a\.egm could not be written \(No space left on device\)"):
            packed_by(in_process, data, raw, path, block_size=16, resume=True)
    assert packed_by(in_process, data, raw, path, block_size=16, resume=True).images_resumed == 150
    assert path.read_bytes() == whole


def test_what_is_wrong_is_said_before_the_work(tmp_path: Path, raw: Raw) -> None:
    def never(work: RangeEncoder, wanted: Sequence[range]) -> Generator[range, None, None]:
        raise AssertionError
        yield range(0)

    twice = ImageSet(draw(2).images, names=("x.png", "x.png"))
    arrays.save(tmp_path / "twice.npz", twice)
    with pytest.raises(UnsafeName, match=r"two images of one class are called 'x\.png'"):
        packed_by(never, str(tmp_path / "twice.npz"), raw, tmp_path / "a.egm")
    arrays.save(tmp_path / "data.npz", draw(3))
    (tmp_path / "a.egm.parts").mkdir()
    (tmp_path / "a.egm.parts" / "diary.txt").touch()
    with pytest.raises(
        OutputExists, match=r"a\.egm\.parts is needed for the parts of the archive, and holds diary\.txt"
    ):
        packed_by(never, str(tmp_path / "data.npz"), raw, tmp_path / "a.egm")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.egm.parts", "data.npz", "diary.txt", "twice.npz"]


@given(sizes=st.lists(st.integers(0, 50), min_size=1, max_size=5), at=st.integers(0), change=st.integers(1, 255))
def test_a_part_is_read_as_it_was_written_or_not_at_all(sizes: list[int], at: int, change: int) -> None:
    rows = range(32, 32 + 16 * len(sizes) - 3)
    plan = Plan("data", 1000, layout.Header.of("raw", Raw((4, 3, 1)).config(), b"", 16, False), Path("x"), "1.0")
    coded = Coded([bytes([size]) * size for size in sizes], list(range(len(sizes))))
    data = bytearray(ranges.emit(plan, rows, coded))
    assert ranges.parse(plan, rows, bytes(data)) == coded
    data[at % len(data)] ^= change
    for spoiled in (bytes(data), bytes(data[: at % len(data)])):
        with pytest.raises(DamagedPart):
            ranges.parse(plan, rows, spoiled)


def test_data_by_a_path_that_others_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("wardrobe", "set/train", "set/test"):
        (tmp_path / name).mkdir(parents=True)
    assert source.absolute("wardrobe:test") == "wardrobe:test"
    assert source.absolute("fashion-mnist") == "fashion-mnist"
    assert source.absolute("set:test") == f"{tmp_path}/set:test"
    assert source.absolute(Path("set")) == f"{tmp_path}/set"
    assert source.absolute("https://host/a.egm") == "https://host/a.egm"
