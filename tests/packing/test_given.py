"""A model that is given codes what it is for, of any size; whatever else there is takes what needs no learning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import LAYERS, of_kind

import engram
from engram.codecs.pca import fit_pca
from engram.errors import UsageError
from engram.models import Model

MIXED = [*of_kind("gray", 30, (24, 20)), *of_kind("gray", 30, (9, 31)), *of_kind("rgb", 20, (24, 20))]


def worst(pictures: Any, path: Path, **options: Any) -> int:
    """The largest error of what is packed."""
    engram.pack(pictures, path, force=True, **options)
    with engram.open(path) as archive:
        pairs = zip(archive, pictures, strict=True)
        return max(int(np.abs(after.astype(int) - before).max()) for after, before in pairs)


@pytest.mark.parametrize("max_error", [0, 3])
@pytest.mark.parametrize("kind", LAYERS)
def test_a_largest_error_holds_for_every_kind(kind: str, max_error: int, tmp_path: Path) -> None:
    model = "generic-rgb" if LAYERS[kind][0] > 2 else "generic-gray"
    assert worst(of_kind(kind, 20), tmp_path / "a.egm", model=model, max_error=max_error) <= max_error


@pytest.mark.parametrize("model", ["generic-gray", "generic-rgb"])
def test_what_a_model_is_not_for_takes_what_there_is(model: str, tmp_path: Path) -> None:
    assert worst(MIXED, tmp_path / "a.egm", model=model, max_error=5) <= 5
    report = engram.pack(MIXED, tmp_path / "b.egm", model=model)
    assert [("its model was given" in why, ", gray " in why) for why in report.why] == [
        (model == "generic-gray", True),
        (model == "generic-rgb", False),
    ]


def test_a_pixel_model_of_one_size_is_for_all(tmp_path: Path) -> None:
    engram.pack(of_kind("gray", 300, (24, 20)), tmp_path / "model.egm", model="generic-gray")
    for pictures in (MIXED, of_kind("gray", 4, (300, 9))):
        assert worst(pictures, tmp_path / "a.egm", model=tmp_path / "model.egm", max_error=2) <= 2


@pytest.mark.parametrize(
    ("pictures", "model", "message"),
    [
        (MIXED[:60], "generic-rgb", "no picture of DATA has as many channels as -m is for"),
        (MIXED, "pca", "freezing pca takes training images of"),
        (of_kind("gray16", 9, (24, 20)), "pca", "promises no largest error"),
    ],
)
def test_a_model_for_other_pictures_is_refused(pictures: Any, model: str, message: str, tmp_path: Path) -> None:
    Model(fit_pca(engram.ImageSet(of_kind("gray", 60, (24, 20))), 5)).save(tmp_path / "pca")
    with pytest.raises(UsageError, match=message):
        engram.pack(pictures, tmp_path / "a.egm", model=tmp_path / "pca" if model == "pca" else model)
