"""`engram unpack`, `get`, `info`, `verify`, `shard`: archives from the command line."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engram.cli.terminal import Json, progress_bar, tell
from engram.storage import shown

if TYPE_CHECKING:
    from engram.archive import Breakdown
    from engram.archive.verification import Verification

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
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A folder, a .npy, .npz or IDX file to write.")],
    model: LeftOutModel = None,
    skip_damaged: Annotated[bool, typer.Option("--skip-damaged", help="Leave out what is damaged.")] = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write all images of an archive to OUT, with labels, classes and file names where OUT can hold them.

    A folder gets PNG files, in class folders where there are labels.
    """
    from engram import archive

    started = time.perf_counter()
    with progress_bar("Unpacking", unit="images") as progress:
        done = archive.unpack(file, out, skip_damaged=skip_damaged, force=force, model=model, progress=progress)
    seconds = time.perf_counter() - started
    lost = done.damage.images_lost if done.damage else 0
    result = {"out": str(out), "images_lost": lost} | pace(done.images, seconds)
    prose = f"{out}: {done.images:,} images in {seconds:.1f} s"
    if done.damage and not done.damage.ok:
        for line in _damages(done.damage):
            typer.echo(line, err=True)
        prose += f"; {lost:,} are lost"
    tell(result, prose, as_json)


def get(
    file: ArchiveLocation,
    index: Annotated[int, typer.Argument(metavar="INDEX", help="Which image, from 0.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="IMAGE", help="The picture to write: .png, .jpg, ...")],
    model: LeftOutModel = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write one image of an archive as a picture; no other image is decoded."""
    from engram import archive
    from engram.errors import UsageError
    from engram.files import OutputExists, replacing_file

    suffix = out.suffix.lower()
    if suffix not in PICTURE_SUFFIXES:
        raise UsageError(
            f"{out}: pictures are not written as {suffix or 'files without a suffix'}; "
            f"take one of {', '.join(PICTURE_SUFFIXES)}"
        )
    if out.exists() and not force:
        raise OutputExists(f"{out} exists already; choose another name, or replace it with --force")
    started = time.perf_counter()
    with archive.open(file, model) as opened:
        if not 0 <= index < len(opened):
            raise UsageError(f"{shown(file)} has images 0 to {len(opened) - 1}, not {index}")
        image = opened[index]
    seconds = time.perf_counter() - started
    from PIL import Image

    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    with replacing_file(out) as target:
        picture.save(target, Image.registered_extensions()[suffix])
    height, width, channels = image.shape
    result = {"image": str(out), "index": index, "height": height, "width": width, "channels": channels}
    tell(result | {"seconds": round(seconds, 6)}, f"{out}: image {index} of {shown(file)}, {height} x {width}", as_json)


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
    count, size = sum(each.images for each in found.shards), sum(each.bytes for each in found.shards)
    result = {"out": str(out), "shards": len(found.shards), "images": count, "bytes": size}
    tell(result, f"{out}: {count:,} images in {len(found.shards):,} shards, {size:,} bytes", as_json)


def info(file: ArchiveLocation, as_json: Json = False) -> None:
    """Say what an archive holds, and what each of its bytes is for. Nothing is decoded."""
    from engram import archive

    parts = archive.info(file)
    result = sizes_of(parts) | {
        "archives": parts.archives,
        "sizes": parts.sizes,
        "image_shape": list(parts.image_shape),
        "block_size": parts.block_size,
        "blocks": parts.blocks,
        "codec": parts.codec,
        "config": parts.config,
        "model_embedded": parts.model_embedded,
        "model_sha256": parts.model_sha256,
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
            {"block": block.number, "first": block.first, "stop": block.stop, "reason": block.reason}
            for block in found.damaged_blocks
        ],
        "damaged_parts": {name: str(error) for name, error in found.damaged_parts.items()},
    }
    prose = [*_damages(found), f"{shown(file)}: {found.images:,} images in {found.blocks:,} blocks, "]
    prose[-1] += "all sound" if found.ok else f"{found.images_lost:,} images lost"
    tell(result | pace(found.images, seconds), "\n".join(prose), as_json)
    if not found.ok:
        raise typer.Exit(3)


def sizes_of(parts: Breakdown) -> dict[str, Any]:
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
    blocks = [f"block {b.number}: images {b.first} to {b.stop - 1}: {b.reason}" for b in found.damaged_blocks]
    return blocks + [f"{name}: {error}" for name, error in found.damaged_parts.items()]


def _describe(file: str, parts: Breakdown) -> str:
    height, width, channels = parts.image_shape
    model = f"{parts.model_bytes:,} bytes" + ("" if parts.model_embedded else ", not in the file")
    sizes = f"of {parts.sizes:,} sizes up to " if parts.sizes > 1 else ""
    lines = [
        f"{shown(file)}: {parts.images:,} images, {sizes}{height} x {width} x {channels}",
        f"codec {parts.codec}, model {model}; {parts.blocks:,} blocks of {parts.block_size}",
        f"{parts.bytes_per_image:.3f} bytes an image, {parts.bytes_per_image_with_model:.3f} with the model",
        *(
            [f"{parts.archives} archives in one file; codec and model are those of the first"]
            if parts.archives > 1
            else []
        ),
        "",
        f"{'part':<12}{'bytes':>16}{'an image':>12}",
    ]
    rows = [*parts.bytes_by_part.items(), ("all", parts.archive_bytes)]
    each = max(1, parts.images)
    return "\n".join(lines + [f"{name.replace('_', ' '):<12}{size:>16,}{size / each:>12.3f}" for name, size in rows])
