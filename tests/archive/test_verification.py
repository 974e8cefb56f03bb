"""verify: all that is damaged is told, by its name, and costs nothing else."""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawing import TYPES, draw, flip, flip_block, flip_column, pack_pictures, picture

from engram import archive
from engram.archive.errors import CorruptBlock, CorruptColumn, CorruptModel
from engram.archive.format import CELL, GROUP, HEIGHT, WIDTH
from engram.archive.frame import PRELUDE
from engram.codecs.contract import Codec
from engram.codecs.picture_files import PictureFiles
from engram.codecs.raw import Raw
from engram.datasets.pictures import encode_picture
from engram.errors import CorruptData
from engram.images import ImageSet, Pixels
from engram.kinds import KINDS
from engram.table import column_of


def test_a_sound_archive(packed: Path) -> None:
    found = archive.verify(packed)
    assert found.ok
    assert (found.images, found.blocks, found.images_lost) == (150, 10, 0)


def test_damaged_blocks_are_named_and_cost_no_others(packed: Path, images: ImageSet) -> None:
    for block in (2, 9):
        flip_block(packed, block)
    found = archive.verify(packed)
    assert not found.ok
    assert [(error.number, error.first, error.stop) for error in found.damaged_blocks] == [(2, 32, 48), (9, 144, 150)]
    assert found.images_lost == 22
    assert found.damaged_parts == {}
    with archive.open(packed) as opened:
        assert np.array_equal(opened[48:144], images.images[48:144])
        assert np.array_equal(opened[0], images.images[0])
        for index in (32, slice(30, 40), [149]):
            with pytest.raises(CorruptBlock, match=r"block \d \(images \d+ to \d+\) is damaged: its checksum is wrong"):
                opened[index]


def test_an_error_says_which_images_are_lost(packed: Path) -> None:
    flip_block(packed, 2)
    with archive.open(packed) as opened, pytest.raises(CorruptBlock) as caught:
        opened[40]
    assert (caught.value.first, caught.value.stop, caught.value.number) == (32, 48, 2)
    assert str(caught.value) == (
        f"{packed}: block 2 (images 32 to 47) is damaged: its checksum is wrong; "
        f"the other blocks can still be read: `engram unpack --skip-damaged` saves them"
    )


def test_a_block_that_passes_its_checksum_and_cannot_be_decoded(tmp_path: Path) -> None:
    class TooMany(Raw):
        def encode(self, block: Pixels) -> bytes:
            return zlib.compress(bytes(block.size + 1)) if block[0, 0, 0, 0] == 7 else super().encode(block)

    images = np.zeros((40, 4, 3, 1), np.uint8)
    images[16:32] = 7
    archive.pack(ImageSet(images), TooMany((4, 3, 1)), tmp_path / "a.egm", block_size=16)
    found = archive.verify(tmp_path / "a.egm")
    assert [error.number for error in found.damaged_blocks] == [1]
    with archive.open(tmp_path / "a.egm") as opened:
        for index in (16, slice(0, 40), [16, 17]):
            with pytest.raises(CorruptBlock, match=r"cannot be decoded \(.* must inflate to 192 bytes"):
                opened[index]
        assert np.array_equal(opened[32:], images[32:])


@pytest.mark.parametrize("name", ["path", "label", *TYPES])
def test_a_damaged_column_costs_no_image(rich: Path, tmp_path: Path, name: str) -> None:
    path = Path(shutil.copy(rich, tmp_path / "a.egm"))
    flip_column(path, name)
    found = archive.verify(path)
    assert list(found.damaged_parts) == [name]
    assert str(found.damaged_parts[name]) == f"{path}: {name!r} is damaged: its checksum is wrong; images can be read"
    assert found.damaged_blocks == ()
    with archive.open(path) as opened:
        assert np.array_equal(opened[:], draw(150).images)
        with pytest.raises(CorruptColumn):
            opened.table[name]
        assert all(len(opened.table[other]) == 150 for other in opened.table if other != name)


def test_damaged_categories(packed: Path) -> None:
    with archive.open(packed) as opened:
        offset = opened.segment(0).span(opened.sources[0].directory.first_pieces["label"])[0]
    flip(packed, offset)
    assert list(archive.verify(packed).damaged_parts) == ["label", "all of label"]
    with archive.open(packed) as opened, pytest.raises(CorruptColumn, match="'label' is damaged"):
        _ = opened.class_names


def test_a_damaged_file(tmp_path: Path, raw: Raw) -> None:
    path = tmp_path / "a.egm"
    with archive.Writer(path, [raw]) as writer:
        writer.append(draw(3))
        writer.keep_file("notes.txt", b"notes")
    assert archive.verify(path).ok
    flip_column(path, "")
    found = archive.verify(path)
    assert list(found.damaged_parts) == ["file notes.txt"]
    assert found.damaged_blocks == ()


