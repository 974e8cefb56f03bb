"""The same bytes give the same pixels: other processors' matrix products, thread counts, batches, in new processes."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sample_networks import dense, pictures

from engram.codecs.freeze import freeze
from engram.codecs.pca import fit_pca

READER = """
import hashlib, json, sys
from engram.codecs.frozen import Frozen
import numpy as np

folder, batch = sys.argv[1], int(sys.argv[2])
for name in ("ann", "pca"):
    coded = json.load(open(f"{folder}/{name}.json"))
    codec = Frozen.from_config(coded["config"], bytes.fromhex(coded["model"]))
    blocks = [(bytes.fromhex(data), count) for data, count in coded["blocks"]]
    pixels = [image for i in range(0, len(blocks), batch) for image in codec.decode_many(blocks[i : i + batch])]
    print(hashlib.sha256(np.concatenate(pixels).tobytes()).hexdigest())
assert "torch" not in sys.modules
"""


@pytest.fixture(scope="module")
def coded(tmp_path_factory):
    """Blocks of two codecs, one with sums in float32 and one in float64, and the SHA-256 of their pixels."""
    folder, digests, dtypes = tmp_path_factory.mktemp("coded"), [], set()
    training = pictures(300, (16, 16, 3))
    for name, network, bits in (("ann", dense((16, 16, 3), 60), 4), ("pca", fit_pca(training, 120), 8)):
        codec = freeze(network, training, bits=bits)
        images = pictures(700, (16, 16, 3), seed=2).images
        blocks = [images[i : i + 7] for i in range(0, 700, 7)]
        data = codec.encode_many(blocks)
        written = {"config": codec.config(), "model": codec.model.hex(), "blocks": [[d.hex(), 7] for d in data]}
        (folder / f"{name}.json").write_text(json.dumps(written))
        decoded = np.concatenate([codec.decode(d, 7) for d in data])
        digests.append(hashlib.sha256(decoded.tobytes()).hexdigest())
        dtypes.add(codec.synthesis.network.layers[0].linear.weight.dtype)
    assert dtypes == {np.dtype(np.float32), np.dtype(np.float64)}
    return folder, digests


@pytest.mark.parametrize(
    ("core", "threads", "batch"),
    [("Nehalem", 1, 100), ("Haswell", 2, 7), ("Sandybridge", 2, 100), ("", 1, 1), ("", 2, 100)],
)
def test_pixels_are_the_same_on_every_machine(coded, core, threads, batch, tmp_path):
    folder, digests = coded
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    if core:
        environment["OPENBLAS_CORETYPE"] = core
    reader = tmp_path / "reader.py"
    reader.write_text(READER)
    found = subprocess.run(
        [sys.executable, str(reader), str(Path(folder)), str(batch)],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.split() == digests
