"""Many pictures of an archive as one, to look at: `engram sheet`."""

from __future__ import annotations

from math import ceil, sqrt
from typing import TYPE_CHECKING

import numpy as np

from engram.archive.view import Pictures, View
from engram.errors import UsageError
from engram.kinds import AnyPixels

if TYPE_CHECKING:
    from PIL import Image

GAP = 2
LARGEST_TILE = 256
"""The side of a picture on the sheet, at most, in pixels; larger ones are made smaller."""
PAPER = (255, 255, 255)


def contact_sheet(pictures: Pictures, count: int = 100, by: str | None = None) -> Image.Image:
    """A picture of at most `count` of them, evenly taken, in rows; by: rows of their own for each value of a column.

    Pictures keep their sizes, up to LARGEST_TILE; what is transparent shows the paper, white. Raises UsageError.
    """
    from PIL import Image

    if not len(pictures):
        raise UsageError(f"{pictures.archive.path} has no image to show")
    rows = _evenly(pictures, count) if by is None else _by_value(pictures, count, by)
    shown = [[_on_paper(image) for image in View(pictures.archive, pictures.rows[row])[:]] for row in rows]
    side = max(max(each.size) for row in shown for each in row)
    across = max(map(len, shown))
    sheet = Image.new("RGB", (across * (side + GAP) + GAP, len(shown) * (side + GAP) + GAP), PAPER)
    for down, row in enumerate(shown):
        for right, each in enumerate(row):
            place = GAP + right * (side + GAP), GAP + down * (side + GAP)
            sheet.paste(each, (place[0] + (side - each.width) // 2, place[1] + (side - each.height) // 2))
    return sheet


def _evenly(pictures: Pictures, count: int) -> list[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    taken = np.unique(np.linspace(0, len(pictures) - 1, min(count, len(pictures))).astype(np.int64))
    across = ceil(sqrt(len(taken)))
    return [taken[start : start + across] for start in range(0, len(taken), across)]


def _by_value(pictures: Pictures, count: int, by: str) -> list[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    column = pictures.column(by)
    values = (
        column.categories if column.type == "category" else sorted({str(v) for v in column.array() if v is not None})
    )
    texts = np.array([str(column.value(row)) for row in range(len(column))], object)
    found = [np.flatnonzero(texts == value) for value in values]
    found = [rows for rows in found if len(rows)][:count]
    if not found:
        raise UsageError(f"{pictures.archive.path}: the column {by!r} has no value")
    each, across = max(1, count // len(found)), ceil(sqrt(count))
    taken = [rows[np.linspace(0, len(rows) - 1, min(each, len(rows))).astype(np.int64)] for rows in found]
    return [rows[start : start + across] for rows in taken for start in range(0, len(rows), across)]


def _on_paper(image: AnyPixels) -> Image.Image:
    """The picture in 8-bit colours, no larger than the largest."""
    from PIL import Image

    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    if picture.mode in ("LA", "RGBA"):
        paper = Image.new("RGBA", picture.size, PAPER)
        picture = Image.alpha_composite(paper, picture.convert("RGBA"))
    picture = picture.convert("RGB")
    picture.thumbnail((LARGEST_TILE, LARGEST_TILE))
    return picture
