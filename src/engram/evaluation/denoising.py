"""The filters that networks are held against where images are noisy.

Each takes uint8[n, h, w, c] and how strong the noise is, its root mean square in gray levels, and gives as many images.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engram.errors import MissingLibrary
from engram.images import Pixels


def median(images: Pixels, deviation: float) -> Pixels:
    """The median of each 3 x 3 pixels, whatever the noise. Raises MissingLibrary."""
    try:
        from scipy.ndimage import median_filter
    except ImportError as error:
        raise _missing() from error
    filtered: Pixels = median_filter(images, size=(1, 3, 3, 1), mode="nearest")
    return filtered


def non_local_means(images: Pixels, deviation: float) -> Pixels:
    """Each pixel the mean of pixels whose surroundings look alike.

    Buades, Coll and Morel (2005), as scikit-image has it, at the strength that it recommends. Raises MissingLibrary.
    """
    try:
        from skimage import restoration
    except ImportError as error:
        raise _missing() from error
    filtered = np.empty_like(images)
    gray = images.shape[3] == 1
    for at, image in enumerate(images):
        means = restoration.denoise_nl_means(
            (image[:, :, 0] if gray else image).astype(np.float32),
            patch_size=5,
            patch_distance=6,
            h=0.8 * deviation,
            sigma=deviation,
            channel_axis=None if gray else 2,
            preserve_range=True,
        )
        filtered[at] = np.rint(means).clip(0, 255).astype(np.uint8).reshape(image.shape)
    return filtered


def _missing() -> MissingLibrary:
    return MissingLibrary("filters need scikit-image; `pip install 'engram-images[compare]'` installs it")


FILTERS: dict[str, Callable[[Pixels, float], Pixels]] = {"median filter": median, "non-local means": non_local_means}
"""By the name that the page gives them."""
