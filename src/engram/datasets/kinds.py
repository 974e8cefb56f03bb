"""The kinds of pictures that there are, and what becomes of each: kept, changed with a notice, or refused.

The rule: what comes out is what a viewer shows, as 8-bit gray or RGB. Where that changes how a picture is written but
not one of its values, a `Change` says so; where a value would be lost, the picture is refused. docs/guides/pictures.md
has the table.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
from PIL import Image

from engram.errors import CorruptData, EngramError
from engram.images import Pixels

_FORMATS = (
    "JPEG",
    "PNG",
    "WEBP",
    "BMP",
    "GIF",
    "TIFF",
    "PPM",
    "AVIF",
    "JPEG2000",
    "TGA",
    "ICO",
)  # no other parser of Pillow's sees the bytes
_GRAY = {"1", "L", "LA"}
_PALETTE = {"P", "PA"}
_COLOUR = {"RGB", "RGBA"}
_WIDE = {"I;16", "I;16B", "I;16L", "I;16N"}
_REFUSED = {
    "CMYK": "CMYK inks",
    "YCbCr": "YCbCr values",
    "LAB": "Lab values",
    "I": "32-bit values",
    "F": "float values",
}
_ALPHA = {"LA", "PA", "RGBA"}
_SRGB = (b"sRGB", "sRGB".encode("utf-16-be"))
_ORIENTATION = 0x0112
FULL = 255
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    LookupError,
    EOFError,
    TypeError,
    struct.error,
    Image.DecompressionBombError,
)
"""What Pillow raises at bytes that are no sound picture."""
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
_WHOLE = {3: "H", 4: "I"}
"""EXIF's kinds of whole numbers: SHORT and LONG."""
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What each EXIF orientation asks for."""


class Change(Enum):
    """What is done to a picture so that it can be taken; the value says it in words."""

    TURNED = "EXIF orientation: turned as it says"
    OPAQUE = "alpha channel, opaque everywhere: left out"
    NARROWED = "16-bit values, all multiples of 257: kept as 8 bits, exactly"
    FIRST = "several pictures in one JPEG file: the first was taken"
    PROFILE = "colour profile that does not call itself sRGB: left out, the values stay"
    WIDENED = "gray beside colour: made RGB"


class UnreadablePicture(CorruptData):
    """A file that is named like a picture but cannot be decoded."""


class UnsupportedPicture(EngramError):
    """A picture whose pixels would not survive as 8-bit gray or RGB."""


class ChangedPicture(EngramError):
    """A picture that is not what it was when its folder was looked through."""


@dataclass(frozen=True)
class Look:
    """What a picture will be: (height, width), whether it is gray, and what is done to it."""

    size: tuple[int, int]
    gray: bool
    changes: tuple[Change, ...]


def look(path: Path) -> Look:
    """What a picture will be. Pixels are read only where a palette, an alpha channel or 16 bits leave it open.

    Raises UnreadablePicture, UnsupportedPicture.
    """
    with _opened(path) as picture:
        if picture.format == "PNG":
            _check_png(path.read_bytes())
        return _look(picture, path)


def _check_png(data: bytes) -> None:
    """Raises ValueError where a chunk is damaged or cut: Pillow checks no chunk of pixels."""
    at = 8
    while at + 12 <= len(data):
        [size] = struct.unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 8 + size
        if len(data) < end + 4 or zlib.crc32(data[at + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            raise ValueError(f"the chunk {kind.decode('latin-1')!r} at byte {at} is damaged")
        if kind == b"IEND":
            return
        at = end + 4
    raise ValueError("it ends before its last chunk")


def read(path: Path, shape: tuple[int, int, int]) -> Pixels:
    """The picture, uint8[h, w, c] of that shape; gray gives RGB where that is asked for.

    Raises ChangedPicture where the shape is another, UnreadablePicture, UnsupportedPicture.
    """
    with _opened(path) as picture:
        found = _look(picture, path)
        if found.size != shape[:2] or (shape[2] == 1 and not found.gray):
            raise ChangedPicture(f"{path} was changed meanwhile: wait until no one writes there")
        return _pixels(picture, "L" if shape[2] == 1 else "RGB", path).reshape(shape)


def taken(picture: Image.Image, name: str) -> Pixels:
    """uint8[h, w, c] of a picture that Pillow has opened or made, as `read` gives a file's; `name` is for messages.

    Raises UnreadablePicture, UnsupportedPicture.
    """
    with _soundly(Path(name)):
        found = _look(picture, Path(name))
        pixels = _pixels(picture, "L" if found.gray else "RGB", Path(name))
        return pixels.reshape(*found.size, -1)


def _pixels(picture: Image.Image, mode: str, path: Path) -> Pixels:
    """The picture's, turned as it says."""
    turn, plain = _orientation(picture), _as_eight_bits(picture)
    plain.load()
    plain = plain if plain.mode == mode else plain.convert(mode)
    if turn != _orientation(picture) and picture.format == "PNG":
        raise UnsupportedPicture(f"{path} says only after its pixels how they are turned: save it as it is shown")
    if picture.format != "TIFF" and turn in _TURNS:  # Pillow has turned a TIFF already
        plain = plain.transpose(_TURNS[turn])
    return np.asarray(plain)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """A picture; what Pillow raises meanwhile becomes UnreadablePicture."""
    with _soundly(path), Image.open(path, formats=_FORMATS) as picture:
        yield picture


