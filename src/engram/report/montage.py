"""Pictures as PNG: each alone for the page, and all of them with their labels in one file."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from engram.document import Pictures
from engram.images import Pixels
from engram.report.ink import color
from engram.report.wording import label

LEAST_SIDE = 112  # a smaller picture is enlarged by a whole number
GAP = 8
LETTERS = 28


def png(picture: Pixels) -> bytes:
    """A picture, uint8[h, w, c], as it is."""
    return _save(_image(picture))


def montage(pictures: Pictures) -> bytes:
    """The whole grid under its column labels and beside its row labels, on white."""
    font = ImageFont.load_default(15)
    columns, rows = ([label(name, LETTERS) for name in names] for names in (pictures.columns, pictures.rows))
    height, width = _largest(pictures)
    factor = enlargement(pictures)
    cell_width = max([factor * width, *(round(font.getlength(name)) for name in columns)]) + GAP
    cell_height = factor * height + GAP
    gutter = max((round(font.getlength(name)) for name in rows), default=0) + 2 * GAP
    header = 30
    canvas = Image.new("RGB", (gutter + len(columns) * cell_width, header + len(rows) * cell_height), color("paper"))
    pen = ImageDraw.Draw(canvas)
    for column, name in enumerate(columns):
        pen.text((gutter + column * cell_width, header - GAP), name, color("ink"), font, anchor="ls")
    for row, name in enumerate(rows):
        top = header + row * cell_height
        pen.text((gutter - GAP, top + factor * height // 2), name, color("ink"), font, anchor="rm")
        for column, picture in enumerate(pictures.pictures[row]):
            enlarged = picture.repeat(factor, axis=0).repeat(factor, axis=1)
            canvas.paste(_image(enlarged), (gutter + column * cell_width, top))
    return _save(canvas)


def enlargement(pictures: Pictures) -> int:
    """How many times larger the grid's pictures are shown."""
    return -(-LEAST_SIDE // max(_largest(pictures)))


def _largest(pictures: Pictures) -> tuple[int, int]:
    shapes = [picture.shape for row in pictures.pictures for picture in row] or [(1, 1, 1)]
    return max(shape[0] for shape in shapes), max(shape[1] for shape in shapes)


def _image(picture: Pixels) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(picture[:, :, 0] if picture.shape[2] == 1 else picture))


def _save(image: Image.Image) -> bytes:
    sink = BytesIO()
    image.save(sink, "PNG", optimize=True)
    return sink.getvalue()
