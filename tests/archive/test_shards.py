"""Shard sets: whatever was in the archives is there, as one sequence, by folder, manifest, glob and URL."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from drawing import draw
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import serving

import engram
from engram import archive
from engram.archive.errors import ArchiveChanged, CorruptBlock
from engram.archive.manifest import CorruptManifest
from engram.archive.sharding import shard
from engram.archive.shards import MissingShard, ShardMismatch, ShardSet
from engram.codecs.contract import Codec
from engram.codecs.raw import Raw
from engram.errors import UsageError
from engram.files import OutputExists
from engram.images import ImageSet

reuse_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


@pytest.fixture
def cut(packed: Path, tmp_path: Path) -> Path:
    """150 images in blocks of 16 in shards of 48: three of three blocks, one of 6 images."""
    shard([packed], tmp_path / "set", images=40)
    return tmp_path / "set"


def test_a_set_holds_what_the_archive_held(cut: Path, packed: Path, images: ImageSet) -> None:
    assert sorted(path.name for path in cut.iterdir()) == [f"{k:05}.egm" for k in range(4)] + ["shards.json"]
    with archive.open(cut) as opened:
        assert isinstance(opened, ShardSet)
        assert len(opened) == 150
        assert opened.image_shape == (4, 3, 1)
        assert np.array_equal(opened[:], images.images)
        assert np.array_equal(np.array(list(opened)), images.images)
        assert opened.labels is not None
        assert images.labels is not None
        assert opened.labels.tolist() == images.labels.tolist()
        assert opened.class_names == images.class_names
        assert opened.names == images.names
        assert opened.info.images == 150
        assert opened.info.archive_bytes == sum(path.stat().st_size for path in cut.glob("*.egm"))
        assert repr(opened) == f"<ShardSet {cut}/shards.json: 150 images 4 x 3 x 1 in 4 shards, raw>"
    assert archive.verify(cut).ok
    found = engram.load(str(cut))
    assert isinstance(found, ImageSet)
    assert found.fingerprint() == images.fingerprint()


@pytest.mark.parametrize("name", ["", "shards.json", "*.egm"])
def test_it_is_opened_by_any_of_its_names(cut: Path, images: ImageSet, name: str) -> None:
    with archive.open(cut / name if name else cut) as opened:
        assert np.array_equal(opened[:], images.images)
        with pickle.loads(pickle.dumps(opened)) as again:
            assert np.array_equal(again[[149, 3]], images.images[[149, 3]])


@reuse_folder
@given(rows=st.lists(st.integers(-150, 149)), index=st.one_of(st.integers(-150, 149), st.slices(150)))
def test_it_is_indexed_as_an_array(cut: Path, images: ImageSet, rows: list[int], index: int | slice) -> None:
    with archive.open(cut) as opened:
        assert np.array_equal(opened[rows], images.images[np.array(rows, np.intp)])
        assert np.array_equal(opened[index], images.images[index])


@pytest.mark.parametrize("counts", [(0,), (1,), (0, 17, 0), (16, 1, 33)])
def test_archives_of_any_size(tmp_path: Path, raw: Raw, counts: tuple[int, ...]) -> None:
    sets, paths = [draw(count, seed=count) for count in counts], []
    for number, images in enumerate(sets):
        paths.append(tmp_path / f"{number}.egm")
        archive.pack(images, raw, paths[-1], block_size=16)
    shard(paths, tmp_path / "set", images=16)
    expected = np.concatenate([images.images for images in sets])
    for place in (tmp_path / "set", tmp_path / "[0-9].egm"):
        with archive.open(place) as opened:
            assert np.array_equal(opened[:], expected)
            assert [row for first, some in opened.batches() for row in range(first, first + len(some))] == list(
                range(len(expected))
            )


def test_the_model_lies_there_once(tmp_path: Path, lossy: Codec) -> None:
    archive.pack(draw(100), lossy, tmp_path / "a.egm")
    archive.pack(draw(100), lossy, tmp_path / "b.egm", embed_model=False)
    shard([tmp_path / "a.egm", tmp_path / "b.egm"], tmp_path / "set", images=64, model=lossy.model)
    assert (tmp_path / "set" / "model").read_bytes() == lossy.model
    assert archive.info(tmp_path / "set").bytes_by_part["model"] == 0
    expected = archive.load(tmp_path / "a.egm").images
    with archive.open(tmp_path / "set") as opened:
        assert np.array_equal(opened[:], np.concatenate([expected, expected]))


def test_by_url(cut: Path, images: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"set/{path.name}": path.read_bytes() for path in cut.iterdir()}
    memory = fsspec.filesystem("memory")
    for name, data in files.items():
        memory.pipe(f"/shards/{name}", data)
    for place in ("memory://shards/set/", "memory://shards/set/shards.json", "memory://shards/set/*.egm"):
        with archive.open(place) as opened:
            assert np.array_equal(opened[:], images.images)
    with serving(files) as server, archive.open(server.url("set/?token=hush")) as opened:
        assert server.taken() == 1
        assert np.array_equal(opened[100], images.images[100])
        assert server.taken() == 2 + 2  # of the first shard, which has the codec, and of the image's
        assert np.array_equal(opened[:], images.images)
        assert "hush" not in repr(opened)
        with pickle.loads(pickle.dumps(opened)) as again:
            assert np.array_equal(again[7], images.images[7])
        del server.files["set/00001.egm"]
        with (
            archive.open(server.url("set/")) as less,
            pytest.raises(MissingShard, match=r"00001\.egm is missing, which http://.*shards\.json names as a shard"),
        ):
            less[50]


def test_damage_is_named_by_its_shard(cut: Path, images: ImageSet, tmp_path: Path) -> None:
    data = bytearray((cut / "00001.egm").read_bytes())
    with archive.open(cut / "00001.egm") as opened:
        assert isinstance(opened, archive.Archive)
        data[int(opened.file.directory.block_offsets[1]) + 3] ^= 1
    (cut / "00001.egm").write_bytes(data)
    with archive.open(cut) as opened:
        with pytest.raises(CorruptBlock, match=r"00001\.egm of .*shards\.json: block 4 \(images 64 to 79\)"):
            opened[70]
        assert np.array_equal(opened[:64], images.images[:64])
    found = archive.verify(cut)
    assert [(block.first, block.stop) for block in found.damaged_blocks] == [(64, 80)]
    archive.unpack(cut, tmp_path / "left.npy", skip_damaged=True)
    assert len(np.load(tmp_path / "left.npy")) == 134


def test_a_missing_shard(cut: Path) -> None:
    (cut / "00002.egm").unlink()
    with pytest.raises(MissingShard, match=r"00002\.egm is missing, which .*shards\.json names as a shard$"):
        archive.open(cut)


def test_a_shard_that_was_written_anew(cut: Path, raw: Raw) -> None:
    archive.pack(draw(48, seed=9), raw, cut / "00002.egm", block_size=16, force=True)
    with archive.open(cut) as opened:
        opened[0]
        with pytest.raises(
            ShardMismatch, match=r"00002\.egm is not the shard that .*shards\.json names; it was written"
        ):
            opened[100]


def test_shards_that_changed_places(tmp_path: Path, raw: Raw) -> None:
    noise = ImageSet(np.random.default_rng(0).integers(0, 256, (128, 4, 3, 1), np.uint8))
    archive.pack(noise, raw, tmp_path / "a.egm")
    shard([tmp_path / "a.egm"], tmp_path / "set", images=64)
    (tmp_path / "set" / "00000.egm").replace(tmp_path / "set" / "00001.egm")
    (tmp_path / "set" / "00000.egm").write_bytes((tmp_path / "set" / "00001.egm").read_bytes())
    with archive.open(tmp_path / "set") as opened, pytest.raises(ShardMismatch, match=r"00001\.egm is not the shard"):
        opened[100]


def test_only_a_shard_set_is_replaced(cut: Path, packed: Path) -> None:
    shard([packed], cut, images=1000, force=True)
    assert sorted(path.name for path in cut.iterdir()) == ["00000.egm", "shards.json"]
    (cut / "shards.json").unlink()
    with pytest.raises(OutputExists):
        shard([packed], cut, force=True)


def test_shards_of_other_kinds(cut: Path, tmp_path: Path, lossy: Codec) -> None:
    archive.pack(draw(48), lossy, cut / "00009.egm", block_size=16)
    message = r"has another codec, model, image shape or block size than"
    with pytest.raises(ShardMismatch, match=rf"00009\.egm {message} the other shards"):
        archive.open(cut / "*.egm")
    with pytest.raises(ShardMismatch, match=message):
        shard([cut / "00000.egm", cut / "00009.egm"], tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_set_that_was_written_anew(cut: Path, packed: Path) -> None:
    with archive.open(cut) as opened:
        text = pickle.dumps(opened)
    for path in cut.iterdir():
        path.unlink()
    cut.rmdir()
    shard([packed], cut, images=16)
    with pytest.raises(ArchiveChanged, match=r"shards\.json is not the shard set that was pickled"):
        pickle.loads(text)


def change(key: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda content: content.update({key: value})


@pytest.mark.parametrize(
    "spoil",
    [
        change("engram_shards", 2),
        change("shards", []),
        change("shards", [{"name": "a.egm"}]),
        change("more", 1),
        change("model", "../model"),
        change("header", {}),
        lambda content: content["shards"][0].update(name="../00000.egm"),
        lambda content: content["shards"][0].update(images=-1),
        lambda content: content["shards"][1].update(name="00000.egm"),
        lambda content: content["header"].update(block_size=0),
    ],
)
def test_a_damaged_manifest(cut: Path, spoil: Callable[[dict[str, Any]], Any]) -> None:
    content = json.loads((cut / "shards.json").read_text())
    spoil(content)
    (cut / "shards.json").write_text(json.dumps(content))
    with pytest.raises(CorruptManifest, match=r"shards\.json"):
        archive.open(cut)


def test_what_is_no_set(tmp_path: Path, packed: Path) -> None:
    with pytest.raises(UsageError, match=r"has no shards\.json, so it is no shard set; open its archives as .*egm"):
        archive.open(tmp_path)
    with pytest.raises(UsageError, match=r"^no archive matches .*none\*\.egm$"):
        archive.open(tmp_path / "none*.egm")
    with pytest.raises(UsageError, match="at least 1 image, not 0"):
        shard([packed], tmp_path / "set", images=0)
    with pytest.raises(UsageError, match="made of at least one archive"):
        shard([], tmp_path / "set")
    (tmp_path / "set").mkdir()
    with pytest.raises(OutputExists):
        shard([packed], tmp_path / "set")
    (tmp_path / "x.json").write_bytes(b"\xff")
    with pytest.raises(CorruptManifest, match=r"x\.json is no manifest of shards, or a damaged one"):
        archive.open(tmp_path / "x.json")


def test_a_closed_set_says_so(cut: Path) -> None:
    opened = archive.open(cut)
    opened.close()
    with pytest.raises(UsageError, match="was closed; read it within"):
        opened[0]
