"""What an archive reaches, told by its own images: they are decoded and held against those that were packed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from engram.images import Pixels

if TYPE_CHECKING:
    from engram.codecs.contract import Codec
    from engram.packing.judging import Judging

MOST_CHECKED = 200_000
"""Images, at most; of more, some thousands together are taken evenly from all."""
RUN = 4096
"""Images that are taken together: whole blocks, and no more than memory holds."""

Pairs = Iterator[tuple[Pixels, Pixels]]
"""Of the originals, uint8[n, h, w, c], and the same as they came back."""


def runs_of(images: int) -> list[range]:
    """The rows that are looked at."""
    starts = range(0, images, RUN)
    step = max(1, -(-images // MOST_CHECKED))
    return [range(start, min(start + RUN, images)) for start in starts[::step]]


def quality(pairs: Pairs, codecs: Sequence[Codec], images: int) -> dict[str, Any]:
    """psnr_db (None where nothing is lost), max_error (the promised one, or else the largest that was met), and
    measured_images: how many of the images these are told of, all where nothing need be decoded."""
    promises = [codec.max_error for codec in codecs]
    if all(codec.lossless for codec in codecs):
        return {"psnr_db": None, "max_error": 0, "measured_images": images}
    squares, values, largest, measured = 0, 0, 0, 0
    for before, after in pairs:
        error = before.astype(np.int16) - after
        squares += int(np.square(error.astype(np.int64)).sum())
        values, measured = values + error.size, measured + len(before)
        largest = max(largest, int(np.abs(error).max(initial=0)))
    found = None if not squares else round(float(-10 * np.log10(squares / values / 255**2)), 4)
    promised = max((promise for promise in promises if promise is not None), default=0)
    most = promised if None not in promises else largest
    return {"psnr_db": found, "max_error": most, "measured_images": measured}


def accuracy(codec: Codec, judging: Judging) -> dict[str, Any]:
    """judge (its name), accuracy and accuracy_of_originals, on the images that it judges."""
    from engram.codecs.candidate import Candidate

    recovered = Candidate(codec, judging.images.images, len(judging.images), 0).recovered
    return {
        "judge": judging.name,
        "accuracy": judging.accuracy(recovered),
        "accuracy_of_originals": judging.accuracy_of_originals,
        "judged_images": len(judging.images),
    }


def in_words(reached: dict[str, Any], images: int) -> str:
    """One line."""
    quality = "no loss" if reached["psnr_db"] is None else f"{reached['psnr_db']:.2f} dB"
    whole = reached["measured_images"] == images
    words = f"{quality}, largest error {reached['max_error']}"
    if reached["psnr_db"] is not None:
        words += f", over all {images:,} images" if whole else f", over {reached['measured_images']:,} of the images"
    if "accuracy" in reached:
        before, after = (f"{100 * reached[key]:.1f} %" for key in ("accuracy_of_originals", "accuracy"))
        words += f"\naccuracy {after} (originals {before}) by the judge {reached['judge']}, "
        words += f"on {reached['judged_images']:,} images"
    return words
