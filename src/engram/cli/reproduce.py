"""`engram reproduce`: the paper, whole."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from engram.cli.terminal import Json, tell, work_bar
from engram.cli.train import Device
from engram.errors import UsageError


def reproduce(
    data: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="Default: fashion-mnist, or wardrobe where that is not to be had."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="How many times each network is trained. Default: 3; with --quick, 1.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write.")] = Path("out/reproduction"),
    method: Annotated[
        list[str] | None, typer.Option(help="cnn, ann or tied; may be given again. Default: all.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few images and epochs: under a minute.")] = False,
    influence: Annotated[
        bool, typer.Option("--influence", help="Also measure every choice that the paper leaves open.")
    ] = False,
    train_images: Annotated[int | None, typer.Option(help="Images to train the networks on; the paper: 5000.")] = None,
    test_images: Annotated[int | None, typer.Option(help="Images to recover and judge; the paper: 2000.")] = None,
    device: Annotated[Device, typer.Option(help="Where to train.")] = "auto",
    as_json: Json = False,
) -> None:
    """Train the paper's networks and its classifier, and write its tables and figures with ours beside them.

    DIR gets report.html, results.json, figures/ and models/. A run that was stopped goes on where it was when the
    same command is given again.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; --out names a folder")
    for library in ("matplotlib", "jinja2"):  # for the page: better missed now than after the training
        import_module(library)
    from engram.experiments.reproduction.output import write
    from engram.experiments.reproduction.reproduce import reproduce as run
    from engram.training.device import choose_device

    counts = {"networks_train": train_images, "networks_test": test_images}
    with work_bar() as progress:
        found = run(
            out,
            data=data,
            seeds=(1 if quick else 3) if seeds is None else seeds,
            methods=tuple(dict.fromkeys(method)) if method else ("cnn", "ann", "tied"),
            quick=quick,
            influence=influence,
            counts={kind: count for kind, count in counts.items() if count is not None},
            device=choose_device(device),
            progress=progress,
            notice=_warn,
        )
    from engram.experiments.reproduction.chapters import document
    from engram.report import write as write_page

    story = document(found)
    page = write_page(story, out)
    write(found, out)
    if story.warning:
        _warn(story.warning)
    result = {"report": str(page), "results": str(out / "results.json"), "seconds": round(found.results["seconds"], 1)}
    tell(
        result | {"data": found.results["data"]["name"], "warning": story.warning}, _prose(found.results, page), as_json
    )


def _warn(text: str) -> None:
    print(f"\n*** {text}\n", file=sys.stderr)


def _prose(results: dict[str, Any], page: Path) -> str:
    """Table 3 in a few lines, and where the page is."""
    from engram.experiments.reproduction.claims import by_method

    rows = results["rows"]
    loss, accuracy, seconds = (by_method(rows, key) for key in ("loss", "accuracy", "training_seconds"))
    lines = [
        f"{name:6}  {loss[name].mean:10.5f}  {100 * accuracy[name].mean:5.1f} ± {100 * accuracy[name].deviation:.1f} %"
        f"{seconds[name].mean:14.1f} s"
        for name in loss
    ]
    head = "method  final loss  accuracy      training time"
    return "\n".join([head, *lines, "", f"Open {page} in a browser."])
