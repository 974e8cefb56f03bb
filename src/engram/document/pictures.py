"""Pictures beside each other, all at once or for one image at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engram.document.malformed import check, check_name
from engram.images import Pixels


def check_picture(name: str, picture: Pixels) -> None:
    check(
        picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] in (1, 3) and picture.size > 0,
        f"pictures {name!r}: each must be uint8[h, w, 1 or 3], not {picture.dtype}{list(picture.shape)}",
    )


@dataclass(frozen=True, eq=False)
class Strip:
    """An original and what came back of it from each method, for an image that the reader chooses.

    choices: what the images are called, the first is shown at first. pictures[choice][method], of equal shape for one
    choice, as is notes[choice][method], e.g. '15.8 B, 22.1 dB'; no notes at all is (). Put the original first.
    """

    name: str
    caption: str
    choices: tuple[str, ...]
    methods: tuple[str, ...]
    pictures: tuple[tuple[Pixels, ...], ...]
    notes: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        check_name(self.name)
        expected = [len(self.methods)] * len(self.choices)
        for what, rows in (("pictures", self.pictures), ("notes", self.notes or [self.methods] * len(self.choices))):
            found = [len(row) for row in rows]
            check(
                found == expected,
                f"strip {self.name!r}: {len(self.choices)} choices of {len(self.methods)} methods, {what} for {found}",
            )
        for choice, row in zip(self.choices, self.pictures, strict=True):
            for picture in row:
                check_picture(self.name, picture)
            check(len({picture.shape for picture in row}) <= 1, f"strip {self.name!r}: {choice!r} has several shapes")


@dataclass(frozen=True, eq=False)
class Pictures:
    """A grid of pictures, each uint8[h, w, c], under column labels and beside row labels."""

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    pictures: tuple[tuple[Pixels, ...], ...]

    def __post_init__(self) -> None:
        check_name(self.name)
        found = [len(row) for row in self.pictures]
        check(
            found == [len(self.columns)] * len(self.rows),
            f"pictures {self.name!r}: {len(self.rows)} rows of {len(self.columns)} are labelled, the rows hold {found}",
        )
        for picture in (picture for row in self.pictures for picture in row):
            check_picture(self.name, picture)
