"""Pictures picked by words, as the command line has them: cat/*.png, 17, split=train."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import translate
from typing import Any

import numpy as np

from engram.archive.archive import Archive
from engram.archive.view import View
from engram.errors import UsageError
from engram.table import Column


class NothingFound(UsageError):
    """No picture is what was asked for."""


def select(archive: Archive, words: Sequence[str]) -> View:
    """The pictures that any path, glob or index names, of those that all conditions COLUMN=VALUE hold for; in order.

    All of these where there are only conditions. Raises NothingFound for a word that names no picture, and UsageError.
    """
    kept, named = np.ones(len(archive), bool), np.zeros(len(archive), bool)
    conditions = [word for word in words if _is_condition(archive, word)]
    names = [word for word in words if word not in conditions]
    for word in conditions:
        name, _, value = word.partition("=")
        column = archive.column(name)
        kept &= column.mask(_value(column, name, value))
    for word in names:
        named[_rows(archive, word)] = True
    rows = np.flatnonzero(kept & named) if names else np.flatnonzero(kept)
    if words and not len(rows):
        raise NothingFound(f"{archive.path}: no image is {' and '.join(words)}")
    return View(archive, rows)


def _is_condition(archive: Archive, word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name in archive.column_names


def _value(column: Column, name: str, text: str) -> Any:
    """The value that a text means in a column; no text is a missing value. Raises UsageError."""
    if not text:
        return None
    try:
        if column.type in ("integer", "number"):
            return int(text) if column.type == "integer" else float(text)
        if column.type == "boolean":
            return {"true": True, "false": False}[text.lower()]
    except (ValueError, KeyError):
        raise UsageError(f"{name} is a column of type {column.type}, and {text!r} is none") from None
    return text


def _rows(archive: Archive, word: str) -> Sequence[int] | np.ndarray[Any, Any]:
    """The rows of a path, an index, or a glob. Raises NothingFound."""
    if archive.paths is not None:
        try:
            return [archive.row_of(word)]
        except KeyError:
            pass
        if any(mark in word for mark in "*?["):
            pattern = re.compile(translate(word))
            found = [row for row, path in enumerate(archive.iterate_paths() or ()) if pattern.match(path)]
            if found:
                return found
    if word.isdecimal() and int(word) < len(archive):
        return [int(word)]
    if re.fullmatch(r"-\d+", word):
        raise NothingFound(f"images are counted from 0, the last one of {archive.path} is {len(archive) - 1}: {word!r}")
    known = f"images 0 to {len(archive) - 1}" + (", and none at that path" if archive.paths is not None else "")
    raise NothingFound(f"{archive.path} has {known}: {word!r}")
