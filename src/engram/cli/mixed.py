"""`engram pack` of a folder whose pictures have many sizes."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engram.cli.terminal import progress_bar

if TYPE_CHECKING:
    from engram.archive.mixing import Choice
    from engram.archive.writer import Packed
    from engram.cli.choosing import Dial
    from engram.codecs.contract import Codec
    from engram.codecs.goals import Goal
    from engram.datasets.assortment import Assortment
    from engram.datasets.canvases import Canvas
    from engram.training.budget import Budget

LEARNED_SHARE, LEARNED_IMAGES = 0.05, 256
"""Of all pixels, and images: what a canvas has to have for a model to be learned for it; others take what there is."""
SAMPLE_BYTES = 1 << 28
_MEASURED = 256


@dataclass(frozen=True)
class Written:
    """What was written, figures of it, the same in words that follow a sentence, and the seconds that it took."""

    packed: Packed
    figures: dict[str, Any]
    words: str
    seconds: float


def pack_sizes(images: Assortment, out: Path, dial: Dial, model: str | None, budget: Budget, **options: Any) -> Written:
    """Writes the archive of pictures of many sizes. Raises UsageError for what is asked of one size only."""
    from engram import archive
    from engram.archive.mixing import begun
    from engram.datasets.canvases import share
    from engram.errors import UsageError

    if dial.accuracy_loss is not None:
        raise UsageError(
            f"{images.name} has pictures of many sizes, and a judge looks at one; leave out --accuracy-loss"
        )
    canvases = share(images.sizes)
    choices = begun(out) if options["resume"] else None
    if choices is None or len(choices) != len(canvases):
        with progress_bar("Learning", unit="steps") as progress:
            choices = _choices(images, canvases, dial, model, budget, progress)
    started = time.perf_counter()
    with progress_bar("Packing", unit="images") as progress:
        packed = archive.pack_mixed(images, canvases, choices, out, progress=progress, **options)
    seconds = time.perf_counter() - started
    figures = _padding(images, canvases, choices)
    return Written(packed, figures, f"\n{_in_words(figures)}", seconds)


def _choices(
    images: Assortment, canvases: list[Canvas], dial: Dial, model: str | None, budget: Budget, progress: Any
) -> list[Choice]:
    """A codec for each canvas; those with the most pixels first, for what is learned on one serves the others."""
    from engram.archive.mixing import Choice
    from engram.cli.choosing import SAMPLE, with_model
    from engram.cli.learned import Collection, by_learning
    from engram.codecs.candidate import divide
    from engram.codecs.goals import Size
    from engram.codecs.pixel.codec import Pixel
    from engram.codecs.pixel.generic import brought_to
    from engram.errors import UsageError
    from engram.training.budget import Budget

    pixels = [len(canvas.images) * canvas.size[0] * canvas.size[1] for canvas in canvases]
    learns = [
        pixels[k] >= LEARNED_SHARE * sum(pixels) and len(canvases[k].images) >= LEARNED_IMAGES
        for k in range(len(canvases))
    ]
    whole = sum(count for count, is_learned in zip(pixels, learns, strict=True) if is_learned)
    found: dict[int, Choice] = {}
    learned = list[Pixel]()
    for k in sorted(range(len(canvases)), key=lambda k: -pixels[k]):
        stream = images.on(canvases[k])
        bytes_each = canvases[k].size[0] * canvases[k].size[1] * images.channels
        sample = stream.sample(max(1, min(SAMPLE, SAMPLE_BYTES // bytes_each)))
        if model is not None:
            codec = with_model(sample, model, replace(dial, lossless=False, max_error=None))
            if not isinstance(codec, Pixel):
                raise UsageError(
                    f"{model} is for images of {' x '.join(map(str, codec.image_shape))}, and {images.name} has many "
                    "sizes; leave out -m, or give a pixel model"
                )
            found[k] = Choice(brought_to(codec, sample.image_shape, dial.max_error or 0), embeds=True)
            continue
        goal: Goal = dial.goal(None)
        if isinstance(goal, Size):  # the bytes that are asked for are those of a mean image
            goal = Size(goal.bytes_per_image * pixels[k] / len(canvases[k].images) / (sum(pixels) / len(images)))
        part = budget.part(pixels[k] / whole) if learns[k] else Budget(0)
        collection = Collection(*divide(sample, len(stream)), len(stream))
        there = [_brought(codec, sample.image_shape) for codec in learned]
        codec, pays = by_learning(goal, collection, part, progress, [each for each in there if each is not None])
        found[k] = Choice(codec, embeds=pays)
        if isinstance(codec, Pixel) and pays and all(codec.model != other.model for other in learned):
            learned.append(codec)
    return [found[k] for k in range(len(canvases))]


def _brought(codec: Any, shape: tuple[int, int, int]) -> Codec | None:
    """The pixel codec for images of another size; None where they are too large for it."""
    from engram.codecs.pixel.generic import brought_to
    from engram.errors import EngramError

    try:
        return brought_to(codec, shape, codec.max_error)
    except EngramError:
        return None


def _padding(images: Assortment, canvases: list[Canvas], choices: list[Choice]) -> dict[str, Any]:
    """sizes, canvases, padded_images, padding_share of all pixels, and padding_bytes where it can be measured."""
    import numpy as np

    from engram.archive.mixing import padding_of

    padded = padding_of(images, canvases).any(axis=1)
    stored = sum(len(canvas.images) * canvas.size[0] * canvas.size[1] for canvas in canvases)
    own = int(images.sizes.astype(np.int64).prod(axis=1).sum())
    measured = [
        _padding_bytes(images, canvas, choice.codec, padded) for canvas, choice in zip(canvases, choices, strict=True)
    ]
    known = [each for each in measured if each is not None]
    return {
        "sizes": len(np.unique(images.sizes, axis=0)),
        "canvases": len(canvases),
        "padded_images": int(padded.sum()),
        "padding_share": round(1 - own / stored, 4),
        "padding_bytes": round(sum(known)) if len(known) == len(measured) else None,
    }


def _padding_bytes(images: Assortment, canvas: Canvas, codec: Codec, padded: Any) -> float | None:
    """What padding takes on a canvas: the bytes of some padded images less those of the same at their own sizes.

    None for a codec that knows one size only.
    """
    import numpy as np

    from engram.codecs.pixel.codec import Pixel

    rows = canvas.images[padded[canvas.images]]
    if not len(rows):
        return 0.0
    if not isinstance(codec, Pixel):
        return None
    some = rows[:: -(-len(rows) // _MEASURED)]
    on_canvas = images.read(some, canvas.size)
    more = 0
    for size in np.unique(images.sizes[some], axis=0).tolist():
        group = on_canvas[(images.sizes[some] == size).all(axis=1)]
        alone = _brought(codec, (size[0], size[1], images.channels))
        if alone is None:
            return None
        more += len(codec.encode(group)) - len(alone.encode(np.ascontiguousarray(group[:, : size[0], : size[1]])))
    return more / len(some) * len(rows)


def _in_words(figures: dict[str, Any]) -> str:
    words = f"{figures['sizes']:,} sizes on {figures['canvases']:,} canvases"
    if not figures["padded_images"]:
        return f"{words}, no image is padded"
    taken = "" if figures["padding_bytes"] is None else f" and takes about {figures['padding_bytes']:,} bytes"
    share = 100 * figures["padding_share"]
    return f"{words}; {figures['padded_images']:,} images are padded, which is {share:.1f} % of all pixels{taken}"
