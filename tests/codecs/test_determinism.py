"""The same symbols give the same pixels: other processors' matrix products, thread counts, batches, in new processes;
and products made by torch, on a CUDA GPU where there is one."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sample_networks import convolutional, dense, pictures

from engram.codecs.freeze import freeze
from engram.codecs.frozen import Frozen
from engram.codecs.pca import fit_pca
from engram.coding import integer
from engram.coding.integer import IntegerLayer, with_numbers

COUNT = 10_000
SHAPE = (12, 12, 3)

READER = """
import hashlib, json, sys
from pathlib import Path
from engram.codecs.frozen import Frozen
from engram.coding import integer
import numpy as np

integer._CHUNK = 1 << 40  # a batch is one product, however large
for name in ("ann", "pca", "cnn"):
    coded = json.loads(Path(sys.argv[1], f"{name}.json").read_text())
    synthesis = Frozen.from_config(coded["config"], bytes.fromhex(coded["model"])).synthesis
    symbols = np.load(Path(sys.argv[1], f"{name}.npy"))
    for batch in (1, 7, 10_000):
        wanted = symbols[:, :1000] if batch == 1 else symbols  # one by one, a thousand are enough
        digest = hashlib.sha256()
        for first in range(0, wanted.shape[1], batch):
            digest.update(synthesis.pixels(wanted[:, first : first + batch]).tobytes())
        print(digest.hexdigest())
assert "torch" not in sys.modules
"""


@pytest.fixture(scope="module")
def codecs() -> dict[str, Frozen]:
    """Sums in float32 and in float64, dense layers and convolutions."""
    training = pictures(300, SHAPE)
    networks = {"ann": (dense(SHAPE, 30), 4), "pca": (fit_pca(training, 80), 8), "cnn": (convolutional(SHAPE), 4)}
    made = {name: freeze(network, training, bits=bits) for name, (network, bits) in networks.items()}
    layers = [layer for codec in made.values() for layer in codec.synthesis.network.layers]
    dtypes = {layer.linear.weight.dtype for layer in layers if isinstance(layer, IntegerLayer)}
    assert dtypes == {np.dtype(np.float32), np.dtype(np.float64)}
    return made


@pytest.fixture(scope="module")
def symbols(codecs: dict[str, Frozen]) -> dict[str, np.ndarray]:
    """int32[units, COUNT] of each codec: any symbols that it can have."""
    random = np.random.default_rng(0)
    sizes = {name: [len(levels) for levels in codec.synthesis.levels] for name, codec in codecs.items()}
    return {
        name: np.array([random.integers(0, size, COUNT, np.int32) for size in of_units])
        for name, of_units in sizes.items()
    }


@pytest.fixture(scope="module")
def coded(
    codecs: dict[str, Frozen], symbols: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str]]:
    """What READER reads, and what it should print: the pixels here, decoded a thousand at a time."""
    folder, digests = tmp_path_factory.mktemp("coded"), []
    for name, codec in codecs.items():
        (folder / f"{name}.json").write_text(json.dumps({"config": codec.config(), "model": codec.model.hex()}))
        np.save(folder / f"{name}.npy", symbols[name])
        thousands = [codec.synthesis.pixels(symbols[name][:, i : i + 1000]).tobytes() for i in range(0, COUNT, 1000)]
        digests.append(hashlib.sha256(thousands[0]).hexdigest())
        digests += [hashlib.sha256(b"".join(thousands)).hexdigest()] * 2
    return folder, digests


COMPUTERS = [("", 1), ("", 2)]
if platform.machine() in ("x86_64", "AMD64"):
    COMPUTERS += [("Nehalem", 1), ("Haswell", 2)]


@pytest.mark.parametrize(("core", "threads"), COMPUTERS)
def test_pixels_are_the_same_on_every_machine(coded: tuple[Path, list[str]], core: str, threads: int) -> None:
    folder, digests = coded
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    if core:
        environment["OPENBLAS_CORETYPE"] = core
    command = [sys.executable, "-c", READER, str(folder)]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split() == digests


class Products(np.ndarray):
    """A matrix whose products torch makes, on a device."""

    device = "cpu"
    made = 0

    def __rmatmul__(self, left: Any) -> np.ndarray:
        import torch

        Products.made += 1
        dtype = np.result_type(left, self)
        factors = (torch.from_numpy(np.array(factor, dtype, order="C")).to(self.device) for factor in (left, self))
        return torch.matmul(*factors).cpu().numpy()


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("batch", [7, COUNT])
@pytest.mark.parametrize("name", ["ann", "pca", "cnn"])
def test_pixels_are_the_same_on_a_gpu(
    codecs: dict[str, Frozen],
    symbols: dict[str, np.ndarray],
    name: str,
    batch: int,
    device: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch = pytest.importorskip("torch")
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA GPU here")
    assert torch.get_float32_matmul_precision() == "highest"  # else factors are rounded to 10 bits, and not exact
    monkeypatch.setattr(Products, "device", device)
    monkeypatch.setattr(Products, "made", 0)
    monkeypatch.setattr(integer, "_CHUNK", 1 << 40)
    codec = codecs[name]
    some = symbols[name][:, :batch]
    expected = codec.synthesis.pixels(some)
    there = Frozen.from_config(codec.config(), codec.model)
    layers = there.synthesis.network.layers
    for index, layer in enumerate(layers):
        if isinstance(layer, IntegerLayer):
            moved = with_numbers(layer.linear, layer.linear.weight.view(Products), layer.linear.bias)
            layers[index] = IntegerLayer(moved, layer.shift, layer.low, layer.high, layer.table)
    np.testing.assert_array_equal(there.synthesis.pixels(some), expected, strict=True)
    assert Products.made == sum(isinstance(layer, IntegerLayer) for layer in layers)
