"""Independent trainings side by side: one process for each core, one thread in each.

Small matrices do not fill two cores: two trainings on one thread each finish before one after the other on two.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from typing import Any, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")
THREADS = "OMP_NUM_THREADS"
"""The environment's variable that torch, the libraries below NumPy and our own code look at."""
Tick = Callable[[float], None]
"""Called with the work done since the last call, in any unit; raises Cancelled when the results are not wanted."""


class Cancelled(BaseException):
    """Raised inside a job whose caller has gone."""


def run_jobs(
    work: Callable[[Job, Any, Tick], Result],
    jobs: Sequence[Job],
    shared: Any,
    *,
    workers: int | None = None,
    progress: Tick | None = None,
) -> Iterator[tuple[Job, Result]]:
    """Each job with what `work(job, shared, tick)` returned, as they finish; jobs start in the order given.

    workers: processes to use, by default one for each core; 0 runs all in this process (a GPU, a debugger).
    An exception in a job ends all and is raised here; so does Ctrl-C, within an epoch.
    """
    report = progress or (lambda amount: None)
    if workers is None:
        workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if workers == 0:
        for job in jobs:
            yield job, work(job, shared, report)
        return
    context = get_context("spawn")
    ticks: Queue[float] = context.Queue()
    stop = context.Event()
    pool = ProcessPoolExecutor(min(workers, max(1, len(jobs))), context, _start, (work, shared, ticks, stop))
    waiting: dict[Future[Result], Job] = {}
    try:
        # workers start here and stay so: with one thread each, and deaf to Ctrl-C, which this process hears for them
        with _one_thread_each(), _deaf_to_ctrl_c():
            waiting = {pool.submit(_run, job): job for job in jobs}
        while waiting:
            done, _ = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
            _pass_on(ticks, report)
            for future in [future for future in waiting if future in done]:  # in the order given
                yield waiting.pop(future), future.result()
        pool.shutdown()  # a worker's last ticks arrive after its result, and have arrived when it has ended
        _pass_on(ticks, report)
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _pass_on(ticks: Queue[float], report: Tick) -> None:
    while not ticks.empty():
        report(ticks.get())


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """One thread for whatever a process that starts within computes: it inherits the environment."""
    before = os.environ.get(THREADS)
    os.environ[THREADS] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[THREADS]
        else:
            os.environ[THREADS] = before


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Hold Ctrl-C back for a moment, and for ever from processes that start in it: they inherit the mask."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_mine: tuple[Callable[..., Any], Any, Tick]


def _start(work: Callable[..., Any], shared: Any, ticks: Queue[float], stop: Event) -> None:
    """Set up a worker process."""
    import torch

    threading.Thread(target=_die_with_parent, daemon=True).start()
    global _mine  # noqa: PLW0603 - a worker process has one task for its life
    torch.set_num_threads(1)

    def tick(amount: float) -> None:
        if stop.is_set():
            raise Cancelled
        ticks.put(amount)

    _mine = work, shared, tick


def _die_with_parent() -> None:
    """End this process as soon as the one that started it is gone, however it went."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _run(job: Any) -> Any:
    work, shared, tick = _mine
    return work(job, shared, tick)
