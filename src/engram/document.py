"""What a report says, as plain data: experiments fill a Document, `report` draws it and computes nothing.

Every block with a `name` is drawn into a figure file of that name; numbers stay numbers until the page prints them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engram.images import Pixels
from engram.layers import Network


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


@dataclass(frozen=True)
class Series:
    """One curve; `low` and `high` are the band over seeds, where there is one."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True)
class LineChart:
    name: str
    caption: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    logarithmic: bool = False


@dataclass(frozen=True, eq=False)
class Pictures:
    """A grid of pictures, each uint8[h, w, c], under column labels and beside row labels."""

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    pictures: tuple[tuple[Pixels, ...], ...]


@dataclass(frozen=True, eq=False)
class Confusion:
    """counts[true class, judged class]."""

    name: str
    caption: str
    class_names: tuple[str, ...]
    counts: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Topology:
    """A network's layers, shapes and parameter counts, drawn from its own description."""

    name: str
    caption: str
    network: Network


@dataclass(frozen=True)
class Flow:
    """Named steps and the arrows between them, by index; steps of one column stand below each other."""

    name: str
    caption: str
    columns: tuple[tuple[str, ...], ...]
    arrows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Verdict:
    """A claim held against our numbers."""

    claim: str
    source: str
    published: str
    measured: str
    outcome: Literal["holds", "does not hold", "not compared"]
    why: str = ""


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
