"""`engram pack`: DATA into one archive."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engram.cli import engines
from engram.cli.archives import Force, pace, sizes_of
from engram.cli.mixed import Written
from engram.cli.terminal import Json, progress_bar, tell
from engram.storage import shown

if TYPE_CHECKING:
    from engram.archive import Packed
    from engram.cli.choosing import Dial
    from engram.datasets.stream import Stream
    from engram.training.budget import Budget


def pack(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="A name, an IDX file, a folder, .npy, .npz, an archive or its URL.")
    ],
    out: Annotated[
        str, typer.Option("-o", "--out", metavar="FILE", help="The archive to write, FILE.egm, or its URL.")
    ],
    model: Annotated[
        str | None,
        typer.Option("-m", "--model", metavar="MODEL", help="A model file, an archive, or a model that engram brings."),
    ] = None,
    lossless: Annotated[bool, typer.Option("--lossless", help="Give every pixel back as it is; the default.")] = False,
    max_error: Annotated[
        int | None, typer.Option("--max-error", min=0, max=63, help="No value is off by more than this.")
    ] = None,
    bytes_: Annotated[
        float | None, typer.Option("--bytes", help="Bytes an image, the model apart, for the best quality.")
    ] = None,
    psnr: Annotated[float | None, typer.Option("--psnr", help="Quality in dB, in the fewest bytes.")] = None,
    accuracy_loss: Annotated[
        float | None,
        typer.Option("--accuracy-loss", metavar="PERCENT", help="A classifier may get so many points worse."),
    ] = None,
    judge: Annotated[
        Path | None,
        typer.Option("--judge", metavar="MODEL", help="That classifier: a file, or one that engram brings."),
    ] = None,
    bits: Annotated[float | None, typer.Option("--bits", help="With a model: mean bits for each code unit.")] = None,
    budget: Annotated[
        str,
        typer.Option("--budget", metavar="TIME", help="Without a model: how long to learn; 90s, 2m, 500steps, or 0."),
    ] = "2m",
    block: Annotated[int, typer.Option("--block", help="Images in a block, 1 to 65536.")] = 64,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="Leave the model out of FILE; it goes to FILE.model beside it.")
    ] = False,
    force: Force = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a pack that was interrupted.")] = False,
    engine: Annotated[
        engines.Engine, typer.Option("--engine", help="Encode here, or on the nodes of a Ray cluster.")
    ] = engines.Engine.local,
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
    as_json: Json = False,
) -> None:
    """Write DATA into one archive, with its labels, classes and file names.

    Of DATA that comes divided, both halves are packed, train before test. An interrupted pack leaves FILE.part, which
    the same command with --resume completes; the bytes are those of a pack that was never interrupted.

    Pictures of a folder may have many sizes: each keeps its own, and what that costs is told.

    What goes to a URL is packed in the current folder, and put there when it is whole.

    With --engine ray, DATA and FILE are paths that all nodes see (for a URL the current folder), and what is done lies
    in FILE.parts. The bytes are the same. Do not compress DATA: each node would unpack it from the start.
    """
    from engram.cli import choosing
    from engram.cli.mixed import pack_sizes
    from engram.datasets import source
    from engram.datasets.assortment import Assortment
    from engram.errors import UsageError

    dial = choosing.Dial(lossless, max_error, bytes_, psnr, accuracy_loss, bits)
    dial.check()
    allowed = choosing.budget_of(budget)
    options = {"block_size": block, "force": force, "resume": resume}
    with engines.place_of(out, force) as place:
        with progress_bar("Reading", unit="images") as progress:
            found = source.collection(data, progress)
        if not isinstance(found, Assortment):
            with engines.opened(engine, data, address, shard_images) as write:
                write_it = partial(write, **options)
                done = _pack_one_size(data, found, place, dial, judge, model, allowed, no_model, resume, write_it)
        elif no_model or judge is not None or engine is not engines.Engine.local:
            raise UsageError(f"--engine ray, --judge and --no-model are for pictures of one size: {found.refusal()}")
        else:
            done = pack_sizes(found, place, dial, model, allowed, **options)
    sizes = done.packed.breakdown
    resumed = done.packed.images_resumed
    result = sizes_of(sizes) | done.figures | {"images_resumed": resumed} | pace(sizes.images, done.seconds)
    prose = f"{shown(out)}: {sizes.images:,} images in {sizes.archive_bytes:,} bytes, "
    prose += f"{sizes.bytes_per_image:.2f} bytes an image"
    prose += f" ({sizes.bytes_per_image_with_model:.2f} with the model)"
    prose += f"; {resumed:,} images were done already" if resumed else ""
    tell(result, f"{prose}, {done.seconds:.1f} s{done.words}", as_json)


def _pack_one_size(
    data: str,
    parts: tuple[Stream, ...],
    out: Path,
    dial: Dial,
    judge: Path | None,
    model: str | None,
    budget: Budget,
    no_model: bool,
    resume: bool,
    write: Callable[..., Packed],
) -> Written:
    from engram.archive.interrupted import interrupted
    from engram.cli import choosing
    from engram.cli.judging import MOST_JUDGED, SHARE_OF_JUDGE, check_labels, judging
    from engram.cli.learned import Collection, by_learning
    from engram.cli.reached import in_words, reached
    from engram.codecs.candidate import divide, hold_back

    asked = dial.accuracy_loss is not None or judge is not None
    if asked:
        check_labels(data, parts[0].known)
    with progress_bar("Sampling", unit="images") as progress:
        sample = parts[0].sample(choosing.SAMPLE, progress)
    images = sum(map(len, parts))
    rest, measured = hold_back(sample, most=MOST_JUDGED) if asked else divide(sample, images)
    judged = None
    if asked:
        with progress_bar("Learning to judge", unit="epochs") as progress:
            judged = judging(judge, rest, measured, budget.part(SHARE_OF_JUDGE), progress)
            budget = budget.part(1 - SHARE_OF_JUDGE if judged.learned else 1)
    if model is not None:
        codec, embed = choosing.with_model(sample, model, dial, judged), not no_model
    else:
        with progress_bar("Learning", unit="steps") as progress:
            begun = interrupted(out) if resume else None
            collection = Collection(rest, measured, images)
            codec, pays = begun or by_learning(dial.goal(judged), collection, budget, progress)
        embed = pays and not no_model
    started = time.perf_counter()
    with progress_bar("Packing", unit="images") as progress:
        packed = write(
            parts,
            codec,
            out,
            embed_model=embed,
            model_path=out.with_name(out.name + ".model") if no_model and codec.model else None,
            progress=progress,
        )
    seconds = time.perf_counter() - started
    found = reached(codec, measured, judged)
    aside = codec.model and not (embed or no_model)
    words = "; the model comes with engram and is not in the file" if aside else ""
    return Written(packed, found, f"{words}\n{in_words(found)}", seconds)
