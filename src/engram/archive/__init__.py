"""Archives: many images of one size in one file (`.egm`, see FORMAT.md), each found without reading the others."""

from engram.archive.breakdown import Breakdown, info
from engram.archive.errors import CorruptArchive
from engram.archive.reader import Archive
from engram.archive.source import load
from engram.archive.unpacking import Unpacked, unpack
from engram.archive.verification import Verification, verify
from engram.archive.writer import Packed, Writer, pack

open = Archive
"""engram.open(path, model=None): the archive of a file."""

__all__ = [
    "Archive",
    "Breakdown",
    "CorruptArchive",
    "Packed",
    "Unpacked",
    "Verification",
    "Writer",
    "info",
    "load",
    "open",
    "pack",
    "unpack",
    "verify",
]
