"""`make bench-codec` on a few images: its tables are filled, and a second run codes nothing again."""

import json
import runpy
import sys
from pathlib import Path

import pytest

from engram import archive as archives
from engram.codecs.pca import fit_pca
from engram.codecs.raw import Raw
from engram.datasets import arrays, wardrobe
from engram.evaluation.rivals import Rival
from engram.models import Model
from engram.training.fit import fit

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "codec.py"
RIVALS = ["webp-atlas", "jpeg-each", "xz-stream"]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, arguments)])
    runpy.run_path(str(SCRIPT), run_name="__main__")


def test_the_tables_are_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    images = wardrobe.draw(70, seed=5)
    arrays.save(tmp_path / "images.npz", images)
    (tmp_path / "models").mkdir()
    for units in (4, 20):
        Model(fit_pca(images, units)).save(tmp_path / "models" / f"pca-{units}.safetensors")
    archives.pack(images, Raw(images.image_shape), tmp_path / "raw.egm")
    fit(images, "classifier", epochs=1).save(tmp_path / "judge-1")
    fit(images, "judge", epochs=1, options={"widths": [4]}).save(tmp_path / "judge-2")
    common = ["--data", tmp_path / "images.npz", "--points", tmp_path / "points.json", "--rivals", *RIVALS]
    models = ["--models", tmp_path / "models", tmp_path / "raw.egm", "--repetitions", 1, "--no-speeds"]
    judges = ["--judges", tmp_path / "judge-1", tmp_path / "judge-2"]
    run(monkeypatch, *common, *models, *judges, "--out", tmp_path / "result.json")
    result = json.loads((tmp_path / "result.json").read_text())
    assert [row["model"] for row in result["archives"]] == ["pca-20", "pca-4", "raw"]
    assert [row["codec"] for row in result["archives"]] == ["frozen", "frozen", "raw"]
    assert result["archives"][2]["psnr_db"] is None
    assert set(result["originals"]) == {"judge-1", "judge-2"}
    assert result["archives"][2]["accuracy"] == result["originals"]
    assert {row["rival"] for row in result["rivals"]} == set(RIVALS)
    assert [row["rival"] for row in result["rates"]] == ["jpeg-each"] * 2  # no other is as bad
    shown = capsys.readouterr().out
    assert "| pca-4 |" in shown
    assert "raw: " in shown

    monkeypatch.setattr(Rival, "code", None)  # nothing is coded again
    brought = ["--models", "fashion-mnist-spatial", "--repetitions", 1, "--no-speeds"]
    run(monkeypatch, *common, *brought, "--out", tmp_path / "again.json")
    assert {row["codec"] for row in json.loads((tmp_path / "again.json").read_text())["archives"]} == {"spatial"}
    assert json.loads((tmp_path / "again.json").read_text())["rivals"] == result["rivals"]
