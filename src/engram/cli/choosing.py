"""What `engram pack` is asked for, and the codec of a model at that dial."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engram.cli.judging import Judging
    from engram.codecs.contract import Codec
    from engram.codecs.goals import Goal
    from engram.images import ImageSet
    from engram.layers import Network
    from engram.training.budget import Budget

SAMPLE = 20_000
"""How many images of a collection are learned from, at most."""


@dataclass(frozen=True)
class Dial:
    """What was asked for: at most one of these, or nothing, which is lossless."""

    lossless: bool = False
    max_error: int | None = None
    bytes_per_image: float | None = None
    psnr_db: float | None = None
    accuracy_loss: float | None = None
    bits: float | None = None

    def check(self) -> None:
        """Raises UsageError where more than one is asked for, or none of what there is."""
        from engram.errors import UsageError

        names = ("--lossless", "--max-error", "--bytes", "--psnr", "--accuracy-loss", "--bits")
        values = (
            self.lossless or None,
            self.max_error,
            self.bytes_per_image,
            self.psnr_db,
            self.accuracy_loss,
            self.bits,
        )
        turned = [name for name, value in zip(names, values, strict=True) if value is not None]
        if len(turned) > 1:
            raise UsageError(f"one dial at a time, not {' and '.join(turned)}")
        if self.bytes_per_image is not None and not self.bytes_per_image > 0:
            raise UsageError(f"--bytes is above 0, not {self.bytes_per_image:g}")
        if self.accuracy_loss is not None and not 0 <= self.accuracy_loss <= 100:
            raise UsageError(f"--accuracy-loss is in points, 0 to 100, not {self.accuracy_loss:g}")

    def goal(self, judging: Judging | None) -> Goal:
        """What the archive has to be. Raises UsageError for bits, which only a model has."""
        from engram.codecs.goals import LargestError, Quality, Size
        from engram.errors import UsageError

        if self.bits is not None:
            raise UsageError("--bits takes a model: -m MODEL, which `engram train` makes")
        if self.bytes_per_image is not None:
            return Size(self.bytes_per_image)
        if self.psnr_db is not None:
            return Quality(self.psnr_db)
        if self.accuracy_loss is not None:
            assert judging is not None
            return judging.losing(self.accuracy_loss)
        return LargestError(self.max_error or 0)


def budget_of(words: str) -> Budget:
    """The budget of "90s", "2m", "1.5h", "500steps" or "0". Raises UsageError."""
    from engram.errors import UsageError
    from engram.training.budget import Budget

    found = re.fullmatch(r"(?P<time>\d+(?:\.\d+)?)(?P<unit>[smh]?)|(?P<steps>\d+) ?steps", words.strip())
    if not found:
        raise UsageError(f"--budget is a time such as 90s, 2m or 1h, or 500steps, or 0 to learn nothing, not {words!r}")
    if found["steps"]:
        return Budget(steps=int(found["steps"]))
    return Budget(float(found["time"]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found["unit"]])


def with_model(sample: ImageSet, model: str, dial: Dial, judging: Judging | None = None) -> Codec:
    """The codec of a model file, an archive or the name of a shipped model, at the dial."""
    from engram.archive import shipped
    from engram.codecs.freeze import freeze
    from engram.models import load
    from engram.storage import shown

    if not Path(model).exists() and model in shipped.names():
        return _turned(shipped.load(model, sample.image_shape, dial.max_error or 0), sample, model, dial, judging)
    location, model = model, shown(model)
    if Path(model).suffix == ".egm":
        import engram

        with engram.open(location) as archive:
            return _turned(archive.codec, sample, model, dial, judging)
    trained = load(location)
    if trained.network.method == "pixel":
        return _as_asked(freeze(trained, sample), model, dial, judging)
    return _of_any_rate(trained.network, sample, model, dial, judging)


def _of_any_rate(network: Network, sample: ImageSet, model: str, dial: Dial, judging: Judging | None) -> Codec:
    """The codec of a network whose rate is chosen when it is frozen, or can be moved a little. Raises OutOfReach."""
    from engram.codecs import dial as dials
    from engram.codecs.freeze import freeze
    from engram.errors import UsageError

    if dial.lossless or dial.max_error is not None:
        raise UsageError(f"{model} is a {network.method} model, which promises no largest error; leave out -m")
    if dial.bytes_per_image is not None:
        return dials.freeze_to_bytes(network, sample, dial.bytes_per_image)
    if dial.psnr_db is not None:
        return dials.freeze_to_psnr(network, sample, dial.psnr_db)
    if dial.accuracy_loss is None:
        return freeze(network, sample, bits=dial.bits)
    if network.prior:
        return _turned(freeze(network, sample), sample, model, dial, judging)
    return _keeping_accuracy(network, sample, model, dial, judging)


def _keeping_accuracy(network: Network, sample: ImageSet, model: str, dial: Dial, judging: Judging | None) -> Codec:
    """The codec of the fewest bits that loses no more accuracy than asked for. Raises OutOfReach."""
    from engram.codecs.candidate import Candidate
    from engram.codecs.choice import turn
    from engram.codecs.dial import LEAST_BITS, MOST_BITS
    from engram.codecs.freeze import freeze

    assert judging is not None

    def at(bits: float) -> Candidate:
        codec = freeze(network, sample, bits=bits)
        return Candidate(codec, judging.images.images, len(sample), len(codec.model))

    return _as_asked(turn(dial.goal(judging), at, LEAST_BITS, MOST_BITS).codec, model, dial, judging)


def _turned(codec: Codec, sample: ImageSet, model: str, dial: Dial, judging: Judging | None) -> Codec:
    """The codec, at the step that does what is asked where it has one to choose. Raises OutOfReach or UsageError."""
    from engram.codecs import dial as dials
    from engram.codecs.spatial.codec import Spatial

    turned = dial.bytes_per_image or dial.psnr_db or dial.accuracy_loss is not None
    if turned and isinstance(codec, Spatial) and codec.can_encode and len(sample):
        images = dials.sample_of(sample) if judging is None else judging.images.images
        return dials.at_step(codec, dial.goal(judging), images)
    return _as_asked(codec, model, dial, judging)


def _as_asked(codec: Codec, model: str, dial: Dial, judging: Judging | None) -> Codec:
    """The codec itself, of a model that has one quality. Raises UsageError where that is not the one asked for."""
    from engram.codecs.candidate import Candidate
    from engram.codecs.dial import OutOfReach
    from engram.errors import UsageError

    if dial.bytes_per_image is not None or dial.psnr_db is not None or dial.bits is not None:
        raise UsageError(f"{model} packs at one quality; leave out --bytes, --psnr and --bits")
    asked = 0 if dial.lossless else dial.max_error
    if asked is not None and (codec.max_error is None or codec.max_error > asked):
        has = "promises no largest error" if codec.max_error is None else f"may be off by {codec.max_error}"
        raise UsageError(f"{model} {has}, and {asked} is asked for; leave out -m to learn one")
    if dial.accuracy_loss is not None and judging is not None:
        candidate = Candidate(codec, judging.images.images, 1, 0)
        if not dial.goal(judging).is_met(candidate):
            lost = judging.accuracy_of_originals - judging.accuracy(candidate.recovered)
            raise OutOfReach(
                f"with {model} {100 * lost:.1f} points of accuracy are lost, not {dial.accuracy_loss:g} at most; "
                "train it for more bytes, or leave out -m to learn one"
            )
    return codec
