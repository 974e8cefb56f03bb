"""Numbers and names as the page prints them."""

from __future__ import annotations

import math
import re
from typing import Any, Literal, NamedTuple

import numpy as np

from engram.document import Cell, Failure, MalformedDocument, Spread

Number = int | float | np.integer[Any] | np.floating[Any]

MINUS = "\N{MINUS SIGN}"
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class Printed(NamedTuple):
    """A table's cell: its text, what a pointer resting on it is told, and the number it sorts by."""

    kind: Literal["name", "number", "none", "failure"]
    text: str
    title: str = ""
    value: float | None = None


def cell(value: Cell, digits: int) -> Printed:
    """A cell as its column prints it: None as a dash, integers whole, other numbers with `digits` after the point.

    Raises MalformedDocument for anything that is no Cell.
    """
    match value:
        case None:
            return Printed("none", "\N{EN DASH}")
        case str():
            return Printed("name", value)
        case Failure(message):
            return Printed("failure", message)
        case Spread(mean, deviation, n):
            deviates = f" ± {number(deviation, digits)}" if n > 1 else ""
            return Printed("number", number(mean, digits) + deviates, f"n = {n}", float(mean))
        case int() | float() | np.integer() | np.floating():
            whole = isinstance(value, int | np.integer)
            return Printed("number", number(value, 0 if whole else digits), value=float(value))
        case _:
            raise MalformedDocument(
                f"a cell holds text, a number, a Spread, a Failure or None, not {type(value).__name__}"
            )


def number(value: Number, digits: int) -> str:
    """A number in groups of three with a real minus sign; never a negative zero."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    return f"{float(value):z,.{digits}f}".replace("-", MINUS)


def tick(value: float) -> str:
    """A number as an axis names it, in up to six digits."""
    return f"{value:,.6g}".replace("-", MINUS)


def dimensions(shape: tuple[int, ...]) -> str:
    """A shape with a multiplication sign between its sides."""
    return " \N{MULTIPLICATION SIGN} ".join(number(side, 0) for side in shape)


def printable(text: str) -> str:
    """The text without what neither XML nor UTF-8 can hold, each such character replaced by U+FFFD."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def label(text: str, length: int = 40) -> str:
    """The text on one line of at most `length` characters, as a figure has room for."""
    line = " ".join(printable(text).split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"
