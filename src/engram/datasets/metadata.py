"""metadata.csv and metadata.jsonl: what is known of a folder's pictures, as Hugging Face's ImageFolder has it.

Each row has a `file_name`, the path of a picture from the file's own folder. Values of CSV are texts; a column whose
values are all whole numbers, numbers, true and false, or lists of numbers in JSON is of that type. An empty field is a
missing value. Numbers with zeros before them stay texts.
"""

from __future__ import annotations

import csv
import io
import json
import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from engram.datasets.notices import Notice
from engram.datasets.tree import File, Tree
from engram.errors import UsageError

_KEY = "file_name"
_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[+-]?(?!0[0-9])([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?(nan|inf|NaN|Inf)")
_WORDS = {"true": True, "false": False}
_RENAMED = {"path": "metadata_path"}
"""Columns that the pictures have of themselves."""


@dataclass(frozen=True)
class Metadata:
    """columns: a value for each picture, None where there is none. files: the bytes that they come from, by path."""

    columns: dict[str, list[Any]]
    files: dict[str, bytes]
    notices: tuple[Notice, ...]


def read_metadata(tree: Tree, files: Sequence[str], pictures: Sequence[str]) -> Metadata:
    """That of pictures, from files of these names. Raises UsageError for what is no such file."""
    content = {name: tree.read(name) for name in files}
    rows, sources = dict[str, dict[str, Any]](), dict[str, str]()
    for name, data in content.items():
        for path, row in _rows(tree.at(name), posixpath.dirname(name), data):
            if path in rows:
                raise UsageError(f"{tree.at(name)} has a second row for {path}, after {sources[path]}: keep one")
            rows[path], sources[path] = row, name
    _follow_renames(rows, set(pictures))
    names = dict.fromkeys(name for row in rows.values() for name in row)
    known = [rows.get(path, {}) for path in pictures]
    strays, notices = sorted(rows.keys() - set(pictures)), list[Notice]()
    if strays:
        what = "rows of metadata for pictures that are not there: left out"
        notices.append(Notice(what, len(strays), len(rows), ", ".join(strays[:3])))
    return Metadata({name: _typed([row.get(name) for row in known]) for name in names}, content, tuple(notices))


def _follow_renames(rows: dict[str, dict[str, Any]], pictures: set[str]) -> None:
    """Gives rows of pictures that are not there to what unpacking calls these: a.jpg.png, or else a.png."""
    for path in sorted(rows.keys() - pictures):
        for name in (f"{path}.png", f"{posixpath.splitext(path)[0]}.png"):
            if path in rows and name in pictures and name not in rows:
                rows[name] = rows.pop(path)


class _Text(str):
    """A value of CSV, of which it is not known yet what it is."""

    __slots__ = ()


def _rows(file: File, below: str, data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """(the path of a picture, what is known of it)."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    for line, row in (_of_csv if str(file).endswith(".csv") else _of_jsonl)(file, text):
        name = row.pop(_KEY, None)
        if not isinstance(name, str) or not name:
            raise UsageError(f"{file}, line {line}: {_KEY} is the path of a picture, not {name!r}")
        yield posixpath.normpath(posixpath.join(below, name)), {_RENAMED.get(k, k): v for k, v in row.items()}


def _of_csv(file: File, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name or f"column_{place}" for place, name in enumerate(next(reader, []))]  # pandas names no index
        _check_names(file, header)
        for row in reader:
            if row and len(row) != len(header):
                raise UsageError(f"{file}, line {reader.line_num}: {len(row)} fields, and the header has {len(header)}")
            if row:
                yield (
                    reader.line_num,
                    {
                        name: value if name == _KEY else _Text(value) if value else None
                        for name, value in zip(header, row, strict=True)
                    },
                )
    except csv.Error as error:
        raise UsageError(f"{file}, line {reader.line_num}: no sound CSV ({error}); mend the line") from None


def _of_jsonl(file: File, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{file}, line {number}: no sound JSON ({error}); each line is one object") from None
        if not isinstance(row, dict):
            raise UsageError(f"{file}, line {number}: each line is a JSON object, not {type(row).__name__}")
        _check_names(file, list(row))
        yield number, row


def _check_names(file: File, names: list[str]) -> None:
    if _KEY not in names:
        raise UsageError(f"{file} has no column {_KEY}, only {', '.join(names) or 'nothing'}: name each row's picture")
    renamed = [_RENAMED.get(name, name) for name in names]
    for name in renamed:
        if not name or name.startswith("."):
            raise UsageError(f"{file}: a column is called by a text that does not begin with a dot, not {name!r}")
        if renamed.count(name) > 1:
            raise UsageError(f"{file} has two columns called {name}: rename one")


def _typed(values: list[Any]) -> list[Any]:
    """The values of a column, its texts of CSV as what all of them are."""
    texts = [value for value in values if isinstance(value, _Text)]
    make = _maker(texts)
    return [make(value) if isinstance(value, _Text) else value for value in values]


def _maker(texts: list[_Text]) -> Callable[[str], Any]:
    if all(_WHOLE.fullmatch(text) for text in texts):
        # beyond 64 bits a number would not come back as it was; of thousands of digits Python makes none
        return int if all(len(text) <= 20 and -(1 << 63) <= int(text) < 1 << 63 for text in texts) else str
    if all(_NUMBER.fullmatch(text) for text in texts):
        return float
    if all(text.lower() in _WORDS for text in texts):
        return lambda text: _WORDS[text.lower()]
    if all(_is_list(text) for text in texts):
        return json.loads
    return str


def _is_list(text: str) -> bool:
    """Whether it is a list of numbers in JSON."""
    if not text.startswith("["):
        return False
    try:
        found = json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return False
    return all(type(value) in (int, float) for value in found)
