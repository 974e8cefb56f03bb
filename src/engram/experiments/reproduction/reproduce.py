"""The paper's experiment, whole: train everything, judge everything, return the rows.

Finished trainings are kept in OUT/trainings until the reproduction is complete, so that one that was interrupted goes
on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.errors import UsageError
from engram.evaluation.distortion import max_error, mean_squared_error, psnr_db
from engram.evaluation.judge import Judge, accuracy
from engram.experiments.environment import environment
from engram.experiments.reproduction import paper, trial
from engram.experiments.reproduction.material import Material, files_of, prepare
from engram.experiments.reproduction.plan import JUDGE, PAPER, plan
from engram.experiments.reproduction.trial import Outcome, Trial
from engram.images import Pixels
from engram.training.workers import run_jobs

Progress = Callable[[str, float, float], None]
"""Called with what is being done, the work done and the work in all (seconds, roughly)."""

QUICK = {"networks_train": 1_000, "networks_test": 500, "classifier_train": 6_000, "classifier_test": 1_000}


@dataclass(frozen=True, eq=False)
class Reproduction:
    """What was measured. `results` is JSON-able; pictures, confusions and models are by (method, seed)."""

    results: dict[str, Any]
    outcomes: dict[Trial, Outcome]
    confusions: dict[tuple[str, int], NDArray[np.int64]]
    originals: Pixels


def reproduce(
    out: Path,
    *,
    data: str | None = None,
    seeds: int = 3,
    methods: tuple[str, ...] = tuple(paper.METHODS),
    quick: bool = False,
    influence: bool = False,
    counts: dict[str, int] | None = None,
    device: str = "cpu",
    workers: int | None = None,
    progress: Progress | None = None,
    notice: Callable[[str], None] | None = None,
) -> Reproduction:
    """Table 1 to 3, Figures 7 and 8, the comparison at equal code size, and what the open choices change.

    out: the folder for what is finished so far. influence: measure every choice that the paper leaves open.
    notice: told before the training where the paper's data is not to be had.
    Raises UsageError for what cannot be, and whatever loading and training raise.
    """
    if seeds < 1:
        raise UsageError(f"a reproduction needs at least one seed, not {seeds}")
    if unknown := set(methods) - set(paper.METHODS):
        raise UsageError(f"the paper has no method {', '.join(sorted(unknown))}; it has {', '.join(paper.METHODS)}")
    report = progress or (lambda what, done, total: None)
    started = time.perf_counter()
    counts = (QUICK if quick else paper.COUNTS) | (counts or {})
    material = prepare(data, counts, device, lambda done, total: report("data", done, total))
    if material.facts["missing"] and notice:
        notice(f"This run is made on wardrobe, not on the paper's data: {material.facts['missing']}")
    trials = plan(seeds, methods, _cnn_code_numbers(material), quick=quick, influence=influence)
    outcomes = _run_all(trials, material, out / "trainings", workers, report)
    judges = {item.seed: Judge(outcomes[item].model) for item in trials if item.purpose == JUDGE}
    rows: list[dict[str, Any]] = []
    confusions: dict[tuple[str, int], NDArray[np.int64]] = {}
    for item in trials:
        report("judging", len(rows), len(trials))
        row = dict(outcomes[item].facts)
        if item.purpose == JUDGE:
            counts_original = judges[item.seed].confusion(material.original_test)
            row |= {"accuracy": row["accuracies"][-1], "accuracy_raw": accuracy(counts_original)}
        else:
            recovered = outcomes[item].pictures["recovered"]
            counts_recovered = judges[item.seed].confusion(material.networks_test.with_images(recovered))
            if item.purpose == PAPER:
                confusions[item.method, item.seed] = counts_recovered
            row |= {
                "loss": row["losses"][-1],
                "test_mse": mean_squared_error(material.networks_test.images, recovered),
                "psnr_db": psnr_db(material.networks_test.images, recovered),
                "max_error": max_error(material.networks_test.images, recovered),
                "accuracy": accuracy(counts_recovered),
            }
        rows.append(row)
    for item_seed, judge in judges.items():
        confusions["originals", item_seed] = judge.confusion(material.networks_test)
    results = {
        "format": "engram-reproduction/1",
        "quick": quick,
        "data": material.facts | {"files": files_of(material.facts["name"])},
        "environment": environment() | {"device": device},
        "seeds": seeds,
        "methods": list(methods),
        "rows": rows,
        "seconds": time.perf_counter() - started,
    }
    return Reproduction(results, outcomes, confusions, material.networks_test.images)


def _run_all(
    trials: list[Trial], material: Material, folder: Path, workers: int | None, report: Progress
) -> dict[Trial, Outcome]:
    """Every trial's outcome: read where an earlier run left it, trained where not, the longest first."""
    folder.mkdir(parents=True, exist_ok=True)
    outcomes = {item: found for item in trials if (found := trial.load(folder, item, material)) is not None}
    waiting = sorted((item for item in trials if item not in outcomes), key=lambda item: -item.work(material))
    total = sum(item.work(material) for item in waiting)
    done = 0.0

    def tick(amount: float) -> None:
        nonlocal done
        done += amount
        report("training", done, total)

    if material.device != "cpu":
        workers = 0  # one GPU: one training after the other
    for item, outcome in run_jobs(trial.run, waiting, material, workers=workers, progress=tick):
        outcome.save(folder, item.name, material)
        outcomes[item] = outcome
    return outcomes


def _cnn_code_numbers(material: Material) -> int:
    """How many numbers the cnn's code has for these images (40 for 28 x 28)."""
    from engram.networks.registry import make

    return int(np.prod(make("cnn", material.networks_train.image_shape).describe().code_shape))
