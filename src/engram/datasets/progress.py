"""How long work says how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with (done, total) as work goes on."""


def shifted(progress: Progress | None, done_before: int, total: int) -> Progress | None:
    """The progress of one part of a work of `total`, of which `done_before` was done before it."""
    return progress and (lambda done, _: progress(done_before + done, total))
