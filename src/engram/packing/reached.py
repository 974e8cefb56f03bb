"""What an archive reaches, told by its own pictures: they are decoded and held against those that were packed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from engram.archive import Archive, Coder
from engram.codecs.pixel.codec import Pixel
from engram.datasets.cells import Group
from engram.datasets.collection import Collection
from engram.kinds import AnyPixels, kind_of
from engram.words import counted

if TYPE_CHECKING:
    from engram.codecs.contract import Codec
    from engram.packing.judging import Judging

MOST_CHECKED = 200_000
"""Images, at most; of more, some thousands together are taken evenly from all."""
RUN = 4096
"""Images that are taken together: whole blocks, and no more than memory holds."""
RUN_BYTES = 1 << 26

Pairs = Iterator[tuple[AnyPixels, AnyPixels]]
"""Of the originals, [n, h, w, c], and the same as they came back."""


def pairs(collection: Collection, groups: Sequence[Group], archive: Archive, coders: Sequence[Coder] = ()) -> Pairs:
    """The pictures as they were and as they come back, some at a time.

    coders: of each group. What they are known to give back is not decoded.
    """
    known = [_known(coder) for coder in coders] or [None] * len(groups)
    if len(groups) == 1 and groups[0].is_whole(collection.sizes):
        cells = collection.cells(groups[0])
        for rows in runs_of(len(cells)):
            at = rows.start
            for piece in cells.pieces(rows):
                yield piece.images, known[0](piece.images) if known[0] else archive[at : at + len(piece)]
                at += len(piece)
        return
    step = max(1, -(-len(collection) // MOST_CHECKED))
    for group, foretold in zip(groups, known, strict=True):
        taken = group.rows[group.rows % step == 0]
        together = max(1, min(RUN, RUN_BYTES // max(1, int(group.sizes.prod(axis=1).max(initial=1)) * 8)))
        for start in range(0, len(taken), together):
            rows = taken[start : start + together]
            before = collection.read(rows)
            after = map(foretold, before) if foretold else archive.gather(rows)
            for picture, found in zip(before, after, strict=True):
                yield picture[None], found[None]


def _known(coder: Coder) -> Callable[[AnyPixels], AnyPixels] | None:
    """What makes of pictures what will come back of them; None where only decoding tells."""
    if not all(codec.lossless or isinstance(codec, Pixel) for codec in coder.codecs):
        return None

    def recovered(pictures: AnyPixels) -> AnyPixels:
        layers = zip(coder.codecs, coder.kind.split(pictures), strict=True)
        return coder.kind.join([c.recovered(layer) if isinstance(c, Pixel) else layer for c, layer in layers])

    return recovered


def runs_of(images: int) -> list[range]:
    """The rows that are looked at."""
    starts = range(0, images, RUN)
    step = max(1, -(-images // MOST_CHECKED))
    return [range(start, min(start + RUN, images)) for start in starts[::step]]


def quality(found: Pairs, coders: Sequence[Coder], images: int) -> dict[str, Any]:
    """psnr_db (None where nothing is lost), max_error (the promised one, or else the largest that was met), and
    measured_images: how many of the images these are told of, all where nothing need be decoded.

    Colours count by their alpha, which is exact. An error of 16 bits counts by its share of their range.
    """
    promises = [coder.max_error for coder in coders]
    if all(coder.lossless for coder in coders):
        return {"psnr_db": None, "max_error": 0, "measured_images": images}
    squares, weight, largest, measured = 0.0, 0.0, 0, 0
    for before, after in found:
        kind = kind_of(before)
        error = before.astype(np.int32) - after
        largest, measured = max(largest, int(np.abs(error).max(initial=0))), measured + len(before)
        shares = (error / (2**kind.bits - 1)) ** 2
        if kind.has_alpha:
            opaque = before[..., -1:] / 255
            squares += float((shares[..., :-1] * opaque).sum())
            weight += float(opaque.sum()) * (kind.channels - 1)
        else:
            squares += float(shares.sum())
            weight += error.size
    psnr = None if not squares else round(float(-10 * np.log10(squares / weight)), 4)
    promised = max((promise for promise in promises if promise is not None), default=0)
    most = promised if None not in promises else largest
    return {"psnr_db": psnr, "max_error": most, "measured_images": measured}


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
        words += (
            f", over all {counted(images, 'image')}"
            if whole
            else f", over {reached['measured_images']:,} of the images"
        )
    if "accuracy" in reached:
        before, after = (f"{100 * reached[key]:.1f} %" for key in ("accuracy_of_originals", "accuracy"))
        words += f"\naccuracy {after} (originals {before}) by the judge {reached['judge']}, "
        words += f"on {counted(reached['judged_images'], 'image')}"
    return words
