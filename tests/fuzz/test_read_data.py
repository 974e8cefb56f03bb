"""The fuzzers of DATA's doors, in the gate: two seconds each, in a process of their own, for its memory is limited."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from mutated_data import DOORS


@pytest.mark.parametrize("door", DOORS)
def test_a_file_of_any_bytes_gives_pictures_or_an_error_of_ours(door: str) -> None:
    script = Path(__file__).with_name("read_data.py")
    command = [sys.executable, str(script), door, "--seconds", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing found" in done.stdout
