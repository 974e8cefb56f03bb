"""What `engram pack` packs with: a model at a dial, or what it learns from a sample of the collection itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from engram.codecs.contract import Codec
    from engram.images import ImageSet

Progress = Callable[[int, int], None]

SAMPLE = 20_000
"""How many images of a collection are learned from, at most."""
CHEAP = 0.03
"""A model that engram brings goes into the archive all the same where it takes no more than this share: the file then
needs nothing but FORMAT.md."""
LEAST_PSNR_DB = 30.0
"""The quality below which the pixel code, which rounds each value by itself, is not the code to take."""


@dataclass(frozen=True)
class Dial:
    """What was asked for: at most one of these, or nothing, which is lossless."""

    lossless: bool = False
    max_error: int | None = None
    bytes_per_image: float | None = None
    psnr_db: float | None = None
    bits: float | None = None

    def check(self) -> None:
        """Raises UsageError where more than one is asked for."""
        from engram.errors import UsageError

        names = ("--lossless", "--max-error", "--bytes", "--psnr", "--bits")
        values = (self.lossless or None, self.max_error, self.bytes_per_image, self.psnr_db, self.bits)
        turned = [name for name, value in zip(names, values, strict=True) if value is not None]
        if len(turned) > 1:
            raise UsageError(f"one dial at a time, not {' and '.join(turned)}")


def seconds_of(budget: str) -> float:
    """The seconds of "90s", "2m", "1.5h" or "0". Raises UsageError."""
    from engram.errors import UsageError

    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", budget.strip())
    if not found:
        raise UsageError(f"--budget is a time such as 90s, 2m or 1h, or 0 to learn nothing, not {budget!r}")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


def with_model(sample: ImageSet, model: str, dial: Dial) -> Codec:
    """The codec of a model file, an archive or the name of a shipped model, at the dial."""
    from engram.archive import shipped
    from engram.errors import UsageError

    dial.check()
    path = Path(model)
    if not path.exists() and model in shipped.names():
        return _as_asked(shipped.load(model), model, dial)
    if path.suffix == ".egm":
        import engram

        with engram.open(path) as archive:
            return _as_asked(archive.codec, model, dial)
    from engram.codecs import dial as dials
    from engram.codecs.freeze import freeze
    from engram.models import load

    trained = load(path)
    if trained.network.method == "pixel":
        return _as_asked(freeze(trained, sample), model, dial)
    if dial.lossless or dial.max_error is not None:
        raise UsageError(f"{model} is a {trained.network.method} model, which promises no largest error; leave out -m")
    if dial.bytes_per_image is not None:
        return dials.freeze_to_bytes(trained.network, sample, dial.bytes_per_image)
    if dial.psnr_db is not None:
        return dials.freeze_to_psnr(trained.network, sample, dial.psnr_db)
    return freeze(trained, sample) if dial.bits is None else freeze(trained, sample, bits=dial.bits)


def _as_asked(codec: Codec, model: str, dial: Dial) -> Codec:
    """The codec itself, of a model that has one quality. Raises UsageError where that is not the one asked for."""
    from engram.errors import UsageError

    if dial.bytes_per_image is not None or dial.psnr_db is not None or dial.bits is not None:
        raise UsageError(f"{model} packs at one quality; leave out --bytes, --psnr and --bits")
    asked = 0 if dial.lossless else dial.max_error
    if asked is not None and (codec.max_error is None or codec.max_error > asked):
        has = "promises no largest error" if codec.max_error is None else f"may be off by {codec.max_error}"
        raise UsageError(f"{model} {has}, and {asked} is asked for; leave out -m to learn one")
    return codec


def by_learning(
    sample: ImageSet, images: int, dial: Dial, budget_seconds: float, progress: Progress | None
) -> tuple[Codec, bool]:
    """(the codec that takes the fewest bytes in all, whether its model is to be in the archive).

    Learned from the sample, or a shipped one, or deflate. Raises UsageError for a dial that takes a model.
    """
    from engram.archive import shipped
    from engram.codecs.choice import cheapest, hold_back
    from engram.codecs.raw import Raw
    from engram.errors import UsageError

    dial.check()
    if dial.bits is not None or dial.bytes_per_image is not None:
        asked = "--bits" if dial.bits is not None else "--bytes"
        raise UsageError(f"{asked} takes a model: -m MODEL, which `engram train` makes")
    max_error = dial.max_error or 0
    if dial.psnr_db is not None:
        max_error = _largest_error_at(sample, dial.psnr_db)
    rest, measured = hold_back(sample)
    there = [Raw(sample.image_shape), *(shipped.load(name) for name in shipped.names())]
    fitting = [
        codec
        for codec in there
        if codec.image_shape == sample.image_shape and codec.max_error is not None and codec.max_error <= max_error
    ]
    candidates = [(codec, 0) for codec in fitting]
    if budget_seconds and len(sample):
        try:
            from engram.training.learning import learn
        except ModuleNotFoundError:
            typer.echo("Nothing is learned without torch; `pip install 'engram[train]'` saves bytes", err=True)
        else:
            codec = learn(rest, images=images, max_error=max_error, budget_seconds=budget_seconds, progress=progress)
            candidates.append((codec, len(codec.model)))
    if not len(sample):
        return Raw(sample.image_shape), True
    best = cheapest(measured.images, images, candidates)
    learned = all(best.codec is not codec for codec in there)
    return best.codec, learned or len(best.codec.model) <= CHEAP * best.bytes_in_all


def _largest_error_at(sample: ImageSet, psnr_db: float) -> int:
    """The largest error that a pixel code may allow itself and still reach the quality on the sample."""
    import numpy as np

    from engram.errors import UsageError

    if psnr_db < LEAST_PSNR_DB:
        raise UsageError(
            f"--psnr below {LEAST_PSNR_DB:g} takes a model: `engram train DATA --method transform --bytes N -o MODEL`, "
            "then -m MODEL"
        )
    images = sample.images.astype(np.int64)
    for max_error in range(63, 0, -1):
        step = 2 * max_error + 1
        error = np.minimum((images + max_error) // step * step, 255) - images
        mean = np.square(error).mean() if error.size else 0.0
        if -10 * np.log10(max(mean, 1e-12) / 255**2) >= psnr_db:
            return max_error
    return 0
