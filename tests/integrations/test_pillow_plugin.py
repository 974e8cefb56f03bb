from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageSequence, UnidentifiedImageError

import engram
from engram.images import ImageSet

Write = Callable[..., tuple[Path, ImageSet]]

engram.register_pillow()


@pytest.mark.parametrize("shape", [(4, 3, 1), (5, 2, 3)])
@pytest.mark.parametrize("count", [1, 20])
def test_frames_are_the_images(write: Write, shape: tuple[int, int, int], count: int) -> None:
    path, images = write(count, shape)
    with Image.open(path) as picture:
        assert (picture.format, picture.mode) == ("EGM", "L" if shape[2] == 1 else "RGB")
        assert picture.size == (shape[1], shape[0])
        assert (picture.n_frames, picture.is_animated) == (count, count > 1)
        for frame in [*range(count), 0, count // 2]:
            picture.seek(frame)
            assert picture.tell() == frame
            assert np.array_equal(np.asarray(picture).reshape(shape), images.images[frame])
        for outside in (-1, count):
            with pytest.raises(EOFError, match="attempt to seek outside sequence"):
                picture.seek(outside)
        assert picture.tell() == count // 2
        assert sum(1 for _ in ImageSequence.Iterator(picture)) == count


def test_each_frame_has_a_size_and_a_mode_of_its_own(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    modes = {"L": (5, 4, 1), "LA": (5, 4, 2), "RGB": (7, 3, 3), "RGBA": (2, 300, 4), "I;16": (5, 4, 1)}
    images = [draw.integers(0, 256, shape, np.uint8) for shape in modes.values()]
    images[-1] = images[-1].astype(np.uint16) * 251
    engram.pack(images, tmp_path / "a.egm", budget=0)
    with Image.open(tmp_path / "a.egm") as picture:
        for frame, (mode, image) in enumerate(zip(modes, images, strict=True)):
            picture.seek(frame)
            assert (picture.mode, picture.size) == (mode, (image.shape[1], image.shape[0]))
            assert np.array_equal(np.asarray(picture).reshape(image.shape), image)


def test_a_kind_that_pillow_has_no_mode_for(tmp_path: Path) -> None:
    images = [np.zeros((3, 3, 1), np.uint8), np.full((3, 3, 3), 1000, np.uint16)]
    engram.pack(images, tmp_path / "a.egm", budget=0)
    with Image.open(tmp_path / "a.egm") as picture:
        assert np.array_equal(np.asarray(picture), images[0][..., 0])
        with pytest.raises(OSError, match="Pillow has no mode for image 1, which is rgb16"):
            picture.seek(1)


def test_a_file_without_a_name(write: Write) -> None:
    path, images = write(20)
    with open(path, "rb") as file, Image.open(file) as picture:
        assert np.array_equal(np.asarray(picture), images.images[0, :, :, 0])
    with Image.open(BytesIO(path.read_bytes())) as picture:
        picture.seek(9)
        assert np.array_equal(np.asarray(picture), images.images[9, :, :, 0])


def test_what_was_loaded_stays_and_the_file_is_closed(write: Write) -> None:
    path, images = write(20)
    with Image.open(path) as picture:
        picture.seek(3)
        picture.load()
        kept = picture.copy()
    assert np.array_equal(np.asarray(picture), np.asarray(kept))
    assert np.array_equal(np.asarray(kept), images.images[3, :, :, 0])
    with pytest.raises(OSError, match="was closed"):
        picture.seek(4)


def test_registering_again_changes_nothing() -> None:
    engram.register_pillow()
    assert Image.ID.count("EGM") == 1
    assert Image.registered_extensions()[".egm"] == "EGM"


def test_pillow_does_not_write_archives(write: Write) -> None:
    path, images = write(3)
    before = path.read_bytes()
    with pytest.raises(KeyError, match="EGM"):
        Image.fromarray(images.images[0, :, :, 0]).save(path)
    assert path.read_bytes() == before


def test_an_archive_of_nothing(write: Write) -> None:
    path, _ = write(0)
    with pytest.raises(UnidentifiedImageError, match=r"images\.egm is an archive of no images$"):
        Image.open(path)


def test_a_damaged_image_is_named_and_the_others_are_there(write: Write) -> None:
    path, images = write(20)
    data = bytearray(path.read_bytes())
    with engram.open(path) as archive:
        data[archive.segment(0).span(1)[0] + 3] ^= 1
    path.write_bytes(data)
    with Image.open(path) as picture:
        picture.seek(8)
        with pytest.raises(OSError, match=r"block 1 \(images 8 to 15\) is damaged: its checksum is wrong"):
            picture.load()
        picture.seek(16)
        assert np.array_equal(np.asarray(picture), images.images[16, :, :, 0])


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_hostile_file_is_an_os_error(write: Write, tmp_path: Path, data: st.DataObject) -> None:
    path, _ = write(3)
    good = path.read_bytes()
    bad = bytearray(good[: data.draw(st.integers(8, len(good)))])
    bad[data.draw(st.integers(8, len(bad) - 1) if len(bad) > 8 else st.just(0))] ^= data.draw(st.integers(1, 255))
    (tmp_path / "bad.egm").write_bytes(bad)
    with suppress(OSError), Image.open(tmp_path / "bad.egm") as picture:
        for frame in range(picture.n_frames):
            picture.seek(frame)
            picture.load()


@pytest.mark.parametrize("length", [9, 40, -1])
def test_a_file_that_was_cut_says_so(write: Write, length: int) -> None:
    path, _ = write(3)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(UnidentifiedImageError, match=r"images\.egm"):
        Image.open(path)
