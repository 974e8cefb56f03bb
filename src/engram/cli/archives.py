"""`engram unpack`, `get`, `info`, `verify`, `shard`: archives from the command line."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engram.cli.terminal import Json, progress_bar, tell
from engram.errors import UsageError
from engram.storage import shown
from engram.words import counted

if TYPE_CHECKING:
    from engram.archive import Info
    from engram.archive.verification import Verification
    from engram.kinds import AnyPixels

ArchiveLocation = Annotated[str, typer.Argument(metavar="FILE", help="An archive FILE.egm, a shard set, or its URL.")]
LeftOutModel = Annotated[
    str | None,
    typer.Option(
        "-m", "--model", metavar="MODEL", help="For an archive packed without its model: that, or an archive."
    ),
]
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]


def unpack(
    file: ArchiveLocation,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A folder, .zip, .tar, .parquet, .npz, .npy or IDX file.")],
    model: LeftOutModel = None,
    skip_damaged: Annotated[bool, typer.Option("--skip-damaged", help="Leave out what is damaged.")] = False,
    sidecars: Annotated[
        bool, typer.Option("--sidecars", help="Of a .zip or .tar: x.json beside x.png, as webdataset has it.")
    ] = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write all images of an archive to OUT, with what is known of them where OUT can hold it.

    A folder, .zip or .tar gets the tree that was packed: JPEG files that were kept byte for byte, other pictures as
    PNG files; without paths, numbered ones in class folders. A .parquet file holds them in a column called image.
    """
    from engram import archive

    started = time.perf_counter()
    with progress_bar("Unpacking", unit="images") as progress:
        how = {"skip_damaged": skip_damaged, "force": force, "sidecars": sidecars}
        done = archive.unpack(file, out, **how, model=model, progress=progress)
    seconds = time.perf_counter() - started
    lost = done.damage.images_lost if done.damage else 0
    result = {"out": str(out), "images_lost": lost} | pace(done.images, seconds)
    prose = f"{out}: {counted(done.images, 'image')} in {seconds:.1f} s"
    if done.damage and not done.damage.ok:
        for line in _damages(done.damage):
            typer.echo(line, err=True)
        prose += f"; {lost:,} {'is' if lost == 1 else 'are'} lost"
    tell(result, prose, as_json)


