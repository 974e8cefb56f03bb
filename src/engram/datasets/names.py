"""Class names as folder names and back, and file names that may safely be written.

A class name may hold anything ("T-shirt/Top"), a folder name may not. The rule: `%`, the characters / \\ : * ? " < > |,
control characters, a dot at the front and a dot or space at the end become %XX as in a URL (UTF-8, capital digits):
"T-shirt%2FTop". The class `test` becomes "%74est", and so do the other names of splits, so that no set of classes looks
like a set that comes divided; `con`, a device on Windows, becomes "%63on". A folder name that the rule cannot have made
is a class name as it stands.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import unquote

from engram.errors import UsageError

_UNSAFE = re.compile(r'[%/\\:*?"<>|\x00-\x1f\x7f]|^\.|[. ]$|^(?:t(?=est$|rain$)|v(?=al(?:id(?:ation)?)?$)|d(?=ev$))')

_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?", re.IGNORECASE | re.DOTALL)


class UnsafeName(UsageError):
    """A file name that would leave its folder, hide, or be taken twice; or a class without a name of its own."""


def folder_of(class_name: str) -> str:
    """The folder name of a class."""
    folder = _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", class_name)
    return f"%{ord(folder[0]):02X}{folder[1:]}" if _DEVICE.fullmatch(folder) else folder


def class_of(folder: str) -> str:
    """The class name of a folder: class_of(folder_of(name)) == name."""
    name = unquote(folder)
    return name if folder_of(name) == folder else folder


def check_class_names(class_names: Iterable[str]) -> None:
    """Raises UnsafeName where a class name is empty or given twice: its folder would not be its own."""
    seen = set[str]()
    for name in class_names:
        if not name:
            raise UnsafeName("a class without a name has no folder; name every class")
        if name in seen:
            raise UnsafeName(f"two classes are called {name!r}; their folders would be one")
        seen.add(name)


MOST_PATH_BYTES, MOST_NAME_BYTES = 1024, 255


def check_path(path: str) -> None:
    """Raises UnsafeName unless this is a path of plain, visible files below a folder, on every system."""
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        raise UnsafeName(f"the path {path!r} is not text that UTF-8 can hold; rename the file") from None
    if size > MOST_PATH_BYTES:
        raise UnsafeName(f"a path has up to {MOST_PATH_BYTES} bytes of UTF-8, not {size}: {path!r}")
    for name in path.split("/"):
        if len(name.encode()) > MOST_NAME_BYTES:
            raise UnsafeName(f"a file name has up to {MOST_NAME_BYTES} bytes of UTF-8: {name!r}")
        check_file_name(name)
        if _DEVICE.fullmatch(name):
            raise UnsafeName(f"{name!r} is a device and no file on Windows; give it another name")


def are_paths(values: Sequence[Any]) -> bool:
    """Whether each is a path of its own that `check_path` lets pass."""
    try:
        for value in values:
            check_path(value if isinstance(value, str) else "")
    except UnsafeName:
        return False
    return len(set(values)) == len(values)


def check_file_name(name: str) -> None:
    """Raises UnsafeName where a name is not that of a plain, visible file in its folder."""
    if not name or name.startswith(".") or re.search(r"[/\\:\x00-\x1f\x7f]", name):
        raise UnsafeName(
            f"{name!r} is not a plain file name: no folders, no drive, no leading dot, no control characters"
        )


def file_of(path: str, suffix: str, keeps: bool = False) -> str:
    """The file that a picture of this path becomes, if no other one does; keeps: it is that file already."""
    stem, old = os.path.splitext(path)
    if keeps or old == suffix:
        return path
    return path + suffix if "#" in old else stem + suffix


def files_of(paths: Sequence[str], suffix: str, folds_case: bool = True, kept: Sequence[bool] = ()) -> list[str]:
    """The files that pictures of these paths become, each its own; folds_case: also on a disk that folds case.

    A path ends in the suffix instead of what it ends in; where that would be another's, or the path is that of a frame,
    the suffix is added, and a number if need be. kept: those that are files already, which keep their paths.
    Raises UnsafeName.
    """

    def folded(path: str) -> str:
        return path.casefold() if folds_case else path

    stems = list[str]()
    for number, path in enumerate(paths):
        check_path(path)
        stems.append(file_of(path, suffix, bool(kept) and kept[number]))
    own = {folded(path) for path, stem in zip(paths, stems, strict=True) if path == stem}
    taken, found = set(map(folded, _folders_of(paths))), list[str]()
    for path, stem in zip(paths, stems, strict=True):
        name, number = stem, 2
        if (path != stem and folded(stem) in own) or folded(stem) in taken:
            name = path + suffix if path != stem else stem
        while folded(name) in taken or (name != path and folded(name) in own):
            name, number = f"{os.path.splitext(stem)[0]}-{number}{os.path.splitext(stem)[1]}", number + 1
        taken.add(folded(name))
        found.append(name)
    return found


def _folders_of(paths: Sequence[str]) -> set[str]:
    """All folders that paths lead through."""
    found, new = set[str](), {os.path.dirname(path) for path in paths}
    while new := new - found - {""}:
        found |= new
        new = {os.path.dirname(folder) for folder in new}
    return found
