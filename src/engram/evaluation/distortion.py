"""How far recovered images are from the originals."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engram.errors import UsageError
from engram.images import Pixels

CHUNK = 4096
WINDOW, DEVIATION = 11, 1.5
"""The Gaussian window of SSIM, in pixels."""
STABLE = (0.01 * 255) ** 2, (0.03 * 255) ** 2
"""What SSIM adds to means and to variances, so that dark and flat places count for little."""


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


def ssim(originals: Pixels, recovered: Pixels) -> float:
    """The mean structural similarity, -1 to 1, and 1 for equal images.

    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment" (2004): a Gaussian window of 11 x 11 pixels at every
    place that it fits in, the mean over places, channels and images; images of smaller sides take a smaller window.
    """
    _same_shape(originals, recovered)
    if originals.size == 0:
        return 1.0
    rows, columns = _windows(originals.shape[1]), _windows(originals.shape[2]).T
    total = 0.0
    for first in range(0, len(originals), CHUNK):
        x, y = (
            images[first : first + CHUNK].transpose(0, 3, 1, 2).astype(np.float64) for images in (originals, recovered)
        )
        mean_x, mean_y, xx, yy, xy = (rows @ part @ columns for part in (x, y, x * x, y * y, x * y))
        both = mean_x * mean_y
        squares = mean_x**2 + mean_y**2
        alike = (2 * both + STABLE[0]) * (2 * (xy - both) + STABLE[1])
        total += float((alike / ((squares + STABLE[0]) * (xx + yy - squares + STABLE[1]))).mean(axis=(1, 2, 3)).sum())
    return total / len(originals)


def _windows(side: int) -> NDArray[np.float64]:
    """[places, side]: the weights of the window at each place of one axis, a row's sum being 1."""
    width = min(WINDOW, side)
    weights = np.exp(-((np.arange(width) - (width - 1) / 2) ** 2) / (2 * DEVIATION**2))
    windows = np.zeros((side - width + 1, side))
    for place, row in enumerate(windows):
        row[place : place + width] = weights / weights.sum()
    return windows


def _same_shape(originals: Pixels, recovered: Pixels) -> None:
    if originals.shape != recovered.shape:
        raise UsageError(f"cannot compare images of shape {originals.shape} with {recovered.shape}")
