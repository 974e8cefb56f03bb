from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from drawing import draw, flip

from engram import archive
from engram.archive.errors import CorruptBlock, CorruptMetadata, CorruptModel
from engram.archive.file import ArchiveFile
from engram.codecs.contract import Codec
from engram.codecs.raw import Raw
from engram.errors import CorruptData
from engram.images import ImageSet


def test_a_sound_archive(packed: Path) -> None:
    found = archive.verify(packed)
    assert found.ok
    assert (found.images, found.blocks, found.images_lost) == (150, 10, 0)


def test_damaged_blocks_are_named_and_cost_no_others(packed: Path, images: ImageSet) -> None:
    offsets = ArchiveFile(packed).directory.block_offsets
    for block in (2, 9):
        flip(packed, int(offsets[block]))
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
    flip(packed, int(ArchiveFile(packed).directory.block_offsets[2]))
    with archive.open(packed) as opened, pytest.raises(CorruptBlock) as caught:
        opened[40]
    assert (caught.value.first, caught.value.stop, caught.value.number) == (32, 48, 2)
    assert str(caught.value) == (
        f"{packed}: block 2 (images 32 to 47) is damaged: its checksum is wrong; "
        f"the other blocks can still be read: `engram unpack --skip-damaged` saves them"
    )


def test_a_block_that_passes_its_checksum_and_cannot_be_decoded(tmp_path: Path) -> None:
    class TooMany(Raw):
        def encode(self, block: np.ndarray) -> bytes:  # type: ignore[type-arg]
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


@pytest.mark.parametrize(("section", "part"), [("class names", "labels"), ("labels", "labels"), ("names", "names")])
def test_damaged_metadata_costs_no_image(packed: Path, images: ImageSet, section: str, part: str) -> None:
    flip(packed, ArchiveFile(packed).directory.sections[section][0])
    found = archive.verify(packed)
    assert list(found.damaged_parts) == [part]
    assert f"the {section} are damaged: their checksum is wrong; images can be read" in str(found.damaged_parts[part])
    assert found.damaged_blocks == ()
    with archive.open(packed) as opened:
        assert np.array_equal(opened[:], images.images)
        with pytest.raises(CorruptMetadata):
            getattr(opened, section.replace(" ", "_"))


def test_a_damaged_model_is_told_and_checksums_are_still_asked(tmp_path: Path, lossy: Codec) -> None:
    path = tmp_path / "a.egm"
    archive.pack(draw(150), lossy, path)
    directory = ArchiveFile(path).directory
    flip(path, directory.model_offset)
    flip(path, int(directory.block_offsets[1]))
    found = archive.verify(path)
    assert list(found.damaged_parts) == ["model"]
    assert [error.number for error in found.damaged_blocks] == [1]
    with archive.open(path) as opened, pytest.raises(CorruptModel, match="the embedded model is damaged: its SHA-256"):
        opened[0]


def test_a_model_that_makes_no_codec(tmp_path: Path, lossy: Codec) -> None:
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
