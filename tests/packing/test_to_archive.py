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
from engram.archive import shipped
from engram.codecs.goals import LargestError, Quality, Size
from engram.datasets import wardrobe
from engram.errors import UsageError
from engram.packing import Asked, choice, learners
from engram.packing.asked import budget_of
from engram.training.budget import Budget

IMAGES = wardrobe.draw(40, 0)
PIXELS = IMAGES.images
RANDOM = np.random.default_rng(0)
CUT = [picture[: 26 + n % 3] for n, picture in enumerate(wardrobe.draw(200, 1).images)]
MANY = [RANDOM.integers(0, 256, (4 + n % 3, 5, 3), np.uint8) for n in range(9)]


@pytest.fixture(autouse=True)
def _generic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all that comes with engram, what takes images of any size, and codes in no time."""
    monkeypatch.setattr(shipped, "names", lambda: ("generic-gray", "generic-rgb"))


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
        ([Image.new("RGBA", (3, 3))], "picture 0 has an alpha channel, which would be lost"),
        ([(PIXELS[0], 0.5)], "a label is a whole number or a text, not float"),
        ([(PIXELS[0], -1)], "labels are whole numbers from 0 to 1048575, not -1"),
        ([(PIXELS[0], 1), PIXELS[1]], "1 of 2 pictures have a label"),
        ([{"pixels": PIXELS[0]}], "a mapping has its picture under 'image'"),
        (7, "DATA is a path, a name, or"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_picture_is_refused(data: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(engram.EngramError, match=message):
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


@pytest.mark.parametrize(
    ("data", "expected"),
    [(IMAGES, ["Sampling", "Learning", "Packing", "Checking"]), (CUT, ["Packing", "Checking"])],
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


def test_budgets() -> None:
    given = {"90s": 90, "2m": 120, "1.5h": 5400, "0": 0, " 7 ": 7}
    assert {words: budget_of(words).seconds for words in given} == given
    assert budget_of(2.5) == budget_of(Budget(2.5)) == Budget(2.5)
    assert budget_of("12steps").steps == 12
    assert not budget_of("0steps")
    assert Asked(bytes_per_image=4).goal(10) == Size(4)


def smooth(count: int, size: tuple[int, int], seed: int = 0, noise: float = 6.0) -> np.ndarray:
    """Soft gradients with noise: what a coarse code gives back well, and exactly only at a price."""
    random = np.random.default_rng(seed)
    height, width = size
    y, x = np.mgrid[:height, :width]
    slope = random.uniform(-3, 3, (2, count, 1, 1))
    pixels = 128 + slope[0] * y + slope[1] * x + random.normal(0, noise, (count, height, width))
    return np.rint(pixels).clip(0, 255).astype(np.uint8)[..., None]


def test_both_halves_keep_a_quality(tmp_path: Path) -> None:
    """What is measured comes from both: the first may be much easier than the second."""
    easy, hard = smooth(100, (16, 16)), smooth(180, (16, 16), seed=1, noise=12)
    easy[:, 4:] = 0
    halves = engram.Splits(engram.ImageSet(easy), engram.ImageSet(hard))
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


def test_one_image_does_not_speak_for_many() -> None:
    originals = np.full((1, 8, 8, 1), 128, np.uint8)
    recovered = originals + np.uint8(2)
    exact = 10 * np.log10(255**2 / 4)
    assert Quality(exact - 0.01, 1).is_kept(originals, recovered)
    assert not Quality(exact - 0.01, 1000).is_kept(originals, recovered)


def test_what_is_read_is_not_replaced(tmp_path: Path) -> None:
    engram.pack(PIXELS, tmp_path / "a.egm", budget=0)
    before = (tmp_path / "a.egm").read_bytes()
    with pytest.raises(UsageError, match="would be replaced by what is read from it"):
        engram.pack(tmp_path / "a.egm", tmp_path / "a.egm", force=True, psnr=38, budget=0)
    assert (tmp_path / "a.egm").read_bytes() == before


def test_an_archive_is_packed_with_all_that_it_knows(tmp_path: Path) -> None:
    images = engram.ImageSet(PIXELS[:4], ["a", "b", "a", "b"], names=tuple("wxyz"))
    engram.pack(images, tmp_path / "a.egm", budget=0)
    with engram.open(tmp_path / "a.egm") as archive:
        engram.pack(archive, tmp_path / "b.egm", budget=0)
    with engram.open(tmp_path / "b.egm") as again:
        assert again.labels is not None
        assert (again.labels.tolist(), again.class_names, again.names) == ([0, 1, 0, 1], ("a", "b"), tuple("wxyz"))


def test_what_an_archive_cannot_hold_is_told(tmp_path: Path) -> None:
    rows = [{"image": PIXELS[0], "label": 0, "caption": "a boot"}]
    with pytest.warns(engram.Notice, match=r"columns that an archive cannot hold \(caption\): left out; 1 of 1"):
        engram.pack(rows, tmp_path / "a.egm", budget=0)


def test_gray_beside_colour_is_told(tmp_path: Path) -> None:
    with pytest.warns(engram.Notice, match="gray beside colour: made RGB; 1 of 2 files, the first picture 1"):
        engram.pack([PIXELS[0].repeat(3, 2), PIXELS[1]], tmp_path / "a.egm", budget=0)
    with engram.open(tmp_path / "a.egm") as archive:
        assert np.array_equal(archive[1], PIXELS[1].repeat(3, 2))


def test_pictures_of_pillow_are_taken_as_files_are(tmp_path: Path) -> None:
    picture = Image.fromarray(RANDOM.integers(0, 256, (4, 8, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as turned:
        engram.pack([turned], tmp_path / "a.egm", budget=0)
    with engram.open(tmp_path / "a.egm") as archive:
        assert np.array_equal(archive[0], np.rot90(np.asarray(picture), -1))
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:-40])
    with Image.open(tmp_path / "b.png") as cut, pytest.raises(engram.EngramError, match="picture 0 cannot be read"):
        engram.pack([cut], tmp_path / "b.egm", budget=0)


class Endless:
    """What can be indexed, and says nowhere how long it is."""

    def __getitem__(self, row: int) -> np.ndarray:
        return PIXELS[:3][row]


class TooLong(Endless):
    def __len__(self) -> int:
        return 9


@pytest.mark.parametrize("data", [Endless(), TooLong()])
def test_what_can_only_be_indexed_ends_with_an_index_error(data: Endless, tmp_path: Path) -> None:
    assert engram.pack(data, tmp_path / "a.egm", budget=0).breakdown.images == 3


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    options = {"max_error": np.int64(5), "block_size": np.int32(8)}
    report = engram.pack(PIXELS, tmp_path / "a.egm", budget=0, **options)
    assert (report.quality["max_error"], report.breakdown.block_size) == (5, 8)


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
        ({"data": engram.Splits(engram.ImageSet(PIXELS), engram.ImageSet(PIXELS[:, 1:]))}, "make them one size"),
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


def test_a_resumed_pack_keeps_what_is_asked_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive that was begun with a larger error is not gone on with where none is asked for."""
    from engram.archive import writer

    class Stopped(Exception):
        pass

    def stop(*_: Any) -> None:
        raise Stopped

    many = wardrobe.draw(300, 0)
    monkeypatch.setattr(writer, "GROUP_BYTES", 1 << 16)
    with monkeypatch.context() as patch:
        patch.setattr(writer.Writer, "_tail", stop)
        with pytest.raises(Stopped):
            engram.pack(many, tmp_path / "a.egm", max_error=20, budget=0)
    with pytest.raises(engram.EngramError, match="was begun for something else"):
        engram.pack(many, tmp_path / "a.egm", budget=0, resume=True)
    assert engram.pack(many, tmp_path / "a.egm", max_error=20, budget=0, resume=True).images_resumed > 0


def test_a_file_of_the_user_is_never_sent_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("a.egm.model").write_bytes(b"mine")
    with pytest.raises(engram.EngramError, match=r"a\.egm\.model, which exists already; move it away"):
        engram.pack(PIXELS, f"file://{tmp_path}/there/a.egm", budget=0)
    assert Path("a.egm.model").read_bytes() == b"mine"
    assert list((tmp_path / "there").iterdir()) == []


def test_what_comes_back_is_looked_at_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engram.datasets import stream

    monkeypatch.setattr(stream, "PIECE_BYTES", 784 * 7)
    told: list[tuple[str, int, int]] = []
    report = engram.pack(IMAGES, tmp_path / "a.egm", max_error=9, budget=0, progress=lambda *each: told.append(each))
    with engram.open(tmp_path / "a.egm") as archive:
        error = archive[:].astype(int) - PIXELS
    assert report.quality["psnr_db"] == pytest.approx(10 * np.log10(255**2 / np.square(error).mean()), abs=1e-3)
    assert told[-1] == ("Checking", 40, 40)
