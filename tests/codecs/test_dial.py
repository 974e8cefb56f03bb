"""The dial: bytes an image, or decibels."""

from __future__ import annotations

import pytest

from engram.codecs.dial import OutOfReach, freeze_to_bytes, freeze_to_psnr
from engram.codecs.pca import fit_pca
from engram.datasets import wardrobe
from engram.errors import UsageError
from engram.evaluation.distortion import psnr_db

IMAGES = wardrobe.draw(640, 0)
NETWORK = fit_pca(IMAGES, 30)


@pytest.mark.parametrize("wanted", [4.0, 10.0, 20.0])
def test_bytes_are_met_within_three_per_cent(wanted: float) -> None:
    codec = freeze_to_bytes(NETWORK, IMAGES, wanted)
    assert len(codec.encode(IMAGES.images)) / len(IMAGES) == pytest.approx(wanted, rel=0.03)


@pytest.mark.parametrize("wanted", [15.0, 16.5])
def test_decibels_are_met_with_few_bytes(wanted: float) -> None:
    codec = freeze_to_psnr(NETWORK, IMAGES, wanted)
    data = codec.encode(IMAGES.images)
    assert psnr_db(IMAGES.images, codec.decode(data, len(IMAGES))) == pytest.approx(wanted, abs=0.15)
    assert len(data) / len(IMAGES) < 25


def test_what_is_out_of_reach_says_what_is_possible() -> None:
    with pytest.raises(OutOfReach, match=r"a code of 30 numbers, which take from 0.188 to 30 bytes an image, not 31"):
        freeze_to_bytes(NETWORK, IMAGES, 31)
    with pytest.raises(OutOfReach, match=r"pca reaches \d\d\.\d\d dB on images like these, not 60"):
        freeze_to_psnr(NETWORK, IMAGES, 60)
    with pytest.raises(UsageError, match="at least one"):
        freeze_to_psnr(NETWORK, IMAGES[:0], 20)
