"""How far recovered images are from the originals."""

from __future__ import annotations

import math

from engram.errors import UsageError
from engram.images import Pixels

CHUNK = 4096


def mean_squared_error(originals: Pixels, recovered: Pixels) -> float:
    """The mean over all pixels of the squared difference, in units of 255 (0 to 1). Raises UsageError on shapes."""
    _same_shape(originals, recovered)
    if originals.size == 0:
        return 0.0
    total = 0
    for first in range(0, len(originals), CHUNK):  # exact: integers, chunk by chunk
        difference = originals[first : first + CHUNK].astype("int64") - recovered[first : first + CHUNK]
        total += int((difference * difference).sum())
    return total / originals.size / 255**2


def psnr_db(originals: Pixels, recovered: Pixels) -> float:
    """Peak signal-to-noise ratio from the mean squared error over the whole set; infinite for equal images."""
    error = mean_squared_error(originals, recovered)
    return math.inf if error == 0 else -10 * math.log10(error)


def max_error(originals: Pixels, recovered: Pixels) -> int:
    """The largest difference of any pixel, 0 to 255."""
    _same_shape(originals, recovered)
    if originals.size == 0:
        return 0
    return max(
        int(abs(originals[first : first + CHUNK].astype("int16") - recovered[first : first + CHUNK]).max())
        for first in range(0, len(originals), CHUNK)
    )


def _same_shape(originals: Pixels, recovered: Pixels) -> None:
    if originals.shape != recovered.shape:
        raise UsageError(f"cannot compare images of shape {originals.shape} with {recovered.shape}")
