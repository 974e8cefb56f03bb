"""`engram pack` with its dials."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import run

import engram
from engram.codecs.pca import fit_pca
from engram.datasets import arrays, wardrobe
from engram.models import Model
from engram.training.fit import fit

WHOLE = wardrobe.draw(640, 0)
IMAGES = WHOLE.with_images(WHOLE.images[:, :, 1:])
"""Of a size that no model takes which comes with engram."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    Model(fit_pca(IMAGES, 30)).save(tmp_path / "model")
    arrays.save(tmp_path / "images.npz", IMAGES)
    return tmp_path


def pack(place: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return run("pack", "images.npz", "-o", "a.egm", "--json", *options, cwd=place)


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


@pytest.mark.parametrize(("dial", "largest"), [((), 0), (("--lossless",), 0), (("--max-error", "3"), 3)])
def test_a_largest_error_is_kept_by_what_was_learned(dial: tuple[str, ...], largest: int, place: Path) -> None:
    done = pack(place, *dial, "--budget", "60steps")
    assert done.returncode == 0, done.stderr
    assert engram.info(place / "a.egm").groups[0].codecs == ("pixel",)
    row = engram.measure(place / "a.egm", IMAGES)
    assert row["max_error"] == largest
    assert json.loads(done.stdout)["bytes_per_image_with_model"] < 400


@pytest.mark.parametrize(("wanted", "codec"), [(40, "pixel"), (14, "frozen")])
def test_a_quality_without_a_model_is_reached(wanted: int, codec: str, place: Path) -> None:
    done = pack(place, "--psnr", str(wanted), "--budget", "60steps")
    assert done.returncode == 0, done.stderr
    assert engram.info(place / "a.egm").groups[0].codecs == (codec,)
    row, said = engram.measure(place / "a.egm", IMAGES), json.loads(done.stdout)
    assert wanted <= row["psnr_db"] < wanted + 2.5
    assert said["psnr_db"] == pytest.approx(row["psnr_db"], abs=1e-3)
    assert said["measured_images"] == len(IMAGES)


@pytest.mark.parametrize("wanted", [3.0, 12.0])
def test_a_size_without_a_model_is_reached(wanted: float, place: Path) -> None:
    done = pack(place, "--bytes", str(wanted), "--budget", "60steps")
    assert done.returncode == 0, done.stderr
    assert engram.info(place / "a.egm").bytes_by_part["blocks"] / len(IMAGES) == pytest.approx(wanted, rel=0.04)


def test_a_size_is_reached_without_torch(place: Path) -> None:
    blocked = "import sys; sys.modules['torch'] = None; from engram.cli import main; main()"
    command = [
        sys.executable,
        "-c",
        blocked,
        "pack",
        "images.npz",
        "-o",
        "a.egm",
        "--bytes",
        "50",
        "--budget",
        "60steps",
    ]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Less is learned without torch; `pip install 'engram-images[train]'` saves bytes") == 1
    assert engram.info(place / "a.egm").bytes_by_part["blocks"] / len(IMAGES) < 51.5


def test_a_size_above_that_of_the_images_takes_all_of_them(place: Path) -> None:
    assert pack(place, "--bytes", "5000", "--budget", "0").returncode == 0
    with engram.open(place / "a.egm") as archive:
        assert np.array_equal(archive[:], IMAGES.images)


def test_noise_takes_the_bytes_asked_for_and_no_fewer_than_there_are(place: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 12, 12, 1), np.uint8)
    np.savez(place / "images.npz", images=noise)
    done = pack(place, "--bytes", "2", "--budget", "60steps")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["psnr_db"] < 12
    done = pack(place, "--bytes", "0.01", "--budget", "60steps", "--force")
    assert done.returncode == 2
    assert "0.01 bytes an image are out of reach: the fewest that images like these were brought to are" in done.stderr


