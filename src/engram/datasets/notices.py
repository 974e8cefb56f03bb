"""What was done to DATA so that it could be taken, counted while it is looked through and told once."""

from __future__ import annotations

import re
from typing import Any

from engram.words import counted

LEFT_OUT = "left-out.txt"
"""Kept in an archive where pictures were left out: of each a line, its path, a tab, and the reason."""


def is_left_out(name: str) -> bool:
    """Whether a file that was unpacked is called so; of several archives that were joined, others have a number."""
    return re.fullmatch(r"left-out(-\d+)?\.txt", name) is not None


class Notice(UserWarning):
    """What was done to some of a collection's images: what, to how many of how many, and to which first.

    `engram.load` and `engram.stream` warn of it; a stream has it in `notices`.
    """

    def __init__(self, what: str, images: int, total: int, first: str) -> None:
        super().__init__(what, images, total, first)
        self.what, self.images, self.total, self.first = what, images, total, first

    def __str__(self) -> str:
        return f"{self.what}; {self.images:,} of {counted(self.total, 'file')}, the first {self.first}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"what": self.what, "images": self.images, "total": self.total, "first": self.first}


class Advice(UserWarning):
    """What the user may do about a result that could be better; in the words that are shown."""
