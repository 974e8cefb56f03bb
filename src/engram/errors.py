"""One exception for each broken promise. Each says what happened, where, and what to do.

`exit_code` is what the command line ends with: 1 failed, 2 wrong usage, 3 the data is corrupt.
"""

from __future__ import annotations


class EngramError(Exception):
    """Any failure that engram foresees; its text is a sentence for a person."""

    exit_code = 1


class UsageError(EngramError):
    """The caller asked for something that cannot be: an unknown name, a value out of range."""

    exit_code = 2


class MissingLibrary(EngramError):
    """A library that engram does without, until something asks for it, is not installed."""


class CorruptData(EngramError):
    """Bytes that do not keep their own format's promises."""

    exit_code = 3
