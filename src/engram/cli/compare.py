"""`engram compare`: every method and every rival on one axis, real bytes."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from engram.cli.terminal import Json, tell, work_bar
from engram.errors import UsageError


def compare(
    data: Annotated[str, typer.Argument(metavar="DATA", help="Images with a train and a test half, or to be divided.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write.")] = Path("out/comparison"),
    quick: Annotated[bool, typer.Option("--quick", help="Few images, epochs and settings: under 3 minutes.")] = False,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="How many times each network is trained. Default: 3; with --quick, 1.")
    ] = None,
    method: Annotated[
        list[str] | None, typer.Option(help="Only this method or rival; may be given again. Default: all.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes side by side. Default: one for each core; 0: none beside this.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare every method and the classical formats on DATA: bytes, PSNR, SSIM, largest error, accuracy, speed.

    DIR gets report.html, results.json and figures/. What is finished is kept in DIR/work: a run that was stopped goes
    on where it was, and a second run does again only what has changed.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; --out names a folder")
    for library in ("matplotlib", "jinja2"):  # for the page: better missed now than after an hour
        import_module(library)
    from engram.experiments.comparison.output import write
    from engram.experiments.comparison.run import compare as run

    with work_bar() as progress:
        found = run(
            data, out, quick=quick, seeds=seeds, methods=tuple(method or ()), workers=workers, progress=progress
        )
    from engram.experiments.comparison.chapters import document
    from engram.report import write as write_page

    page = write_page(document(found), out)
    results = write(found, out)
    told = {
        "report": str(page),
        "results": str(results),
        "rows": len(found.results["rows"]),
        "failed": sum("error" in row for row in found.results["rows"]),
        "seconds": round(found.results["seconds"], 1),
    }
    tell(told, _prose(found.results, page), as_json)


def _prose(results: dict[str, Any], page: Path) -> str:
    """The fewest bytes at each of a few qualities, the rows that failed, and where the page is."""
    from engram.experiments.comparison.summary import front_of

    lines = ["quality    method                bytes an image, without and with its model"]
    for row in front_of(results["points"]):
        quality = "lossless" if row["psnr_db"] is None else f"{row['psnr_db']:.1f} dB"
        lines.append(
            f"{quality:10} {row['method']:20} {row['bytes_per_image']:8.1f} {row['bytes_per_image_with_model']:10.1f}"
        )
    failed = [f"failed: {row['method']}: {row['error']}" for row in results["rows"] if "error" in row]
    return "\n".join([*lines, *failed, "", f"Open {page} in a browser."])
