"""What all tests share: real data only where it lies, one thread for each library."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("untimed", deadline=None)  # another program on the machine fails no test
hypothesis.settings.load_profile("untimed")

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # small arrays: threads would only wait for each other


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    data = os.environ.get("ENGRAM_DATA")
    if data and any(Path(data).rglob("train-images-idx3-ubyte.gz")):
        return
    for item in items:
        if item.get_closest_marker("real"):
            item.add_marker(pytest.mark.skip(reason="ENGRAM_DATA names no folder with Fashion-MNIST"))
