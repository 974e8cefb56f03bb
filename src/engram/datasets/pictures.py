"""Picture files, one or many at once: Pillow reads and writes them in threads, straight from and into one array."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from engram.datasets.progress import Progress
from engram.errors import CorruptData, EngramError, UsageError
from engram.images import Pixels

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")  # no other parser of Pillow's sees the bytes
_GRAY = {"L", "1"}
_REFUSED = {
    "LA": "an alpha channel",
    "PA": "an alpha channel",
    "RGBA": "an alpha channel",
    "La": "an alpha channel",
    "RGBa": "an alpha channel",
    "CMYK": "CMYK inks",
    "I;16": "16-bit values",
    "I;16B": "16-bit values",
    "I;16L": "16-bit values",
    "I": "32-bit values",
    "F": "float values",
}
_CHUNK = 256


class UnreadablePicture(CorruptData):
    """A file that is named like a picture but cannot be decoded."""


class UnsupportedPicture(EngramError):
    """A picture whose pixels would not survive as 8-bit gray or RGB."""


class MixedSizes(EngramError):
    """Pictures of more than one size."""


class ChangedPicture(EngramError):
    """A picture that is not what it was when its folder was looked through."""


def shape_of_all(paths: Iterable[Path], total: int, progress: Progress | None = None) -> tuple[int, int, int]:
    """(height, width, channels) of the pictures, at least one: 1 channel where all are gray, else 3. Reads no pixels.

    Raises MixedSizes, UnreadablePicture, UnsupportedPicture.
    """
    first, size, gray = None, (0, 0), True
    for done, path in enumerate(paths):
        with _open(path) as picture:
            if first is None:
                first, size = path, picture.size
            if picture.size != size:
                raise MixedSizes(
                    f"{first} is {size[0]} x {size[1]} pixels, {path} is {picture.size[0]} x {picture.size[1]}: "
                    "make them one size, or make a folder for each size"
                )
            gray &= picture.mode in _GRAY
        if progress and (done + 1) % _CHUNK in (0, total % _CHUNK):
            progress(done + 1, total)
    return size[1], size[0], 1 if gray else 3


def decode_pictures(paths: Sequence[Path], shape: tuple[int, int, int]) -> Pixels:
    """uint8[n, h, w, c] of the files in order; of an animation or a stack of pages the first is taken."""
    images = np.empty((len(paths), *shape), np.uint8)
    mode = "L" if shape[2] == 1 else "RGB"

    def decode(start: int, stop: int) -> int:
        for index in range(start, stop):
            with _open(paths[index]) as picture:
                if picture.size != (shape[1], shape[0]) or (mode == "L" and picture.mode not in _GRAY):
                    raise ChangedPicture(f"{paths[index]} was changed meanwhile: wait until no one writes there")
                try:
                    plain = picture if picture.mode == mode else picture.convert(mode)
                    images[index] = np.asarray(plain).reshape(shape)
                except (OSError, SyntaxError, ValueError) as error:
                    raise _unreadable(paths[index], error) from error
        return 0

    in_threads(decode, len(paths))
    return images


def _open(path: Path) -> Image.Image:
    try:
        picture = Image.open(path, formats=_FORMATS)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _unreadable(path, error) from error
    reason = _REFUSED.get(picture.mode) or ("transparency" if picture.has_transparency_data else None)
    if reason:
        picture.close()
        raise UnsupportedPicture(f"{path} has {reason}, which would be lost: convert it to 8-bit gray or RGB first")
    return picture


def _unreadable(path: Path, error: Exception) -> UnreadablePicture:
    return UnreadablePicture(f"{path} cannot be read as a picture ({error}): repair it or take it out")


def encode_picture(image: Pixels, suffix: str, quality: int) -> bytes:
    """The bytes of uint8[h, w, c] as .jpg of a quality (Pillow's other settings as they stand) or .png (lossless)."""
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    file = BytesIO()
    if suffix == ".jpg":
        picture.save(file, "JPEG", quality=quality)
    else:
        picture.save(file, "PNG")
    return file.getvalue()


def jpeg_roundtrip(images: Pixels, quality: int, progress: Progress | None = None) -> Pixels:
    """The pixels that saving uint8[n, h, w, c] as .jpg and loading again gives, without the files."""
    check_quality(quality)
    decoded = np.empty_like(images)

    def recode(start: int, stop: int) -> int:
        for index in range(start, stop):
            with Image.open(BytesIO(encode_picture(images[index], ".jpg", quality)), formats=("JPEG",)) as picture:
                decoded[index] = np.asarray(picture).reshape(images.shape[1:])
        return 0

    in_threads(recode, len(images), progress)
    return decoded


def check_quality(quality: int) -> None:
    """Raises UsageError outside 1 to 100."""
    if not 1 <= quality <= 100:
        raise UsageError(f"JPEG quality runs from 1 to 100, not {quality}")


def in_threads(work: Callable[[int, int], int], count: int, progress: Progress | None = None) -> int:
    """The sum of work(start, stop) over pieces of range(count); the first piece to fail, in order, raises."""
    total = 0
    pool = ThreadPoolExecutor()
    try:
        stops = [min(start + _CHUNK, count) for start in range(0, count, _CHUNK)]
        pieces = [pool.submit(work, index * _CHUNK, stop) for index, stop in enumerate(stops)]
        for stop, piece in zip(stops, pieces, strict=True):
            total += piece.result()
            if progress:
                progress(stop, count)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return total
