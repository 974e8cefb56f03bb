"""A comparison from end to end, on few images: rows, page, command line."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from engram.cli.main import app
from engram.datasets import wardrobe
from engram.document import RateChart, Strip, Table
from engram.errors import UsageError
from engram.evaluation.formats import FORMATS
from engram.evaluation.rivals import RIVALS
from engram.experiments.comparison import plan as plans
from engram.experiments.comparison.chapters import document
from engram.experiments.comparison.material import SHOWN, Sizes, prepare
from engram.experiments.comparison.rivals import RivalPoint
from engram.experiments.comparison.run import Comparison, compare
from engram.experiments.comparison.study import Study
from engram.images import ImageSet

pytest.importorskip("sklearn", reason="the comparison's extra is not installed: pip install 'engram-images[compare]'")
METHODS = "raw", "pca", "lda", "png", "jpeg-plain"
SIZES = Sizes(train=150, test=40, judge_epochs=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of few images."""
    images = wardrobe.draw(280, seed=11)
    path = tmp_path_factory.mktemp("data") / "few.npz"
    np.savez(path, images=images.images, labels=images.labels, class_names=np.array(images.class_names))
    return str(path)


@pytest.fixture(scope="module")
def found(data: str, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    out = tmp_path_factory.mktemp("compared")
    return compare(data, out, quick=True, methods=METHODS, workers=0, sizes=SIZES)


def test_every_setting_is_a_row_with_all_its_figures(found: Comparison) -> None:
    rows = found.results["rows"]
    assert {row["method"] for row in rows} >= {"raw", "pca", "lda", "png-each", "png-shared", "png-atlas"}
    for row in rows:
        assert "error" not in row, row
        assert row["bytes_per_image_with_model"] * 40 == pytest.approx(row["total_bytes"])
        assert (row["total_bytes"] - row["model_bytes"]) / 40 == pytest.approx(row["bytes_per_image"])
        assert (row["psnr_db"] is None) == (row["max_error"] == 0)
        assert 0 < row["ssim"] <= 1 + 1e-9
        assert set(row["accuracy"]) == {"strong", "paper's"}
        assert row["encode_images_per_second"] > 0
        assert row["decode_images_per_second"] > 0
    shared, each = (next(row for row in rows if row["method"] == f"png-{layout}") for layout in ("shared", "each"))
    assert shared["bytes_per_image"] < each["bytes_per_image"]
    assert shared["psnr_db"] is each["psnr_db"] is None


def test_accuracy_is_that_of_the_originals_where_nothing_is_lost(found: Comparison) -> None:
    lossless = [row["accuracy"] for row in found.results["rows"] if row["psnr_db"] is None]
    assert len(lossless) > 2
    assert all(accuracy == lossless[0] for accuracy in lossless)


def test_results_are_json_and_say_where_they_come_from(found: Comparison) -> None:
    results = json.loads(json.dumps(found.results))
    assert results["format"] == "engram-comparison/1"
    assert results["data"]["test_images"] == 40
    assert {"engram", "torch", "numpy", "commit", "command"} <= set(results["environment"])
    assert results["work_seconds"] > 0


def test_the_page_has_curves_strips_and_all_rows(found: Comparison) -> None:
    blocks = [block for section in document(found).sections for block in section.blocks]
    charts = [block for block in blocks if isinstance(block, RateChart)]
    assert [chart.name for chart in charts][:3] == ["headline", "rates", "rates-with-model"]
    assert {curve.label for curve in charts[1].curves} == {row["method"] for row in found.results["points"]}
    table = max((block for block in blocks if isinstance(block, Table)), key=lambda block: len(block.rows))
    assert len(table.rows) == len(found.results["points"])
    strip = next(block for block in blocks if isinstance(block, Strip))
    assert strip.methods[0] == "original"
    assert len(strip.choices) == SHOWN
    at = found.material.shown[0]
    assert np.array_equal(strip.pictures[0][0], found.material.test.images[at])


def test_variants_of_one_size_are_no_curve(found: Comparison) -> None:
    lossy = next(row for row in found.results["points"] if row["psnr_db"] is not None)
    variants = [lossy | {"method": "variants", "setting": str(number)} for number in range(2)]
    told = document(replace(found, results=found.results | {"points": [*found.results["points"], *variants]}))
    blocks = [block for section in told.sections for block in section.blocks]
    labels = {curve.label for block in blocks if isinstance(block, RateChart) for curve in block.curves}
    assert lossy["method"] in labels
    assert "variants" not in labels
    assert any(row[0] == "variants" for block in blocks if isinstance(block, Table) for row in block.rows)


def test_shown_images_are_of_all_classes(found: Comparison) -> None:
    labels = found.material.test.labels
    assert labels is not None
    assert set(labels[found.material.shown[: len(set(labels.tolist()))]]) == set(labels.tolist())


def test_images_without_labels_are_compared_without_judges(tmp_path: Path) -> None:
    path = tmp_path / "plain.npy"
    np.save(path, wardrobe.draw(90, seed=2).images)
    found = compare(str(path), tmp_path / "out", quick=True, methods=["png", "pca", "lda"], workers=0, sizes=SIZES)
    errors = [row for row in found.results["rows"] if "error" in row]
    assert [(row["method"], "labels" in row["error"]) for row in errors] == [("lda", True)]
    assert all(row["accuracy"] == {} for row in found.results["rows"] if "error" not in row)
    assert any(isinstance(block, RateChart) for section in document(found).sections for block in section.blocks)


def test_a_set_too_small_to_divide_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "one.npy"
    np.save(path, np.zeros((1, 8, 8, 1), np.uint8))
    with pytest.raises(UsageError, match="too small a set"):
        prepare(str(path), tmp_path, SIZES)


def test_an_unknown_method_is_named_with_those_like_it(data: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no method 'avi' to compare; there are, for one, avif"):
        compare(data, tmp_path, methods=["avi"], sizes=SIZES, workers=0)


@pytest.mark.parametrize("quick", [True, False])
def test_every_format_is_a_rival_in_every_layout(found: Comparison, quick: bool) -> None:
    planned = plans.plan(found.material.known, quick=quick)
    points = [item for item in planned if isinstance(item, RivalPoint)]
    assert {f"{item.name}-{layout}" for item in points for layout in item.layouts} == set(RIVALS)
    if not quick:
        assert {(item.name, item.setting) for item in points} == {
            (name, setting) for name, format in FORMATS.items() for setting in format.dial
        }
    assert len({item.key(found.material) for item in planned}) == len(planned)
    assert sum(isinstance(item, Study) for item in planned) >= 6


def test_a_missing_library_is_a_row_that_says_so(data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    found = compare(data, tmp_path, quick=True, methods=["jpeg-ls", "png"], workers=0, sizes=SIZES)
    errors = [row for row in found.results["rows"] if "error" in row]
    assert {row["method"] for row in errors} == {"jpeg-ls-atlas", "jpeg-ls-each"}
    assert all("pip install 'engram-images[rivals]'" in row["error"] for row in errors)
    assert any(row["method"] == "png-each" for row in found.results["rows"] if "error" not in row)


def test_the_command_writes_page_and_figures(data: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = [
        "compare",
        data,
        "--quick",
        "--out",
        str(out),
        "--workers",
        "0",
        "--json",
        *("--method", "png", "--method", "raw"),
    ]
    result = CliRunner().invoke(app, asked, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["rows"], told["failed"]) == (4, 0)
    assert "Small images in real bytes" in Path(told["report"]).read_text()
    assert len(json.loads(Path(told["results"]).read_text())["rows"]) == 4
    assert (out / "figures" / "rates.svg").exists()


def test_an_archive_holds_no_labels_as_no_rival_does(found: Comparison) -> None:
    images = ImageSet(found.material.test.images)
    raw = next(row for row in found.results["rows"] if row["method"] == "raw")
    assert raw["total_bytes"] < images.images.size
