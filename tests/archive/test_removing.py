"""Pictures taken out of an archive: the others stay, bit for bit, and blocks without any are gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawing import bare, content, draw, draw_rich, more, pack_pictures, picture
from hypothesis import given, settings
from hypothesis import strategies as st

from engram import archive
from engram.archive.changing import remove
from engram.codecs.contract import Codec
from engram.codecs.raw import Raw
from engram.errors import UsageError

RAW = Raw((4, 3, 1))


def left_of(path: Path, kept: np.ndarray[Any, Any]) -> Any:
    """What an archive holds once only these are left."""
    images, table, classes = content(path)
    rows = np.flatnonzero(kept).tolist()
    return [images[row] for row in rows], {n: [v[row] for row in rows] for n, v in table.items()}, classes


@settings(max_examples=20)
@given(st.integers(0, 80), st.sampled_from([1, 7, 16]), st.data())
def test_the_others_stay_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, count: int, block_size: int, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("removed") / "a.egm"
    archive.pack(draw(count), RAW, path, block_size=block_size)
    for _ in range(2):
        with archive.open(path) as opened:
            mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(opened), max_size=len(opened))), bool)
        expected = left_of(path, ~mask)
        assert remove(path, mask).images == int((~mask).sum())
        assert content(path) == expected
        assert archive.verify(path).ok


def test_blocks_without_a_picture_are_gone(tmp_path: Path) -> None:
    archive.pack(draw(64), RAW, tmp_path / "a.egm", block_size=16)
    before = archive.info(tmp_path / "a.egm")
    after = remove(tmp_path / "a.egm", np.arange(16, 48))
    assert (before.blocks, after.blocks) == (4, 2)
    assert after.bytes_by_part["blocks"] < 0.55 * before.bytes_by_part["blocks"]
    with archive.open(tmp_path / "a.egm") as opened:
        assert opened.is_plain  # as if it had been packed so


@pytest.mark.parametrize("out", [[0], [5, 6, 7], list(range(1, 40))])
def test_of_any_sizes_and_kinds(tmp_path: Path, out: list[int]) -> None:
    kinds = ["gray", "rgba", "gray16", "rgb"]
    pictures = [picture(2 + k % 9, 3 + k % 5, kinds[k % 4], k) for k in range(39)] + [picture(300, 270, "rgb")]
    pack_pictures(pictures, tmp_path / "a.egm", block_size=4)
    kept = np.ones(40, bool)
    kept[out] = False
    expected = left_of(tmp_path / "a.egm", kept)
    remove(tmp_path / "a.egm", out)
    assert content(tmp_path / "a.egm") == expected
    assert archive.verify(tmp_path / "a.egm").ok


def test_of_every_segment_and_of_lossy_codes(tmp_path: Path, packed: Path, lossy: Codec) -> None:
    archive.append(more(40, 1), packed, lossy)
    expected = left_of(packed, np.arange(190) % 3 > 0)
    remove(packed, np.arange(190) % 3 == 0)
    assert content(packed) == expected
    archive.append(more(20, 2), packed, RAW)
    with archive.open(packed) as opened:
        assert len(opened) == len(expected[0]) + 20


def test_a_damaged_block_stops_it_and_nothing_changes(tmp_path: Path, packed: Path) -> None:
    data = bytearray(packed.read_bytes())
    data[40] ^= 1
    packed.write_bytes(data)
    with pytest.raises(archive.CorruptArchive):
        remove(packed, [20])
    assert packed.read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == [packed.name]


def test_what_is_no_picture_is_refused(packed: Path) -> None:
    before = packed.read_bytes()
    with pytest.raises(IndexError, match="image 150 is not among the 150"):
        remove(packed, [150])
    with pytest.raises(UsageError, match="not at a URL"):
        remove("memory://a.egm", [0])
    assert packed.read_bytes() == before


def test_a_reader_goes_on_in_what_it_opened(packed: Path) -> None:
    with archive.open(packed) as opened:
        remove(packed, np.arange(149))
        np.testing.assert_array_equal(opened[3], draw(150).images[3])


def test_columns_come_along(tmp_path: Path) -> None:
    archive.pack(draw_rich(), RAW, tmp_path / "a.egm", block_size=16)
    expected = left_of(tmp_path / "a.egm", np.arange(150) > 70)
    remove(tmp_path / "a.egm", np.arange(71))
    assert content(tmp_path / "a.egm") == expected


def test_an_archive_without_paths(tmp_path: Path) -> None:
    archive.pack(bare(draw(30)), RAW, tmp_path / "a.egm", block_size=16)
    remove(tmp_path / "a.egm", [29])
    with archive.open(tmp_path / "a.egm") as opened:
        assert (len(opened), opened.paths) == (29, None)
