"""`engram.pack` does all that packing takes, tells of it as it goes, and says why and what it reached."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import IMAGES, PIXELS, nothing_may_be_learned
from PIL import Image

import engram
from engram.archive.engines import in_process
from engram.codecs.goals import LargestError
from engram.datasets import folders, wardrobe
from engram.datasets.source import Reading
from engram.packing import learners
from engram.training.budget import Budget

RANDOM = np.random.default_rng(0)
CUT = [picture[: 26 + n % 3] for n, picture in enumerate(wardrobe.draw(200, 1).images)]
MANY = [RANDOM.integers(0, 256, (4 + n % 3, 5, 3), np.uint8) for n in range(9)]


@pytest.mark.parametrize("asked", [{}, {"max_error": 3}, {"psnr": 30.0}])
def test_pictures_of_many_sizes_are_packed_from_memory(asked: dict[str, Any], tmp_path: Path) -> None:
    report = engram.pack(MANY, tmp_path / "a.egm", budget=0, **asked)
    largest, squares, values = 0, 0.0, 0
    with engram.open(tmp_path / "a.egm") as archive:
        for before, after in zip(MANY, archive, strict=True):
            error = before.astype(int) - after
            largest, squares, values = (
                max(largest, int(np.abs(error).max())),
                squares + (error**2).sum(),
                values + error.size,
            )
    assert largest <= asked.get("max_error", 255)
    assert report.quality["measured_images"] == len(MANY)
    found = None if not squares else pytest.approx(10 * np.log10(255**2 / (squares / values)), abs=1e-3)
    assert report.quality["psnr_db"] == found
    assert report.quality["psnr_db"] is None or report.quality["psnr_db"] >= asked.get("psnr", 0)
    assert len(report.why) == report.padding["groups"]


def test_a_model_counts_and_is_in_the_file(tmp_path: Path) -> None:
    report = engram.pack(PIXELS, tmp_path / "a.egm", budget=0)
    assert report.info.model_embedded
    few = engram.pack(PIXELS[:1], tmp_path / "b.egm", budget=0)
    assert few.info.groups[0].codecs == ("raw",), "one image does not pay for any model"
    assert "raw: " in few.why[0]
    assert "next best generic-gray" in few.why[0]


def test_three_small_pictures_are_not_worth_learning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engram.training import learning

    monkeypatch.setattr(learning, "learn", nothing_may_be_learned)
    pictures = RANDOM.integers(0, 256, (3, 20, 24, 3), np.uint8)
    assert engram.pack(pictures, tmp_path / "a.egm", budget="3s").info.groups[0].codecs == ("raw",)


@pytest.mark.parametrize("goal", [LargestError(0), LargestError(3)])
def test_what_offers_nothing_takes_no_time(goal: LargestError, monkeypatch: pytest.MonkeyPatch) -> None:
    budgets: list[Budget] = []
    offers = (learners.pixels, learners.spatial, learners.principal)
    spied = [
        learners.Learner(lambda goal, collection, budget, progress: budgets.append(budget) or [], learner.offers)
        for learner in learners.LEARNERS
        if learner.learn in offers
    ]
    monkeypatch.setattr(learners, "LEARNERS", spied)
    learners.learned(goal, learners.Sample(IMAGES, IMAGES, 10**6), Budget(100), None)
    assert [budget.seconds > 90 for budget in budgets] == [True], "all of it is for the one that learns pixels"


def test_the_report_is_json_and_words(tmp_path: Path) -> None:
    report = engram.pack(IMAGES, tmp_path / "a.egm", max_error=4, budget=0)
    said = json.loads(json.dumps(report.as_dict()))
    assert said["max_error"] == 4
    assert said["measured_images"] == 40
    assert report.in_words().startswith(f"{said['psnr_db']:.2f} dB, largest error 4, over all 40 images\n")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (IMAGES, ["Sampling", "Learning", "Packing", "Checking"]),
        (CUT, ["Sampling", "Packing", "Checking"]),
    ],
    ids=["one size", "many"],
)
def test_progress_tells_each_stage_in_its_order(data: Any, expected: list[str], tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    engram.pack(data, tmp_path / "a.egm", max_error=4, budget="3steps", progress=lambda *each: told.append(each))
    stages = list(dict.fromkeys(stage for stage, _, _ in told))
    assert stages == expected
    for stage in stages:
        done = [each[1:] for each in told if each[0] == stage]
        assert done == sorted(done)
        assert done[-1][0] == done[-1][1] > 0


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    options = {"max_error": np.int64(5), "block_size": np.int32(8)}
    report = engram.pack(PIXELS, tmp_path / "a.egm", budget=0, **options)
    assert (report.quality["max_error"], report.info.groups[0].block_size) == (5, 8)


@pytest.mark.parametrize("reading", [Reading(), Reading(label_from="none")])
def test_an_engine_writes_the_same_bytes(reading: Reading, tmp_path: Path) -> None:
    folders.save(wardrobe.draw(70, 0), tmp_path / "folder", "png")
    (tmp_path / "folder" / "metadata.csv").write_text("file_name,age\n")
    options: dict[str, Any] = {"budget": 0, "block_size": 16, "reading": reading}
    engram.pack(tmp_path / "folder", tmp_path / "a.egm", **options)
    engram.pack(tmp_path / "folder", tmp_path / "b.egm", engine=in_process, **options)
    assert (tmp_path / "a.egm").read_bytes() == (tmp_path / "b.egm").read_bytes()
    with engram.open(tmp_path / "a.egm") as archive:
        assert ("label" in archive.table) == (reading == Reading())


@pytest.mark.parametrize(("data", "message"), [(PIXELS, "give a path, not images"), ("folder", "pictures of one size")])
def test_an_engine_takes_pictures_of_one_size_by_name(data: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for number, picture in enumerate(MANY[:2]):
        Image.fromarray(picture).save(tmp_path / "folder" / f"{number}.png")
    with pytest.raises(engram.UsageError, match=message):
        engram.pack(tmp_path / data if isinstance(data, str) else data, tmp_path / "a.egm", budget=0, engine=in_process)
