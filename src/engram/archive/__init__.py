"""Archives: tables of pictures in one file (`.egm`, see FORMAT.md), each found without reading the others."""

from engram.archive.about import Info
from engram.archive.appending import Appended, append
from engram.archive.archive import Archive
from engram.archive.errors import CorruptArchive
from engram.archive.layers import Coder
from engram.archive.opening import info, open
from engram.archive.packing import Packed, check_collection, pack, pack_collection
from engram.archive.sharding import shard
from engram.archive.source import load
from engram.archive.unpacking import Unpacked, unpack
from engram.archive.verification import Verification, verify
from engram.archive.view import Pictures, Table, View
from engram.archive.writer import DEFAULT_BLOCK_SIZE, Writer

__all__ = [
    "DEFAULT_BLOCK_SIZE",
    "Appended",
    "Archive",
    "Coder",
    "CorruptArchive",
    "Info",
    "Packed",
    "Pictures",
    "Table",
    "Unpacked",
    "Verification",
    "View",
    "Writer",
    "append",
    "check_collection",
    "info",
    "load",
    "open",
    "pack",
    "pack_collection",
    "shard",
    "unpack",
    "verify",
]
