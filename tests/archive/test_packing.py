"""Packing by an engine: the bytes of one process, from parts that say what they were made by."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawing import coder_of, draw, flip, picture
from driving import Killed, backwards, interrupt, packed_by
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engram import archive
from engram.archive.engines import in_process
from engram.archive.interrupted import interrupted
from engram.archive.ranges import RangeEncoder
from engram.archive.sharding import shard
from engram.codecs.contract import Codec
from engram.codecs.raw import Raw
from engram.datasets import arrays, folders, source
from engram.datasets.names import UnsafeName
from engram.files import OutputExists
from engram.images import ImageSet, Pixels

pytestmark = pytest.mark.usefixtures("small_batches")
reuse_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8)


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
    assert (packed.info.images, packed.images_resumed) == (count, 0)
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


def test_divided_data_with_a_model_and_a_kept_file(tmp_path: Path, lossy: Codec) -> None:
    images = replace(draw(150), columns={"split": ["train"] * 70 + ["test"] * 80})
    folders.save(images, tmp_path / "set", "png")
    rows = [f"{path.relative_to(tmp_path / 'set')},7\n" for path in (tmp_path / "set").rglob("*.png")]
    (tmp_path / "set" / "metadata.csv").write_text("".join(["file_name,age\n", *rows]))
    data = source.collection(str(tmp_path / "set"))
    coder = archive.Coder.of(lossy)
    archive.pack_collection(data, data.groups(), [coder], tmp_path / "a.egm", block_size=16)
    with archive.open(tmp_path / "a.egm") as opened:
        assert {"path", "split", "label", "age"} == set(opened.table)
        assert opened.sources[0].directory.files == ("metadata.csv",)
    packed_by(backwards, str(tmp_path / "set"), lossy, tmp_path / "b.egm", block_size=16)
    assert (tmp_path / "b.egm").read_bytes() == (tmp_path / "a.egm").read_bytes()
    archive.shard([tmp_path / "a.egm"], tmp_path / "cut", images=32)
    packed_by(backwards, str(tmp_path / "set"), lossy, tmp_path / "c", block_size=16, shard_images=32)
    assert [path.read_bytes() for path in sorted((tmp_path / "c").iterdir())] == [
        path.read_bytes() for path in sorted((tmp_path / "cut").iterdir())
    ]


@pytest.mark.parametrize("kind", ["rgba", "gray16"])
def test_every_kind(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A range is what the writer encodes in one go, of kinds of several bytes too."""
    np.save(tmp_path / "data.npy", np.stack([picture(4, 3, kind, seed) for seed in range(70)]))
    data, coder, calls = source.collection(str(tmp_path / "data.npy")), coder_of((4, 3), kind), list[list[int]]()
    encode = Raw.encode_many

    def noted(self: Raw, blocks: Sequence[Pixels]) -> list[bytes]:
        calls.append([len(block) for block in blocks])
        return encode(self, blocks)

    monkeypatch.setattr(Raw, "encode_many", noted)
    archive.pack_collection(data, data.groups(), [coder], tmp_path / "a.egm", block_size=4)
    expected, calls[:] = list(calls), []
    packed_by(in_process, str(tmp_path / "data.npy"), coder, tmp_path / "b.egm", block_size=4)
    assert (tmp_path / "b.egm").read_bytes() == (tmp_path / "a.egm").read_bytes()
    assert calls == expected


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
    assert (begun is not None and begun[0][0].codecs[0].id) == (count > 0 and "raw")
    encode = Raw.encode

    def noted(self: Raw, block: Pixels) -> bytes:
        encoded.append(len(block))
        return encode(self, block)

    monkeypatch.setattr(Raw, "encode", noted)
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


def test_what_is_wrong_is_said_before_the_work(tmp_path: Path, raw: Raw) -> None:
    def never(work: RangeEncoder, wanted: Sequence[range]) -> Generator[range, None, None]:
        assert not wanted, "the work has begun"
        yield from wanted

    twice = ImageSet(draw(2).images, paths=("x.png", "x.png"))
    arrays.save(tmp_path / "twice.npz", twice)
    with pytest.raises(UnsafeName, match=r"two images are called 'x\.png'"):
        packed_by(never, str(tmp_path / "twice.npz"), raw, tmp_path / "a.egm")
    arrays.save(tmp_path / "data.npz", draw(3))
    (tmp_path / "a.egm.parts").mkdir()
    (tmp_path / "a.egm.parts" / "diary.txt").touch()
    with pytest.raises(
        OutputExists, match=r"a\.egm\.parts is needed for the parts of the archive, and holds diary\.txt"
    ):
        packed_by(never, str(tmp_path / "data.npz"), raw, tmp_path / "a.egm")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.egm.parts", "data.npz", "diary.txt", "twice.npz"]


def test_data_by_a_path_that_others_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("wardrobe", "set/train", "set/test"):
        (tmp_path / name).mkdir(parents=True)
    assert source.absolute("wardrobe:test") == "wardrobe:test"
    assert source.absolute("fashion-mnist") == "fashion-mnist"
    assert source.absolute("set:test") == f"{tmp_path}/set:test"
    assert source.absolute(Path("set")) == f"{tmp_path}/set"
    assert source.absolute("https://host/a.egm") == "https://host/a.egm"
