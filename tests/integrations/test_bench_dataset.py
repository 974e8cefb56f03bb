"""What `make bench-dataset` compares are the same images in the same batches."""

from __future__ import annotations

import runpy
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from engram.datasets import wardrobe

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "dataset.py"


def contents(batches: Any) -> tuple[list[bytes], list[int]]:
    """The images, and how many there are of each class, whatever its number."""
    images, labels = zip(*batches, strict=True)
    pixels = torch.cat(images).mul(255).round().to(torch.uint8).numpy()
    return sorted(map(bytes, pixels)), sorted(Counter(torch.cat(labels).tolist()).values())


def test_each_source_gives_the_images_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPT.parent)
    bench = runpy.run_path(str(SCRIPT))
    images = wardrobe.draw(90, 0)
    (folder, size, pictures), *archives = bench["written"](images, wardrobe.draw(200, 1), [], tmp_path)
    assert folder == "PNG folder"
    assert size == sum(file.stat().st_size for file in tmp_path.rglob("*.png"))
    settings = {"batch_size": 32, "shuffle": True, "num_workers": 0}
    expected = contents(pictures(settings))
    assert expected[0] == sorted(map(bytes, images.images))
    for name, _, read in archives:
        found = contents(read(settings))
        assert found[1] == expected[1]
        assert found[0] == expected[0] or not name.startswith("raw")
    row = bench["measured"](lambda: archives[0][2](settings), 90, 2)
    assert [len(speeds) for speeds in row.values()] == [2, 2 * bench["LATER_EPOCHS"]]
