"""Work on several parts at once: in order, on no more threads than are allowed."""

from __future__ import annotations

import threading

import pytest

from engram.codecs.pixel import threads


@pytest.mark.parametrize(("asked", "found"), [("1", 1), ("2", 2), ("64", 4), ("", 4), ("many", 4), ("0", 4)])
def test_the_environment_says_how_many_threads_at_most(asked: str, found: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    monkeypatch.setattr(threads, "_allowed", lambda: 4)
    assert threads.cores() == found


@pytest.mark.parametrize("count", [0, 1, 7])
def test_results_come_in_order_from_several_threads(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "cores", lambda: 2)
    together = threading.Barrier(2 if count > 1 else 1, timeout=20)
    seen: set[int] = set()

    def work(part: int) -> int:
        if part < 2:
            together.wait()  # both threads are here at once, or this fails
        seen.add(threading.get_ident())
        return part * part

    assert threads.side_by_side(work, list(range(count))) == [part * part for part in range(count)]
    assert len(seen) == min(count, 2)