def get(
    file: ArchiveLocation,
    which: Annotated[
        list[str], typer.Argument(metavar="WHICH...", help="Indices from 0, paths, globs, or COLUMN=VALUE.")
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="OUT", help="A picture to write, .png, .jpg, ...; a folder; or -.")
    ],
    model: LeftOutModel = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write images of an archive as pictures; no others are decoded.

    One image goes to a file, or to standard output, -. Several go into a folder, by their paths. A picture that was
    packed as a file comes out as that file, byte for byte, where OUT has the suffix of its path; to - and into folders
    other pictures go as PNG files. WHICH may also name a file that is kept beside them: metadata.csv, left-out.txt.
    """
    from engram import archive
    from engram.archive.selecting import select
    from engram.files import OutputExists, replacing_file

    started = time.perf_counter()
    if (kept := _kept_file(file, which)) is not None:
        if str(out) == "-":
            sys.stdout.buffer.write(kept)
            return
        if out.exists() and not force:
            raise OutputExists(f"{out} exists already; choose another name, or replace it with --force")
        with replacing_file(out) as target:
            target.write(kept)
        prose = f"{out}: {which[0]} of {shown(file)}, {len(kept):,} bytes"
        tell({"file": str(out), "name": which[0], "bytes": len(kept)}, prose, as_json)
        return
    if str(out) != "-" and not out.suffix:
        with archive.open(file, model) as opened:
            found = select(opened, which)
            done = archive.unpack(found, out, force=force)
        seconds = time.perf_counter() - started
        prose = f"{out}: {counted(done.images, 'image')} of {shown(file)}"
        tell({"out": str(out)} | pace(done.images, seconds), prose, as_json)
        return
    kind = "" if str(out) == "-" else writable_picture(out, force)
    with archive.open(file, model) as opened:
        found = select(opened, which)
        if len(found) > 1:
            raise UsageError(f"{' '.join(which)} are {len(found):,} images of {shown(file)}; give a folder, -o FOLDER")
        row, image = int(found.rows[0]), found[0]
        path = "" if opened.paths is None else opened.paths[row]
        as_it_was = opened.are_files(found.rows)[0] and suffix_of(path) == suffix_of(out)
        data = opened.file(row) if as_it_was or str(out) == "-" else picture_file(image, out, kind)
    if str(out) == "-":
        sys.stdout.buffer.write(data)
        return
    with replacing_file(out) as target:
        target.write(data)
    height, width, channels = image.shape
    result = {"image": str(out), "index": row, "height": height, "width": width, "channels": channels}
    result["seconds"] = round(time.perf_counter() - started, 6)
    tell(result, f"{out}: image {row} of {shown(file)}, {height} x {width}", as_json)


def _kept_file(file: str, which: list[str]) -> bytes | None:
    """A file that is kept beside the pictures, such as metadata.csv; None where WHICH names none."""
    if len(which) != 1 or Path(which[0]).suffix not in (".csv", ".jsonl", ".txt"):
        return None
    from engram import archive
    from engram.archive.compacting import kept_files

    with archive.open(file) as opened:
        return kept_files(opened).get(which[0])


def writable_picture(out: Path, force: bool) -> str:
    """The format that Pillow writes a file of this name in. Raises UsageError and OutputExists."""
    from PIL import Image

    from engram.files import OutputExists

    suffix = out.suffix.lower()
    if suffix not in PICTURE_SUFFIXES:
        raise UsageError(
            f"{out}: pictures are not written as {suffix or 'files without a suffix'}; "
            f"take one of {', '.join(PICTURE_SUFFIXES)}"
        )
    if out.exists() and not force:
        raise OutputExists(f"{out} exists already; choose another name, or replace it with --force")
    return Image.registered_extensions()[suffix]


def picture_file(image: AnyPixels, out: Path, kind: str) -> bytes:
    """The bytes of a picture file of a format of Pillow's. Raises UsageError where that holds no such picture."""
    from engram.datasets.pictures import as_picture, encode_picture
    from engram.kinds import kind_of

    if kind == "PNG":
        return encode_picture(image, ".png", 100)
    file = BytesIO()
    try:
        as_picture(image).save(file, kind)
    except (OSError, ValueError, UsageError):  # what Pillow says of a mode that a format has not
        raise UsageError(f"{out}: {kind} holds no {kind_of(image).name} picture; write a .png") from None
    return file.getvalue()


def suffix_of(path: Path | str) -> str:
    """What a path ends in, in lower case; one for all names of JPEG files."""
    suffix = Path(path).suffix.lower()
    return ".jpg" if suffix in (".jpeg", ".jpe", ".jfif") else suffix


