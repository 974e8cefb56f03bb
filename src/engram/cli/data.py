"""`engram data`: bring a known set here, or turn any DATA into picture files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from engram.cli.terminal import Json, progress_bar, tell
from engram.errors import UsageError
from engram.words import counted

app = typer.Typer(help="Fetch a known set, or write DATA as picture files.", no_args_is_help=True)


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
    with progress_bar(f"Fetching {name}", unit="bytes") as progress:
        folder = catalog.fetch(name, progress)
    known = catalog.CATALOG[name]
    result = {
        "images": sum(known.counts),
        "bytes": sum(file.size_bytes for file in known.files),
        "seconds": round(time.perf_counter() - started, 3),
        "folder": str(folder),
    }
    tell(result, f"{name}: {counted(sum(known.counts), 'image')} in {folder}", as_json)


@app.command()
def export(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A name, an IDX file, a folder, .npy, .npz, an archive.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write.")],
    format: Annotated[str, typer.Option(help="jpg or png.")] = "jpg",
    quality: Annotated[int, typer.Option(help="JPEG quality, 1 to 100.")] = 95,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT, if it holds only pictures.")] = False,
    as_json: Json = False,
) -> None:
    """Write DATA as picture files in class folders; of a set that comes divided in OUT/train, OUT/test and so on."""
    from engram.datasets import folders, source

    with progress_bar("Reading", unit="images") as progress:
        images = source.load(data, progress)
    count = len(images)
    started = time.perf_counter()
    with progress_bar("Writing", unit="images") as progress:
        written = folders.save(images, out, format, quality, progress, force)
    seconds = time.perf_counter() - started
    result = {
        "images": count,
        "bytes": written,
        "seconds": round(seconds, 3),
        "images_per_second": round(count / seconds, 1),
        "folder": str(out),
    }
    tell(result, f"{counted(count, 'image')}, {written:,} bytes in {seconds:.1f} s: {out}", as_json)
