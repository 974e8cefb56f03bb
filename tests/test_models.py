"""A trained network in a file."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from engram import models
from engram.layers import Dense
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


def _describing(*analysis: dict[str, object], **tensors: np.ndarray) -> bytes:
    header = {"format": "engram-model/1", "method": "ann", "image_shape": [4, 4, 1], "facts": {}, "synthesis": []}
    return _file(header | {"analysis": list(analysis)}, **tensors)


def _convolution(**settings: object) -> bytes:
    kernel = {"analysis.0.weight": np.ones((1, 1, 2, 2), np.float32), "analysis.0.bias": np.ones(1, np.float32)}
    layer = {"kind": "convolution", "stride": 1, "padding": 0, "activation": "none"}
    return _describing(layer | settings, **kernel)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (_convolution(stride=0), "layer analysis.0 has a stride of 0"),
        (_convolution(stride=-1), "layer analysis.0 has a stride of -1"),
        (_convolution(stride=1.5), "layer analysis.0 has a stride of 1.5"),
        (_convolution(padding=-1), "layer analysis.0 has a padding of -1"),
        (_describing({"kind": "max pooling", "size": 2, "stride": 0}), "layer analysis.0 has a stride of 0"),
        (_describing({"kind": "max pooling", "size": -2, "stride": 1}), "layer analysis.0 has a size of -2"),
        (_describing({"kind": "max pooling", "size": 9, "stride": 1}), r"make \(1, -4, -4\) of \(1, 4, 4\)"),
        (_describing({"kind": "pad", "height": -4, "width": 4}), "layer analysis.0 has a height of -4"),
        (_describing({"kind": "crop", "height": 4, "width": 0}), "layer analysis.0 has a width of 0"),
        (
            _file({"format": "engram-model/1", "analysis": [], "synthesis": [], "image_shape": [1e999, 4, 1]}),
            "infinity",
        ),
        (_describing({"kind": "reshape", "shape": [-1, 16]}), r"make \(-1, 16\) of \(1, 4, 4\)"),
    ],
)
def test_a_layer_of_impossible_sizes_is_refused(data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(data)
    with pytest.raises(CorruptModel, match=message):
        models.load(tmp_path / "m")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_refused(value: float, tmp_path: Path) -> None:
    network = make("ann", (8, 8, 1), hidden=2).describe()
    dense, *rest = network.synthesis
    assert isinstance(dense, Dense)
    damaged = replace(dense, bias=np.full_like(dense.bias, value))
    Model(replace(network, synthesis=(damaged, *rest))).save(tmp_path / "m")
    with pytest.raises(CorruptModel, match=r"synthesis\.0\.bias holds values that are not finite; train it again"):
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