def shard(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Archives of one kind, or their URLs.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="The folder to write.")],
    images: Annotated[
        int, typer.Option("--images", min=1, help="Images a shard, at most; rounded up to whole blocks.")
    ] = 1 << 20,
    model: LeftOutModel = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Cut archives into a shard set: a folder of smaller ones, which reads as one. Nothing is decoded.

    All verbs that read an archive read FOLDER, and so does `engram.open`.
    """
    from engram.archive import sharding

    with progress_bar("Cutting", unit="images") as progress:
        found = sharding.shard(files, out, images=images, model=model, force=force, progress=progress)
    count, size = found.images, sum(each.bytes for each in found.shards)
    result = {"out": str(out), "shards": len(found.shards), "images": count, "bytes": size}
    tell(result, f"{out}: {counted(count, 'image')} in {counted(len(found.shards), 'shard')}, {size:,} bytes", as_json)


def info(file: ArchiveLocation, as_json: Json = False) -> None:
    """Say what an archive holds, and what each of its bytes is for. Nothing is decoded."""
    from engram import archive

    parts = archive.info(file)
    result = sizes_of(parts) | {
        "segments": parts.segments,
        "files": parts.files,
        "blocks": parts.blocks,
        "columns": parts.columns,
        "heights": parts.heights,
        "widths": parts.widths,
        "left_out": parts.left_out,
        "as_files": parts.as_files,
        "groups": [asdict(group) for group in parts.groups],
        "models": [asdict(model) for model in parts.models],
        "model_embedded": parts.model_embedded,
        "bytes_by_part": parts.bytes_by_part,
    }
    tell(result, _describe(file, parts), as_json)


def verify(file: ArchiveLocation, model: LeftOutModel = None, as_json: Json = False) -> None:
    """Check and decode all of an archive, and list what is damaged. Ends with 3 where anything is."""
    from engram import archive

    started = time.perf_counter()
    with progress_bar("Verifying", unit="images") as progress:
        found = archive.verify(file, model, progress)
    seconds = time.perf_counter() - started
    result = {
        "ok": found.ok,
        "images_lost": found.images_lost,
        "damaged_blocks": [
            {
                "block": block.number,
                "first": block.first,
                "stop": block.stop,
                "images": block.count,
                "reason": block.reason,
            }
            for block in found.damaged_blocks
        ],
        "damaged_parts": {name: str(error) for name, error in found.damaged_parts.items()},
    }
    prose = [*_damages(found), f"{shown(file)}: {counted(found.images, 'image')} in {counted(found.blocks, 'block')}, "]
    prose[-1] += "all sound" if found.ok else f"{counted(found.images_lost, 'image')} lost"
    tell(result | pace(found.images, seconds), "\n".join(prose), as_json)
    if not found.ok:
        raise typer.Exit(3)


def sizes_of(parts: Info) -> dict[str, Any]:
    """The figures that every verb tells of an archive."""
    return {
        "images": parts.images,
        "archive_bytes": parts.archive_bytes,
        "model_bytes": parts.model_bytes,
        "bytes_per_image": round(parts.bytes_per_image, 4),
        "bytes_per_image_with_model": round(parts.bytes_per_image_with_model, 4),
    }


def pace(images: int, seconds: float) -> dict[str, Any]:
    """How fast it went."""
    return {"images": images, "seconds": round(seconds, 3), "images_per_second": round(images / seconds, 1)}


def _damages(found: Verification) -> list[str]:
    blocks = [f"block {b.number}: {b.rows}: {b.reason}" for b in found.damaged_blocks]
    return blocks + [f"{name}: {error}" for name, error in found.damaged_parts.items()]


def _describe(file: str, parts: Info) -> str:
    from engram.datasets.notices import LEFT_OUT

    model = f"{parts.model_bytes:,} bytes" + ("" if parts.model_embedded else ", not in the file")
    lines = [
        f"{shown(file)}: {parts.in_a_line()}",
        f"{parts.bytes_per_image_with_model:.3f} bytes an image, {parts.bytes_per_image:.3f} without the model; "
        f"model {model}; {counted(parts.blocks, 'block')}",
    ]
    if parts.columns:
        lines.append("columns: " + ", ".join(f"{name} ({kind})" for name, kind in parts.columns.items()))
    if parts.as_files:
        lines.append(f"kept byte for byte, as the files that they came in: {counted(parts.as_files, 'image')}")
    if parts.left_out:
        left_out = f"{counted(parts.left_out, 'picture', 'was')} left out when it was packed"
        lines.append(f"{left_out}: `engram get {shown(file)} {LEFT_OUT} -o -` lists them with the reasons")
    if len(parts.groups) > 1:
        lines += [
            f"group of {counted(group.cells, f'{group.kind} cell')} {group.height} x {group.width}: "
            + ", ".join(group.codecs)
            for group in parts.groups[:_NAMED]
        ]
        lines += [f"and {counted(len(parts.groups) - _NAMED, 'group')} more"] if len(parts.groups) > _NAMED else []
    if parts.segments > 1:
        lines.append(f"{counted(parts.segments, 'segment')} in {counted(parts.files, 'file')}")
    rows = [*parts.bytes_by_part.items(), ("all", parts.archive_bytes)]
    each = max(1, parts.images)
    lines += ["", f"{'part':<20}{'bytes':>16}{'an image':>12}"]
    return "\n".join(lines + [f"{name:<20}{size:>16,}{size / each:>12.3f}" for name, size in rows])


_NAMED = 12
"""How many groups `info` lists."""
