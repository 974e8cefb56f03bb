"""`engram.pack`: whatever a program hands over becomes an archive, and the report says why and what it reached."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import engram
from engram.codecs.goals import LargestError, Quality, Size
from engram.datasets import wardrobe
from engram.errors import UsageError
from engram.packing import Asked, choice, learners
from engram.packing.asked import budget_of
from engram.training.budget import Budget

IMAGES = wardrobe.draw(40, 0)
PIXELS = IMAGES.images
RANDOM = np.random.default_rng(0)
MANY = [RANDOM.integers(0, 256, (4 + n % 3, 5, 3), np.uint8) for n in range(9)]


class Torch:
    """A data set of PyTorch's kind: __len__ and __getitem__ alone."""

    classes = ("left", "right")

    def __len__(self) -> int:
        return 4

    def __getitem__(self, row: int) -> tuple[Image.Image, int]:
        return Image.fromarray(PIXELS[row, :, :, 0]), row % 2


class Features(dict[str, Any]):
    """Hugging Face's, with a label that has names."""

    def __init__(self) -> None:
        super().__init__(image=None, label=type("ClassLabel", (), {"names": ["left", "right"]})())


class Rows(list[dict[str, Any]]):
    """A data set of Hugging Face's kind."""

    features = Features()


ROWS = Rows({"image": Image.fromarray(PIXELS[row, :, :, 0]), "label": row % 2} for row in range(4))


