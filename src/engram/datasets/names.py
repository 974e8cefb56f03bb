"""Class names as folder names and back, and file names that may safely be written.

A class name may hold anything ("T-shirt/Top"), a folder name may not. The rule: `%`, the characters / \\ : * ? " < > |,
control characters, a dot at the front and a dot or space at the end become %XX as in a URL (UTF-8, capital digits):
"T-shirt%2FTop". The class `test` becomes "%74est", so that no set of classes looks like a set divided into train and
test. A folder name that the rule cannot have made is a class name as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

from engram.errors import UsageError

_UNSAFE = re.compile(r'[%/\\:*?"<>|\x00-\x1f\x7f]|^\.|[. ]$|^t(?=est$)')


class UnsafeName(UsageError):
    """A file name that would leave its folder, hide, or be taken twice; or a class without a name of its own."""


def folder_of(class_name: str) -> str:
    """The folder name of a class."""
    return _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", class_name)


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


def check_file_name(name: str) -> None:
    """Raises UnsafeName where a name is not that of a plain, visible file in its folder."""
    if not name or name.startswith(".") or re.search(r"[/\\:\x00-\x1f\x7f]", name):
        raise UnsafeName(
            f"{name!r} is not a plain file name: no folders, no drive, no leading dot, no control characters"
        )
