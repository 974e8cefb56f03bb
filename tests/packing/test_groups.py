"""A code for each group of cells: what it is chosen by, and a quality that is right at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn import of_kind, smooth

import engram
from engram.codecs.pixel.codec import Pixel
from engram.datasets import source
from engram.packing import groups as of_groups
from engram.packing import to_archive
from engram.packing.asked import Asked
from engram.packing.groups import Chooser
from engram.training.budget import Budget

SIZES = (24, 20), (25, 30), (40, 17), (33, 33)


@pytest.mark.parametrize("kind", ["gray", "rgba"])
@pytest.mark.parametrize("wanted", [30.0, 40.0])
def test_a_quality_of_padded_pictures_is_met_at_once(
    kind: str, wanted: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a pixel code gives back is known of all pictures, their padding and what is transparent left out."""
    monkeypatch.setattr(to_archive, "ATTEMPTS", 1)
    pictures = [p for n, size in enumerate(SIZES) for p in of_kind(kind, 30, size, n)]
    report = engram.pack(pictures, tmp_path / "a.egm", psnr=wanted, budget=0)
    assert report.padding["padded_images"]
    assert wanted <= report.quality["psnr_db"] < wanted + 2.5


def test_each_value_of_a_picture_counts_once_however_it_is_cut() -> None:
    pictures = [*smooth(3, (300, 520)), *smooth(2, (31, 270), 1), *smooth(3, (40, 30), 2)]
    collection = source.collection(pictures)
    groups = collection.groups()
    assert any((group.counts > 1).any() for group in groups)
    for group in groups:
        counts = of_groups._counts(group, collection.cells(group).sample(of_groups.SAMPLE).images)
        whole = [np.bincount(pictures[row].ravel(), minlength=256) for row in group.rows]
        assert np.array_equal(counts.sum(0), np.sum(whole, axis=0))


@pytest.mark.parametrize("asked", [Asked(lossless=True), Asked(psnr_db=38.0)])
def test_what_a_group_was_chosen_by_is_what_it_takes(asked: Asked, tmp_path: Path) -> None:
    pictures = [p for n, size in enumerate(SIZES[:2]) for p in of_kind("gray-alpha", 80, size, n)]
    collection = source.collection(pictures)
    chosen = Chooser(collection, collection.groups(), asked, None, Budget(0), None).all()
    report = engram.pack(pictures, tmp_path / "a.egm", psnr=asked.psnr_db, budget=0)
    assert [each.why for each in chosen] == [why.split(": ", 1)[1] for why in report.why]
    wanted = report.info.archive_bytes
    assert sum(each.bytes_in_all for each in chosen) == pytest.approx(wanted, rel=0.03, abs=1000)


def test_a_model_that_is_there_is_measured_once(tmp_path: Path) -> None:
    pictures = [p for n, size in enumerate(SIZES) for p in of_kind("gray", 70, size, n)]
    report = engram.pack(pictures, tmp_path / "a.egm", budget=0)
    assert sum("pixel, as for other sizes" in why for why in report.why) == len(SIZES) - 1
    assert sum("generic-gray" in why for why in report.why) == 1


def test_what_padding_takes_is_about_what_it_costs() -> None:
    pictures = list(smooth(6, (24, 20)))
    collection = source.collection([*pictures, *smooth(1, (30, 30), 1)])
    [group] = collection.groups()
    [chosen] = Chooser(collection, [group], Asked(), None, Budget(0), None, learned=[generic()]).all()
    figures = of_groups.padding(collection, [group], [chosen.coder])
    cells = collection.cells(group).sample(7).images
    [codec] = chosen.coder.codecs
    assert isinstance(codec, Pixel)
    alone = of_groups._brought(codec, (24, 20, 1))
    assert alone is not None
    costs = len(codec.encode(cells[:6])) - len(alone.encode(np.stack(pictures)))
    assert figures["padding_bytes"] == pytest.approx(costs, rel=0.2)


def generic() -> Pixel:
    from engram.archive import shipped

    codec = shipped.load("generic-gray")
    assert isinstance(codec, Pixel)
    return codec