@pytest.mark.parametrize("name", [GROUP, HEIGHT, WIDTH])
def test_a_damaged_placement(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.egm"
    pack_pictures([picture(3, 7), picture(6, 2), picture(1, 1, "rgb")], path)
    flip_column(path, name)
    found = archive.verify(path)
    assert {"places", name} <= set(found.damaged_parts)
    with archive.open(path) as opened, pytest.raises(CorruptColumn, match=f"'{name}' is damaged"):
        opened[0]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({GROUP: [0, 0, 0], HEIGHT: [4, 2, 2]}, "another number of cells in a group than it has"),
        ({GROUP: [0, 0, 1], HEIGHT: [4, 5, 2]}, "another number of cells in a group than it has"),
        ({GROUP: [0, 0, 2], HEIGHT: [4, 2, 2]}, "places pictures in groups that there are not"),
        ({GROUP: [0, 0, -1], HEIGHT: [4, 2, 2]}, "places pictures in groups that there are not"),
        ({GROUP: [0, 0, 1], HEIGHT: [0, 2, 2]}, "pictures with a side that is not 1 to 16384"),
        ({GROUP: [0, 0, 1], HEIGHT: [4, 2, 2], WIDTH: [3, 16385, 3]}, "pictures with a side that is not 1 to 16384"),
        ({GROUP: [0, 0, 1], HEIGHT: [4, 2, 2], WIDTH: [1 << 62, 3, 3]}, "pictures with a side that is not 1 to 16384"),
        ({GROUP: [0, 0, 1], CELL: [0, 2, 0]}, "places pictures in cells that there are not"),
        ({GROUP: [0, 0, 1], CELL: [0, -1, 0]}, "places pictures in cells that there are not"),
        ({GROUP: [0, 0, 1], CELL: [0, 1, 0], WIDTH: [3, 6, 3]}, "places pictures in cells that there are not"),
        ({GROUP: [0, 0, None], HEIGHT: [4, 2, 2]}, "'.group' is damaged: it lacks values"),
    ],
)
def test_places_that_cannot_be(tmp_path: Path, raw: Raw, table: dict[str, list[Any]], message: str) -> None:
    with archive.Writer(tmp_path / "a.egm", [raw, raw]) as writer:
        writer.add(0, draw(2).images)
        writer.add(1, draw(1).images)
        writer.describe({name: column_of(each) for name, each in table.items()}, 3)
    assert "places" in archive.verify(tmp_path / "a.egm").damaged_parts
    with archive.open(tmp_path / "a.egm") as opened:
        for ask in (lambda: opened[0], lambda: opened[:], lambda: opened.sizes, lambda: list(opened.batches())):
            with pytest.raises(CorruptColumn, match=message):
                ask()


def test_a_file_of_several_cells(tmp_path: Path) -> None:
    files = [encode_picture(image, ".png", 100) for image in draw(2).images]
    with archive.Writer(tmp_path / "a.egm", [PictureFiles(KINDS["gray"], (4, 3))]) as writer:
        writer.add(0, files)
        writer.describe({HEIGHT: column_of([8])}, 1)
    assert "places" in archive.verify(tmp_path / "a.egm").damaged_parts
    with (
        archive.open(tmp_path / "a.egm") as opened,
        pytest.raises(CorruptColumn, match="has a file of several cells"),
    ):
        opened[0]


def test_a_damaged_model_is_told_and_checksums_are_still_asked(tmp_path: Path, lossy: Codec) -> None:
    path = tmp_path / "a.egm"
    archive.pack(draw(150), lossy, path)
    flip(path, PRELUDE.size)
    flip_block(path, 1)
    found = archive.verify(path)
    assert list(found.damaged_parts) == ["model"]
    assert [error.number for error in found.damaged_blocks] == [1]
    with archive.open(path) as opened, pytest.raises(CorruptModel, match="the embedded model is damaged: its SHA-256"):
        opened[0]


def test_a_model_that_makes_no_codec(tmp_path: Path) -> None:
    class Other(Raw):
        @property
        def model(self) -> bytes:
            return b"no model"

    archive.pack(draw(3), Other((4, 3, 1)), tmp_path / "a.egm")
    found = archive.verify(tmp_path / "a.egm")
    assert isinstance(found.damaged_parts["model"], CorruptData)
    with archive.open(tmp_path / "a.egm") as opened, pytest.raises(CorruptModel, match=r"a\.egm: a raw codec has"):
        opened[0]


def test_progress_is_told(packed: Path) -> None:
    told: list[tuple[int, int]] = []
    archive.verify(packed, progress=lambda done, total: told.append((done, total)))
    assert told == [(150, 150)]
