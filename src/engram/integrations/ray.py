"""Packing on Ray: an engine for `archive.engines`, on a cluster or on the cores of this machine.

Two numbers travel for each range, the codec once to each node; pixels never do. A task is one range on one thread. A
range whose process or node is lost goes to another, one that fails is tried again, and both so many times only.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from types import FrameType, TracebackType
from typing import Any, Self

from engram.archive.ranges import RangeEncoder
from engram.datasets.stream import CannotRead
from engram.errors import EngramError, MissingLibrary
from engram.files import CannotWrite

TRIES = 3
"""How often a range that fails is tried, and how often again one whose process or node is lost."""
TASKS_A_CORE = 2
"""Ranges under way or waiting at a node, for each core; all others wait here, as two numbers each."""
STORE_BYTES = 1 << 28
"""Shared memory of a Ray that is started here. The codec is all that lies in it."""
_POLL_SECONDS = 0.2
_CALL_SECONDS = 10

Failure = tuple[str, str, EngramError | str | None]
"""A node, the version of its engram, and what went wrong: an error of ours, another's text, None for the version."""


class NoCluster(EngramError):
    """No Ray cluster answers at an address, or none that this Ray can talk to."""


class OtherVersion(EngramError):
    """A node has another engram than the one that packs, or none."""


class RangeFailed(EngramError):
    """A range could not be encoded, however often it was tried."""


class NodeLost(EngramError):
    """The process or the node that encoded a range was lost, however often it was tried."""


class Cluster:
    """A Ray cluster, to be entered and then used as an engine: the one at `address`, or one that is started here.

    address: as Ray takes it, HOST:PORT, or "auto" for the one that this machine belongs to.
    Raises MissingLibrary and NoCluster.
    """

    def __init__(self, address: str | None = None) -> None:
        self._address, self._entered = address, False

    def __enter__(self) -> Self:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ModuleNotFoundError:
            raise MissingLibrary("packing on Ray needs ray; `pip install 'engram-images[ray]'` brings it") from None
        if ray.is_initialized():
            return self
        how: dict[str, Any] = {"address": self._address}
        if self._address is None:
            how = {"address": "local", "include_dashboard": False, "object_store_memory": STORE_BYTES}
        try:
            _call(self._address or "")
            with _interrupting() as check:
                ray.init(**how, log_to_driver=False, logging_level=logging.ERROR)
                self._entered = True
                check()
        except (OSError, RuntimeError, ValueError) as error:
            where = "could be started here" if self._address is None else f"answers at {self._address}"
            raise NoCluster(f"no Ray cluster {where} ({_first_line(error)}); `ray start --head` starts one") from error
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        if self._entered:
            import ray

            ray.shutdown()

    def __call__(self, work: RangeEncoder, ranges: Sequence[range]) -> Generator[range, None, None]:
        """Each range that is done. Raises OtherVersion, RangeFailed, NodeLost, and errors of `work`, with the node."""
        import ray

        task = ray.remote(num_cpus=1, max_retries=TRIES, scheduling_strategy="SPREAD")(_task())
        shared = [ray.put(work)]  # in a list, so that a process fetches it once, not each task
        waiting, tries = deque(ranges), Counter[range]()
        under_way: dict[Any, range] = {}
        with _interrupting() as check:
            try:
                while waiting or under_way:
                    most = max(1, TASKS_A_CORE * int(ray.cluster_resources().get("CPU", 0)))
                    while waiting and len(under_way) < most:
                        rows = waiting.popleft()
                        under_way[task.remote(work.plan.engram, shared, rows.start, rows.stop)] = rows
                    done, _ = ray.wait(list(under_way), timeout=_POLL_SECONDS)
                    check()
                    for reference in done:
                        rows = under_way.pop(reference)
                        failure = _failure(reference, rows)
                        if failure is None:
                            yield rows
                            continue
                        tries[rows] += 1
                        if tries[rows] == TRIES or not _may_pass(failure):
                            raise _explained(failure, rows, work.plan.engram)
                        waiting.append(rows)
            finally:
                for reference in under_way:
                    ray.cancel(reference, force=True)


def _call(address: str) -> None:
    """Raises OSError where nobody listens at HOST:PORT, which Ray would find out in minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal() and "/" not in host:
        socket.create_connection((host, int(port)), _CALL_SECONDS).close()


def _task() -> Callable[[str, Sequence[Any], int, int], Failure | None]:
    """What a node runs. Made here, it travels whole, and so it runs where engram is another, or is not there."""

    def encode(engram: str, shared: Sequence[Any], start: int, stop: int) -> Failure | None:
        import os
        import platform

        os.environ["OMP_NUM_THREADS"] = "1"  # a task has one core
        try:
            from engram.version import __version__ as found
        except ImportError:
            found = ""
        if found != engram:
            return platform.node(), found, None
        try:
            from engram.integrations.ray import run
        except ImportError as error:
            return platform.node(), found, f"engram cannot be imported there: {error}"
        failed = run(shared[0], range(start, stop))
        return None if failed is None else (platform.node(), found, failed)

    return encode


def run(shared: Any, rows: range) -> EngramError | str | None:
    """What goes wrong when a range is encoded, in a process of a node."""
    try:
        _fetched(shared)(rows)
    except EngramError as error:
        return error
    except Exception as error:  # whatever it is, the one who packs is told
        return f"{type(error).__name__}: {_first_line(error)}"
    return None


@lru_cache(maxsize=1)
def _fetched(shared: Any) -> RangeEncoder:
    """What is to be done, fetched once for each process."""
    import ray

    work: RangeEncoder = ray.get(shared)
    return work


def _failure(reference: Any, rows: range) -> Failure | None:
    """What became of a task that is done. Raises NodeLost."""
    from ray import exceptions, get

    try:
        failure: Failure | None = get(reference)
    except exceptions.RayError as error:
        reason = _first_line(error)
        raise NodeLost(
            f"images {rows.start:,} to {rows.stop - 1:,}: the process or the node that encoded them was lost "
            f"{TRIES + 1} times over ({reason}); what is done is kept for --resume"
        ) from error
    return failure


def _may_pass(failure: Failure) -> bool:
    """Whether trying again may help: after a reader or a disk that failed, and what nobody foresaw."""
    _, _, error = failure
    return isinstance(error, str | CannotRead | CannotWrite)


def _explained(failure: Failure, rows: range, engram: str) -> EngramError:
    node, found, error = failure
    if error is None:
        has = f"engram {found}" if found else "no engram"
        return OtherVersion(f"node {node} has {has}, and engram {engram} packs; install that on all nodes")
    if isinstance(error, str):
        return RangeFailed(
            f"images {rows.start:,} to {rows.stop - 1:,} could not be encoded on node {node}, {TRIES} times over "
            f"({error}); what is done is kept for --resume"
        )
    return type(error)(f"on node {node}: {error}") if error.args == (str(error),) else error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


@contextmanager
def _interrupting() -> Iterator[Callable[[], None]]:
    """A function that interrupts if Ctrl-C was pressed: what a handler raises within Ray's own calls would be lost."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    pressed: list[tuple[int, FrameType | None]] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: pressed.append((number, frame)))

    def check() -> None:
        if pressed and callable(before):
            before(*pressed.pop())

    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)
    check()
