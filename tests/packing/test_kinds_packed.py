"""Every kind of picture, and pictures beyond a code's window: exact without a dial, and as near as one asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import LAYERS, PIXELS, of_kind, smooth

import engram

MIXED = [picture for kind in LAYERS for picture in of_kind(kind, 3, (9, 7))]
"""Of each kind, three; all of one size."""


def packed(data: Any, path: Path, **asked: Any) -> tuple[list[np.ndarray], engram.packing.Report]:
    """(the pictures as they come back, the report)."""
    report = engram.pack(data, path, budget=0, **asked)
    with engram.open(path) as archive:
        return list(archive), report


@pytest.mark.parametrize("kind", LAYERS)
def test_a_kind_comes_back_exactly(kind: str, tmp_path: Path) -> None:
    pictures = of_kind(kind, 20)
    found, report = packed(pictures, tmp_path / "a.egm")
    assert report.info.groups[0].kind == kind
    assert {each.dtype for each in found} == {pictures.dtype}
    assert np.array_equal(found, pictures), "colours under what is transparent, too"


def test_kinds_beside_each_other_stay_as_they_are(tmp_path: Path) -> None:
    found, report = packed(MIXED, tmp_path / "a.egm")
    assert [group.kind for group in report.info.groups] == list(LAYERS)
    for before, after in zip(MIXED, found, strict=True):
        assert after.dtype == before.dtype
        assert np.array_equal(after, before)


def test_gray_beside_colour_stays_gray(tmp_path: Path) -> None:
    found, _ = packed([PIXELS[0].repeat(3, 2), PIXELS[1]], tmp_path / "a.egm")
    assert [picture.shape[2] for picture in found] == [3, 1]


@pytest.mark.parametrize("kind", LAYERS)
def test_a_largest_error_holds_for_each_value_and_alpha_is_exact(kind: str, tmp_path: Path) -> None:
    pictures = of_kind(kind, 100, (24, 20))
    found, report = packed(pictures, tmp_path / "a.egm", max_error=3)
    error = np.abs(np.array(found).astype(int) - pictures)
    assert error.max() <= report.quality["max_error"] <= 3
    assert kind not in ("gray-alpha", "rgba") or not error[..., -1].any()


@pytest.mark.parametrize("kind", LAYERS)
def test_a_quality_counts_colours_by_their_alpha(kind: str, tmp_path: Path) -> None:
    """And 16 bits stay exact: their high bytes alone would miss any quality."""
    pictures = of_kind(kind, 100, (24, 20))
    found, report = packed(pictures, tmp_path / "a.egm", psnr=36)
    error = np.array(found).astype(int) - pictures
    if kind.endswith("16"):
        assert not error.any()
        return
    weight = np.ones_like(error, float)
    if kind in ("gray-alpha", "rgba"):
        assert not error[..., -1].any()
        weight = np.repeat(pictures[..., -1:] / 255, pictures.shape[-1] - 1, axis=3)
        error = error[..., :-1]
    reached = 10 * np.log10(255**2 / ((error**2 * weight).sum() / weight.sum()))
    assert reached >= 36
    assert report.quality["psnr_db"] == pytest.approx(reached, abs=1e-3)


def test_alpha_counts_among_the_bytes_that_are_asked_for(tmp_path: Path) -> None:
    pictures = of_kind("rgba", 300, (24, 24))
    _, report = packed(pictures, tmp_path / "a.egm", bytes_per_image=400)
    assert report.info.bytes_by_part["blocks"] / 300 <= 400 * 1.03


@pytest.mark.parametrize(("asked", "worst"), [({}, 0), ({"max_error": 2}, 2), ({"psnr": 40}, 255)])
def test_large_pictures_are_cut_into_tiles(asked: dict[str, Any], worst: int, tmp_path: Path) -> None:
    pictures = [smooth(1, size)[0] for size in ((300, 20), (20, 20), (513, 270), (256, 256))]
    found, report = packed(pictures, tmp_path / "a.egm", **asked)
    assert report.padding["tiled_images"] == 2
    assert max(max(group.height, group.width) for group in report.info.groups) <= 256
    errors = [np.abs(before.astype(int) - after) for before, after in zip(pictures, found, strict=True)]
    assert max(error.max() for error in errors) <= worst
    if "psnr" in asked:
        squares = np.concatenate([error.ravel() ** 2 for error in errors])
        assert 10 * np.log10(255**2 / squares.mean()) >= 40


def test_tiles_count_among_the_bytes_that_are_asked_for(tmp_path: Path) -> None:
    _, report = packed(
        [smooth(1, (400, 300), seed)[0] for seed in range(4)], tmp_path / "a.egm", bytes_per_image=40_000
    )
    assert report.info.bytes_by_part["blocks"] / 4 <= 40_000 * 1.03
