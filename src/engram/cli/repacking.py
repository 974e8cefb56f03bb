"""`engram repack`: an archive written anew, in its own codes or in others."""

from __future__ import annotations

from typing import Annotated

import typer

from engram.cli.archives import ArchiveLocation, pace, sizes_of
from engram.cli.packing import STAGES, AccuracyLoss, Bits, BytesAnImage, GivenModel, Judge, MaxError, Psnr
from engram.cli.terminal import Json, stage_bars, tell
from engram.storage import shown
from engram.words import counted


def repack(
    file: ArchiveLocation,
    out: Annotated[
        str | None,
        typer.Option("-o", "--out", metavar="NEW", help="The archive to write, or its URL; else FILE is replaced."),
    ] = None,
    model: GivenModel = None,
    lossless: Annotated[bool, typer.Option("--lossless", help="Keep every pixel as FILE has it.")] = False,
    max_error: MaxError = None,
    bytes_: BytesAnImage = None,
    psnr: Psnr = None,
    accuracy_loss: AccuracyLoss = None,
    judge: Judge = None,
    bits: Bits = None,
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget", metavar="TIME", help="Learn anew, so long: 90s, 2m, 500steps, or 0; with a dial it is 2m."
        ),
    ] = None,
    block: Annotated[int | None, typer.Option("--block", help="Images in a block, 1 to 65536.")] = None,
    model_apart: Annotated[
        bool,
        typer.Option("--model-apart", help="Leave the model out of NEW; it goes to NEW.model beside it."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace NEW; let what has lost something lose more.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a repack that was interrupted.")] = False,
    as_json: Json = False,
) -> None:
    """Write an archive anew, smaller or otherwise coded, with all that it holds.

    Alone it keeps the codes: what rm took out is dropped, the segments of appends become one, and --block may change.
    Blocks are copied; those with a gap are coded again, so FILE has to be lossless. With a model, a dial (--lossless,
    --max-error, --bytes, --psnr, --accuracy-loss) or --budget, images are decoded and coded anew, as pack does it. Of
    an archive that has lost something only --lossless is allowed; another dial loses more, and takes --force.

    Without -o FILE is replaced when all is written; until then it is read as it was. An interrupted repack leaves FILE
    as it was, and the same command with --resume goes on. A shard set becomes one file, with -o.
    """
    from engram.packing.repacking import repack as repacked

    with stage_bars(STAGES) as progress:
        done = repacked(
            file,
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
            progress=progress,
        )
    sizes, saved = done.info, done.bytes_before - done.info.archive_bytes
    prose = f"{shown(out or file)}: {counted(sizes.images, 'image')} in {sizes.archive_bytes:,} bytes, {abs(saved):,} "
    prose += f"{'more' if saved < 0 else 'fewer'} than before"
    prose += f"; {counted(done.images_resumed, 'image', 'was')} done already" if done.images_resumed else ""
    result = sizes_of(sizes) | done.as_dict() | pace(sizes.images, done.seconds)
    tell(result, f"{prose}, {done.seconds:.1f} s\n{done.in_words()}", as_json)
