"""What a comparison leaves in its folder beside the page: all its figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engram.experiments.comparison.run import Comparison
from engram.files import replacing_file


def write(run: Comparison, folder: Path) -> Path:
    """The path of results.json, written: a line for each row, so that two runs can be held against each other."""
    path = folder / "results.json"
    parts = (f"{json.dumps(name)}: {_emit(value)}" for name, value in run.results.items())
    with replacing_file(path) as file:
        file.write(("{\n" + ",\n".join(parts) + "\n}\n").encode())
    return path


def _emit(value: Any) -> str:
    """JSON, with each entry of a list on a line of its own."""
    if not isinstance(value, list):
        return json.dumps(value)
    return "[\n" + ",\n".join(map(json.dumps, value)) + "\n]"
