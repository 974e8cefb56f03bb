"""`make bench-pixel` on a small network: its table is filled, and a second run trains nothing again."""

import json
import runpy
import sys
from pathlib import Path

import pytest

from engram.datasets import wardrobe
from engram.images import ImageSet

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "pixel.py"


def test_the_table_is_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(SCRIPT.parent)
    monkeypatch.setattr("engram.load", few)
    arguments = ["--data", "wardrobe", "--efforts", "fast", "--epochs", "1", "--models", tmp_path, "--repetitions", "2"]
    arguments += ["--rivals", "png-each", "--out", tmp_path / "speed.json"]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, arguments)])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    written = (tmp_path / "fast.safetensors").stat().st_mtime_ns
    runpy.run_path(str(SCRIPT), run_name="__main__")
    assert (tmp_path / "fast.safetensors").stat().st_mtime_ns == written
    [row] = json.loads((tmp_path / "speed.json").read_text())["efforts"]
    assert row["effort"] == "fast"
    assert len(row["pack_images_per_second"]) == len(row["unpack_images_per_core_second"]) == 2
    assert 0 < row["bytes_per_image"] < row["bytes_per_image_with_model"]
    printed = capsys.readouterr().out
    assert "| fast | " in printed
    assert "| png-each | 9 | " in printed


def few(data: str) -> ImageSet:
    return wardrobe.draw(70, seed=len(data))
