"""Archives joined, and described anew: blocks are copied as they are, and all that is known of pictures comes along."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawing import (
    bare,
    coder_of,
    collection_of,
    content,
    draw,
    flip_block,
    more,
    picture,
    with_columns,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from engram import archive
from engram.archive.errors import ArchiveExists, CorruptBlock
from engram.archive.joining import join
from engram.codecs.contract import Codec
from engram.codecs.raw import Raw
from engram.datasets.names import UnsafeName
from engram.errors import UsageError
from engram.table import Column

RAW = Raw((4, 3, 1))


@settings(max_examples=15)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=4), st.sampled_from([1, 7, 16]))
def test_joined_archives_are_those_in_order(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], block_size: int
) -> None:
    folder, everything = tmp_path_factory.mktemp("joined"), draw(sum(counts))
    ends, paths = np.cumsum([0, *counts]).tolist(), list[Path]()
    for number, count in enumerate(counts):
        paths.append(folder / f"{number}.egm")
        archive.pack(everything[ends[number] : ends[number] + count], RAW, paths[-1], block_size=block_size)
    info = join(paths, folder / "all.egm")
    assert (info.images, info.segments) == (sum(counts), max(1, sum(map(bool, counts))))
    archive.pack(everything, RAW, folder / "whole.egm", block_size=block_size)
    assert content(folder / "all.egm") == content(folder / "whole.egm")
    assert archive.verify(folder / "all.egm").ok
    assert not list(folder.glob("*.part"))


def test_any_sizes_kinds_and_models_are_joined(tmp_path: Path, packed: Path, lossy: Codec) -> None:
    archive.append(more(20, 1), packed)
    archive.pack(more(30, 2), lossy, tmp_path / "b.egm")
    archive.pack(more(30, 3), lossy, tmp_path / "c.egm", embed_model=False)
    mixed = [picture(300, 2), picture(2, 5, "rgba")]
    collection = collection_of(mixed, label=Column("category", np.arange(2), ("ape", "zebra")))
    collection.files = {"notes.txt": b"notes"}
    archive.pack_collection(
        collection, groups := collection.groups(), [coder_of(g.size, g.kind.name) for g in groups], tmp_path / "d.egm"
    )
    names = ["a.egm", "b.egm", "c.egm", "d.egm"]
    info = join([tmp_path / name for name in names], tmp_path / "all.egm", model=lossy.model)
    assert info.bytes_by_part["models"] == len(lossy.model)
    expected = [image for name in names for image in content(tmp_path / name, lossy.model)[0]]
    found, table, classes = content(tmp_path / "all.egm")
    assert found == expected
    assert classes == ("ape", "bee/wasp", "cat", "zebra")
    assert table["label"][-2:] == ["ape", "zebra"]
    with archive.open(tmp_path / "all.egm") as opened:
        assert opened.segment(4).kept_file("notes.txt") == b"notes"
    assert archive.verify(tmp_path / "all.egm").ok


def test_values_that_an_archive_lacks_are_missing(tmp_path: Path) -> None:
    first: dict[str, list[Any]] = {"age": [1, 2], "note": ["a", "b"], "maker": ["Ada"] * 2, "box": [[1], "x"]}
    second: dict[str, list[Any]] = {
        "age": [0.5, None, 2.0],
        "maker": ["a", "b", "c"],
        "box": [7, 8, 9],
        "new": [True] * 3,
    }
    archive.pack(with_columns(2, **first), RAW, tmp_path / "a.egm")
    archive.pack(with_columns(3, **second), RAW, tmp_path / "b.egm")
    info = join([tmp_path / "a.egm", tmp_path / "b.egm"], tmp_path / "all.egm")
    assert info.columns == {"age": "number", "note": "text", "maker": "text", "box": "json", "new": "boolean"}
    with archive.open(tmp_path / "all.egm") as opened:
        for name in (*first, "new"):
            column = opened.column(name)
            expected = [*first.get(name, [None] * 2), *second.get(name, [None] * 3)]
            assert [column.value(row) for row in range(5)] == expected


def test_equal_paths_are_put_into_folders_or_refused(tmp_path: Path, packed: Path) -> None:
    archive.pack(draw(3), RAW, tmp_path / "b.egm")
    with pytest.raises(UnsafeName, match=r"a\.egm and .*b\.egm both have an image called '0000\.png'; --folders puts"):
        join([packed, tmp_path / "b.egm"], tmp_path / "all.egm")
    archive.pack(bare(draw(3)), RAW, tmp_path / "c.egm")
    with pytest.raises(UsageError, match=r"c\.egm has no paths, and .*a\.egm has; all pictures have one, or none"):
        join([packed, tmp_path / "c.egm"], tmp_path / "all.egm")
    with pytest.raises(UsageError, match="what is joined is at least one archive"):
        join([], tmp_path / "all.egm")
    assert sorted(os.listdir(tmp_path)) == ["a.egm", "b.egm", "c.egm"]
    join([packed, tmp_path / "b.egm"], tmp_path / "all.egm", folders=True)
    with archive.open(tmp_path / "all.egm") as opened:
        assert np.array_equal(opened["b/0001.png"], draw(3).images[1])
        assert opened.row_of("a/0149.png") == 149
    with pytest.raises(ArchiveExists):
        join([packed], tmp_path / "all.egm")


def test_damage_is_found_when_archives_are_joined(tmp_path: Path, packed: Path) -> None:
    flip_block(packed, 3)
    with pytest.raises(CorruptBlock, match=r"a\.egm: block 3"):
        join([packed], tmp_path / "all.egm")
    assert os.listdir(tmp_path) == ["a.egm"]
