"""The C code under sanitizers, in the gate: for as long as it may take there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def test_the_code_in_c_under_sanitizers() -> None:
    script = Path(__file__).with_name("sanitized.py")
    done = subprocess.run([sys.executable, str(script), "--seconds", "18"], capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("nothing found") == 3
