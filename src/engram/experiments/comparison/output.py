"""What a comparison leaves in its folder beside the page: all its figures."""

from __future__ import annotations

import json
from pathlib import Path

from engram.experiments.comparison.run import Comparison
from engram.files import replacing_file


def write(run: Comparison, folder: Path) -> Path:
    """The path of results.json, written."""
    path = folder / "results.json"
    with replacing_file(path) as file:
        file.write((json.dumps(run.results, indent=1) + "\n").encode())
    return path
