"""`engram ls`, `cat`, `diff`, `sheet`: looking into archives, and joining them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from engram.cli.archives import ArchiveLocation, Force, LeftOutModel, sizes_of
from engram.cli.terminal import Json, progress_bar, tell
from engram.storage import shown
from engram.words import counted

Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="[WHICH...]", help="Paths, globs, indices, or COLUMN=VALUE; all images without one."),
]


def ls(
    file: ArchiveLocation,
    which: Words = None,
    long: Annotated[bool, typer.Option("--long", "-l", help="Sizes, kinds and columns too.")] = False,
    as_json: Json = False,
) -> None:
    """List the images of an archive: their paths, or their indices where they have none. Nothing is decoded."""
    from engram import archive
    from engram.archive.selecting import select

    with archive.open(file) as opened:
        found = select(opened, which or [])
        paths = found.paths or [str(row) for row in found.rows.tolist()]
        if not (long or as_json):
            for path in paths:
                typer.echo(path)
            return
        columns = {name: found.column(name) for name in found.column_names if name != "path"}
        rows = list[dict[str, Any]]()
        kinds = opened.kinds_of(found.rows) if len(found) else []
        for at, (path, size, kind) in enumerate(zip(paths, found.sizes.tolist(), kinds, strict=True)):
            known = {name: column.value(at) for name, column in columns.items()}
            rows.append({"path": path, "height": size[0], "width": size[1], "kind": kind.name} | known)
    if as_json:
        tell({"images": rows}, "", as_json)
        return
    heads = ["path", "height", "width", "kind", *columns]
    cells = [heads, *([_shown(row[head]) for head in heads] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _shown(value: Any) -> str:
    return "" if value is None else str(value)


def cat(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Archives, shard sets, or their URLs.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="The archive to write.")],
    folders: Annotated[
        bool, typer.Option("--folders", help="Put the images of each FILE into a folder that is called like it.")
    ] = False,
    model: LeftOutModel = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Join archives into one, with all images and columns. Nothing is decoded: codes and models stay what they are."""
    from engram.archive.joining import join

    with progress_bar("Joining", unit="images") as progress:
        parts = join(files, out, folders=folders, model=model, force=force, progress=progress)
    prose = (
        f"{out}: {counted(parts.images, 'image')} of {counted(len(files), 'archive')} in {parts.archive_bytes:,} bytes"
    )
    tell({"out": str(out), "joined": len(files)} | sizes_of(parts), prose, as_json)


def diff(
    first: ArchiveLocation,
    second: Annotated[str, typer.Argument(metavar="OTHER", help="The archive that it is compared with.")],
    as_json: Json = False,
) -> None:
    """Compare two archives: which images were added, are gone, or have other pixels or columns. Ends with 1 if any."""
    from engram.archive.comparing import diff as compared

    with progress_bar("Comparing", unit="images") as progress:
        found = compared(first, second, progress)
    named = {
        "added": found.added,
        "gone": found.gone,
        "changed": found.changed,
        "described_otherwise": found.described_otherwise,
    }
    lines = [f"{what.replace('_', ' ')}: {path}" for what, paths in named.items() for path in paths]
    lines.append(f"{counted(found.same, 'image', 'is')} the same")
    tell({what: list(paths) for what, paths in named.items()} | {"same": found.same}, "\n".join(lines), as_json)
    if not found.is_none:
        raise typer.Exit(1)


def sheet(
    file: ArchiveLocation,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="IMAGE", help="The picture to write: .png, .jpg, ...")],
    which: Words = None,
    count: Annotated[int, typer.Option("--count", min=1, help="How many images it shows, at most.")] = 100,
    by: Annotated[
        str | None, typer.Option("--by", metavar="COLUMN", help="Rows of their own for each value of a column.")
    ] = None,
    model: LeftOutModel = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write a contact sheet: many images of an archive in one picture."""
    from engram import archive
    from engram.archive.contact_sheet import contact_sheet
    from engram.archive.selecting import select
    from engram.cli.archives import writable_picture
    from engram.files import replacing_file

    kind = writable_picture(out, force)
    with archive.open(file, model) as opened:
        found = contact_sheet(select(opened, which or []), count, by)
    with replacing_file(out) as target:
        found.save(target, kind)
    result = {"sheet": str(out), "height": found.height, "width": found.width}
    tell(result, f"{out}: {shown(file)} on {found.height} x {found.width} pixels", as_json)
