"""`engram train`: any method, on any DATA."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from engram.cli.terminal import Json, progress_bar, tell

Method = Literal["cnn", "ann", "tied", "classifier", "judge", "pixel", "transform", "spatial", "restoration"]
TASK_WEIGHT = 200.0
"""It costs a tenth of a decibel (LOG.md)."""
Device = Literal["auto", "cpu", "cuda"]


def train(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A name, an IDX file, a folder, .npy, .npz, an archive.")],
    method: Annotated[Method, typer.Option(help="Which network.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="MODEL", help="The model file to write.")],
    seed: Annotated[int, typer.Option(help="Draws the first weights and the order of the images.")] = 0,
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Default: 200, as the paper; classifier 20, judge 16, restoration 6, spatial 40, pixel 60,"
            " transform 100."
        ),
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Default: the method's recipe.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Default: 64; judge 256, transform 512.")] = None,
    hidden: Annotated[int | None, typer.Option(help="Numbers in the code of ann and tied; default 400.")] = None,
    max_error: Annotated[
        int | None,
        typer.Option(min=0, max=63, help="Of pixel, and of a restoration for it: by how much a value may be off."),
    ] = None,
    effort: Annotated[
        Literal["fast", "default", "best"] | None, typer.Option(help="Of pixel: the size of its network.")
    ] = None,
    bytes_: Annotated[
        float | None, typer.Option("--bytes", help="Of transform: bytes an image to train for; default 16.")
    ] = None,
    bits: Annotated[
        float | None,
        typer.Option(help="Train on with the code rounded to this many bits a unit (mean), 40 epochs more."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Of transform: a classifier whose view of the images is spared too."),
    ] = None,
    task_weight: Annotated[float | None, typer.Option(help="Bits an image to spare it one nat; default 200.")] = None,
    precision: Annotated[
        Literal["float32", "bfloat16"] | None, typer.Option(help="Of matrix products; default: the method's recipe.")
    ] = None,
    device: Annotated[Device, typer.Option(help="Where to train.")] = "auto",
    force: Annotated[bool, typer.Option("--force", help="Replace MODEL if it exists.")] = False,
    as_json: Json = False,
) -> None:
    """Train a network on DATA and write it to MODEL.

    A training that was stopped goes on where it was when the same command is given again: its state is kept in
    MODEL.checkpoint until MODEL is complete. Of DATA that comes divided, the train half is used.
    """
    from engram.datasets import source
    from engram.files import OutputExists
    from engram.images import Splits

    if out.exists() and not force:
        raise OutputExists(f"{out} exists already; choose another name, or force it with --force")
    own: dict[str, object] = {"bits": bits, "bytes": bytes_, "max_error": max_error, "effort": effort, "hidden": hidden}
    own |= {"task": task, "task_weight": task_weight}
    _check(method, {name for name, value in own.items() if value is not None})
    with progress_bar("Reading", unit="images") as progress:
        images = source.load(data, progress)
    if isinstance(images, Splits):
        images = images.train
    from engram.training.device import choose_device
    from engram.training.fit import fit

    settings = {"epochs": epochs, "learning_rate": learning_rate, "batch_size": batch_size, "precision": precision}
    settings |= {"bytes_per_image": bytes_}
    changes: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
    options: dict[str, Any] = {} if hidden is None else {"hidden": hidden}
    if method == "pixel":
        from engram.networks.pixel import EFFORTS

        options = EFFORTS[effort or "default"] | {"max_error": max_error or 0}
    elif max_error is not None:
        options["max_error"] = max_error
    spared = None
    if task is not None:
        from engram.archive import shipped
        from engram.models import load

        spared = load(Path(task) if Path(task).exists() else shipped.judge(task))
        changes["task_weight"] = TASK_WEIGHT if task_weight is None else task_weight
    checkpoint = out.with_name(out.name + ".checkpoint")
    with progress_bar(f"Training {method}", unit="epochs") as progress:
        model = fit(
            images,
            method,
            seed,
            device=choose_device(device),
            options=options,
            checkpoint=checkpoint,
            progress=progress,
            task=spared,
            **changes,
        )
    if bits is not None:
        from engram.training.quantised import fit_quantised

        with progress_bar(f"Training {method} at {bits:g} bits", unit="epochs") as progress:
            model = fit_quantised(model, images, bits, seed=seed, device=choose_device(device), progress=progress)
    model.save(out)
    checkpoint.unlink(missing_ok=True)
    seconds = sum(model.facts["epoch_seconds"])
    done = len(model.facts["losses"])
    result = {
        "model": str(out),
        "method": method,
        "images": len(images),
        "epochs": done,
        "loss": model.facts["losses"][-1],
        "parameters": model.network.parameters,
        "code_numbers": model.network.code_numbers if model.network.analysis else 0,
        "model_bytes": out.stat().st_size,
        "seconds": round(seconds, 3),
        "images_per_second": round(done * len(images) / seconds, 1),
    }
    code = f"a code of {result['code_numbers']} numbers" if result["code_numbers"] else "no code"
    prose = (
        f"{out}: {method}, {model.network.parameters:,} parameters, {code}; "
        f"loss {result['loss']:.5f} after {done} epochs on {len(images):,} images in {seconds:.1f} s"
    )
    tell(result, prose, as_json)


def _check(method: str, given: set[str]) -> None:
    """Raises UsageError for an option that is not of this method."""
    from engram.errors import UsageError

    if "bits" in given and method not in ("cnn", "ann", "tied"):
        raise UsageError(f"--bits is for the networks of the paper, not for {method}")
    if "bytes" in given and method != "transform":
        raise UsageError(f"--bytes is for transform; {method} is packed at any rate, with `engram pack --bytes`")
    if "effort" in given and method != "pixel":
        raise UsageError(f"--effort is for pixel, not for {method}")
    if "max_error" in given and method not in ("pixel", "restoration"):
        raise UsageError(f"--max-error is for pixel and restoration, not for {method}")
    if method == "restoration" and "max_error" not in given:
        raise UsageError("a restoration takes a --max-error, that of the pixel code")
    if "hidden" in given and method not in ("ann", "tied"):
        raise UsageError(f"--hidden is for ann and tied; the code of {method} follows from the image's size")
    if given & {"task", "task_weight"} and method != "transform":
        raise UsageError(f"--task and --task-weight are for transform, not for {method}")
    if "task_weight" in given and "task" not in given:
        raise UsageError("--task-weight takes a --task: a classifier, a file or one that engram brings")
