"""The golden archives decoded by other processors' matrix products, thread counts and batches: the same pixels."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "archives"
EXPECTED = json.loads((FOLDER / "expected.json").read_text())
EMBEDDED = [
    name
    for name in sorted(EXPECTED)
    if name.startswith(("frozen", "pixel", "restored", "spatial"))
    and not (FOLDER / name).with_suffix(".model").exists()
]

DECODE = """
import hashlib, sys
from engram import archive
for path in sys.argv[1:]:
    with archive.open(path) as opened:
        for batch in (1, 7, len(opened)):
            digest = hashlib.sha256()
            for first in range(0, len(opened), batch):
                digest.update(opened[first : first + batch].tobytes())
            print(digest.hexdigest())
"""

COMPUTERS = [{"OPENBLAS_NUM_THREADS": "1"}, {"OPENBLAS_NUM_THREADS": "2"}]
if platform.machine() in ("x86_64", "AMD64"):
    COMPUTERS += [{"OPENBLAS_CORETYPE": core} for core in ("Nehalem", "Haswell")]


@pytest.mark.parametrize("settings", COMPUTERS, ids=lambda settings: "-".join(settings.values()))
def test_pixels_do_not_depend_on_the_computer(settings: dict[str, str]) -> None:
    command = [sys.executable, "-c", DECODE, *(str(FOLDER / name) for name in EMBEDDED)]
    run = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | settings)
    assert run.stdout.split() == [EXPECTED[name]["pixels_sha256"] for name in EMBEDDED for _ in range(3)]
