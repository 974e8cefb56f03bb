"""File names that are plain files in their folder on every system: asked of names before packing and unpacking."""

from __future__ import annotations

import re

from engram.datasets.names import UnsafeName, check_file_name

_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?", re.IGNORECASE | re.DOTALL)


def check_name(name: str) -> None:
    """Raises UnsafeName for a name with a folder, a drive, control characters or a leading dot, and for a device's."""
    check_file_name(name)
    if _DEVICE.fullmatch(name):
        raise UnsafeName(f"{name!r} is a device and no file on Windows; give it another name")
