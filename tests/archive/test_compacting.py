"""An archive written again in its own codes: the same pictures and columns, one segment, and no gaps."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawing import bare, coder_of, collection_of, content, draw, draw_rich, more, pack_pictures, picture
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import engram
from engram import archive
from engram.archive import compacting, writer
from engram.archive.changing import remove
from engram.archive.compacting import Compacted, HasLoss, compact
from engram.archive.errors import ArchiveExists, CorruptBlock
from engram.archive.joining import join
from engram.codecs.contract import Codec
from engram.codecs.raw import Raw
from engram.table import Column

RAW = Raw((4, 3, 1))
KINDS = ("gray", "rgba", "gray16", "rgb")


class Killed(BaseException):
    """Stands for whatever ends it in the middle."""


def again(path: Path, out: Path | None = None, **options: Any) -> Compacted:
    """What `compact` makes of a file; the archive is sound, and holds what the file held."""
    expected = content(path)
    with archive.open(path) as opened:
        done = compact(opened, out or path, **({"force": True} | options))
    assert content(out or path) == expected
    assert archive.verify(out or path).ok
    return done


@settings(max_examples=40)
@given(st.data())
def test_the_same_pictures_without_gaps(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("compacted") / "a.egm"
    block_size = data.draw(st.sampled_from([1, 4, 7]))
    archive.pack(draw(data.draw(st.integers(0, 30))), RAW, path, block_size=block_size)
    for turn in range(data.draw(st.integers(0, 2))):
        archive.append(more(data.draw(st.integers(0, 20)), turn + 1), path, RAW)
    with archive.open(path) as opened:
        gone = np.array(data.draw(st.lists(st.booleans(), min_size=len(opened), max_size=len(opened))), bool)
    if data.draw(st.booleans()):
        remove(path, gone)
    size = data.draw(st.sampled_from([None, 4, 5]))
    done = again(path, block_size=size)
    assert done.info.segments == 1
    assert len(done.info.groups) == 1
    assert done.info.groups[0].cells == done.info.images, "nothing that was taken out is left"
    before = path.read_bytes()
    twice = again(path, block_size=size)
    assert (path.read_bytes(), twice.blocks_coded) == (before, 0)


@settings(max_examples=30)
@given(st.data())
def test_of_any_sizes_kinds_and_tiles(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("compacted") / "a.egm"
    sizes = st.tuples(st.sampled_from([2, 7, 300]), st.sampled_from([3, 9, 270]), st.sampled_from(KINDS))
    drawn = data.draw(st.lists(sizes, min_size=1, max_size=12))
    pack_pictures([picture(*each, number) for number, each in enumerate(drawn)], path, block_size=3)
    gone = data.draw(st.lists(st.booleans(), min_size=len(drawn), max_size=len(drawn)))
    remove(path, np.array(gone, bool))
    done = again(path)
    with archive.open(path) as opened:
        placement = opened.segment(0).placement
        cells = len(opened) if placement is None else int(placement.cells.sum())
    assert sum(group.cells for group in done.info.groups) == (cells if len(done.info.groups) else 0)


def test_full_blocks_are_copied_and_bytes_are_fewer(tmp_path: Path) -> None:
    archive.pack(draw(160), RAW, tmp_path / "a.egm", block_size=16)
    archive.append(more(20, 1), tmp_path / "a.egm", RAW)
    with_gaps = remove(tmp_path / "a.egm", [5, 6, 7, 100])
    done = again(tmp_path / "a.egm")
    assert (done.blocks_copied, done.blocks_coded) == (9, 2)  # of two with a gap and one that is not full
    assert done.info.archive_bytes < with_gaps.archive_bytes
    assert (with_gaps.segments, done.info.segments) == (2, 1)


def test_columns_and_files_come_along(tmp_path: Path) -> None:
    archive.pack(draw_rich(), RAW, tmp_path / "a.egm", block_size=16)
    remove(tmp_path / "a.egm", np.arange(3, 150, 5))
    again(tmp_path / "a.egm")
    for name in "bc":
        collection = collection_of([picture(2, 5)], label=Column("category", np.zeros(1, np.int64), ("ape",)))
        collection.files = {"metadata.csv": name.encode()}
        groups = collection.groups()
        coders = [coder_of(group.size, group.kind.name) for group in groups]
        archive.pack_collection(collection, groups, coders, tmp_path / f"{name}.egm")
    join([tmp_path / "b.egm", tmp_path / "c.egm"], tmp_path / "d.egm", folders=True)
    again(tmp_path / "d.egm")
    with archive.open(tmp_path / "d.egm") as opened:
        assert compacting.kept_files(opened) == {"metadata.csv": b"b", "metadata-2.csv": b"c"}


def test_what_has_lost_something_is_refused(tmp_path: Path, packed: Path, lossy: Codec) -> None:
    archive.append(more(20, 1), packed, lossy)
    before = packed.read_bytes()
    with archive.open(packed) as opened, pytest.raises(HasLoss, match="; --lossless keeps its pixels"):
        compact(opened, packed, force=True)
    assert packed.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [packed.name]


def test_who_reads_it_reads_on(packed: Path) -> None:
    remove(packed, [1])
    with archive.open(packed) as opened:
        again(packed)
        np.testing.assert_array_equal(opened[100], draw(150).images[101])


def test_nothing_is_replaced_unless_it_is_said(tmp_path: Path, packed: Path) -> None:
    with archive.open(packed) as opened, pytest.raises(ArchiveExists):
        compact(opened, packed)
    again(packed, tmp_path / "b.egm", force=False)
    assert (tmp_path / "b.egm").read_bytes() == packed.read_bytes()


def test_damage_is_found_and_nothing_changes(tmp_path: Path, packed: Path) -> None:
    data = bytearray(packed.read_bytes())
    data[40] ^= 1
    packed.write_bytes(data)
    with archive.open(packed) as opened, pytest.raises(CorruptBlock):
        compact(opened, packed, force=True)
    assert packed.read_bytes() == data


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("reached", [1, 2, 3, 5, 9])
def test_it_goes_on_where_it_was_stopped(
    tmp_path: Path, packed: Path, monkeypatch: pytest.MonkeyPatch, reached: int
) -> None:
    monkeypatch.setattr(compacting, "_COPIED_AT_ONCE", 400)
    archive.append(more(30, 1), packed, RAW)
    remove(packed, np.arange(20, 170, 9))
    before = packed.read_bytes()
    with archive.open(packed) as opened:
        compact(opened, tmp_path / "whole.egm")
        calls: Iterator[int] = iter(range(100))

        def stop(done: int, total: int) -> None:
            if next(calls) == reached:
                raise Killed

        with pytest.raises(Killed):
            compact(opened, packed, force=True, progress=stop)
        assert packed.read_bytes() == before
        assert (tmp_path / "a.egm.part").exists()
        done = compact(opened, packed, force=True, resume=True)
    assert done.images_resumed > 0
    assert packed.read_bytes() == (tmp_path / "whole.egm").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.egm", "whole.egm"]


def test_an_archive_without_paths_or_pictures(tmp_path: Path) -> None:
    archive.pack(bare(draw(30)), RAW, tmp_path / "a.egm", block_size=16)
    remove(tmp_path / "a.egm", np.arange(30))
    assert again(tmp_path / "a.egm").info.images == 0


def test_memory_does_not_grow_with_the_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "BATCH_BYTES", 1 << 16)
    monkeypatch.setattr(compacting, "BATCH_BYTES", 1 << 16)
    monkeypatch.setattr(compacting, "_COPIED_AT_ONCE", 1 << 16)
    archive.pack(bare(draw(2000, (40, 40, 1))), Raw((40, 40, 1)), tmp_path / "a.egm", block_size=16)  # 3.2 MB
    remove(tmp_path / "a.egm", np.arange(0, 2000, 40))
    again(tmp_path / "a.egm", tmp_path / "b.egm")  # imports, and what is made once
    with archive.open(tmp_path / "a.egm") as opened:
        tracemalloc.start()
        done = compact(opened, tmp_path / "c.egm")
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert min(done.blocks_copied, done.blocks_coded) > 40
    assert most < 1 << 20


def test_files_that_are_kept_as_files_come_back_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / "jpegs").mkdir()
    for number in range(40):
        pixels = picture(16, 24, "rgb", number)
        Image.fromarray(pixels).save(tmp_path / "jpegs" / f"{number:02}.jpg", quality=40 + number)
    path = tmp_path / "a.egm"
    engram.pack(tmp_path / "jpegs", path, budget=0, block_size=8)
    remove(path, [3, 4, 21])
    done = again(path)
    with archive.open(path) as opened:
        assert opened.are_files(opened.rows).all()
        for name in opened.paths or ():
            assert opened.file(name) == (tmp_path / "jpegs" / name).read_bytes()
    assert (done.info.groups[0].cells, done.blocks_copied, done.blocks_coded) == (37, 3, 2)
