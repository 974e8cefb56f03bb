"""Archives: many images of one size in one file (`.egm`, see FORMAT.md), each found without reading the others."""

from engram.archive.appending import Appended, append
from engram.archive.breakdown import Breakdown
from engram.archive.errors import CorruptArchive
from engram.archive.grown import Grown
from engram.archive.mixed import Mixed
from engram.archive.mixing import pack_mixed
from engram.archive.opening import info, open
from engram.archive.reader import Archive
from engram.archive.sequence import Reader
from engram.archive.sharding import shard
from engram.archive.shards import ShardSet
from engram.archive.source import load
from engram.archive.unpacking import Unpacked, unpack
from engram.archive.verification import Verification, verify
from engram.archive.writer import DEFAULT_BLOCK_SIZE, Packed, Writer, check_known, pack

__all__ = [
    "DEFAULT_BLOCK_SIZE",
    "Appended",
    "Archive",
    "Breakdown",
    "CorruptArchive",
    "Grown",
    "Mixed",
    "Packed",
    "Reader",
    "ShardSet",
    "Unpacked",
    "Verification",
    "Writer",
    "append",
    "check_known",
    "info",
    "load",
    "open",
    "pack",
    "pack_mixed",
    "shard",
    "unpack",
    "verify",
]