@pytest.mark.parametrize(
    ("data", "labels", "classes"),
    [
        (PIXELS[:4], None, ()),
        (PIXELS[:4, :, :, 0], None, ()),
        (list(PIXELS[:4]), None, ()),
        ((picture[..., 0] for picture in PIXELS[:4]), None, ()),
        ([Image.fromarray(picture[..., 0]) for picture in PIXELS[:4]], None, ()),
        ([(PIXELS[row], row % 2) for row in range(4)], [0, 1, 0, 1], ("0", "1")),
        ([(PIXELS[row], np.int32(row % 2)) for row in range(4)], [0, 1, 0, 1], ("0", "1")),
        ([(PIXELS[row], "ab"[row % 2]) for row in range(4)], [0, 1, 0, 1], ("a", "b")),
        (Torch(), [0, 1, 0, 1], ("left", "right")),
        (ROWS, [0, 1, 0, 1], ("left", "right")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_program_hands_over_is_packed(data: Any, labels: Any, classes: Any, tmp_path: Path) -> None:
    report = engram.pack(data, tmp_path / "a.egm", budget=0)
    assert (report.breakdown.images, report.quality["psnr_db"]) == (4, None)
    with engram.open(tmp_path / "a.egm") as archive:
        assert np.array_equal(archive[:], PIXELS[:4])
        assert labels is None or archive.labels.tolist() == labels
        assert archive.class_names == classes


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
    assert len(report.why) == report.padding["canvases"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (PIXELS.astype(np.float32), "pixels are uint8, 0 to 255, not float32"),
        (PIXELS[..., 0, 0], r"DATA is uint8\[n, h, w\] or"),
        ([], "DATA has no picture in it"),
        ([PIXELS[0], "x"], "picture 1 is a str"),
        ([Image.new("RGBA", (3, 3))], "picture 0 has mode RGBA; convert it"),
        ([(PIXELS[0], 0.5)], "a label is a whole number or a text, not float"),
        ([(PIXELS[0], -1)], "labels are whole numbers from 0 on, not -1"),
        ([(PIXELS[0], 1), PIXELS[1]], "1 of 2 pictures have a label"),
        ([{"pixels": PIXELS[0]}], "a mapping has its picture under 'image'"),
        (7, "DATA is a path, a name, or"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_picture_is_refused(data: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        engram.pack(data, tmp_path / "a.egm", budget=0)
    assert list(tmp_path.iterdir()) == []


def nothing_may_be_learned(*arguments: Any, **options: Any) -> None:
    raise AssertionError("it was learned before everything was looked at")


@pytest.mark.parametrize(
    "options",
    [
        {"psnr": float("nan")},
        {"psnr": float("inf")},
        {"psnr": 200},
        {"psnr": -5},
        {"bytes_per_image": 0},
        {"bytes_per_image": float("inf")},
        {"bytes_per_image": float("nan")},
        {"max_error": 64},
        {"max_error": -1},
        {"accuracy_loss": 101},
        {"accuracy_loss": float("nan")},
        {"bits": float("nan")},
        {"lossless": True, "psnr": 30},
        {"budget": "soon"},
        {"budget": "-1s"},
        {"budget": float("nan")},
    ],
    ids=str,
)
def test_a_dial_out_of_its_range_is_refused_first(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"not |one dial"):
        engram.pack(nothing_may_be_learned, tmp_path / "a.egm", **options)  # DATA itself is not looked at


@pytest.mark.parametrize("names", [("a.png", "a.png"), ("a/b.png", "c.png"), (".x", "b.png"), ("con.png", "b.png")])
def test_names_that_cannot_be_stored_are_refused_before_anything_is_learned(
    names: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "learned", nothing_may_be_learned)
    with pytest.raises(UsageError):
        engram.pack(engram.ImageSet(PIXELS[:2], names=names), tmp_path / "a.egm")
    assert list(tmp_path.iterdir()) == []


def test_what_was_exported_is_refused_before_anything_is_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both halves have an image of one name in one class: an archive knows of no halves."""
    for half in ("train", "test"):
        for number, picture in enumerate(PIXELS[:4]):
            path = tmp_path / "both" / half / "cat" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture[..., 0]).save(path)
    monkeypatch.setattr(choice, "learned", nothing_may_be_learned)
    with pytest.raises(UsageError, match="two images"):
        engram.pack(tmp_path / "both", tmp_path / "a.egm")


def test_a_quality_is_kept_where_nothing_is_learned(tmp_path: Path) -> None:
    exact = engram.pack(PIXELS, tmp_path / "exact.egm", budget=0)
    rough = engram.pack(PIXELS, tmp_path / "rough.egm", psnr=35, budget=0)
    assert 35 <= rough.quality["psnr_db"] < 40
    assert rough.breakdown.bytes_by_part["blocks"] < 0.4 * exact.breakdown.bytes_by_part["blocks"]


def test_a_size_is_kept_where_nothing_is_learned(tmp_path: Path) -> None:
    report = engram.pack(wardrobe.draw(300, 0), tmp_path / "a.egm", bytes_per_image=90, budget=0)
    assert report.breakdown.bytes_by_part["blocks"] / 300 <= 90 * 1.03
    assert report.quality["psnr_db"] > 30


def test_a_model_counts_and_is_in_the_file(tmp_path: Path) -> None:
    report = engram.pack(PIXELS, tmp_path / "a.egm", budget=0)
    assert report.breakdown.model_embedded
    few = engram.pack(PIXELS[:1], tmp_path / "b.egm", budget=0)
    assert few.breakdown.codec == "raw", "one image does not pay for any model"
    assert "raw: " in few.why[0]
    assert "next best generic-gray" in few.why[0]


def test_three_small_pictures_are_not_worth_learning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engram.training import learning

    monkeypatch.setattr(learning, "learn", nothing_may_be_learned)
    pictures = RANDOM.integers(0, 256, (3, 20, 24, 3), np.uint8)
    assert engram.pack(pictures, tmp_path / "a.egm", budget="3s").breakdown.codec == "raw"


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
    learners.learned(goal, learners.Collection(IMAGES, IMAGES, 10**6), Budget(100), None)
    assert [budget.seconds > 90 for budget in budgets] == [True], "all of it is for the one that learns pixels"


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


def test_the_report_is_json_and_words(tmp_path: Path) -> None:
    report = engram.pack(IMAGES, tmp_path / "a.egm", max_error=4, budget=0)
    said = json.loads(json.dumps(report.as_dict()))
    assert said["max_error"] == 4
    assert said["measured_images"] == 40
    assert report.in_words().startswith(f"{said['psnr_db']:.2f} dB, largest error 4, over all 40 images\n")


def test_progress_tells_each_stage_in_its_order(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    engram.pack(IMAGES, tmp_path / "a.egm", max_error=4, budget="3steps", progress=lambda *each: told.append(each))
    stages = list(dict.fromkeys(stage for stage, _, _ in told))
    assert stages == ["Sampling", "Learning", "Packing", "Checking"]
    for stage in stages:
        done = [each[1:] for each in told if each[0] == stage]
        assert done == sorted(done)
        assert done[-1][0] == done[-1][1] > 0


def test_budgets() -> None:
    given = {"90s": 90, "2m": 120, "1.5h": 5400, "0": 0, " 7 ": 7}
    assert {words: budget_of(words).seconds for words in given} == given
    assert budget_of(2.5) == budget_of(Budget(2.5)) == Budget(2.5)
    assert budget_of("12steps").steps == 12
    assert not budget_of("0steps")
    assert Asked(bytes_per_image=4).goal(10) == Size(4)
