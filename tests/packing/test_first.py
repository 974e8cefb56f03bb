"""What can fail, fails before anything is learned: dials out of their range, names, DATA and where the archive goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import PIXELS, nothing_may_be_learned, of_kind

import engram
from engram import ImageSet
from engram.codecs.goals import Size
from engram.datasets import wardrobe
from engram.datasets.collection import OfStreams
from engram.datasets.stream import InMemory
from engram.errors import UsageError
from engram.packing import Asked, choice
from engram.packing.asked import budget_of
from engram.training.budget import Budget


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


def test_budgets() -> None:
    given = {"90s": 90, "2m": 120, "1.5h": 5400, "0": 0, " 7 ": 7}
    assert {words: budget_of(words).seconds for words in given} == given
    assert budget_of(2.5) == budget_of(Budget(2.5)) == Budget(2.5)
    assert budget_of("12steps").steps == 12
    assert not budget_of("0steps")
    assert Asked(bytes_per_image=4).goal(10) == Size(4)


@pytest.mark.parametrize(
    "names", [("a.png", "a.png"), ("../b.png", "c.png"), ("a//b.png", "c.png"), (".x", "b.png"), ("con.png", "b.png")]
)
def test_names_that_cannot_be_stored_are_refused_before_anything_is_learned(
    names: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "learned", nothing_may_be_learned)
    with pytest.raises(UsageError):
        engram.pack(engram.ImageSet(PIXELS[:2], paths=names), tmp_path / "a.egm")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"block_size": 0}, "a block has 1 to 65,536 images, not 0"),
        ({"block_size": 64.0}, "a block has a whole number of images, not 64.0"),
        ({"max_error": "3"}, "max_error is a number, not '3'"),
        ({"max_error": 4.5}, "max_error is a number, not 4.5"),
        ({"psnr": "high"}, "psnr_db is a number, not 'high'"),
        ({"shard_images": 10}, "an engine writes shard sets"),
        ({"model": "nope.safetensors"}, "there is no model file nope.safetensors"),
        ({"out": "missing/a.egm"}, "there is no folder .*missing; make it first"),
        ({"out": "folder", "force": True}, "is a folder; give the name of a file"),
        ({"out": "b.egm", "model_apart": True}, "b.egm.model exists already"),
        ({"data": [of_kind("rgb", 300)[0], PIXELS[0]], "judge": "fashion-mnist-classifier"}, "has many sizes or kinds"),
        ({"data": [*of_kind("rgb", 300), *of_kind("gray16", 1)], "bytes_per_image": 300}, "pictures of 16 bits are"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_fails_fails_before_anything_is_learned(
    options: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "learned", nothing_may_be_learned)
    (tmp_path / "folder").mkdir()
    (tmp_path / "b.egm.model").write_bytes(b"mine")
    before = sorted(tmp_path.rglob("*"))
    given = {"data": PIXELS, "out": "a.egm"} | options
    with pytest.raises(engram.EngramError, match=message):
        engram.pack(given.pop("data"), tmp_path / given.pop("out"), **given)
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "b.egm.model").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (engram.ImageSet(PIXELS[:, :20, :20], [0] * 40), "looks at images of"),
        (engram.ImageSet(PIXELS, list(range(20)) * 2), "none of the 10 classes"),
    ],
)
def test_a_judge_of_other_images_is_refused_before_anything_is_written(
    images: engram.ImageSet, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        engram.pack(images, tmp_path / "a.egm", judge="fashion-mnist-classifier", budget=0)
    assert list(tmp_path.iterdir()) == []


def test_a_judge_looks_at_all_splits_by_the_names_of_their_classes(tmp_path: Path) -> None:
    """Where halves number their classes otherwise; and nothing is told of what no split of DATA's own is."""
    images = wardrobe.draw(60, 0)
    assert images.labels is not None
    named = [images.class_names[label] for label in images.labels.tolist()]
    halves = [InMemory(ImageSet(images.images[half], named[half])) for half in (slice(20), slice(20, None))]
    odd = {"split": ["val" if row % 2 else "train" for row in range(60)]}
    alone = ImageSet(images.images, named, images.class_names, columns=odd)
    options: dict[str, Any] = {"judge": "fashion-mnist-classifier", "budget": 0}
    reports = [
        engram.pack(data, tmp_path / f"{number}.egm", **options)
        for number, data in enumerate((images, OfStreams(halves, ("train", "test")), alone))
    ]
    assert len({report.quality["accuracy_of_originals"] for report in reports}) == 1


def test_what_is_read_is_not_replaced(tmp_path: Path) -> None:
    engram.pack(PIXELS, tmp_path / "a.egm", budget=0)
    before = (tmp_path / "a.egm").read_bytes()
    with pytest.raises(UsageError, match="would be replaced by what is read from it"):
        engram.pack(tmp_path / "a.egm", tmp_path / "a.egm", force=True, psnr=38, budget=0)
    assert (tmp_path / "a.egm").read_bytes() == before


def test_a_file_of_the_user_is_never_sent_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("a.egm.model").write_bytes(b"mine")
    with pytest.raises(engram.EngramError, match=r"a\.egm\.model, which exists already; move it away"):
        engram.pack(PIXELS, f"file://{tmp_path}/there/a.egm", budget=0)
    assert Path("a.egm.model").read_bytes() == b"mine"
    assert list((tmp_path / "there").iterdir()) == []


@pytest.mark.parametrize("shape", [(16385, 1, 1), (2, 20000, 1), (16640, 1, 3)])
def test_a_picture_too_large_to_be_read_again_is_refused_first(shape: tuple[int, int, int], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"picture 1 is .* pixels; a side has up to 16,384"):
        engram.pack([PIXELS[0], np.zeros(shape, np.uint8)], tmp_path / "a.egm", model="generic-gray")
    assert list(tmp_path.iterdir()) == []
