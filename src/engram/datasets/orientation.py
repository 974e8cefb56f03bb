"""How a picture is turned, as EXIF counts it: found in what Pillow has read, and undone."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

import numpy as np
from PIL import Image

from engram.kinds import AnyPixels

_ORIENTATION = 0x0112
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
_WHOLE = {3: "H", 4: "I"}
"""EXIF's kinds of whole numbers: SHORT and LONG."""
TURNS: dict[int, Callable[[AnyPixels], AnyPixels]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: pixels.swapaxes(0, 1)[:, ::-1],
    7: lambda pixels: pixels.swapaxes(0, 1)[::-1, ::-1],
    8: lambda pixels: pixels.swapaxes(0, 1)[::-1],
}
"""What each EXIF orientation asks for; from 5 on height and width change places."""


def upright(pixels: AnyPixels, turn: int) -> AnyPixels:
    """The pixels [h, w, c], turned as the orientation asks for."""
    return np.ascontiguousarray(TURNS[turn](pixels)) if turn in TURNS else pixels


def orientation_of(picture: Image.Image) -> int:
    """1 to 8, as EXIF counts them; 1 where nothing sound is said."""
    if picture.format == "TIFF":
        turn = picture.tag_v2.get(_ORIENTATION, 1)  # type: ignore[attr-defined]
        return turn if turn in TURNS else 1
    info = picture.info
    turn = orientation_in(info.get("exif") or _unpacked(info.get("Raw profile type exif", "")))
    if turn is None:
        xmp = info.get("xmp") or info.get("XML:com.adobe.xmp") or b""
        said = _XMP_ORIENTATION.search(xmp if isinstance(xmp, bytes) else xmp.encode())
        turn = int(said[1]) if said else 1
    return turn if turn in TURNS else 1


def _unpacked(profile: str) -> bytes:
    """What ImageMagick writes as text: a name, a length, and digits in lines."""
    try:
        return bytes.fromhex("".join(profile.split("\n")[3:]))
    except ValueError:
        return b""


def orientation_in(exif: bytes) -> int | None:
    """The orientation that EXIF bytes give, 1 to 8; None where they give none or are not sound.

    Read here, since Pillow decodes a whole PNG before it looks, and warns of bytes that are not sound.
    """
    data = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    try:
        if order is not None:
            [start] = struct.unpack_from(f"{order}4xI", data)
            [entries] = struct.unpack_from(f"{order}H", data, start)
            for at in range(start + 2, start + 2 + 12 * entries, 12):
                tag, kind, count = struct.unpack_from(f"{order}HHI", data, at)
                if tag == _ORIENTATION and kind in _WHOLE and count == 1:
                    [turn] = struct.unpack_from(order + _WHOLE[kind], data, at + 8)
                    return turn if turn in range(1, 9) else None
    except struct.error:
        pass
    return None
