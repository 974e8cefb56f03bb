"""The page: one HTML file that asks for nothing from anywhere."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from engram.document import Document
from engram.files import WriteFailed, write_atomically
from engram.report.drawing import Part, draw
from engram.report.ink import INKS
from engram.report.wording import printable


def write(document: Document, folder: Path) -> Path:
    """The path of the page, `folder`/report.html; its figures are `folder`/figures/NAME.svg or .png.

    Equal documents give equal bytes. Files of these names are replaced, each atomically, the page last; others stay.
    Raises UnknownBlock, MalformedDocument and WriteFailed.
    """
    parts = [[draw(block) for block in section.blocks] for section in document.sections]
    html = _render(document, parts)
    figures = folder / "figures"
    try:
        figures.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteFailed(f"cannot make the folder {figures}: {error.strerror}; choose another place") from error
    for part in (part for section in parts for part in section):
        if part.file:
            name, data = part.file
            _write(figures / name, data)
    page = folder / "report.html"
    _write(page, html.encode())
    return page


def _write(path: Path, data: bytes) -> None:
    def fill(part: Path) -> None:
        part.write_bytes(data)

    write_atomically(path, fill)


def _render(document: Document, parts: list[list[Part]]) -> str:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    template, style, script = (
        files("engram.report").joinpath(f"page.{kind}").read_text("utf-8") for kind in ("html", "css", "js")
    )
    return environment.from_string(template).render(
        document=document,
        sections=list(zip(document.sections, parts, strict=True)),
        inks=INKS,
        style=Markup(style),
        script=Markup(script),
        script_hash=b64encode(sha256(script.encode()).digest()).decode(),
    )
