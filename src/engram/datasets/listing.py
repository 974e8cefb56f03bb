"""What lies in a folder of pictures, at any depth, by names alone: no file is opened.

Of a .zip or .tar, files beside a picture that are called like it, but end in .cls, .json or .txt, are what is known of
it, as webdataset has it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any

from engram.datasets.names import UnsafeName, check_path
from engram.datasets.notices import Notice
from engram.datasets.sidecars import sidecars
from engram.datasets.tree import SUFFIXES, Tree

SPLITS = ("train", "val", "valid", "validation", "dev", "test")
"""Folders at the top that are no classes, where no others have pictures; in the order of their categories."""
_METADATA = re.compile(rf"(({'|'.join(SPLITS)})/)?metadata(-\d+)?\.(csv|jsonl)")
"""Of pictures that were appended, unpacking writes a second file with a number."""
_NAMED = 3
"""How many of the files that are left out a notice names."""


@dataclass(frozen=True)
class Listing:
    """Paths in a tree: of pictures and of metadata, each in the order of their bytes, and of what is left out.

    columns: what a tree says of its pictures by itself, a value for each, or a Column.
    """

    tree: Tree
    pictures: list[str]
    metadata: list[str]
    others: list[str]
    columns: dict[str, Any]

    def notices(self) -> tuple[Notice, ...]:
        """What is to be told of files that are left out."""
        if not self.others:
            return self.tree.notices
        first = [str(self.tree.at(path)) for path in sorted(self.others)[:_NAMED]]
        printable = ", ".join(first).encode(errors="replace").decode()
        what = "no picture, by its name, or a link that leads to none: left out"
        return (
            *self.tree.notices,
            Notice(what, len(self.others), len(self.others) + len(self.pictures), printable),
        )


def listed(tree: Tree) -> Listing:
    """What lies in a tree. Raises UnsafeName for a picture that an archive could not name, UsageError, OSError."""
    own = tree.columns()
    if own is not None:
        return Listing(tree, [path for path, _ in tree.files()], [], [], own)
    pictures, metadata, others = list[str](), list[str](), list[str]()
    for path, is_file in tree.files():
        name = path.rpartition("/")[2]
        if is_file and is_picture(name):
            _check(tree, path)
            pictures.append(path)
        elif is_file and is_metadata(path):
            metadata.append(path)
        else:
            others.append(path)
    pictures.sort()  # by code points, which is the order of their UTF-8 bytes
    columns, others = sidecars(tree, pictures, others) if tree.has_sidecars else ({}, others)
    return Listing(tree, pictures, sorted(metadata), others, columns)


def _check(tree: Tree, path: str) -> None:
    try:
        check_path(path)
    except UnsafeName as error:
        raise UnsafeName(f"{tree.name}: {error}") from None


def is_metadata(path: str) -> bool:
    """Whether a file says what is known of pictures, by its path below their folder."""
    return _METADATA.fullmatch(path) is not None


def is_picture(name: str) -> bool:
    """Whether a file is taken for a picture, by its name."""
    return name[:1] != "." and os.path.splitext(name)[1].lower() in SUFFIXES
