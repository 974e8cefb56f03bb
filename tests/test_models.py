"""A trained network in a file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from engram import models
from engram.models import CorruptModel, Model, ModelNotFound
from engram.networks.registry import NETWORKS, make


@pytest.mark.parametrize("method", list(NETWORKS))
def test_load_undoes_save(method: str, tmp_path: Path) -> None:
    network = make(method, (20, 17, 3)).describe()
    Model(network, {"seed": 3, "losses": [0.5]}).save(tmp_path / "m")
    loaded = models.load(tmp_path / "m")
    assert loaded.facts == {"seed": 3, "losses": [0.5]}
    assert (loaded.network.method, loaded.network.image_shape) == (method, (20, 17, 3))
    for mine, other in zip(
        network.analysis + network.synthesis, loaded.network.analysis + loaded.network.synthesis, strict=True
    ):
        assert type(mine) is type(other)
        for name, value in vars(mine).items():
            assert np.array_equal(value, getattr(other, name)), name


def test_a_shared_matrix_is_stored_once(tmp_path: Path) -> None:
    for method in ("ann", "tied"):
        Model(make(method, (28, 28, 1)).describe()).save(tmp_path / method)
    assert (tmp_path / "tied").stat().st_size < 0.52 * (tmp_path / "ann").stat().st_size


def test_reading_needs_no_torch(tmp_path: Path) -> None:
    Model(make("tied", (8, 8, 1)).describe()).save(tmp_path / "m")
    code = (
        "import sys; sys.modules['torch'] = None; from pathlib import Path; from engram import models;"
        f"print(models.load(Path({str(tmp_path / 'm')!r})).network.code_numbers)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "400\n"


def _file(header: object, **tensors: np.ndarray) -> bytes:
    return save(tensors or {"x": np.zeros(1)}, {"engram": json.dumps(header)})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is no model of engram, or a damaged one"),
        (b"\xff" * 64, "is no model of engram, or a damaged one"),
        (save({"x": np.zeros(1)}), "is no model of engram, or a damaged one"),
        (_file({"format": "engram-model/2"}), "is of format 'engram-model/2'; this version reads 'engram-model/1'"),
        (_file({"format": "engram-model/1", "method": "ann"}), "is no model of engram, or a damaged one"),
        (
            _file(
                {
                    "format": "engram-model/1",
                    "method": "ann",
                    "image_shape": [4, 4, 1],
                    "analysis": [{"kind": "reshape", "shape": [16]}],
                    "synthesis": [{"kind": "reshape", "shape": [1, 8, 2]}],
                    "facts": {},
                }
            ),
            r"its layers lead from \(1, 4, 4\) to \(1, 8, 2\)",
        ),
    ],
)
def test_a_file_that_is_no_model_is_refused(data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(data)
    with pytest.raises(CorruptModel, match=message):
        models.load(tmp_path / "m")


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    Model(make("tied", (8, 8, 1), hidden=2).describe()).save(tmp_path / "m")
    data = (tmp_path / "m").read_bytes()
    for length in range(0, len(data), 37):
        (tmp_path / "cut").write_bytes(data[:length])
        with pytest.raises(CorruptModel):
            models.load(tmp_path / "cut")


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="`engram train DATA --method M -o"):
        models.load(tmp_path / "m")
