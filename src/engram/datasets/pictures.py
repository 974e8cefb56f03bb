"""Picture files, one or many at once: Pillow reads and writes them in threads, straight from and into one array."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
from PIL import Image

from engram.datasets.progress import Progress
from engram.errors import UsageError
from engram.images import Pixels

SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"),
        *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".tga", ".ico"),
    )
)
"""Of the files of a folder that are taken for pictures."""
_CHUNK = 256


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
