"""What a reproduction leaves in its folder beside the page: all rows, and the trained models."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from engram.experiments.reproduction.plan import JUDGE, PAPER
from engram.experiments.reproduction.reproduce import Reproduction
from engram.files import replacing_file


def write(run: Reproduction, folder: Path) -> None:
    """Write results.json and models/METHOD-seedN.safetensors, and remove what was kept for going on."""
    models = folder / "models"
    models.mkdir(parents=True, exist_ok=True)
    for trial, outcome in run.outcomes.items():
        if trial.purpose in (PAPER, JUDGE):
            outcome.model.save(models / f"{trial.method}-seed{trial.seed}.safetensors")
    with replacing_file(folder / "results.json") as file:
        file.write(json.dumps(run.results, indent=1).encode())
    shutil.rmtree(folder / "trainings", ignore_errors=True)