def test_accuracy_is_kept_as_asked_by_a_judge_that_is_given(place: Path) -> None:
    fit(WHOLE, "classifier", epochs=16, momentum=0.9, batch_size=16).save(place / "judge")
    arrays.save(place / "images.npz", WHOLE)
    done = pack(place, "--accuracy-loss", "5", "--judge", "judge", "--budget", "60steps")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["accuracy_of_originals"] > 0.8
    assert said["accuracy"] >= said["accuracy_of_originals"] - 0.05
    assert said["bytes_per_image"] < 100
    done = pack(place, "-m", "fashion-mnist-lossless", "--judge", "judge", "--force")
    said = json.loads(done.stdout)
    assert said["accuracy"] == said["accuracy_of_originals"]


def test_accuracy_is_kept_as_asked_by_a_judge_that_is_learned(place: Path) -> None:
    done = pack(place, "--accuracy-loss", "10", "--budget", "60steps")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["accuracy"] >= said["accuracy_of_originals"] - 0.1
    assert said["judged_images"] == 64


def test_a_model_that_loses_more_accuracy_is_refused(place: Path) -> None:
    fit(IMAGES, "classifier", epochs=12, momentum=0.9).save(place / "judge")
    fit(IMAGES, "ann", epochs=1, options={"hidden": 1}).save(place / "rough")
    done = pack(place, "-m", "rough", "--accuracy-loss", "0", "--judge", "judge")
    assert done.returncode == 2
    assert "points of accuracy are lost, not 0 at most" in done.stderr


@pytest.mark.parametrize("shape", [(28, 28), (20, 27)])
def test_a_budget_of_0_takes_a_model_that_engram_brings(shape: tuple[int, int], place: Path) -> None:
    """One for the size of the images, or a generic one."""
    cut = WHOLE.with_images(WHOLE.images[:, : shape[0], : shape[1]])
    arrays.save(place / "images.npz", cut)
    assert pack(place, "--budget", "0").returncode == 0
    parts = engram.info(place / "a.egm")
    assert parts.groups[0].codecs == ("pixel",)
    assert parts.model_embedded
    assert parts.model_bytes > 0
    with engram.open(place / "a.egm") as archive:
        assert np.array_equal(archive[:], cut.images)


def test_an_archive_is_a_model_for_more_images(place: Path) -> None:
    assert pack(place, "--max-error", "3", "--budget", "60steps").returncode == 0
    (place / "a.egm").rename(place / "b.egm")
    done = pack(place, "-m", "b.egm", "--max-error", "4")
    assert done.returncode == 0, done.stderr
    blocks = [engram.info(place / name).bytes_by_part["blocks"] for name in ("a.egm", "b.egm")]
    assert blocks[0] == blocks[1]
    (place / "a.egm").unlink()
    done = pack(place, "-m", "b.egm", "--lossless")
    assert "may be off by 3, and 0 is asked for" in done.stderr
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--lossless", "--bytes", "3"), "one dial at a time, not --lossless and --bytes"),
        (("--bytes", "0"), "--bytes is above 0, not 0"),
        (("--bits", "3"), "--bits takes a model: -m MODEL"),
        (("--accuracy-loss", "101"), "--accuracy-loss is in points, 0 to 100, not 101"),
        (("--judge", "model"), "a judge is a classifier, not pca"),
        (("--judge", "nothing"), "'nothing' is no file, and no judge that comes with engram"),
        (("--budget", "soon"), "--budget is a time such as 90s"),
        (("-m", "model", "--lossless"), "promises no largest error"),
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


@pytest.mark.parametrize("options", [("--accuracy-loss", "1"), ("--judge", "model")])
def test_accuracy_takes_labels(options: tuple[str, ...], place: Path) -> None:
    np.savez(place / "images.npz", images=IMAGES.images)
    done = pack(place, *options)
    assert done.returncode == 2
    assert "images.npz has no labels: give a folder with one sub-folder for each class" in done.stderr
