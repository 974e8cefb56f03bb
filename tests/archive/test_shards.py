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
from drawing import bare, content, draw, flip_block, load, more, pack_pictures, picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import serving

from engram import archive
from engram.archive import shipped
from engram.archive.errors import ArchiveChanged, CorruptBlock
from engram.archive.sharding import ShardMismatch, shard
from engram.archive.shards import CorruptManifest, MissingShard
from engram.codecs.contract import Codec
from engram.codecs.raw import Raw
from engram.errors import UsageError
from engram.files import OutputExists
from engram.images import ImageSet
from engram.kinds import KINDS
from engram.storage import transport

reuse_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


@pytest.fixture
def cut(packed: Path, tmp_path: Path) -> Path:
    """150 images in blocks of 16 in shards of 48: three of three blocks, one of 6 images."""
    shard([packed], tmp_path / "set", images=40)
    return tmp_path / "set"


def test_a_set_holds_what_the_archive_held(cut: Path, packed: Path, images: ImageSet) -> None:
    assert sorted(path.name for path in cut.iterdir()) == [f"{k:05}.egm" for k in range(4)] + ["shards.json"]
    with archive.open(cut) as opened:
        assert len(opened) == 150
        assert opened.image_shape == (4, 3, 1)
        assert np.array_equal(opened[:], images.images)
        assert np.array_equal(np.array(list(opened)), images.images)
        assert opened.labels is not None
        assert images.labels is not None
        assert opened.labels.tolist() == images.labels.tolist()
        assert opened.class_names == images.class_names
        assert opened.paths == images.paths
        assert np.array_equal(opened["0120.png"], images.images[120])
        assert opened.info.images == 150
        assert opened.info.archive_bytes == sum(path.stat().st_size for path in cut.glob("*.egm"))
        assert (opened.info.files, opened.info.blocks) == (4, 10)
        assert repr(opened) == f"<Archive {cut}/shards.json: 150 gray images 4 x 3, raw>"
    assert archive.verify(cut).ok
    assert load(cut).fingerprint() == images.fingerprint()


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
    sets, paths = [bare(draw(count, seed=count)) for count in counts], []
    for number, images in enumerate(sets):
        paths.append(tmp_path / f"{number}.egm")
        archive.pack(images, raw, paths[-1], block_size=16)
    shard(paths, tmp_path / "set", images=16)
    expected = np.concatenate([images.images for images in sets])
    for place in (tmp_path / "set", tmp_path / "[0-9].egm"):
        with archive.open(place) as opened:
            assert np.array_equal(opened[:], expected)
            assert [row for rows, _ in opened.batches() for row in rows] == list(range(len(expected)))


def test_the_model_lies_there_once(tmp_path: Path, lossy: Codec) -> None:
    archive.pack(bare(draw(100)), lossy, tmp_path / "a.egm")
    archive.pack(bare(draw(100)), lossy, tmp_path / "b.egm", embed_model=False)
    shard([tmp_path / "a.egm", tmp_path / "b.egm"], tmp_path / "set", images=64, model=lossy.model)
    assert (tmp_path / "set" / "model").read_bytes() == lossy.model
    assert archive.info(tmp_path / "set").bytes_by_part["models"] == 0
    expected = load(tmp_path / "a.egm").images
    with archive.open(tmp_path / "set") as opened:
        assert np.array_equal(opened[:], np.concatenate([expected, expected]))


def test_several_models_lie_in_the_first_shard(tmp_path: Path) -> None:
    codecs = (shipped.load("generic-rgb", (6, 5, 3)), shipped.load("generic-gray", (6, 5, 1)))
    images = ImageSet(np.stack([picture(6, 5, "rgba", seed) for seed in range(9)]))
    archive.pack(images, archive.Coder(KINDS["rgba"], codecs), tmp_path / "a.egm", block_size=4)
    shard([tmp_path / "a.egm"], tmp_path / "set", images=4)
    with archive.open(tmp_path / "set") as opened:
        assert [[model.embedded for model in each.directory.models] for each in opened.sources] == [
            [True, True],
            [False, False],
            [False, False],
        ]
        assert np.array_equal(opened[:], images.images)
    assert archive.verify(tmp_path / "set").ok


def test_columns_are_cut(rich: Path, tmp_path: Path) -> None:
    shard([rich], tmp_path / "set", images=32)
    assert content(tmp_path / "set") == content(rich)


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
        assert server.taken() == 2  # both ends of the image's shard
        assert np.array_equal(opened[:], images.images)
        assert "hush" not in repr(opened)
        with pickle.loads(pickle.dumps(opened)) as again:
            assert np.array_equal(again[7], images.images[7])
        del server.files["set/00001.egm"]
        with (
            archive.open(server.url("set/")) as less,
            pytest.raises(transport.NothingThere, match=r"^http://.*00001\.egm: there is no such file"),
        ):
            less[50]


