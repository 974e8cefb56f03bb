"""Numbers in rows."""

from __future__ import annotations

from dataclasses import dataclass

from engram.document.malformed import check


@dataclass(frozen=True)
class Spread:
    """A mean over n runs with the sample standard deviation (0 for one run)."""

    mean: float
    deviation: float
    n: int


@dataclass(frozen=True)
class Failure:
    """Why a row has no numbers: the last cell of its row, which spans all columns that are left."""

    message: str


Cell = str | int | float | Spread | Failure | None
"""None prints as a dash."""


@dataclass(frozen=True)
class Column:
    """A heading; `digits` after the point for numbers; `unit` is printed in the heading."""

    title: str
    digits: int = 0
    unit: str = ""


@dataclass(frozen=True)
class Table:
    """Rows under headings that sort them. A first column of names stays in sight while the others scroll.

    filterable: words typed above the table narrow its rows. front: the places, from 0, of the rows on the Pareto
    front; they are marked, and a box leaves only them.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    filterable: bool = False
    front: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for index, row in enumerate(self.rows):
            failed = [isinstance(cell, Failure) for cell in row]
            check(not any(failed[:-1]), f"table {self.caption!r}: row {index} goes on after a failure")
            check(
                len(row) == len(self.columns) or (len(row) < len(self.columns) and any(failed)),
                f"table {self.caption!r}: row {index} has {len(row)} cells under {len(self.columns)} columns",
            )
        for place in self.front:
            check(
                0 <= place < len(self.rows),
                f"table {self.caption!r}: row {place} of the front is none of {len(self.rows)} rows",
            )
