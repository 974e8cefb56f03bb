"""`engram append`: an archive that grows."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engram.cli.archives import LeftOutModel
from engram.cli.terminal import Json, progress_bar, tell

if TYPE_CHECKING:
    from engram.archive import Appended
    from engram.codecs.contract import Codec
    from engram.images import ImageSet


def append(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The archive that grows.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="What is added to it; all that `pack` takes.")],
    model: LeftOutModel = None,
    other: Annotated[
        str | None,
        typer.Option("--with", metavar="MODEL", help="Encode with another model, which then lies in FILE too."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an append that was interrupted.")] = False,
    as_json: Json = False,
) -> None:
    """Add images to an archive without rewriting it.

    What is there keeps its bytes and its places; readers see the archive as it was, or with all that is added. The
    model is the archive's own. Where the new images take over 10 % more than the old, it is told what another may save.
    """
    from engram import archive
    from engram.datasets import source

    with progress_bar("Reading", unit="images") as progress:
        streams = source.stream(data, progress)
    codec = _codec(other, streams[0].sample(_SAMPLE), file, model) if other else None
    started = time.perf_counter()
    with progress_bar("Appending", unit="images") as progress:
        done = archive.append(streams, file, codec, model=model, resume=resume, progress=progress)
    seconds = time.perf_counter() - started
    whole = done.breakdown
    result = {
        "images_added": done.images,
        "bytes_added": done.bytes,
        "bytes_per_image_added": round(done.bytes / max(1, done.images), 4),
        "images": whole.images,
        "archive_bytes": whole.archive_bytes,
        "images_resumed": done.images_resumed,
        "new_class_names": list(done.new_class_names),
        "drift": None if done.drift is None else round(done.drift, 4),
        "bytes_to_save": done.bytes_to_save,
        "seconds": round(seconds, 3),
    }
    tell(result, "\n".join(_prose(file, done, seconds)), as_json)


_SAMPLE = 20_000


def _codec(name: str, sample: ImageSet, file: Path, model: str | None) -> Codec:
    """The codec of another model; one whose rate may be chosen takes the archive's."""
    import engram
    from engram.archive import shipped
    from engram.packing.asked import Asked
    from engram.packing.given import with_model

    of_any_rate = False
    if Path(name).suffix != ".egm" and name not in shipped.names():
        from engram.models import load

        network = load(name).network
        of_any_rate = network.method != "pixel" and not network.prior
    with engram.open(file, model) as opened:
        rate = opened.info.bytes_by_part["blocks"] / max(1, len(opened))
    return with_model(sample, name, Asked(bytes_per_image=rate if of_any_rate and rate else None), len(sample))


def _prose(file: Path, done: Appended, seconds: float) -> list[str]:
    each = done.bytes / max(1, done.images)
    lines = [f"{file}: {done.images:,} images more in {done.bytes:,} bytes, {each:.2f} bytes an image, {seconds:.1f} s"]
    if done.images_resumed:
        lines[0] += f"; {done.images_resumed:,} images were done already"
    lines.append(f"{done.breakdown.images:,} images in {done.breakdown.archive_bytes:,} bytes in all")
    if done.new_class_names:
        lines.append(f"new classes: {', '.join(done.new_class_names)}")
    if done.bytes_to_save and done.drift is not None:
        lines.append(
            f"The new images take {100 * done.drift:.0f} % more than the old, {done.rate:.2f} bytes an image. A model "
            f"learned on them may save about {done.bytes_to_save:,} bytes: train one, and append --with it"
        )
    return lines
