"""What the command line tells of pictures that are not plain, and that turned JPEG files lose nothing."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import command_line
import numpy as np
import pytest
from PIL import Image, ImageOps

import engram
from engram.datasets import wardrobe


@pytest.fixture
def turned_files(tmp_path: Path) -> Path:
    """80 JPEG files, every fortieth of which is to be turned to the right."""
    garments = wardrobe.draw(80, 0, (32, 32)).images[..., 0].astype(float)
    tints = np.random.default_rng(0).uniform(0.4, 1, (80, 1, 1, 3))
    (tmp_path / "files").mkdir()
    for number, garment in enumerate(garments[..., None] * tints):
        exif = Image.Exif()
        exif[0x0112] = 1 if number % 40 else 6
        picture = Image.fromarray(np.rint(40 + 0.8 * garment).astype(np.uint8))
        picture.save(tmp_path / "files" / f"{number:03}.jpg", quality=80, exif=exif)
    return tmp_path / "files"


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return command_line.run(*words, cwd=folder)


def test_turned_jpeg_files_stay_as_they_are_and_are_seen_turned(turned_files: Path) -> None:
    folder = turned_files.parent
    done = run(folder, "pack", "files", "-o", "a.egm", "--json", "--budget", "5s")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", done.stderr
    with engram.open(folder / "a.egm") as archive:
        for image, path in zip(archive, sorted(turned_files.iterdir()), strict=True):
            assert archive.file(path.name) == path.read_bytes()
            with Image.open(path) as picture:
                assert np.array_equal(image, ImageOps.exif_transpose(picture))


def test_with_some_loss_jpeg_files_come_back_as_they_are_seen(turned_files: Path) -> None:
    folder = turned_files.parent
    done = run(folder, "pack", "files", "-o", "a.egm", "--json", "--budget", "0", "--max-error", 1)
    assert done.returncode == 0, done.stderr
    told = "EXIF orientation: turned as it says; 2 of 80 files, the first files/000.jpg"
    assert done.stderr.startswith(f"engram: {told}\n")
    [notice, files] = json.loads(done.stdout)["notices"]
    assert files["images"] == 80
    assert files["what"].startswith("JPEG files whose pixels are packed, ")
    assert notice == {
        "what": "EXIF orientation: turned as it says",
        "images": 2,
        "total": 80,
        "first": "files/000.jpg",
    }
    with engram.open(folder / "a.egm") as archive:
        for image, path in zip(archive, sorted(turned_files.iterdir()), strict=True):
            with Image.open(path) as picture:
                assert np.abs(image.astype(int) - np.asarray(ImageOps.exif_transpose(picture))).max() <= 1


def test_plain_pictures_are_packed_in_silence(turned_files: Path) -> None:
    for path in sorted(turned_files.iterdir())[::40]:
        path.unlink()
    done = run(turned_files.parent, "pack", "files", "-o", "a.egm", "--json", "--budget", "0")
    assert done.stderr == "", done.stderr
    assert "notices" not in json.loads(done.stdout)


def test_what_would_be_lost_is_refused_before_anything_is_learned(turned_files: Path) -> None:
    Image.new("CMYK", (32, 32)).save(turned_files / "079.tif")
    done = run(turned_files.parent, "pack", "files", "-o", "a.egm")
    assert done.returncode == 2
    reason = "has CMYK inks, which would be lost: convert it first, to 8-bit RGBA say"
    assert done.stderr == f"engram: files/079.tif {reason}\n"
    assert not list(turned_files.parent.glob("a.egm*"))
