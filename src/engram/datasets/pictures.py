"""Picture files, one or many at once: Pillow reads and writes them in threads, straight from and into one array."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
from PIL import Image

from engram.datasets.progress import Progress
from engram.errors import UsageError
from engram.images import Pixels
from engram.kinds import AnyPixels, kind_of

_CHUNK = 256
_WORKERS = min(32, (os.cpu_count() or 1) + 4)
MOST_AT_ONCE = _CHUNK * _WORKERS
"""How many pictures threads may be at, one piece of them after another."""


def encode_picture(image: AnyPixels, suffix: str, quality: int) -> bytes:
    """The bytes of uint8[h, w, c] as .jpg of a quality (Pillow's other settings as they stand) or .png (lossless)."""
    if suffix == ".png" and kind_of(image).name == "rgb16":
        return _wide_png(image)
    picture, file = as_picture(image), BytesIO()
    if suffix == ".jpg":
        picture.save(file, "JPEG", quality=quality)
    else:
        picture.save(file, "PNG")
    return file.getvalue()


def as_picture(image: AnyPixels) -> Image.Image:
    """Pillow's picture of uint8 or uint16[h, w, c]. Raises UsageError for 16-bit colours: it has no mode for them."""
    if kind_of(image).name == "rgb16":
        raise UsageError("Pillow has no mode for colours of 16 bits; `engram unpack` writes them as PNG")
    return Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)


def _wide_png(image: AnyPixels) -> bytes:
    """A PNG file of uint16[h, w, 3], which Pillow cannot write."""
    height, width, _ = image.shape
    rows = image.astype(">u2").view(np.uint8).reshape(height, -1)
    plain = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1).tobytes()
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(plain, 9)),
        (b"IEND", b""),
    )
    coded = (struct.pack(">I", len(d)) + name + d + struct.pack(">I", zlib.crc32(name + d)) for name, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(coded)


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
    pool = ThreadPoolExecutor(_WORKERS)
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
