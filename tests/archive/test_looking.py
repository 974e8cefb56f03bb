"""Looking at archives: pictures picked by words, what tells two archives apart, and many pictures as one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawing import (
    draw_rich,
    pack_pictures,
    picture,
    with_columns,
)

from engram import archive
from engram.archive.changing import set_columns
from engram.archive.comparing import diff
from engram.archive.contact_sheet import contact_sheet
from engram.archive.selecting import NothingFound, select
from engram.codecs.raw import Raw
from engram.errors import UsageError
from engram.images import ImageSet

RAW = Raw((4, 3, 1))


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        ([], range(150)),
        (["17"], [17]),
        (["train/000.png", "3"], [0, 3]),
        (["test/00?.png"], range(1, 10, 2)),
        (["test/*", "maker=Ada"], []),
        (["maker=Bo", "fresh=true"], range(3, 150, 6)),
        (["age="], range(0, 150, 5)),
        (["age=7", "note=no. 0"], []),
        (["weight=1.0"], [7]),
    ],
)
def test_words_pick_pictures(rich: Path, words: list[str], rows: Any) -> None:
    with archive.open(rich) as opened:
        if words and not list(rows):
            with pytest.raises(NothingFound, match=r"rich\.egm: no image is "):
                select(opened, words)
        else:
            assert select(opened, words).rows.tolist() == list(rows)


def test_words_that_name_nothing(rich: Path) -> None:
    with archive.open(rich) as opened:
        for word, message in (("150", "has images 0 to 149"), ("x.png", "none at that path"), ("-1", "counted from 0")):
            with pytest.raises(NothingFound, match=message):
                select(opened, [word])
        for word in ("age=x", "fresh=maybe", "weight=heavy"):
            with pytest.raises(UsageError, match="is a column of type"):
                select(opened, [word])


def test_what_tells_two_archives_apart(tmp_path: Path, rich: Path) -> None:
    images = draw_rich()
    assert images.paths is not None
    pixels = images.images.copy()
    pixels[7] ^= 1
    columns = dict(images.columns) | {"weight": images.columns["weight"][::-1][::-1]}
    other = ImageSet(pixels, images.labels, images.class_names, (*images.paths[:149], "new.png"), columns)
    archive.pack(other[np.random.default_rng(0).permutation(150)], RAW, tmp_path / "b.egm")
    found = diff(rich, tmp_path / "b.egm")
    assert (found.added, found.gone, found.changed) == (("new.png",), ("test/149.png",), ("test/007.png",))
    assert (found.described_otherwise, found.same, found.is_none) == ((), 148, False)
    set_columns(tmp_path / "b.egm", {"maker": ["Cy"] * 150})
    assert len(diff(rich, tmp_path / "b.egm").described_otherwise) == 148
    assert diff(rich, rich).is_none


def test_values_that_are_no_number_are_the_same(tmp_path: Path) -> None:
    archive.pack(with_columns(2, weight=[float("nan"), 1.0]), RAW, tmp_path / "a.egm")
    assert diff(tmp_path / "a.egm", tmp_path / "a.egm").is_none


@pytest.mark.parametrize("by", [None, "label", "age"])
def test_a_sheet_shows_pictures(rich: Path, tmp_path: Path, by: str | None) -> None:
    with archive.open(rich) as opened:
        sheet = contact_sheet(opened.where(fresh=True), 9, by)
        assert sheet.mode == "RGB"
        assert min(sheet.size) >= 4
    mixed = [picture(9, 5, kind, seed) for seed, kind in enumerate(("gray", "rgba", "gray16", "rgb16", "gray-alpha"))]
    pack_pictures([*mixed, picture(600, 3)], tmp_path / "b.egm")
    with archive.open(tmp_path / "b.egm") as opened:
        assert contact_sheet(opened, 4).size == (2 * (256 + 2) + 2, 2 * (256 + 2) + 2)
        with pytest.raises(UsageError, match="has no image to show"):
            contact_sheet(opened.where(path="none"))
