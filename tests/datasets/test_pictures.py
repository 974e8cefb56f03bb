"""Picture files: what is read, what is refused, and that JPG's loss can be had without files."""

from __future__ import annotations

import re
import threading
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engram.datasets import folders, pictures, wardrobe
from engram.datasets.collection import MixedSizes
from engram.datasets.kinds import UnreadablePicture
from engram.errors import UsageError

GRAY = wardrobe.draw(12, 0).images
RGB = np.random.default_rng(0).integers(0, 256, (12, 9, 7, 3), np.uint8)


def write(folder: Path, images: np.ndarray, suffix: str, quality: int = 95) -> list[Path]:
    paths = [folder / f"{index:02}{suffix}" for index in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        path.write_bytes(pictures.encode_picture(image, suffix, quality))
    return paths


def load(paths: list[Path]) -> np.ndarray:
    stream = folders.collection(paths[0].parent).stream()
    return stream.load().images


@pytest.mark.parametrize("images", [GRAY, RGB, GRAY[:1], RGB[:, :1, :1]], ids=["gray", "rgb", "one", "one pixel"])
def test_png_loses_nothing(images: np.ndarray, tmp_path: Path) -> None:
    np.testing.assert_array_equal(load(write(tmp_path, images, ".png")), images, strict=True)


@pytest.mark.parametrize("quality", [40, 95])
@pytest.mark.parametrize("images", [GRAY, RGB], ids=["gray", "rgb"])
def test_a_jpeg_roundtrip_is_what_files_would_give(images: np.ndarray, quality: int, tmp_path: Path) -> None:
    from_files = load(write(tmp_path, images, ".jpg", quality))
    np.testing.assert_array_equal(pictures.jpeg_roundtrip(images, quality), from_files, strict=True)
    assert not np.array_equal(from_files, images)


def test_quality_counts() -> None:
    low, high = (len(pictures.encode_picture(GRAY[0], ".jpg", quality)) for quality in (10, 95))
    assert low < high


def test_a_roundtrip_of_no_images() -> None:
    assert pictures.jpeg_roundtrip(GRAY[:0], 95).shape == (0, 28, 28, 1)


@pytest.mark.parametrize("quality", [0, 101])
def test_quality_has_a_range(quality: int) -> None:
    with pytest.raises(UsageError, match=f"^JPEG quality runs from 1 to 100, not {quality}$"):
        pictures.jpeg_roundtrip(GRAY, quality)


@pytest.mark.filterwarnings("ignore::engram.Notice")
@pytest.mark.parametrize("names", [("a.jpg", "b.png"), ("b.jpg", "a.png")], ids=["gray first", "colour first"])
def test_gray_beside_colour_becomes_rgb(names: tuple[str, str], tmp_path: Path) -> None:
    gray, colour = GRAY[0, :9, :7], RGB[0]
    (tmp_path / names[0]).write_bytes(pictures.encode_picture(gray, ".jpg", 100))
    (tmp_path / names[1]).write_bytes(pictures.encode_picture(colour, ".png", 100))
    as_loaded = [np.repeat(pictures.jpeg_roundtrip(gray[np.newaxis], 100)[0], 3, axis=2), colour]
    loaded = load([tmp_path / names[0]])
    np.testing.assert_array_equal(loaded, [as_loaded[names.index(name)] for name in sorted(names)], strict=True)


def test_mixed_sizes_name_two_files_and_the_way_out(tmp_path: Path) -> None:
    paths = write(tmp_path, GRAY[:3], ".png")
    paths[2].write_bytes(pictures.encode_picture(RGB[0], ".png", 95))
    message = f"{paths[0]} is 28 x 28 pixels, {paths[2]} is 7 x 9: make them one size, or make a folder for each size"
    with pytest.raises(MixedSizes, match=f"^{re.escape(message)}$"):
        load(paths)


PNG = pictures.encode_picture(GRAY[0], ".png", 95)
UNREADABLE = {
    "empty": b"",
    "text": b"not a picture at all",
    "cut": PNG[: len(PNG) // 2],
    "damaged": PNG[:60] + b"\xff" * 40 + PNG[100:],
    "an enormous claim": PNG[:16] + b"\x7f\xff\xff\xff" * 2 + PNG[24:],
}


@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("position", [0, 1])
def test_an_unreadable_picture_is_named(data: bytes, position: int, tmp_path: Path) -> None:
    paths = write(tmp_path, GRAY[:2], ".png")
    paths[position].write_bytes(data)
    message = rf"^{re.escape(str(paths[position]))} cannot be read as a picture \(.*\): repair it or take it out$"
    with pytest.raises(UnreadablePicture, match=message) as raised:
        load(paths)
    assert raised.value.exit_code == 3


def test_other_formats_never_reach_their_parser(tmp_path: Path) -> None:
    file = BytesIO()
    Image.fromarray(GRAY[0, ..., 0]).save(file, "PCX")
    (tmp_path / "a.png").write_bytes(file.getvalue())
    with pytest.raises(UnreadablePicture, match="cannot identify image file"):
        load([tmp_path / "a.png"])


def test_progress_runs_to_the_end() -> None:
    seen: list[tuple[int, int]] = []
    total = pictures.in_threads(lambda start, stop: stop - start, 1000, lambda done, total: seen.append((done, total)))
    assert total == 1000
    assert seen == [(256, 1000), (512, 1000), (768, 1000), (1000, 1000)]


def test_the_first_failure_in_order_is_raised() -> None:
    later_failed = threading.Event()

    def work(start: int, stop: int) -> int:
        if start == 256:
            later_failed.set()
            raise ValueError("the second piece")
        if start == 0:
            later_failed.wait(10)
            raise ValueError("the first piece")
        return 0

    with pytest.raises(ValueError, match=r"^the first piece$"):
        pictures.in_threads(work, 600)
    assert later_failed.is_set()