def test_damage_is_named_by_its_shard(cut: Path, images: ImageSet, tmp_path: Path) -> None:
    flip_block(cut / "00001.egm", 1)
    with archive.open(cut) as opened:
        with pytest.raises(CorruptBlock, match=r"00001\.egm: block 4 \(images 64 to 79\)"):
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
            ArchiveChanged, match=r"00002\.egm is not the archive that .*shards\.json names; it was written anew"
        ):
            opened[100]


def test_shards_that_changed_places(tmp_path: Path, raw: Raw) -> None:
    noise = ImageSet(np.random.default_rng(0).integers(0, 256, (128, 4, 3, 1), np.uint8))
    archive.pack(noise, raw, tmp_path / "a.egm")
    shard([tmp_path / "a.egm"], tmp_path / "set", images=64)
    (tmp_path / "set" / "00000.egm").replace(tmp_path / "set" / "00001.egm")
    (tmp_path / "set" / "00000.egm").write_bytes((tmp_path / "set" / "00001.egm").read_bytes())
    with archive.open(tmp_path / "set") as opened, pytest.raises(ArchiveChanged, match=r"00001\.egm is not the ar"):
        opened[100]


def test_only_a_shard_set_is_replaced(cut: Path, packed: Path) -> None:
    shard([packed], cut, images=1000, force=True)
    assert sorted(path.name for path in cut.iterdir()) == ["00000.egm", "shards.json"]
    (cut / "shards.json").unlink()
    with pytest.raises(OutputExists):
        shard([packed], cut, force=True)


def test_shards_have_one_code(cut: Path, tmp_path: Path, lossy: Codec) -> None:
    archive.pack(more(48, 1), lossy, tmp_path / "b.egm", block_size=16)
    archive.pack(more(48, 1), Raw((4, 3, 1)), tmp_path / "c.egm", block_size=17)
    for other in ("b.egm", "c.egm"):
        with pytest.raises(
            ShardMismatch, match=r"has another codec, model, image shape or block size than .*00000\.egm$"
        ):
            shard([cut / "00000.egm", tmp_path / other], tmp_path / "other")
    pack_pictures([picture(3, 2), picture(2, 3)], tmp_path / "d.egm")
    with pytest.raises(UsageError, match=r"d\.egm has pictures of many sizes, or lost some by `rm`"):
        shard([tmp_path / "d.egm"], tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_archives_of_any_sizes_are_read_as_one(tmp_path: Path, packed: Path) -> None:
    other = [picture(3, 200, "rgba"), picture(9, 9)]
    pack_pictures(other, tmp_path / "b.egm")
    with archive.open(tmp_path / "*.egm") as opened:
        assert len(opened) == 152
        assert np.array_equal(opened[149], draw(150).images[149])
        assert all(map(np.array_equal, opened[150:], other))
        assert opened.table["label"][148:].tolist()[2:] == [None, None]
        assert [rows.tolist() for rows, _ in opened.batches()] == [list(range(150)), [150, 151]]


def test_a_set_that_was_written_anew(cut: Path, packed: Path) -> None:
    with archive.open(cut) as opened:
        text = pickle.dumps(opened)
    for path in cut.iterdir():
        path.unlink()
    cut.rmdir()
    shard([packed], cut, images=16)
    with pytest.raises(ArchiveChanged, match=r"shards\.json is not the archive that was pickled"):
        pickle.loads(text)


def change(key: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda found: found.update({key: value})


@pytest.mark.parametrize(
    "spoil",
    [
        change("engram_shards", 1),
        change("engram_shards", 3),
        change("shards", []),
        change("shards", [{"name": "a.egm"}]),
        change("model", "../model"),
        change("model", 7),
        lambda found: found.pop("model"),
        lambda found: found["shards"][0].update(name="../00000.egm"),
        lambda found: found["shards"][0].update(bytes=-1),
        lambda found: found["shards"][0].update(crc32=1 << 32),
        lambda found: found["shards"][1].update(name="00000.egm"),
        lambda found: found["shards"][0]["directory"].update(rows=-1),
        lambda found: found["shards"][0]["directory"]["groups"][0].update(cells=1 << 40),
        lambda found: found["shards"][0]["directory"].update(before=[{"stop": 99, "rows": 0, "crc32": 0}]),
        lambda found: found["shards"][0]["directory"]["groups"][0].update(block_size=0),
        lambda found: found["shards"][0]["directory"].update(needs=["more"]),
    ],
)
def test_a_damaged_manifest(cut: Path, spoil: Callable[[dict[str, Any]], Any]) -> None:
    found = json.loads((cut / "shards.json").read_text())
    spoil(found)
    (cut / "shards.json").write_text(json.dumps(found))
    with pytest.raises(archive.CorruptArchive, match=r"shards\.json"):
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
    with pytest.raises(CorruptManifest, match=r"x\.json is not the manifest of a shard set"):
        archive.open(tmp_path / "x.json")


def test_a_closed_set_says_so(cut: Path) -> None:
    opened = archive.open(cut)
    opened.close()
    with pytest.raises(UsageError, match="was closed; read it within"):
        opened[0]
