"""The page: one HTML file that asks for nothing from anywhere."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from engram.document import Document
from engram.files import CannotWrite, replacing_file
from engram.report.drawing import Part, draw
from engram.report.ink import INKS
from engram.report.wording import printable

STYLES = ("page", "table", "rate_chart", "strip", "print")
SCRIPTS = ("page", "table", "labels", "rate_chart", "strip")


def write(document: Document, folder: Path) -> Path:
    """The path of the page, `folder`/report.html; its figures are `folder`/figures/NAME.svg or .png.

    Equal documents give equal bytes. Files of these names are replaced, each atomically, the page last; others stay.
    Raises UnknownBlock, MalformedDocument and CannotWrite.
    """
    parts = [[draw(block) for block in section.blocks] for section in document.sections]
    html = _render(document, parts)
    figures = folder / "figures"
    try:
        figures.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(
            f"{figures}: the folder could not be made ({error.strerror}); choose another place"
        ) from error
    for part in (part for section in parts for part in section):
        if part.file:
            name, data = part.file
            with replacing_file(figures / name) as file:
                file.write(data)
    page = folder / "report.html"
    with replacing_file(page) as file:
        file.write(html.encode())
    return page


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
    style = "".join(_read(f"{name}.css") for name in STYLES)
    script = "".join(_read(f"{name}.js") for name in SCRIPTS)
    return environment.from_string(_read("page.html")).render(
        document=document,
        sections=list(zip(document.sections, parts, strict=True)),
        inks=INKS,
        style=Markup(style),
        script=Markup(script),
        script_hash=b64encode(sha256(script.encode()).digest()).decode(),
    )


def _read(name: str) -> str:
    return files("engram.report").joinpath(name).read_text("utf-8")
