"""Claims held against numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from engram.document.malformed import check

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
        check(
            self.outcome in get_args(Outcome),
            f"claim {self.claim!r}: the outcome is one of {get_args(Outcome)}, not {self.outcome!r}",
        )


@dataclass(frozen=True)
class Verdicts:
    caption: str
    verdicts: tuple[Verdict, ...]
