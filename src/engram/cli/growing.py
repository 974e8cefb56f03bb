"""`engram append`, `set`, `rm`: archives that change."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engram.cli.archives import LeftOutModel
from engram.cli.terminal import Json, progress_bar, tell
from engram.words import counted

if TYPE_CHECKING:
    from engram.archive import Appended, Archive
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
        new = source.collection(data, progress)
    codec = _codec(other, new.stream().sample(_SAMPLE), file, model) if other else None
    started = time.perf_counter()
    with progress_bar("Appending", unit="images") as progress:
        done = archive.append(new, file, codec, model=model, resume=resume, progress=progress)
    seconds = time.perf_counter() - started
    whole = done.info
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
    lines = [f"{file}: {counted(done.images, 'image')} more in {done.bytes:,} bytes, {each:.2f} bytes an image, "]
    lines[0] += f"{seconds:.1f} s"
    if done.images_resumed:
        lines[0] += f"; {counted(done.images_resumed, 'image', 'was')} done already"
    lines.append(f"{counted(done.info.images, 'image')} in {done.info.archive_bytes:,} bytes in all")
    if done.new_class_names:
        lines.append(f"new classes: {', '.join(done.new_class_names)}")
    if done.bytes_to_save and done.drift is not None:
        lines.append(
            f"The new images take {100 * done.drift:.0f} % more than the old, {done.rate:.2f} bytes an image. A model "
            f"learned on them may save about {done.bytes_to_save:,} bytes: train one, and append --with it"
        )
    return lines


def set_columns(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The archive whose columns change.")],
    table: Annotated[
        Path | None,
        typer.Option("--columns", metavar="TABLE", help="A .csv or .jsonl file; file_name says whose row it is."),
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option("--drop", metavar="COLUMN", help="Take a column away; may be repeated.")
    ] = None,
    model: LeftOutModel = None,
    as_json: Json = False,
) -> None:
    """Add columns to an archive, replace some, or take some away. No image is decoded, and none changes.

    Rows of TABLE are found by the paths of images; images without a row have no value.
    """
    from engram import archive
    from engram.archive.changing import set_columns as described
    from engram.cli.archives import sizes_of
    from engram.errors import UsageError

    if table is None and not drop:
        raise UsageError("nothing to do: give --columns TABLE, or --drop COLUMN")
    columns: dict[str, Any] = dict.fromkeys(drop or [])
    if table is not None:
        with archive.open(file) as opened:
            columns |= _read(table, opened)
    with progress_bar("Copying", unit="images") as progress:
        parts = described(file, columns, model=model, progress=progress)
    names = ", ".join(f"{name} ({kind})" for name, kind in parts.columns.items())
    tell({"columns": parts.columns} | sizes_of(parts), f"{file}: columns {names or 'none'}", as_json)


def _read(table: Path, opened: Archive) -> dict[str, list[Any]]:
    """The columns of a table, a value for each image. Raises UsageError."""
    import warnings

    from engram.datasets.metadata import read_metadata
    from engram.datasets.tree import Single
    from engram.errors import UsageError

    if opened.paths is None:
        raise UsageError(f"{opened.path} has no paths, by which rows of {table} could be found")
    if table.suffix not in (".csv", ".jsonl") or not table.is_file():
        raise UsageError(f"{table} is no .csv or .jsonl file")
    found = read_metadata(Single(table), [table.name], list(opened.paths))
    for notice in found.notices:
        warnings.warn(notice, stacklevel=2)
    return found.columns


def rm(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The archive that images are taken out of.")],
    which: Annotated[list[str], typer.Argument(metavar="WHICH...", help="Paths, globs, indices, or COLUMN=VALUE.")],
    model: LeftOutModel = None,
    as_json: Json = False,
) -> None:
    """Take images out of an archive. None is decoded, and no other changes.

    The bytes of blocks that only have such images are gone; `engram repack FILE` gives back what the others still hold
    of them.
    """
    from engram import archive
    from engram.archive.changing import remove
    from engram.archive.selecting import select
    from engram.cli.archives import sizes_of

    with archive.open(file) as opened:
        rows, size = select(opened, which).rows, opened.info.archive_bytes
    with progress_bar("Copying", unit="images") as progress:
        parts = remove(file, rows, model=model, progress=progress)
    prose = f"{file}: {counted(len(rows), 'image', 'is')} out; {counted(parts.images, 'image', 'is')} left, "
    prose += f"in {parts.archive_bytes:,} bytes"
    tell({"images_removed": len(rows), "bytes_saved": size - parts.archive_bytes} | sizes_of(parts), prose, as_json)
