"""Jobs side by side."""

from __future__ import annotations

import os
from typing import Any

import pytest

from engram.training.workers import Tick, run_jobs


def add(job: int, shared: int, tick: Tick) -> tuple[int, int]:
    tick(1.0)
    return job + shared, os.getpid()


def fail(job: int, shared: Any, tick: Tick) -> int:
    raise ValueError(f"job {job} failed")


@pytest.mark.parametrize("workers", [0, 2])
def test_every_job_is_answered_once(workers: int) -> None:
    ticks: list[float] = []
    results = dict(run_jobs(add, [3, 1, 2], 10, workers=workers, progress=ticks.append))
    assert {job: value for job, (value, _) in results.items()} == {1: 11, 2: 12, 3: 13}
    assert {pid == os.getpid() for _, pid in results.values()} == {workers == 0}
    assert sum(ticks) == 3


def test_no_job_is_no_result() -> None:
    assert list(run_jobs(add, [], 0, workers=2)) == []


@pytest.mark.parametrize("workers", [0, 1])
def test_a_failure_is_raised_here(workers: int) -> None:
    with pytest.raises(ValueError, match="job 1 failed"):
        list(run_jobs(fail, [1, 2], None, workers=workers))
