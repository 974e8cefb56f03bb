"""What a report says, as plain data: experiments fill a Document, `report` draws it and computes nothing.

Every block with a `name` is drawn into a figure file of that name; numbers stay numbers until the page prints them.
A block that cannot be drawn raises MalformedDocument where it is made, not where it is drawn.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from engram.errors import UsageError
from engram.images import Pixels
from engram.layers import Network


class MalformedDocument(UsageError):
    """Parts of a document that do not fit together: a short row, a name that is no file name, a name used twice."""


def _check(fits: bool, message: str) -> None:
    if not fits:
        raise MalformedDocument(message)


def _check_name(name: str) -> None:
    _check(
        re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name) is not None,
        f"{name!r} cannot name a figure file: use up to 100 letters, digits, '.', '_', '-', a letter or digit first",
    )


@dataclass(frozen=True)
class Spread:
    """A mean over n runs with the sample standard deviation (0 for one run)."""

    mean: float
    deviation: float
    n: int


Cell = str | int | float | Spread | None
"""None prints as a dash."""


@dataclass(frozen=True)
class Column:
    """A heading; `digits` after the point for numbers; `unit` is printed in the heading."""

    title: str
    digits: int = 0
    unit: str = ""


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Table:
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        for index, row in enumerate(self.rows):
            _check(
                len(row) == len(self.columns),
                f"table {self.caption!r}: row {index} has {len(row)} cells under {len(self.columns)} columns",
            )


@dataclass(frozen=True)
class Series:
    """One curve; `low` and `high` are the band over seeds, where there is one."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.x)
        _check(len(self.y) == n, f"curve {self.label!r}: {n} x for {len(self.y)} y")
        _check(
            len(self.low) == len(self.high) and len(self.low) in (0, n),
            f"curve {self.label!r}: a band of {len(self.low)} low and {len(self.high)} high values around {n} points",
        )


@dataclass(frozen=True)
class LineChart:
    name: str
    caption: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    logarithmic: bool = False  # the y axis; what is not above zero is left out

    def __post_init__(self) -> None:
        _check_name(self.name)


@dataclass(frozen=True, eq=False)
class Pictures:
    """A grid of pictures, each uint8[h, w, c], under column labels and beside row labels."""

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    pictures: tuple[tuple[Pixels, ...], ...]

    def __post_init__(self) -> None:
        _check_name(self.name)
        found = [len(row) for row in self.pictures]
        _check(
            found == [len(self.columns)] * len(self.rows),
            f"pictures {self.name!r}: {len(self.rows)} rows of {len(self.columns)} are labelled, the rows hold {found}",
        )
        for picture in (picture for row in self.pictures for picture in row):
            _check(
                picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] in (1, 3) and picture.size > 0,
                f"pictures {self.name!r}: each must be uint8[h, w, 1 or 3], not {picture.dtype}{list(picture.shape)}",
            )


@dataclass(frozen=True, eq=False)
class Confusion:
    """counts[true class, judged class]."""

    name: str
    caption: str
    class_names: tuple[str, ...]
    counts: NDArray[np.int64]

    def __post_init__(self) -> None:
        _check_name(self.name)
        n = len(self.class_names)
        _check(
            self.counts.shape == (n, n) and bool((self.counts >= 0).all()),
            f"confusion {self.name!r}: {n} classes need counts[{n}, {n}], none below 0, not {list(self.counts.shape)}",
        )


@dataclass(frozen=True, eq=False)
class Topology:
    """A network's layers, shapes and parameter counts, drawn from its own description."""

    name: str
    caption: str
    network: Network

    def __post_init__(self) -> None:
        _check_name(self.name)


@dataclass(frozen=True)
class Flow:
    """Steps and the arrows between them, each (from, to), by name; steps of one column stand below each other."""

    name: str
    caption: str
    columns: tuple[tuple[str, ...], ...]
    arrows: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        _check_name(self.name)
        steps = [step for column in self.columns for step in column]
        _check(len(set(steps)) == len(steps), f"flow {self.name!r}: two steps have one name")
        for step in (step for arrow in self.arrows for step in arrow):
            _check(step in steps, f"flow {self.name!r}: an arrow names {step!r}, which is no step")


Outcome = Literal["holds", "does not hold", "undecided", "not compared"]


@dataclass(frozen=True)
class Verdict:
    """A claim held against our numbers."""

    claim: str
    source: str
    published: str
    measured: str
    outcome: Outcome
    why: str = ""

    def __post_init__(self) -> None:
        _check(
            self.outcome in get_args(Outcome),
            f"claim {self.claim!r}: the outcome is one of {get_args(Outcome)}, not {self.outcome!r}",
        )


@dataclass(frozen=True)
class Verdicts:
    caption: str
    verdicts: tuple[Verdict, ...]


Block = Text | Table | LineChart | Pictures | Confusion | Topology | Flow | Verdicts


@dataclass(frozen=True)
class Section:
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """`warning` is what a reader must know before any number; `facts` name the run: data, machine, versions."""

    title: str
    summary: str
    sections: tuple[Section, ...]
    facts: tuple[tuple[str, str], ...] = ()
    warning: str = ""

    def __post_init__(self) -> None:
        names = [block.name.lower() for section in self.sections for block in section.blocks if hasattr(block, "name")]
        for name in names:
            _check(names.count(name) == 1, f"two figures are named {name!r}; file names are compared without case")
