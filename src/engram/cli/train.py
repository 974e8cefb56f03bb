"""`engram train`: any method, on any DATA."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from engram.cli.methods import Method, check_options, options_of
from engram.cli.terminal import Json, progress_bar, tell
from engram.words import counted

if TYPE_CHECKING:
    from engram import models

TASK_WEIGHT = 200.0
"""It costs a tenth of a decibel (LOG.md)."""
Device = Literal["auto", "cpu", "cuda"]


def train(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A name, an IDX file, a folder, .npy, .npz, an archive.")],
    method: Annotated[Method, typer.Option(metavar="METHOD", help="One of the methods above.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="MODEL", help="The model file to write.")],
    seed: Annotated[int, typer.Option(help="Draws the first weights and the order of the images.")] = 0,
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Default: 200 for the paper's networks; sparse and bidirectional 40, deep 20, stacked 10,"
            " classifier 20, judge 16, restoration 16, spatial 40, pixel 60."
        ),
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Default: the method's recipe.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Default: 64; judge, deep and pixel 256.")] = None,
    hidden: Annotated[
        int | None,
        typer.Option(
            help="Numbers in the code of ann, tied, sparse, bidirectional: default 400; of pca, isomap: 32;"
            " of lda: one less than classes."
        ),
    ] = None,
    widths: Annotated[
        str | None,
        typer.Option(metavar="N,N,...", help="Of deep: its layers from the pixels to the code; default 512,128,32."),
    ] = None,
    depth: Annotated[int | None, typer.Option(help="Of stacked: 1 to 4 convolutions; default 3.")] = None,
    code_channels: Annotated[int | None, typer.Option(help="Of stacked: channels of its code; default 8.")] = None,
    sparsity: Annotated[
        float | None, typer.Option(help="Of sparse: the mean activation of a unit to aim at; default 0.05.")
    ] = None,
    noise: Annotated[
        Literal["gaussian", "salt-and-pepper", "blocks"] | None,
        typer.Option(help="Learn to return the clean image of a noisy one; fresh noise in each epoch."),
    ] = None,
    noise_strength: Annotated[
        float | None,
        typer.Option(
            help="Gray levels of gaussian noise, default 25; the share of pixels that turn black or white, default 0.1;"
            " a missing block's side as a share of the image's, default 0.3."
        ),
    ] = None,
    max_error: Annotated[
        int | None,
        typer.Option(min=0, max=63, help="Of pixel, and of a restoration for it: by how much a value may be off."),
    ] = None,
    effort: Annotated[
        Literal["fast", "default", "best"] | None, typer.Option(help="Of pixel: the size of its network.")
    ] = None,
    bits: Annotated[
        float | None,
        typer.Option(help="Train on with the code rounded to this many bits a unit (mean), 40 epochs more."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Of spatial: a classifier whose view of the images is spared too."),
    ] = None,
    start: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="A trained model of METHOD to train on, with its own options.")
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

    \b
    of the paper     cnn, ann, tied, and the classifier that judges them
    named in it      sparse, bidirectional, deep, stacked
    solved at once   pca, lda, isomap
    engram's own     pixel, spatial, restoration (after pixel), and judge,
                     a strong classifier

    A training that was stopped goes on where it was when the same command is given again: its state is kept in
    MODEL.checkpoint until MODEL is complete. Of DATA that comes divided, the split train is used.

    `torchrun --nproc-per-node 2 --max-restarts 3 -m engram train ...` trains in two processes, on one machine or many.
    """
    from engram import models
    from engram.codecs.projection import PROJECTIONS
    from engram.datasets import source
    from engram.files import OutputExists

    begun = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0" or os.environ.get("RANK", "0") != "0"
    if out.exists() and not force and not begun:  # begun: another rank asks, or asked before torchrun started all anew
        raise OutputExists(f"{out} exists already; choose another name, or force it with --force")
    own: dict[str, object] = {"bits": bits, "max_error": max_error, "effort": effort, "hidden": hidden}
    own |= {"task": task, "task_weight": task_weight, "widths": widths, "depth": depth, "code_channels": code_channels}
    own |= {"sparsity": sparsity, "noise": noise, "noise_strength": noise_strength, "start": start}
    own |= {"epochs": epochs, "learning_rate": learning_rate, "batch_size": batch_size, "precision": precision}
    check_options(method, {name for name, value in own.items() if value is not None})
    from engram.training.device import choose_device
    from engram.training.distributed import joined
    from engram.training.fit import fit

    settings: dict[str, Any] = {
        "epochs": epochs,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "precision": precision,
        "noise": noise,
        "noise_strength": noise_strength,
    }
    changes: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
    options = options_of(method, hidden, widths)
    shape = {"depth": depth, "code_channels": code_channels, "sparsity": sparsity}
    options |= {name: value for name, value in shape.items() if value is not None}
    if method == "pixel" and (start is None or effort is not None or max_error is not None):
        from engram.networks.pixel import EFFORTS

        options = EFFORTS[effort or "default"] | {"max_error": max_error or 0}
    elif max_error is not None:
        options["max_error"] = max_error
    if task is not None:
        changes["task_weight"] = TASK_WEIGHT if task_weight is None else task_weight
    checkpoint = out.with_name(out.name + ".checkpoint")
    with joined(choose_device(device)) as ranks:
        with ranks.one_first(), progress_bar("Reading", unit="images", shown=ranks.is_first) as progress:
            images = source.load(data, progress)
        if "train" in images.splits:
            images = images.split("train")
        if method in PROJECTIONS and not ranks.is_first:
            return  # what is solved is solved by one
        with progress_bar(f"Training {method}", unit="epochs", shown=ranks.is_first) as progress:
            model = fit(
                images,
                method,
                seed,
                device=ranks.device,
                options=options,
                checkpoint=checkpoint,
                progress=progress,
                task=_classifier(task),
                start=None if start is None else models.load(start),
                **changes,
            )
        if bits is not None:
            from engram.training.quantised import fit_quantised

            with progress_bar(f"Training {method} at {bits:g} bits", unit="epochs", shown=ranks.is_first) as progress:
                model = fit_quantised(model, images, bits, seed=seed, device=ranks.device, progress=progress)
        if not ranks.is_first:
            return
        model.save(out)
        checkpoint.unlink(missing_ok=True)
    tell(*_trained(out, method, model, len(images)), as_json)


def _trained(out: Path, method: str, model: models.Model, images: int) -> tuple[dict[str, Any], str]:
    """What is told of a training, as data and in words."""
    losses, seconds = model.facts["losses"], sum(model.facts["epoch_seconds"])
    result = {
        "model": str(out),
        "method": method,
        "images": images,
        "epochs": len(losses),
        "loss": losses[-1],
        "parameters": model.network.parameters,
        "code_numbers": model.network.code_numbers if model.network.analysis else 0,
        "model_bytes": out.stat().st_size,
        "seconds": round(seconds, 3),
        "images_per_second": round(len(losses) * images / seconds, 1),
    }
    code = f"a code of {result['code_numbers']} numbers" if result["code_numbers"] else "no code"
    prose = (
        f"{out}: {method}, {model.network.parameters:,} parameters, {code}; "
        f"loss {losses[-1]:.5f} after {counted(len(losses), 'epoch')} on {counted(images, 'image')} in {seconds:.1f} s"
    )
    return result, prose


def _classifier(task: str | None) -> models.Model | None:
    """The model of a file, or of a judge that engram brings."""
    from engram import models
    from engram.archive import shipped

    return None if task is None else models.load(Path(task) if Path(task).exists() else shipped.judge(task))
