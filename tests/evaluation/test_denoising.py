"""Filters take noise away where they should, and keep what they are given where there is none."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from engram.datasets import noise, wardrobe
from engram.errors import MissingLibrary
from engram.evaluation.denoising import FILTERS
from engram.evaluation.distortion import psnr_db

pytest.importorskip("skimage", reason="the comparison's extra is not installed: pip install 'engram-images[compare]'")
FLAT = {1: np.full((3, 9, 11, 1), 77, np.uint8), 3: np.full((3, 9, 11, 3), 77, np.uint8)}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", FILTERS)
def test_flat_images_stay_as_they_are(name: str, channels: int) -> None:
    assert np.array_equal(FILTERS[name](FLAT[channels], 25.0), FLAT[channels])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", FILTERS)
def test_no_images_give_no_images(name: str, channels: int) -> None:
    assert FILTERS[name](FLAT[channels][:0], 25.0).shape == (0, 9, 11, channels)


@pytest.mark.parametrize(("name", "kind"), [("median filter", "salt-and-pepper"), ("non-local means", "gaussian")])
def test_a_filter_removes_the_noise_it_was_made_for(name: str, kind: noise.Noise) -> None:
    clean = wardrobe.draw(20, seed=0).images
    noisy = noise.with_noise(clean, kind, noise.STRENGTHS[kind], np.random.default_rng(0))
    assert psnr_db(clean, FILTERS[name](noisy, 25.0)) > psnr_db(clean, noisy) + 1


@pytest.mark.parametrize(("name", "module"), [("median filter", "scipy.ndimage"), ("non-local means", "skimage")])
def test_a_missing_library_says_what_to_install(name: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingLibrary, match=r"pip install 'engram-images\[compare\]'"):
        FILTERS[name](FLAT[1], 25.0)
