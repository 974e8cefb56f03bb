"""A comparison, run: every job that no earlier run has finished, side by side, and what all of them found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engram.errors import EngramError, MissingLibrary
from engram.experiments.comparison import job as jobs
from engram.experiments.comparison.job import Finding, Job
from engram.experiments.comparison.material import Material, Sizes, prepare
from engram.experiments.comparison.plan import SIZES, check, plan
from engram.experiments.comparison.row import Row
from engram.experiments.comparison.study import Study
from engram.experiments.comparison.summary import summary
from engram.experiments.environment import environment
from engram.training.workers import Tick, run_jobs

WORK = "work"
"""The folder of what is finished, in the folder of the comparison."""
Progress = Callable[[str, float, float], None]
"""Called with what is being done, the work done and the work in all (seconds, roughly)."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """What was found. results: JSON-able, all the figures. findings: of each job, pictures included."""

    results: dict[str, Any]
    findings: dict[Job, Finding]
    material: Material


def compare(
    data: str,
    out: Path,
    *,
    quick: bool = False,
    seeds: int | None = None,
    methods: Sequence[str] = (),
    workers: int | None = None,
    sizes: Sizes | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Every method and every rival over its dial on DATA, and the studies.

    methods: only these, by name; default all. What is finished is kept in OUT/work by what it depends on, and not done
    again. A job that fails becomes a row with its error. Raises UsageError for an unknown method, and what loading
    raises.
    """
    report = progress or (lambda what, done, total: None)
    started = time.perf_counter()
    check(methods)
    sizes = sizes or SIZES[quick]
    material = prepare(data, out / WORK, sizes, lambda done, total: report("data", done, total), workers)
    planned = plan(material.known, quick=quick, seeds=seeds, methods=methods)
    findings = find(planned, material, out / WORK, workers, report)
    rows = [row for item in planned for row in _rows(item, findings[item])]
    results = {
        "format": "engram-comparison/1",
        "quick": quick,
        "data": {
            "name": data,
            "train_images": len(material.train),
            "test_images": len(material.test),
            "image_shape": list(material.test.image_shape),
            "class_names": list(material.test.class_names),
            "fingerprint": material.fingerprint,
        },
        "environment": environment() | jobs.versions(("imagecodecs", "scikit-learn", "scikit-image")),
        "rows": rows,
        "studies": {item.name: dict(findings[item].facts) for item in planned if isinstance(item, Study)},
        "seconds": time.perf_counter() - started,
        "work_seconds": sum(found.seconds for found in findings.values()),
    }
    return Comparison(results | summary(rows), findings, material)


def _rows(item: Job, found: Finding) -> Iterable[Row]:
    return found.rows if not found.error else [item.placed() | {"error": found.error}]


def find(
    planned: Sequence[Job], material: Material, folder: Path, workers: int | None, report: Progress
) -> dict[Job, Finding]:
    """Each job's finding: read where an earlier run left it, found where not, the longest first."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {item: folder / f"{item.key(material)}.safetensors" for item in planned}
    findings = {item: found for item, path in files.items() if (found := jobs.load(path)) is not None}
    waiting = sorted((item for item in planned if item not in findings), key=lambda item: -item.seconds(material))
    total = sum(item.seconds(material) for item in waiting)
    done = 0.0

    def tick(amount: float) -> None:
        nonlocal done
        done += amount
        report("measuring", done, total)

    for item, found in run_jobs(_work, waiting, material, workers=workers, progress=tick):
        if found.lasting:
            found.save(files[item])
        findings[item] = found
    return findings


def _work(item: Job, material: Material, tick: Tick) -> Finding:
    """What the job finds, or why it does not; its ticks make up its seconds in any case."""
    left, started = item.seconds(material), time.process_time()

    def counted(amount: float) -> None:
        nonlocal left
        tick(min(left, amount))
        left -= min(left, amount)

    try:
        found = item.run(material, counted)
    except MissingLibrary as error:
        found = Finding(error=str(error), lasting=False)
    except EngramError as error:
        found = Finding(error=str(error))
    except Exception as error:  # one method's failure is a row of the table, not the end of all
        found = Finding(error=f"{type(error).__name__}: {error}".splitlines()[0], lasting=False)
    tick(left)
    return replace(found, seconds=time.process_time() - started)
