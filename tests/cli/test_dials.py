"""`engram pack` with its dials."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import engram
from engram.codecs.pca import fit_pca
from engram.datasets import arrays, wardrobe
from engram.models import Model

IMAGES = wardrobe.draw(640, 0)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    Model(fit_pca(IMAGES, 30)).save(tmp_path / "model")
    arrays.save(tmp_path / "images.npz", IMAGES)
    return tmp_path


def pack(place: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "engram", "pack", "images.npz", "-o", "a.egm", "--json", *options]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("dial", "key", "tolerance"), [(("--bytes", "10"), "blocks", 0.3), (("--bits", "4"), "blocks", 0.45)]
)
def test_a_rate_is_met(dial: tuple[str, str], key: str, tolerance: float, place: Path) -> None:
    done = pack(place, "-m", "model", *dial)
    assert done.returncode == 0, done.stderr
    wanted = float(dial[1]) * (1 if dial[0] == "--bytes" else 30 / 8)
    assert engram.info(place / "a.egm").bytes_by_part[key] / len(IMAGES) == pytest.approx(wanted, abs=tolerance)


def test_a_quality_is_met(place: Path) -> None:
    done = pack(place, "-m", "model", "--psnr", "16")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["bytes_per_image"] < 20
    assert engram.measure(place / "a.egm", IMAGES)["psnr_db"] == pytest.approx(16, abs=0.15)


def test_lossless_gives_every_pixel_back(place: Path) -> None:
    assert pack(place, "--lossless").returncode == 0
    with engram.open(place / "a.egm") as archive:
        assert np.array_equal(archive[:], IMAGES.images)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "say how to pack: --lossless, or -m MODEL"),
        (("--lossless", "--bytes", "3"), "--lossless takes neither a model nor another dial"),
        (("-m", "model", "--bytes", "3", "--psnr", "20"), "one dial at a time, not --bytes and --psnr"),
        (("-m", "model", "--bytes", "2000"), "from 0.188 to 30 bytes an image, not 2000"),
        (("-m", "model", "--psnr", "90"), "on images like these, not 90"),
    ],
)
def test_what_cannot_be_is_wrong_usage_and_writes_nothing(options: tuple[str, ...], message: str, place: Path) -> None:
    done = pack(place, *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (place / "a.egm").exists()
