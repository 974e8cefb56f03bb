"""Whole numbers as bytes: seven bits a byte, the lowest first; all bytes but the last are 128 or more (LEB128)."""

from __future__ import annotations

from engram.errors import CorruptData

MOST_BYTES = 4


class CorruptNumber(CorruptData):
    """Bytes that are no number, or one beyond 2^28."""


def emit(value: int) -> bytes:
    """The bytes of 0 to 2^28 - 1."""
    found = bytearray()
    while value >= 128:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes((*found, value))


def parse(data: bytes, at: int) -> tuple[int, int]:
    """(the value, where it ends). Raises CorruptNumber."""
    value = 0
    for place in range(MOST_BYTES):
        if at + place >= len(data):
            break
        byte = data[at + place]
        value |= (byte & 127) << (7 * place)
        if byte < 128:
            return value, at + place + 1
    raise CorruptNumber("a number without an end")
