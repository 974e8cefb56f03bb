"""`engram data` as a person meets it: folders that come back, one JSON object, exit codes, sentences."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from command_line import run

from engram.datasets import arrays, wardrobe
from engram.datasets.pictures import jpeg_roundtrip
from engram.datasets.source import load
from engram.images import ImageSet

DRAWN = ImageSet(wardrobe.draw(30, 0).images)


def data(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "ENGRAM_DATA"}
    with mock.patch.dict(os.environ, environment, clear=True):
        return run("data", *arguments)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    arrays.save(tmp_path / "a.npz", DRAWN)
    return tmp_path / "a.npz"


@pytest.mark.parametrize("quality", [None, 40])
def test_jpg_comes_back_as_the_roundtrip_says(source: Path, quality: int | None, tmp_path: Path) -> None:
    done = data("export", source, tmp_path / "out", "--json", *(["--quality", quality] if quality else []))
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert told.keys() == {"images", "bytes", "seconds", "images_per_second", "folder"}
    assert told["images"] == 30
    assert told["bytes"] == sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    loaded = load(tmp_path / "out")
    assert isinstance(loaded, ImageSet)
    np.testing.assert_array_equal(loaded.images, jpeg_roundtrip(DRAWN.images, quality or 95))


def test_png_loses_nothing(source: Path, tmp_path: Path) -> None:
    done = data("export", source, tmp_path / "out", "--format", "png")
    assert done.returncode == 0
    assert done.stdout.startswith("30 images, ")
    loaded = load(tmp_path / "out")
    assert isinstance(loaded, ImageSet)
    assert loaded.fingerprint() == DRAWN.fingerprint()


def test_an_existing_folder_needs_force(source: Path, tmp_path: Path) -> None:
    assert data("export", source, tmp_path / "out").returncode == 0
    again = data("export", source, tmp_path / "out")
    assert again.returncode == 2
    assert again.stderr == f"engram: {tmp_path / 'out'}: this folder exists already; choose another name, or force it\n"
    assert data("export", source, tmp_path / "out", "--force").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("fetch", "wardrobe"), "wardrobe is built in, there is nothing to fetch"),
        (("fetch", "mnist"), "'mnist' is not in the catalog, which has: fashion-mnist"),
        (("export", "wardrobe:valid", "out"), "wardrobe has no split 'valid'; it has train, test"),
    ],
)
def test_wrong_usage_ends_with_two_and_a_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    done = data(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"engram: {sentence}\n")


def test_broken_data_ends_with_three(tmp_path: Path) -> None:
    (tmp_path / "broken.npz").write_bytes(b"PK")
    done = data("export", tmp_path / "broken.npz", tmp_path / "out")
    assert done.returncode == 3
    assert done.stderr.startswith(f"engram: {tmp_path / 'broken.npz'}: not a sound .npz file (")
    assert not (tmp_path / "out").exists()
