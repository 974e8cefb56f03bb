"""Archives that grow: the pictures of both, in order, with their columns; of any size and kind, and in shard sets."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawing import bare, collection_of, content, draw, flip_block, more, pack_pictures, picture, with_columns
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from serving import serving

from engram import archive
from engram.archive.appending import CannotAppend
from engram.archive.errors import ArchiveChanged, CorruptBlock, CorruptColumn, ModelMissing
from engram.codecs.contract import Codec, DecodeOnly
from engram.codecs.raw import Raw
from engram.datasets.names import UnsafeName
from engram.errors import UsageError
from engram.images import ImageSet
from engram.table import column_of

RAW = Raw((4, 3, 1))


@settings(max_examples=15)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=5), st.sampled_from([1, 7, 16]))
def test_it_reads_as_one_sequence(tmp_path_factory: pytest.TempPathFactory, counts: list[int], block_size: int) -> None:
    path = tmp_path_factory.mktemp("grown") / "a.egm"
    everything, ends = draw(sum(counts)), np.cumsum([0, *counts]).tolist()
    archive.pack(everything[: ends[1]], RAW, path, block_size=block_size)
    for start, stop in pairwise(ends[1:]):
        before = path.read_bytes()
        done = archive.append(everything[start:stop], path)
        assert path.read_bytes().startswith(before)
        assert (done.images, done.bytes) == (stop - start, path.stat().st_size - len(before))
        assert done.info == archive.info(path)
        assert done.info.archive_bytes == path.stat().st_size
    assert sorted(each.name for each in path.parent.iterdir()) == ["a.egm"]
    archive.pack(everything, RAW, path.with_name("b.egm"), block_size=block_size)
    assert content(path) == content(path.with_name("b.egm"))
    assert archive.verify(path).ok
    with archive.open(path) as opened:
        rows = np.random.default_rng(0).permutation(len(opened))
        assert np.array_equal(opened[rows], everything.images[rows])
        assert all(np.array_equal(opened[row], everything.images[row]) for row in range(len(opened)))
        assert [opened.row_of(path) for path in everything.paths or ()] == list(range(len(opened)))


def test_nothing_appended_changes_nothing(packed: Path) -> None:
    before = packed.read_bytes()
    done = archive.append(draw(0), packed)
    assert (done.images, done.bytes, packed.read_bytes()) == (0, 0, before)
    with pytest.raises(UsageError, match="append takes one set of images at least"):
        archive.append([], packed)


def test_an_archive_that_is_open_or_pickled_stays_as_it_was(packed: Path, images: ImageSet) -> None:
    with archive.open(packed) as opened:
        kept = pickle.dumps(opened)
        archive.append(more(50, 1), packed)
        assert np.array_equal(opened[:], images.images)
    with archive.open(packed) as grown:
        kept_grown = pickle.dumps(grown)
        archive.append(more(20, 2), packed)
        assert len(grown) == 200
    for data, count in ((kept, 150), (kept_grown, 200)):
        with pickle.loads(data) as again:
            assert len(again) == count
            assert np.array_equal(again[:150], images.images)
    for count in (150, 7, 1000):  # the same, a shorter, and a longer file than it was
        archive.pack(draw(count, seed=3), RAW, packed, force=True)
        for data in (kept, kept_grown):
            with pytest.raises(ArchiveChanged, match=r"a\.egm is not the archive that was pickled; it was written"):
                pickle.loads(data)


def test_classes_are_known_by_their_names(tmp_path: Path) -> None:
    path, pixels = tmp_path / "a.egm", draw(6).images
    archive.pack(ImageSet(pixels, np.array([0, 1, 0, 1, 1, 1]), ("ape", "bee")), RAW, path)
    done = archive.append(ImageSet(pixels, np.array([0, 1, 2, 2, 0, 0]), ("cow", "ape", "bee")), path)
    assert done.new_class_names == ("cow",)
    with archive.open(path) as opened:
        assert opened.class_names == ("ape", "bee", "cow")
        assert opened.labels is not None
        assert opened.labels.tolist() == [0, 1, 0, 1, 1, 1, 2, 0, 1, 1, 2, 2]
    assert archive.append(ImageSet(pixels[:1], np.array([0]), ("bee",)), path).new_class_names == ()
    with archive.open(path) as opened:
        assert opened.class_names == ("ape", "bee", "cow")
        labels = opened.labels_of(np.array([12, 6]))
        assert labels is not None
        assert labels.tolist() == [1, 2]
        assert opened.where(label="bee").rows.tolist() == [1, 3, 4, 5, 8, 9, 12]


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        (["a", "b"] * 75, ["c", "d"], "category"),
        (["a", "b"] * 75, ["a", None], "category"),
        ([str(row) for row in range(150)], ["x"] * 40, "text"),
        ([1] * 150, [None, None], "integer"),
        ([0.5] * 150, [1, 2], "number"),
        ([[1]] * 150, [3, "x"], "json"),
        ([[1]] * 150, ["x"] * 20, "json"),
    ],
)
def test_columns_keep_their_type(tmp_path: Path, old: list[Any], new: list[Any], kind: str) -> None:
    path = tmp_path / "a.egm"
    archive.pack(with_columns(150, t=old), RAW, path)
    archive.append(with_columns(len(new), t=new), path)
    with archive.open(path) as opened:
        column = opened.column("t")
        assert column.type == kind
        assert [column.value(row) for row in range(len(column))] == old + new
        some = opened.column("t", np.array([151, 0, 150]))
        assert [some.value(row) for row in range(3)] == [new[1], old[0], new[0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda images: ImageSet(images.images, paths=images.paths), r"^ImageSet.* has no column 'label', and .*a"),
        (bare, r"^ImageSet.* has no column 'path', and .*a\.egm has; all pictures have it, or none"),
        (
            lambda images: replace(images, columns={"age": column_of(range(20))}),
            r"a\.egm has no column 'age', and ImageSet",
        ),
    ],
)
def test_columns_that_do_not_go_with_the_others(
    packed: Path, change: Callable[[ImageSet], ImageSet], message: str
) -> None:
    before = packed.read_bytes()
    with pytest.raises(CannotAppend, match=message):
        archive.append(change(more(20, 1)), packed)
    assert packed.read_bytes() == before
    assert sorted(each.name for each in packed.parent.iterdir()) == ["a.egm"]


def test_a_column_of_another_type(tmp_path: Path) -> None:
    archive.pack(with_columns(2, age=[1, 2]), RAW, tmp_path / "a.egm")
    with pytest.raises(CannotAppend, match="column 'age' is integer there and text here; make it one type"):
        archive.append(with_columns(2, age=["1", "2"]), tmp_path / "a.egm")


def test_a_path_that_is_there_already(packed: Path, images: ImageSet) -> None:
    before = packed.read_bytes()
    with pytest.raises(UnsafeName, match=r"a\.egm has an image called '0007\.png' already; give it another name"):
        archive.append(images[7:8], packed)
    assert packed.read_bytes() == before


def test_what_cannot_grow(packed: Path, tmp_path: Path, images: ImageSet) -> None:
    with pytest.raises(UsageError, match=r"none\.egm cannot be written to: No such file"):
        archive.append(images, tmp_path / "none.egm")
    with pytest.raises(CannotAppend, match=r"append writes to a file of this machine, not to a URL"):
        archive.append(images, "https://user:secret@example.org/a.egm")


@pytest.mark.parametrize("first", ["gray", "mixed"])
def test_pictures_of_other_sizes_and_kinds(tmp_path: Path, first: str) -> None:
    path = tmp_path / "a.egm"
    old = [picture(4, 3, seed=seed) for seed in range(9)] + ([picture(2, 9, "rgb")] if first == "mixed" else [])
    pack_pictures(old, path, block_size=4)
    new = [picture(4, 3, seed=20), picture(300, 2), picture(5, 5, "rgba"), picture(2, 9, "gray16")]
    collection = collection_of(new)
    collection.table["path"].values[:] = [f"new/{row}.png" for row in range(4)]
    collection.files = {"notes.txt": b"notes"}
    done = archive.append(collection, path)
    assert (done.images, done.info.segments, done.info.images) == (4, 2, len(old) + 4)
    with archive.open(path) as opened:
        assert all(np.array_equal(found, given) for found, given in zip(opened[:], old + new, strict=True))
        assert all(np.array_equal(opened[row], given) for row, given in enumerate(old + new))
        assert np.array_equal(opened["new/1.png"], new[1])
        assert opened.sizes.tolist() == [list(given.shape[:2]) for given in old + new]
        assert [kind.name for kind in opened.kinds_of(opened.rows[-4:])] == ["gray", "gray", "rgba", "gray16"]
        assert opened.segment(1).kept_file("notes.txt") == b"notes"
    assert archive.verify(path).ok


def test_codecs_and_models(tmp_path: Path, lossy: Codec) -> None:
    """The model is added once, and serves what is appended later; where it is left out it stays out."""
    path = tmp_path / "a.egm"
    archive.pack(draw(40), RAW, path, block_size=16)
    first = archive.append(more(30, 1), path, lossy)
    second = archive.append(more(30, 2), path, lossy)
    assert first.rate_before is None
    assert second.rate_before == first.rate
    with archive.open(path) as opened:
        embedded = [[model.embedded for model in source.directory.models] for source in opened.sources]
        assert embedded == [[], [True], [False]]
        assert [[codec.id for codec in coder.codecs] for coder in opened.coders] == [["raw"], ["frozen"], ["frozen"]]
        assert opened.codec.id == "frozen"
        expected = [draw(40).images]
        expected += [lossy.decode(lossy.encode(more(30, seed).images), 30) for seed in (1, 2)]
        assert np.array_equal(opened[:], np.concatenate(expected))
        assert np.array_equal(opened[[99, 3, 41]], np.concatenate(expected)[[99, 3, 41]])
        assert opened.info.model_bytes == len(lossy.model)
    with pytest.raises(DecodeOnly, match=r"this frozen codec can only decode"):
        archive.append(more(30, 3), path)
    archive.pack(draw(40), lossy, path, embed_model=False, force=True)
    archive.append(more(30, 1), path, lossy, model=lossy.model)
    with pytest.raises(ModelMissing, match=r"a\.egm was packed without its model"):
        content(path)
    assert len(content(path, lossy.model)[0]) == 70


def test_a_codec_is_for_pictures_of_its_shape(packed: Path, lossy: Codec) -> None:
    with pytest.raises(CannotAppend, match="has pictures of many sizes or kinds, and one codec is for one of them"):
        archive.append(collection_of([picture(4, 3), picture(4, 3, "rgb")], label=["cat"] * 2), packed, lossy)
    with pytest.raises(UsageError, match=r"takes images of uint8\[n, 4, 3, 1\], not"):
        archive.append(collection_of([picture(4, 4)], label=["cat"]), packed, lossy)


def test_drift_is_told(tmp_path: Path) -> None:
    random, path = np.random.default_rng(0), tmp_path / "a.egm"

    def noise(levels: int, count: int = 300) -> ImageSet:
        return ImageSet(random.integers(0, levels, (count, 8, 8, 1), np.uint8))

    archive.pack(noise(16), Raw((8, 8, 1)), path)
    shutil.copy(path, tmp_path / "b.egm")
    alike = archive.append(noise(16), path)
    assert (alike.drift is not None and abs(alike.drift) < 0.05, alike.bytes_to_save) == (True, 0)
    few = archive.append(noise(256, 100), path)
    assert (few.drift, few.bytes_to_save) == (None, 0)
    other = archive.append(noise(256), tmp_path / "b.egm")
    assert other.rate_before is not None
    assert other.drift is not None
    assert other.drift > 0.3
    assert other.bytes_to_save == round((other.rate - other.rate_before) * 300)


def test_a_grown_archive_behind_a_url(packed: Path) -> None:
    archive.append(more(50, 1), packed)
    archive.append(more(50, 2), packed)
    with serving({"a.egm": packed.read_bytes()}) as server, archive.open(server.url("a.egm")) as opened:
        assert [image.tobytes() for image in opened] == content(packed)[0]
        assert np.array_equal(pickle.loads(pickle.dumps(opened))[170], opened[170])


def test_a_shard_set_grows_by_a_shard(packed: Path, tmp_path: Path) -> None:
    archive.shard([packed], tmp_path / "set", images=64)
    shards = {each.name: each.read_bytes() for each in (tmp_path / "set").glob("*.egm")}
    for number, place in enumerate((tmp_path / "set", tmp_path / "set" / "shards.json")):
        done = archive.append(more(20, number), place)
        assert (done.images, done.info.files) == (20, 4 + number)
        archive.append(more(20, number), packed)
    assert content(tmp_path / "set") == content(packed)
    assert all((tmp_path / "set" / name).read_bytes() == data for name, data in shards.items())
    assert archive.verify(tmp_path / "set").ok
    with pytest.raises(CannotAppend, match=r"shards\.json has; all pictures have it, or none"):
        archive.append(bare(more(5, 3)), tmp_path / "set")


def test_damage_is_named_by_the_images_of_the_whole(packed: Path) -> None:
    archive.append(more(50, 1), packed)
    flip_block(packed, 1, segment=1)
    report = archive.verify(packed)
    assert [(each.number, each.first, each.stop) for each in report.damaged_blocks] == [(11, 166, 182)]
    with archive.open(packed) as opened, pytest.raises(CorruptBlock, match=r"a\.egm: block 11 \(images 166 to 181\)"):
        opened[170]


def test_archives_that_do_not_go_together(packed: Path, tmp_path: Path) -> None:
    """Each is right, but the second lacks a class of the first."""
    archive.pack(ImageSet(draw(9).images, np.zeros(9, int), ("dog",)), RAW, tmp_path / "b.egm")
    with archive.open(str(tmp_path / "*.egm")) as opened:
        assert len(opened) == 159
        with pytest.raises(CorruptColumn, match="'label' has 'ape', which its newest segment does not know"):
            _ = opened.labels
        with pytest.raises(CorruptColumn, match="some pictures have paths, and some have none"):
            list(opened.iterate_paths() or ())


def soft(count: int, height: int) -> list[NDArray[np.uint8]]:
    """Gray slopes with noise, of which a generic model makes smaller blocks than deflate."""
    y, x = np.mgrid[:height, :40]
    noise = np.random.default_rng(0).normal(20, 2, (count, height, 40))
    return list((noise + 3 * y + 2 * x).astype(np.uint8)[..., None])


def test_a_model_is_brought_where_it_saves_more_than_it_costs(packed: Path) -> None:
    few = collection_of(soft(2, 40), label=[None, None], path=["few/0.png", "few/1.png"])
    assert archive.append(few, packed).info.model_bytes == 0
    many = collection_of(soft(300, 41), label=[None] * 300)
    assert archive.append(many, packed).info.model_bytes > 0
