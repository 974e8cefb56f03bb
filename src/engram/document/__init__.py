"""What a report says, as plain data: experiments fill a Document, `report` draws it and computes nothing.

Every block with a `name` is drawn into a figure file of that name; numbers stay numbers until the page prints them.
A block that cannot be drawn raises MalformedDocument where it is made, not where it is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

from engram.document.charts import Curve, LineChart, Point, RateChart, Reference, Series
from engram.document.diagrams import Confusion, Flow, Topology
from engram.document.malformed import MalformedDocument, check
from engram.document.pictures import Pictures, Strip
from engram.document.tables import Cell, Column, Failure, Spread, Table
from engram.document.verdicts import Outcome, Verdict, Verdicts

__all__ = [
    "Block",
    "Cell",
    "Column",
    "Confusion",
    "Curve",
    "Document",
    "Failure",
    "Flow",
    "LineChart",
    "MalformedDocument",
    "Outcome",
    "Pictures",
    "Point",
    "RateChart",
    "Reference",
    "Section",
    "Series",
    "Spread",
    "Strip",
    "Table",
    "Text",
    "Topology",
    "Verdict",
    "Verdicts",
]


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


Block = Text | Table | LineChart | RateChart | Pictures | Strip | Confusion | Topology | Flow | Verdicts


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
            check(names.count(name) == 1, f"two figures are named {name!r}; file names are compared without case")
