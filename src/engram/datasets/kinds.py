"""The kinds of picture files that there are, and what becomes of each: kept, changed with a notice, or refused.

The rule: what comes out is what a viewer shows, as one of `engram.kinds`, with the colours under what is transparent.
Where that changes how a picture is written but not one of its values, a `Change` says so; where a value would be lost,
the picture is refused. docs/guides/pictures.md has the table.
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from engram.datasets.orientation import TURNS, orientation_of, upright
from engram.datasets.tree import File, opened
from engram.errors import CorruptData, EngramError, UsageError
from engram.kinds import KINDS, AnyPixels, Kind, kind_of

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
_JPEG = ("JPEG", "MPO")
_PLAIN = {"1": "gray", "L": "gray", "RGB": "rgb"}
"""Pictures of which the header says all, if nothing is transparent."""
_PALETTE = {"P", "PA"}
_ALPHA = {"LA", "RGBA"}
_WIDE = {"I;16", "I;16B", "I;16L", "I;16N"}
_REFUSED = {
    "CMYK": "CMYK inks",
    "YCbCr": "YCbCr values",
    "LAB": "Lab values",
    "I": "32-bit values",
    "F": "float values",
}
_WIDE_COLOUR = {"RGB;16B", "RGB;16L", "RGB;16N"}
_OTHER_BYTE = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
"""Pillow gives the high byte of 16 where it knows their order, and so the low one where it is told the other."""
_BITS_PER_SAMPLE, _PHOTOMETRIC, _PLANES = 258, 262, 284
_YCBCR, _SEPARATE = 6, 2
_SRGB = (b"sRGB", "sRGB".encode("utf-16-be"))
_FEW_BITS = {"L;2": 85, "L;4": 17}
"""What Pillow multiplies the values of a PNG of few bits by, but not the value that it calls transparent."""


class Change(Enum):
    """What is done to a picture so that it can be taken; the value says it in words."""

    TURNED = "EXIF orientation: turned as it says"
    OPAQUE = "alpha channel, opaque everywhere: left out"
    NARROWED = "16-bit values, all multiples of 257: kept as 8 bits, exactly"
    FIRST = "several frames or pages in a file: the first was taken (`frames` takes each)"
    LARGEST = "an icon of several sizes: the largest was taken"
    PROFILE = "colour profile that does not call itself sRGB: left out, the values stay"


class UnreadablePicture(CorruptData):
    """A file that is named like a picture but cannot be decoded."""


class UnsupportedPicture(UsageError):
    """A picture whose values would not survive."""


class ChangedPicture(EngramError):
    """A picture that is not what it was when its folder was looked through."""


@dataclass(frozen=True)
class Look:
    """What a picture will be: (height, width), its kind, what is done to it, how many frames its file has, and whether
    that is a JPEG file."""

    size: tuple[int, int]
    kind: Kind
    changes: tuple[Change, ...]
    frames: int
    is_jpeg: bool


def look(path: File) -> Look:
    """What the first picture of a file will be. Pixels are read only where the header leaves its kind open.

    Raises UnreadablePicture, UnsupportedPicture.
    """
    return looks(path)[0]


def looks(path: File, every: bool = False, thoroughly: bool = False) -> list[Look]:
    """What the first picture of a file will be, or every frame. thoroughly: all is decoded, and no damage is missed.

    Raises UnreadablePicture, UnsupportedPicture.
    """
    with _opened(path) as picture:
        if picture.format == "PNG":
            held = picture.fp  # type: ignore[attr-defined]
            _check_png(held.getvalue() if isinstance(held, BytesIO) else path.read_bytes())
        frames = getattr(picture, "n_frames", 1)
        found = [_look(picture, path, frames, thoroughly)]
        for frame in range(1, frames if every else 1):
            picture.seek(frame)
            found.append(_look(picture, path, frames, thoroughly))
        if every:
            return found
        return [replace(each, changes=(*each.changes, Change.FIRST)) for each in found] if frames > 1 else found


def read(path: File, frame: int = 0) -> AnyPixels:
    """A picture, uint8 or uint16[h, w, c]. Raises UnreadablePicture, UnsupportedPicture."""
    return read_frames(path, (frame,))[0]


def read_frames(path: File, frames: Sequence[int], most: tuple[int, int] | None = None) -> list[AnyPixels]:
    """Some pictures of a file, as `read` gives them; most: (height, width), which none may exceed, however turned."""
    found = []
    with _opened(path) as picture:
        if most and any(side > limit for side, limit in zip(sorted(picture.size), sorted(most), strict=True)):
            raise ValueError(f"its {picture.width:,} x {picture.height:,} pixels are more than it may have")
        for frame in frames:
            if frame != picture.tell():
                picture.seek(frame)
            found.append(_decoded(picture, path)[0])
    return found


def taken(picture: Image.Image, name: str) -> AnyPixels:
    """The pixels of a picture that Pillow has opened or made, as `read` gives a file's; `name` is for messages.

    Raises UnreadablePicture, UnsupportedPicture.
    """
    with _soundly(Path(name)):
        return _decoded(picture, Path(name))[0]


@contextmanager
def _opened(path: File) -> Iterator[Image.Image]:
    """A picture; what Pillow raises meanwhile becomes UnreadablePicture."""
    with _soundly(path), Image.open(opened(path), formats=_FORMATS) as picture:
        yield picture


@contextmanager
def _soundly(path: File) -> Iterator[None]:
    try:
        yield
    except EngramError:
        raise
    except Exception as error:  # at bytes that are no sound picture Pillow raises whatever its parsers stumble over
        raise UnreadablePicture(f"{path} cannot be read as a picture ({error}): repair it or take it out") from error


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


def _look(picture: Image.Image, path: File, frames: int, thoroughly: bool) -> Look:
    turn, profile = orientation_of(picture), picture.info.get("icc_profile")
    several = len(picture.info.get("sizes", ())) > 1
    changes = [Change.TURNED] if turn in TURNS else []
    plain = picture.mode in _PLAIN and not picture.has_transparency_data and not _is_wide_colour(picture)
    if plain and not thoroughly:
        _refuse(picture, path)
        kind = KINDS[_PLAIN[picture.mode]]
        size = (picture.height, picture.width)
        if turn >= 5 and picture.format != "TIFF":
            size = (picture.width, picture.height)
    else:
        pixels, more = _decoded(picture, path)
        size, kind = (pixels.shape[0], pixels.shape[1]), kind_of(pixels)
        changes += more
    happens = {
        Change.LARGEST: several,
        Change.PROFILE: profile and not any(name in profile for name in _SRGB),
    }
    told = (*changes, *(change for change, done in happens.items() if done))
    return Look(size, kind, told, frames, picture.format in _JPEG)


def _decoded(picture: Image.Image, path: File) -> tuple[AnyPixels, list[Change]]:
    """(uint8 or uint16[h, w, c] as the picture is shown, what was done to it)."""
    _refuse(picture, path)
    turn = orientation_of(picture)
    if picture.mode in _WIDE | {"I"} or _is_wide_colour(picture):
        pixels, changes = _wide(picture, path)
    else:
        pixels, changes = _narrow(picture)
    if turn != orientation_of(picture) and picture.format == "PNG":
        raise UnsupportedPicture(f"{path} says only after its pixels how they are turned: save it as it is shown")
    return (pixels if picture.format == "TIFF" else upright(pixels, turn)), changes  # Pillow has turned a TIFF already


def _narrow(picture: Image.Image) -> tuple[AnyPixels, list[Change]]:
    """The pixels of 8 bits."""
    mode, changes = picture.mode, list[Change]()
    if picture.has_transparency_data and mode not in _ALPHA:
        scale = _FEW_BITS.get(str(_stored(picture))) if picture.format == "PNG" else None
        if scale and isinstance(picture.info["transparency"], int):
            picture.info["transparency"] *= scale
        pixels = np.asarray(picture.convert("RGBA"))
    else:
        pixels = np.asarray(
            picture.convert("RGB" if mode in _PALETTE else "L") if mode in (*_PALETTE, "1") else picture
        )
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if pixels.shape[2] >= 3 and mode not in ("RGB", "RGBA") and bool((pixels[..., :1] == pixels[..., 1:3]).all()):
        pixels = pixels[..., [0, *range(3, pixels.shape[2])]]
    if pixels.shape[2] in (2, 4) and bool((pixels[..., -1] == 255).all()):
        pixels, changes = pixels[..., :-1], [Change.OPAQUE]
    return np.ascontiguousarray(pixels), changes


def _wide(picture: Image.Image, path: File) -> tuple[AnyPixels, list[Change]]:
    """The pixels of 16 bits, of 8 where that is exact."""
    changes, transparent = list[Change](), picture.info.get("transparency")
    values = _wide_colours(picture) if _is_wide_colour(picture) else np.asarray(picture)[..., None]
    if values.min() < 0 or values.max() >= 1 << 16:
        raise _refusal(path, "values below 0 or of more than 16 bits")
    pixels = values.astype(np.uint16)
    if transparent is not None:
        if bool((pixels == np.array(transparent)).all(axis=2).any()):
            raise _refusal(path, "transparency beside 16-bit values")
        changes.append(Change.OPAQUE)
    if bool((pixels >> 8 == pixels & 255).all()):
        return pixels.astype(np.uint8), [*changes, Change.NARROWED]
    return pixels, changes


def _wide_colours(picture: Image.Image) -> AnyPixels:
    """uint16[h, w, 3], of which Pillow gives one byte at a time."""
    file: Any = picture.fp  # type: ignore[attr-defined]
    place = file.tell()
    file.seek(0)
    data = file.read()
    file.seek(place)
    with Image.open(BytesIO(data), formats=_FORMATS) as other:
        other.seek(picture.tell())
        tiles: list[Any] = other.tile
        other.tile = [tile._replace(args=_with_other_byte(tile.args)) for tile in tiles]
        low = np.asarray(other)
    pixels: AnyPixels = np.asarray(picture).astype(np.uint16) << 8 | low
    return pixels


def _with_other_byte(args: Any) -> Any:
    if isinstance(args, str):
        return args[:-1] + _OTHER_BYTE[args[-1]]
    return (_with_other_byte(args[0]), *args[1:])


def _is_wide_colour(picture: Image.Image) -> bool:
    """Whether a picture has colours of 16 bits that `_wide_colours` can read."""
    if picture.mode != "RGB" or _stored(picture) not in _WIDE_COLOUR:
        return False
    if picture.format == "TIFF":
        return bool(picture.tag_v2.get(_PLANES) != _SEPARATE)  # type: ignore[attr-defined]
    return picture.format == "PNG" and picture.tell() == 0


def _stored(picture: Image.Image) -> str | None:
    """How the values lie in a file, as Pillow calls it; None where it has been read, or another library reads it."""
    tile = getattr(picture, "tile", None)
    args = tile[0].args if tile else None
    found = args if isinstance(args, str) or not args else args[0]
    return found if isinstance(found, str) else None


def _refuse(picture: Image.Image, path: File) -> None:
    """Raises UnsupportedPicture where the header says that a value would be lost."""
    if reason := _reason(picture):
        raise _refusal(path, reason)


def _reason(picture: Image.Image) -> str | None:
    mode, stored = picture.mode, _stored(picture) or ""
    if mode not in {*_PLAIN, *_PALETTE, *_ALPHA, *_WIDE} and not (mode == "I" and _has_16_bits(picture, stored)):
        return _REFUSED.get(mode, f"values of the kind {mode}")
    if mode in _WIDE | {"I"} or _is_wide_colour(picture):
        return None
    if (picture.format in ("PNG", "TIFF") and ";16" in stored) or _has_more_bits(picture):
        return "16-bit values"  # Pillow would read 8 of them
    if picture.format == "TIFF" and "X" in stored and picture.tag_v2.get(_PHOTOMETRIC) != _YCBCR:  # type: ignore[attr-defined]
        return "a further channel"  # and three of four channels
    if picture.format == "JPEG2000" and stored and _jpeg2000_bits(picture) > 8:
        return "more than 8 bits"
    return None


def _has_16_bits(picture: Image.Image, stored: str) -> bool:
    """Whether values that Pillow reads into 32 bits have 16."""
    return stored.startswith("I;16") or (picture.format == "PPM" and bool(stored))


def _has_more_bits(picture: Image.Image) -> bool:
    """Whether Pillow would scale values of more than 8 bits down to 8, without a word."""
    if picture.format == "TIFF":
        return bool(max(picture.tag_v2.get(_BITS_PER_SAMPLE, (1,))) > 8)  # type: ignore[attr-defined]
    tile = getattr(picture, "tile", None)
    return bool(
        picture.format == "PPM" and tile and tile[0].codec_name.startswith("ppm") and int(tile[0].args[1]) > 255
    )


def _jpeg2000_bits(picture: Image.Image) -> int:
    """Of the first component, as the SIZ marker at the start of the codestream says it."""
    file: Any = picture.fp  # type: ignore[attr-defined]
    place = file.tell()
    file.seek(0)
    data = file.read(1 << 16)
    file.seek(place)
    start = data.find(b"\xff\x4f\xff\x51")
    return (data[start + 42] & 0x7F) + 1 if 0 <= start < len(data) - 42 else 8


def _refusal(path: File, reason: str) -> UnsupportedPicture:
    return UnsupportedPicture(f"{path} has {reason}, which would be lost: convert it first, to 8-bit RGBA say")
