"""`engram data`: bring a known set here, or turn any DATA into picture files."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from engram.errors import UsageError

app = typer.Typer(help="Fetch a known set, or write DATA as picture files.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Progress = Callable[[int, int], None]


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="A name of the catalog.")] = "fashion-mnist",
    as_json: Json = False,
) -> None:
    """Bring a known set to this machine: $ENGRAM_DATA, the cache, or a download, always checked by MD5."""
    from engram.datasets import catalog

    if name == "wardrobe":
        raise UsageError("wardrobe is built in, there is nothing to fetch")
    started = time.perf_counter()
    with _progress_bar(f"Fetching {name}", count_bytes=True) as progress:
        folder = catalog.fetch(name, progress)
    known = catalog.CATALOG[name]
    result = {
        "images": sum(known.counts),
        "bytes": sum(file.size_bytes for file in known.files),
        "seconds": round(time.perf_counter() - started, 3),
        "folder": str(folder),
    }
    _tell(result, f"{name}: {result['images']:,} images in {folder}", as_json)


@app.command()
def export(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A name, an IDX file, a folder, .npy, .npz, an archive.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write.")],
    format: Annotated[str, typer.Option(help="jpg or png.")] = "jpg",
    quality: Annotated[int, typer.Option(help="JPEG quality, 1 to 100.")] = 95,
    split: Annotated[str | None, typer.Option(help="train or test, of DATA that comes divided.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT, if it holds only pictures.")] = False,
    as_json: Json = False,
) -> None:
    """Write DATA as picture files in class folders; both halves of a divided set as OUT/train and OUT/test."""
    from engram.datasets import folders, source
    from engram.images import Splits

    with _progress_bar("Reading") as progress:
        images = source.load(f"{data}:{split}" if split else data, progress)
    count = sum(map(len, images)) if isinstance(images, Splits) else len(images)
    started = time.perf_counter()
    with _progress_bar("Writing") as progress:
        written = folders.save(images, out, format, quality, progress, force)
    seconds = time.perf_counter() - started
    result = {
        "images": count,
        "bytes": written,
        "seconds": round(seconds, 3),
        "images_per_second": round(count / seconds, 1),
        "folder": str(out),
    }
    _tell(result, f"{count:,} images, {written:,} bytes in {seconds:.1f} s: {out}", as_json)


def _tell(result: dict[str, Any], sentence: str, as_json: bool) -> None:
    typer.echo(json.dumps(result) if as_json else sentence)


@contextmanager
def _progress_bar(title: str, count_bytes: bool = False) -> Iterator[Progress | None]:
    """A callback that moves a bar with rate and remaining time on standard error; None where that is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich import progress as rich

    amount = (
        [rich.DownloadColumn(), rich.TransferSpeedColumn()]
        if count_bytes
        else [rich.MofNCompleteColumn(), rich.TextColumn("{task.speed:,.0f}/s")]
    )
    columns = [rich.TextColumn(title), rich.BarColumn(), *amount, rich.TimeRemainingColumn()]
    with rich.Progress(*columns, console=rich.Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
