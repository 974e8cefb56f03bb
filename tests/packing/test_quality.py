"""A quality that is asked for is that of all images, whatever a sample of them said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn import IMAGES, PIXELS, smooth
from hypothesis import given
from hypothesis import strategies as st

import engram
from engram.codecs.goals import Quality
from engram.datasets import wardrobe


def test_a_quality_is_kept_where_nothing_is_learned(tmp_path: Path) -> None:
    exact = engram.pack(PIXELS, tmp_path / "exact.egm", budget=0)
    rough = engram.pack(PIXELS, tmp_path / "rough.egm", psnr=35, budget=0)
    assert 35 <= rough.quality["psnr_db"] < 40
    assert rough.info.bytes_by_part["blocks"] < 0.4 * exact.info.bytes_by_part["blocks"]


def test_a_size_is_kept_where_nothing_is_learned(tmp_path: Path) -> None:
    report = engram.pack(wardrobe.draw(300, 0), tmp_path / "a.egm", bytes_per_image=90, budget=0)
    assert report.info.bytes_by_part["blocks"] / 300 <= 90 * 1.03
    assert report.quality["psnr_db"] > 30


@given(st.integers(20, 60), st.floats(15, 45), st.integers(0, 5))
def test_a_sample_that_keeps_a_quality_speaks_for_all(count: int, wanted: float, seed: int) -> None:
    """Of images whose errors differ, what some of them show is made less of than what all of them do."""
    random = np.random.default_rng(seed)
    originals = np.full((count, 8, 8, 1), 128, np.uint8)
    recovered = originals + random.integers(0, 1 + random.integers(1, 40, (count, 1, 1, 1)), originals.shape).astype(
        np.uint8
    )
    whole, some = Quality(wanted, count), Quality(wanted, 100 * count)
    assert whole.is_kept(originals, recovered) == Quality(wanted).is_kept(originals, recovered)
    assert not some.is_kept(originals, recovered) or whole.is_kept(originals, recovered)


def test_a_quality_measured_on_a_sample_is_that_of_all() -> None:
    """A mean that all images miss by a little is met by many samples of them, and by few with the margin."""
    random = np.random.default_rng(0)
    errors = random.gamma(2, 20, 4000)
    all_db = -10 * np.log10(errors.mean() / 255**2)
    originals = np.zeros((4000, 4, 4, 1), np.uint8)
    recovered = np.rint(np.sqrt(errors))[:, None, None, None].astype(np.uint8) + originals
    kept = {0: 0, 4000: 0}
    for _ in range(400):
        rows = random.choice(4000, 200, replace=False)
        for images in kept:
            kept[images] += Quality(all_db + 0.1, images).is_kept(originals[rows], recovered[rows])
    assert kept[0] > 60
    assert kept[4000] < 10


def test_one_image_does_not_speak_for_many() -> None:
    originals = np.full((1, 8, 8, 1), 128, np.uint8)
    recovered = originals + np.uint8(2)
    exact = 10 * np.log10(255**2 / 4)
    assert Quality(exact - 0.01, 1).is_kept(originals, recovered)
    assert not Quality(exact - 0.01, 1000).is_kept(originals, recovered)


def test_both_halves_keep_a_quality(tmp_path: Path) -> None:
    """What is measured comes from both: the first may be much easier than the second."""
    easy, hard = smooth(100, (16, 16)), smooth(180, (16, 16), seed=1, noise=12)
    easy[:, 4:] = 0
    halves = engram.ImageSet(np.concatenate([easy, hard]), columns={"split": ["train"] * 100 + ["test"] * 180})
    assert engram.pack(halves, tmp_path / "a.egm", psnr=40, budget=0).quality["psnr_db"] >= 40


def test_padding_does_not_flatter_a_quality(tmp_path: Path) -> None:
    """Beside small pictures on a large canvas there is nothing to lose."""
    random = np.random.default_rng(1)
    pictures = [smooth(1, tuple(random.integers(8, 28, 2)), seed, noise=10)[0] for seed in range(200)]
    for picture in pictures:
        picture[-1], picture[:, -1] = 0, 0
    report = engram.pack(pictures, tmp_path / "a.egm", psnr=35, budget=0)
    assert report.padding["padding_share"] > 0.2
    assert report.quality["psnr_db"] >= 35


def test_a_sample_that_misled_is_made_up_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all images turn out to be worse than the sample said, the archive is written again, finer."""
    monkeypatch.setattr("engram.codecs.goals.SURE", -6.0)
    report = engram.pack(wardrobe.draw(900, 3), tmp_path / "a.egm", psnr=33, budget=0)
    assert report.quality["psnr_db"] >= 33
    assert [path.name for path in tmp_path.iterdir()] == ["a.egm"]


def test_what_comes_back_is_looked_at_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engram.datasets import stream

    monkeypatch.setattr(stream, "PIECE_BYTES", 784 * 7)
    told: list[tuple[str, int, int]] = []
    report = engram.pack(IMAGES, tmp_path / "a.egm", max_error=9, budget=0, progress=lambda *each: told.append(each))
    with engram.open(tmp_path / "a.egm") as archive:
        error = archive[:].astype(int) - PIXELS
    assert report.quality["psnr_db"] == pytest.approx(10 * np.log10(255**2 / np.square(error).mean()), abs=1e-3)
    assert told[-1] == ("Checking", 40, 40)
