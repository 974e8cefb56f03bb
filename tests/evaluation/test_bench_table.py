"""`make bench-table` writes a table and measures it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "table.py"


def test_every_figure_is_measured() -> None:
    command = [sys.executable, str(SCRIPT), "--rows", "2000", "--repetitions", "2"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert told.startswith("2,000 rows written in ")
    for what in ("column path", "open, s", "one picture, s", "a row by its path, twice, s", "memory, MB"):
        assert what in told
