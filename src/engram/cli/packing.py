"""`engram pack`: DATA into one archive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engram.cli.archives import Force, pace, sizes_of
from engram.cli.terminal import Json, stage_bars, tell
from engram.storage import shown
from engram.words import counted

if TYPE_CHECKING:
    from engram.archive.engines import Engine

STAGES = {
    "Reading": "images",
    "Sampling": "images",
    "Learning to judge": "epochs",
    "Learning": "steps",
    "Packing": "images",
    "Checking": "images",
}
"""What `packing.pack` tells of, and what each counts."""


class EngineName(StrEnum):
    """Where images are encoded; the bytes are the same."""

    local = "local"
    ray = "ray"


# What `repack` asks, too.
GivenModel = Annotated[
    str | None,
    typer.Option("-m", "--model", metavar="MODEL", help="A model file, an archive, or a model that engram brings."),
]
MaxError = Annotated[int | None, typer.Option("--max-error", min=0, max=63, help="No value is off by more than this.")]
BytesAnImage = Annotated[
    float | None, typer.Option("--bytes", help="Bytes an image, the model apart, for the best quality.")
]
Psnr = Annotated[float | None, typer.Option("--psnr", help="Quality in dB, in the fewest bytes.")]
AccuracyLoss = Annotated[
    float | None,
    typer.Option("--accuracy-loss", metavar="PERCENT", help="A classifier may get so many points worse."),
]
Judge = Annotated[
    Path | None,
    typer.Option("--judge", metavar="MODEL", help="That classifier: a file, or one that engram brings."),
]
Bits = Annotated[float | None, typer.Option("--bits", help="With a model: mean bits for each code unit.")]


def pack(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A folder, .zip, .tar or .parquet of pictures; .npz, .npy, IDX; a name; an archive or its URL.",
        ),
    ],
    out: Annotated[
        str, typer.Option("-o", "--out", metavar="FILE", help="The archive to write, FILE.egm, or its URL.")
    ],
    model: GivenModel = None,
    lossless: Annotated[bool, typer.Option("--lossless", help="Give every pixel back as it is; the default.")] = False,
    max_error: MaxError = None,
    bytes_: BytesAnImage = None,
    psnr: Psnr = None,
    accuracy_loss: AccuracyLoss = None,
    judge: Judge = None,
    bits: Bits = None,
    budget: Annotated[
        str,
        typer.Option("--budget", metavar="TIME", help="Without a model: how long to learn; 90s, 2m, 500steps, or 0."),
    ] = "2m",
    block: Annotated[int, typer.Option("--block", help="Images in a block, 1 to 65536.")] = 64,
    model_apart: Annotated[
        bool,
        typer.Option("--model-apart", help="Leave the model out of FILE; it goes to FILE.model beside it."),
    ] = False,
    force: Force = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a pack that was interrupted.")] = False,
    engine: Annotated[
        EngineName, typer.Option("--engine", help="Encode here, or on the nodes of a Ray cluster.")
    ] = EngineName.local,
    address: Annotated[
        str | None,
        typer.Option(
            "--address", metavar="ADDR", help="With ray: HOST:PORT, or auto; else Ray starts on this machine."
        ),
    ] = None,
    shard_images: Annotated[
        int | None,
        typer.Option("--shard-images", min=1, help="With ray: above so many images, make FILE a shard set of such."),
    ] = None,
    label_from: Annotated[
        str,
        typer.Option(
            "--label-from", metavar="WHERE", help="Of a folder: labels are auto, none, parent, top, or a column."
        ),
    ] = "auto",
    frames: Annotated[bool, typer.Option("--frames", help="Take every frame of an animation as a picture.")] = False,
    skip_broken: Annotated[bool, typer.Option("--skip-broken", help="Leave out pictures that cannot be read.")] = False,
    images_key: Annotated[
        str, typer.Option("--images-key", metavar="KEY", help="Of a .npz or .parquet: what holds the images.")
    ] = "",
    labels_key: Annotated[
        str, typer.Option("--labels-key", metavar="KEY", help="Of a .npz or .parquet: what holds the labels.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Write DATA into one archive, with the paths of its pictures and all that is known of them.

    A folder comes back as it is: any depth, sizes and kinds (gray, colour, alpha, 16 bits). First folders such as train
    and test become the column split, the next ones the column label, and metadata.csv more columns. What is left out is
    told. An interrupted pack leaves FILE.part, which the same command with --resume completes; the bytes are those of a
    pack that was never interrupted.

    What goes to a URL is packed in the current folder, and put there when it is whole.

    With --engine ray, DATA and FILE are paths that all nodes see (for a URL the current folder), and what is done lies
    in FILE.parts. The bytes are the same. Do not compress DATA: each node would unpack it from the start.
    """
    from engram.datasets.source import Reading
    from engram.packing import pack as packed

    with _engine(engine, address, shard_images) as runs, stage_bars(STAGES) as progress:
        done = packed(
            data,
            out,
            model=model,
            lossless=lossless,
            max_error=max_error,
            bytes_per_image=bytes_,
            psnr=psnr,
            accuracy_loss=accuracy_loss,
            judge=judge,
            bits=bits,
            budget=budget,
            block_size=block,
            model_apart=model_apart,
            force=force,
            resume=resume,
            engine=runs,
            shard_images=shard_images,
            reading=Reading(label_from, frames, skip_broken, images_key, labels_key),
            progress=progress,
        )
    sizes = done.info
    prose = f"{shown(out)}: {counted(sizes.images, 'image')} in {sizes.archive_bytes:,} bytes, "
    prose += f"{sizes.bytes_per_image_with_model:.2f} bytes an image, {sizes.bytes_per_image:.2f} without the model"
    prose += f"; {counted(done.images_resumed, 'image', 'was')} done already" if done.images_resumed else ""
    apart = "; the model is beside it" if sizes.model_bytes and not sizes.model_embedded else ""
    result = sizes_of(sizes) | done.as_dict() | pace(sizes.images, done.seconds)
    tell(result, f"{prose}, {done.seconds:.1f} s{apart}\n{done.in_words()}", as_json)


@contextmanager
def _engine(name: EngineName, address: str | None, shard_images: int | None) -> Iterator[Engine | None]:
    """A Ray cluster, or None for this process. Raises UsageError for options of another."""
    from engram.errors import UsageError

    if name is EngineName.local:
        if address is not None or shard_images is not None:
            raise UsageError(
                "--address and --shard-images go with --engine ray; `engram shard` cuts an archive that is packed here"
            )
        yield None
        return
    from engram.integrations.ray import Cluster

    with Cluster(address) as cluster:
        yield cluster
