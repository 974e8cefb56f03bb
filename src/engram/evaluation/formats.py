"""The classical formats, each set as is best for it: one picture, or raw pixels, into bytes and back.

Every line of `FORMATS` says what is set, since defaults falsify comparisons. Pillow's AVIF gives gray pictures chroma,
and cuts large ones into parts that know nothing of each other. imagecodecs' `level` is another thing for each format,
and nothing for AVIF. JPEG has the Huffman tables of 1992 unless it is asked for the picture's own.
"""

from __future__ import annotations

import lzma
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, final

import numpy as np

from engram.errors import MissingLibrary
from engram.evaluation.atlas import Picture

Dial = tuple[float, ...]


@final
@dataclass(frozen=True)
class Format:
    """encode(picture, setting) gives bytes; decode(bytes, channels) the picture again, whole or close to it.

    dial: settings of what the format calls quality, distance or decibels, from the fewest bytes to the most; where it
    loses nothing, of its effort. One setting is of the type that the library takes. made_by: library and options.
    """

    encode: Callable[[Picture, float], bytes]
    decode: Callable[[bytes, int], Picture]
    dial: Dial
    lossless: bool
    made_by: str


def _pillow(name: str, dialled: str, dial: Dial, options: dict[str, Any], *, lossless: bool = False) -> Format:
    """A format of Pillow's; `dialled` is the option that the dial turns."""

    def encode(picture: Picture, setting: float) -> bytes:
        image = _pillow_image(name)
        file, gray = BytesIO(), picture.shape[2] == 1
        chroma = {"subsampling": "4:0:0" if gray else "4:4:4"} if name == "AVIF" else {}
        source = image.fromarray(picture[:, :, 0] if gray else picture)
        source.save(file, name, **options, **chroma, **{dialled: setting})
        return file.getvalue()

    def decode(data: bytes, channels: int) -> Picture:
        with _pillow_image(name).open(BytesIO(data), formats=[name]) as picture:
            pixels = np.asarray(picture.convert("L" if channels == 1 else "RGB"))
        return pixels.reshape(*pixels.shape[:2], channels)

    return Format(encode, decode, dial, lossless, f"Pillow {name} {dialled} {options}")


def _pillow_image(name: str) -> Any:
    """PIL.Image. Raises MissingLibrary where it does not know the format."""
    from PIL import Image, features

    if name in ("AVIF", "WEBP") and not features.check(name.lower()):
        raise MissingLibrary(
            f"this Pillow was built without {name}; the wheels on PyPI have it: `pip install --force-reinstall pillow`"
        )
    return Image


def _imagecodecs(name: str, dialled: str, dial: Dial, options: dict[str, Any], *, lossless: bool = False) -> Format:
    """A format of imagecodecs'; `dialled` is the option that the dial turns."""

    def encode(picture: Picture, setting: float) -> bytes:
        source = picture[:, :, 0] if picture.shape[2] == 1 else picture
        return bytes(_library(name, "encode")(np.ascontiguousarray(source), **options, **{dialled: setting}))

    def decode(data: bytes, channels: int) -> Picture:
        pixels = np.asarray(_library(name, "decode")(data))
        return pixels.reshape(*pixels.shape[:2], channels)

    return Format(encode, decode, dial, lossless, f"imagecodecs {name} {dialled} {options}")


def _library(name: str, way: str) -> Any:
    """The function of imagecodecs, which is imported now. Raises MissingLibrary."""
    try:
        import imagecodecs

        return getattr(imagecodecs, f"{name}_{way}")
    except ImportError as error:
        raise MissingLibrary(f"{name} needs imagecodecs; `pip install 'engram-images[rivals]'` installs it") from error


def _xz(data: bytes, preset: float) -> bytes:
    return lzma.compress(data, preset=int(preset) | lzma.PRESET_EXTREME)


def _zstd(data: bytes, level: float) -> bytes:
    return bytes(_library("zstd", "encode")(data, level=level))


def _raw(made_by: str, encode: Callable[[bytes, float], bytes], decode: Callable[[bytes], bytes], dial: Dial) -> Format:
    """A general compressor of the raw pixels, one image after another: a picture of one column."""
    return Format(
        lambda picture, setting: encode(picture.tobytes(), setting),
        lambda data, channels: np.frombuffer(decode(data), np.uint8).reshape(-1, 1, channels),
        dial,
        lossless=True,
        made_by=made_by,
    )


FORMATS: dict[str, Format] = {
    "avif": _pillow("AVIF", "quality", (5, 12, 20, 30, 40, 50, 60, 70, 80, 90), {"speed": 3, "autotiling": False}),
    "jxl": _imagecodecs("jpegxl", "distance", (25.0, 15.0, 10.0, 6.0, 4.0, 2.5, 1.5, 1.0, 0.5, 0.3), {"effort": 7}),
    "webp": _pillow("WEBP", "quality", (1, 10, 25, 50, 75, 85, 95), {"method": 6}),
    "jpeg": _pillow("JPEG", "quality", (5, 15, 30, 50, 75, 90, 95), {"optimize": True}),
    "jpeg-plain": _pillow("JPEG", "quality", (5, 15, 30, 50, 75, 90, 95), {"optimize": False}),
    "jpeg2000": _imagecodecs("jpeg2k", "level", (20.0, 24.0, 28.0, 34.0, 40.0, 46.0), {"reversible": False}),
    "jxl-lossless": _imagecodecs("jpegxl", "effort", (7, 9), {"lossless": True}, lossless=True),
    "webp-lossless": _pillow("WEBP", "quality", (100,), {"lossless": True, "method": 6}, lossless=True),
    "jpeg-ls": _imagecodecs("jpegls", "level", (0,), {}, lossless=True),
    "png": _pillow("PNG", "compress_level", (9,), {"optimize": True}, lossless=True),
    "xz": _raw("lzma, extreme preset", _xz, lzma.decompress, (9,)),
    "zstd": _raw("imagecodecs zstd level", _zstd, lambda data: bytes(_library("zstd", "decode")(data)), (22,)),
}
