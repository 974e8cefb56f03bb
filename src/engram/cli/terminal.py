"""What a verb says and shows: results on standard output, progress and prose on standard error."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Seconds = Callable[[str, float, float], None]
"""Called with what is being done, and the work done and in all, in any unit."""


_told: list[dict[str, Any]] = []
"""The notices so far."""


def tell(result: dict[str, Any], prose: str, as_json: bool) -> None:
    """Print the result as JSON, with the notices there were, or the prose."""
    typer.echo(json.dumps(result | ({"notices": _told} if _told else {})) if as_json else prose)


def hear_notices() -> None:
    """From now on, tell every Notice on standard error in one line."""
    _told.clear()
    otherwise = warnings.showwarning

    def show(message: Warning | str, *where: Any, **more: Any) -> None:
        from engram.datasets.notices import Advice, Notice

        if isinstance(message, Notice):
            _told.append(message.as_dict())
        elif not isinstance(message, Advice):
            otherwise(message, *where, **more)
            return
        typer.echo(f"engram: {message}", err=True)

    warnings.showwarning = show


@contextmanager
def progress_bar(title: str, *, unit: str = "", shown: bool = True) -> Iterator[Callable[[int, int], None] | None]:
    """A callback (done, total) that moves a bar with rate and remaining time; None if not shown, or without a terminal.

    unit: what is counted ("images", "bytes").
    """
    if not (shown and sys.stderr.isatty()):
        yield None
        return
    from rich import progress as rich
    from rich.console import Console

    class Rate(rich.ProgressColumn):
        """Units a second, once two reports have come."""

        def render(self, task: rich.Task) -> str:
            return "" if task.speed is None else f"{task.speed:,.3g} {unit}/s"

    amount = (
        [rich.DownloadColumn(), rich.TransferSpeedColumn()] if unit == "bytes" else [rich.MofNCompleteColumn(), Rate()]
    )
    columns = [rich.TextColumn(title), rich.BarColumn(), *amount, rich.TimeRemainingColumn()]
    with rich.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def stage_bars(units: dict[str, str]) -> Iterator[Callable[[str, int, int], None] | None]:
    """A callback (stage, done, total) that shows a stage's bar as `progress_bar` does; None without a terminal.

    units: what each stage counts, in the order of time.
    """
    if not sys.stderr.isatty():
        yield None
        return
    with ExitStack() as stack:
        shown: dict[str, Callable[[int, int], None] | None] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in shown:
                stack.close()
                shown[stage] = stack.enter_context(progress_bar(stage, unit=units[stage]))
            bar = shown[stage]
            if bar:
                bar(done, total)

        yield report


@contextmanager
def work_bar() -> Iterator[Seconds | None]:
    """A callback (what, done, total) that moves a bar with a percentage and remaining time; None without a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich import progress as rich
    from rich.console import Console

    columns = [
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.TaskProgressColumn(),
        rich.TimeElapsedColumn(),
        rich.TextColumn("left"),
        rich.TimeRemainingColumn(),
    ]
    with rich.Progress(*columns, console=Console(stderr=True), transient=True, speed_estimate_period=120) as bar:
        tasks: dict[str, rich.TaskID] = {}

        def report(what: str, done: float, total: float) -> None:
            if what not in tasks:
                for task in tasks.values():
                    bar.update(task, visible=False)
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield report
