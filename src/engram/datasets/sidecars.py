"""What files beside a picture say of it, as webdataset has it: 000.cls a class, 000.json columns, 000.txt a text."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from engram.datasets.tree import Tree
from engram.errors import UsageError

_SUFFIXES = {".cls": "label", ".txt": "text", ".json": ""}
"""Of these files, and the columns that they are."""
_PATH = "path"


def sidecars(tree: Tree, pictures: Sequence[str], others: Sequence[str]) -> tuple[dict[str, list[Any]], list[str]]:
    """(columns, a value for each picture or None, the files that belong to no picture). Raises UsageError.

    What JSON calls as another column is called comes as json_label, json_text or json_path.
    """
    rows = {os.path.splitext(path)[0]: row for row, path in enumerate(pictures)}
    found, left = list[tuple[str, str, int]](), list[str]()
    for path in others:
        stem, suffix = os.path.splitext(path)
        if stem in rows and suffix in _SUFFIXES and tree.is_file(path):
            found.append((path, suffix, rows[stem]))
        else:
            left.append(path)
    taken = {_SUFFIXES[suffix] for _, suffix, _ in found} | {_PATH}
    columns = dict[str, list[Any]]()
    for path, suffix, row in found:
        for name, value in _said(tree, path, suffix, taken).items():
            columns.setdefault(name, [None] * len(pictures))[row] = value
    return columns, left


def _said(tree: Tree, path: str, suffix: str, taken: set[str]) -> dict[str, Any]:
    """Values by the names of columns."""
    try:
        text = tree.read(path).decode()
        word = text.strip()
        if suffix != ".json":
            value = text if suffix == ".txt" else int(word) if word.isdecimal() else word
            return {_SUFFIXES[suffix]: value}
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{tree.at(path)} says nothing that can be kept ({error}); mend it or take it out") from None
    if not isinstance(found, dict):
        return {"json": found}
    if strange := [name for name in found if name[:1] in ("", ".")]:
        raise UsageError(f"{tree.at(path)}: a column is called by a text without a dot before it, not {strange[0]!r}")
    return {f"json_{name}" if name in taken else name: value for name, value in found.items()}
