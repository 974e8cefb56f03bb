"""What no document can be made of."""

from __future__ import annotations

import re

from engram.errors import UsageError


class MalformedDocument(UsageError):
    """Parts of a document that do not fit together: a short row, a name that is no file name, a name used twice."""


def check(fits: bool, message: str) -> None:
    """Raises MalformedDocument unless it fits."""
    if not fits:
        raise MalformedDocument(message)


def check_name(name: str) -> None:
    """Raises MalformedDocument unless the name is also a file's, on any system."""
    check(
        re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name) is not None,
        f"{name!r} cannot name a figure file: use up to 100 letters, digits, '.', '_', '-', a letter or digit first",
    )
