"""Pictures of many sizes: a code for each canvas that some of them share, and what padding them costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from engram.codecs.contract import Codec
from engram.codecs.goals import Size
from engram.codecs.pixel.codec import Pixel
from engram.datasets.assortment import Assortment
from engram.datasets.canvases import Canvas
from engram.errors import EngramError, UsageError
from engram.images import Pixels
from engram.packing.asked import Asked
from engram.packing.choice import Choice, choose
from engram.packing.learners import Collection, Progress
from engram.training.budget import Budget

if TYPE_CHECKING:
    from engram.archive import Reader

LEARNED_SHARE, LEARNED_IMAGES = 0.05, 256
"""Of all pixels, and images: what a canvas has to have for a model to be learned for it; others take what there is."""
SAMPLE_BYTES = 1 << 28
WEIGHED = 64
"""How many padded images tell what padding takes: each size has tables of its own to make."""
_TOGETHER = 256


def choices(
    images: Assortment,
    canvases: Sequence[Canvas],
    asked: Asked,
    model: Any,
    budget: Budget,
    sampled: int,
    progress: Progress | None,
    learned: Sequence[Pixel] = (),
) -> list[Choice]:
    """A codec for each canvas; those with the most pixels first, for what is learned on one serves the others.

    learned: what was learned before, and serves them too. A quality is that of canvases, padding included.
    """
    from engram.codecs.candidate import divide
    from engram.packing.given import with_model

    pixels = [len(canvas.images) * canvas.size[0] * canvas.size[1] for canvas in canvases]
    learns = [
        count >= LEARNED_SHARE * sum(pixels) and len(canvas.images) >= LEARNED_IMAGES
        for count, canvas in zip(pixels, canvases, strict=True)
    ]
    whole = sum(count for count, is_learned in zip(pixels, learns, strict=True) if is_learned)
    found: dict[int, Choice] = {}
    shared = list(learned)
    for k in sorted(range(len(canvases)), key=lambda k: -pixels[k]):
        stream = images.on(canvases[k])
        bytes_each = canvases[k].size[0] * canvases[k].size[1] * images.channels
        sample = stream.sample(max(1, min(sampled, SAMPLE_BYTES // bytes_each)))
        if model is not None:
            codec = with_model(sample, model, replace(asked, lossless=False, max_error=None), len(stream))
            found[k] = Choice(_of_size(codec, images, sample.image_shape, asked.max_error or 0), "its model was given")
            continue
        goal = asked.goal(len(stream))
        if isinstance(goal, Size):  # the bytes that are asked for are those of a mean image
            mean = goal.bytes_per_image * pixels[k] / len(canvases[k].images) / (sum(pixels) / len(images))
            goal = Size(mean, goal.bytes_per_image)
        part = budget.part(pixels[k] / whole) if learns[k] else Budget(0)
        there = [_brought(codec, sample.image_shape) for codec in shared]
        present = [each for each in there if each is not None]
        collection = Collection(*divide(sample, len(stream)), len(stream))
        found[k] = choose(goal, collection, part, progress, present=present)
        codec = found[k].codec
        if isinstance(codec, Pixel) and all(codec.model != other.model for other in shared):
            shared.append(codec)
    return [found[k] for k in range(len(canvases))]


def _of_size(codec: Codec, images: Assortment, shape: tuple[int, int, int], max_error: int) -> Codec:
    from engram.codecs.pixel.generic import brought_to

    if not isinstance(codec, Pixel):
        size = " x ".join(map(str, codec.image_shape))
        raise UsageError(
            f"a {codec.id} model is for images of {size}, and {images.name} has many sizes; leave out -m, or give a "
            "pixel model"
        )
    return brought_to(codec, shape, max_error)


def _brought(codec: Pixel, shape: tuple[int, int, int]) -> Pixel | None:
    """The pixel codec for images of another size; None where they are too large for it."""
    from engram.codecs.pixel.generic import brought_to

    try:
        return brought_to(codec, shape, codec.max_error)
    except EngramError:
        return None


def pairs(
    images: Assortment, canvases: Sequence[Canvas], archive: Reader, most: int
) -> Iterator[tuple[Pixels, Pixels]]:
    """Of at most so many images, evenly taken: each as it was and as it came back, both uint8[1, h, w, c]."""
    step = max(1, -(-len(images) // most))
    for canvas in canvases:
        taken = canvas.images[canvas.images % step == 0]
        for start in range(0, len(taken), _TOGETHER):
            rows = taken[start : start + _TOGETHER]
            for row, laid, back in zip(rows, images.read(rows, canvas.size), archive[rows.tolist()], strict=True):
                height, width = images.sizes[row].tolist()
                yield laid[None, :height, :width], np.asarray(back)[None]


def padding(images: Assortment, canvases: Sequence[Canvas], codecs: Sequence[Codec]) -> dict[str, Any]:
    """sizes, canvases, padded_images, padding_share of all pixels, and padding_bytes where it can be measured."""
    from engram.archive.mixing import padding_of

    padded = padding_of(images, canvases).any(axis=1)
    stored = sum(len(canvas.images) * canvas.size[0] * canvas.size[1] for canvas in canvases)
    own = int(images.sizes.astype(np.int64).prod(axis=1).sum())
    most = -(-WEIGHED // len(canvases))
    measured = [_padding_bytes(images, *pair, padded, most) for pair in zip(canvases, codecs, strict=True)]
    known = [each for each in measured if each is not None]
    return {
        "sizes": len(np.unique(images.sizes, axis=0)),
        "canvases": len(canvases),
        "padded_images": int(padded.sum()),
        "padding_share": round(1 - own / stored, 4),
        "padding_bytes": round(sum(known)) if len(known) == len(measured) else None,
    }


def _padding_bytes(images: Assortment, canvas: Canvas, codec: Codec, padded: Any, most: int) -> float | None:
    """What padding takes on a canvas: the bytes of some padded images less those of the same at their own sizes.

    most: how many images are looked at. None for a codec that knows one size only.
    """
    rows = canvas.images[padded[canvas.images]]
    if not len(rows):
        return 0.0
    if not isinstance(codec, Pixel):
        return None
    some = rows[:: -(-len(rows) // most)]
    on_canvas = images.read(some, canvas.size)
    more = 0
    for size in np.unique(images.sizes[some], axis=0).tolist():
        group = on_canvas[(images.sizes[some] == size).all(axis=1)]
        alone = _brought(codec, (size[0], size[1], images.channels))
        if alone is None:
            return None
        more += len(codec.encode(group)) - len(alone.encode(np.ascontiguousarray(group[:, : size[0], : size[1]])))
    return more / len(some) * len(rows)


def in_words(figures: dict[str, Any]) -> str:
    """One line."""
    words = f"{figures['sizes']:,} sizes on {figures['canvases']:,} canvases"
    if not figures["padded_images"]:
        return f"{words}, no image is padded"
    taken = "" if figures["padding_bytes"] is None else f" and takes about {figures['padding_bytes']:,} bytes"
    share = 100 * figures["padding_share"]
    return f"{words}; {figures['padded_images']:,} images are padded, which is {share:.1f} % of all pixels{taken}"
