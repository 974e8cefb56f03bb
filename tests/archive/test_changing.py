"""Columns set and taken away: no block of an archive is touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from drawing import (
    content,
    draw,
    more,
)

from engram import archive
from engram.archive.changing import remove, set_columns
from engram.codecs.contract import Codec
from engram.codecs.raw import Raw
from engram.datasets.names import UnsafeName
from engram.errors import UsageError

RAW = Raw((4, 3, 1))


@pytest.mark.parametrize("grown", [False, True])
def test_columns_are_set_and_taken_away(packed: Path, grown: bool) -> None:
    if grown:
        archive.append(more(20, 1), packed)
    before, count = content(packed), 170 if grown else 150
    with archive.open(packed) as opened:
        set_columns(packed, {"age": range(count), "label": None})
        assert opened.class_names == draw(1).class_names  # who has it open reads on in it
    after = content(packed)
    assert after[0] == before[0]
    assert after[1] == {"path": before[1]["path"], "age": list(range(count))}
    assert archive.verify(packed).ok
    set_columns(packed, {"age": [None, *range(1, count)], "label": ["cow"] + [f"{row}" for row in range(1, count)]})
    with archive.open(packed) as opened:
        assert opened.where(age=None).rows.tolist() == [0]
        assert opened.labels is not None
        assert opened.class_names[opened.labels[0]] == "cow"


def test_columns_that_cannot_be_set(packed: Path, tmp_path: Path) -> None:
    before = packed.read_bytes()
    archive.shard([packed], tmp_path / "set")
    for columns, place, message in (
        ({"age": [1]}, packed, "'age' has 1 values for 150 pictures"),
        ({"colour": None}, packed, "has no column 'colour' to take away"),
        ({"path": ["x.png"] * 150}, packed, "two images are called|paths are texts"),
        ({"age": [1]}, tmp_path / "set", "is a shard set; join it to one file first"),
        ({"age": [1]}, "https://host/a.egm", "columns are set in a file of this machine"),
    ):
        with pytest.raises(UsageError, match=message):
            set_columns(place, columns)
    assert packed.read_bytes() == before


def test_paths_that_are_set_are_unique_in_the_whole_archive(packed: Path) -> None:
    archive.append(more(20, 1), packed)
    before = packed.read_bytes()
    with pytest.raises(UnsafeName, match=r"two images are called '0\.png'"):
        set_columns(packed, {"path": [f"{row % 150}.png" for row in range(170)]})
    assert packed.read_bytes() == before


def test_an_archive_without_its_model_changes_without_it(tmp_path: Path, lossy: Codec) -> None:
    archive.pack(draw(100), lossy, tmp_path / "a.egm", embed_model=False)
    expected = content(tmp_path / "a.egm", lossy.model)[0]
    assert not remove(tmp_path / "a.egm", [0]).model_embedded
    assert content(tmp_path / "a.egm", lossy.model)[0] == expected[1:]
