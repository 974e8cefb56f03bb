"""One exception for each broken promise. Each says what happened, where, and what to do.

`exit_code` is what the command line ends with. 2, wrong usage: what is asked for cannot be, since a name, a value or
what is given is not what it has to be. 3, corrupt data: bytes break their own format's promises. 1, failed: all else,
such as a full disk or a network, so that the same command may work another time.
"""

from __future__ import annotations


class EngramError(Exception):
    """Any failure that engram foresees; its text is a sentence for a person."""

    exit_code = 1


class UsageError(EngramError):
    """The caller asked for something that cannot be: an unknown name, a value out of range, data that does not fit."""

    exit_code = 2


class MissingLibrary(EngramError):
    """A library that engram does without, until something asks for it, is not installed."""


class CorruptData(EngramError):
    """Bytes that do not keep their own format's promises."""

    exit_code = 3