@contextmanager
def _soundly(path: Path) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise UnreadablePicture(f"{path} cannot be read as a picture ({error}): repair it or take it out") from error


def _look(picture: Image.Image, path: Path) -> Look:
    changes, mode, transparent = list[Change](), picture.mode, picture.has_transparency_data
    if picture.format == "MPO":
        changes.append(Change.FIRST)
    elif getattr(picture, "is_animated", False) or len(picture.info.get("sizes", ())) > 1:
        raise UnsupportedPicture(
            f"{path} is an animation or has several pages, all but the first of which would be lost: "
            "save what is wanted of it as pictures of their own"
        )
    if reason := _reason(picture):
        raise _refusal(path, reason)
    if mode in _WIDE and not _is_narrow(np.asarray(picture)):
        raise _refusal(path, "16-bit values")
    if transparent and (mode in _WIDE or picture.convert("RGBA").getchannel("A").getextrema() != (255, 255)):
        raise _refusal(path, "an alpha channel" if mode in _ALPHA else "transparency")
    turn, profile = _orientation(picture), picture.info.get("icc_profile")
    height, width = picture.height, picture.width
    if turn >= 5 and picture.format != "TIFF":
        height, width = width, height
    happens = {
        Change.TURNED: turn in _TURNS,
        Change.OPAQUE: transparent,
        Change.NARROWED: mode in _WIDE,
        Change.PROFILE: profile and not any(name in profile for name in _SRGB),
    }
    changes += [change for change, done in happens.items() if done]
    gray = mode in _GRAY | _WIDE or (mode in _PALETTE and _is_gray(picture))
    return Look((height, width), gray, tuple(changes))


def _reason(picture: Image.Image) -> str | None:
    """Why a picture is refused whatever its pixels are."""
    mode = picture.mode
    if mode not in _GRAY | _PALETTE | _COLOUR | _WIDE:
        return _REFUSED.get(mode, f"values of the kind {mode}")
    tile = getattr(picture, "tile", None)
    if picture.format in ("PNG", "TIFF") and mode not in _WIDE and tile:
        stored = tile[0].args  # Pillow would read 8 of 16 bits, and three of four channels
        stored = stored if isinstance(stored, str) else stored[0]
        if ";16" in stored:
            return "16-bit values"
        if "X" in stored:
            return "a further channel"
    if picture.format == "PPM" and tile and tile[0].codec_name.startswith("ppm") and int(tile[0].args[1]) > FULL:
        return "more than 8 bits"
    return None


def _refusal(path: Path, reason: str) -> UnsupportedPicture:
    return UnsupportedPicture(f"{path} has {reason}, which would be lost: convert it to 8-bit gray or RGB first")


def _is_narrow(values: Pixels) -> bool:
    """Whether 16-bit values are 8-bit ones times 257."""
    return bool((values >> 8 == values & 255).all())


def _is_gray(picture: Image.Image) -> bool:
    pixels = np.asarray(picture.convert("RGBA"))
    return bool((pixels[..., :1] == pixels[..., 1:3]).all())


def _as_eight_bits(picture: Image.Image) -> Image.Image:
    """The picture as gray, RGB or RGBA of 8 bits, or a palette."""
    if picture.mode in _WIDE:
        return Image.fromarray((np.asarray(picture) & 255).astype(np.uint8))
    return picture.convert("RGBA") if picture.has_transparency_data else picture


def _orientation(picture: Image.Image) -> int:
    """1 to 8, as EXIF counts them; 1 where nothing sound is said."""
    if picture.format == "TIFF":
        turn = picture.tag_v2.get(_ORIENTATION, 1)  # type: ignore[attr-defined]
        return turn if turn in _TURNS else 1
    info = picture.info
    turn = orientation_in(info.get("exif") or _unpacked(info.get("Raw profile type exif", "")))
    if turn is None:
        xmp = info.get("xmp") or info.get("XML:com.adobe.xmp") or b""
        said = _XMP_ORIENTATION.search(xmp if isinstance(xmp, bytes) else xmp.encode())
        turn = int(said[1]) if said else 1
    return turn if turn in _TURNS else 1


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
