"""What an archive begins with, and what each segment ends with."""

from __future__ import annotations

import struct

from engram.archive.errors import NotAnArchive, TruncatedArchive, UnsupportedVersion

VERSION = 2
MAGIC = b"\x89EGM\r\n\x1a\n"
END_MAGIC = b"\x89EGT\r\n\x1a\n"
PRELUDE = struct.Struct("<8sI")
TRAILER = struct.Struct("<II8s")


def emit_prelude() -> bytes:
    return PRELUDE.pack(MAGIC, VERSION)


def check_prelude(data: bytes, shown: str) -> None:
    """Raises NotAnArchive and UnsupportedVersion."""
    if not data.startswith(MAGIC) or len(data) < PRELUDE.size:
        raise NotAnArchive(f"{shown} is no archive: it does not begin as one does")
    version = PRELUDE.unpack(data[: PRELUDE.size])[1]
    if version != VERSION:
        raise UnsupportedVersion(f"{shown} is of format version {version}; this engram reads version {VERSION}")


def parse_trailer(data: bytes, shown: str) -> tuple[int, int]:
    """(bytes of the directory, its CRC-32) of an archive's last bytes. Raises TruncatedArchive."""
    if len(data) < TRAILER.size or not data.endswith(END_MAGIC):
        raise TruncatedArchive(f"{shown} does not end with its trailer; it was cut, or something was put after it")
    size, checksum, _ = TRAILER.unpack(data)
    return size, checksum
