"""The codec of a model that is given, at what is asked of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engram.codecs.contract import Codec
    from engram.images import ImageSet
    from engram.layers import Network
    from engram.models import Model
    from engram.packing.asked import Asked
    from engram.packing.judging import Judging


def check_there(model: str | Path | Model | Codec) -> None:
    """Raises what reading a model file would, where there is none of this name."""
    from engram.archive import shipped
    from engram.models import load
    from engram.storage import is_url

    named = isinstance(model, str | Path) and not is_url(model) and str(model) not in shipped.names()
    if named and not Path(str(model)).exists():
        load(str(model))


def with_model(
    sample: ImageSet, model: str | Path | Model | Codec, asked: Asked, images: int, judging: Judging | None = None
) -> Codec:
    """The codec of a model, of a model file, of an archive, or of the name of a shipped model, at what is asked.

    images: how many the collection has, of which the sample is a part. Raises OutOfReach or UsageError where the model
    cannot do that.
    """
    from engram.archive import shipped
    from engram.archive.opening import open
    from engram.codecs.contract import Codec
    from engram.models import Model, load
    from engram.storage import shown

    if isinstance(model, Codec):
        return _turned(model, sample, f"the {model.id} codec", asked, images, judging)
    if isinstance(model, Model):
        return _frozen(model, sample, f"the {model.network.method} model", asked, images, judging)
    name = str(model)
    if not Path(name).exists() and name in shipped.names():
        return _turned(
            shipped.load(name, sample.image_shape, asked.max_error or 0), sample, name, asked, images, judging
        )
    if Path(shown(name)).suffix == ".egm":
        with open(name) as archive:
            return _turned(shipped.completed(archive.codec), sample, shown(name), asked, images, judging)
    return _frozen(load(name), sample, shown(name), asked, images, judging)


def _frozen(model: Model, sample: ImageSet, name: str, asked: Asked, images: int, judging: Judging | None) -> Codec:
    from engram.codecs.freeze import freeze

    if model.network.method == "pixel":
        return _as_asked(freeze(model, sample), name, asked, images, judging)
    return _of_any_rate(model.network, sample, name, asked, images, judging)


def _of_any_rate(
    network: Network, sample: ImageSet, model: str, asked: Asked, images: int, judging: Judging | None
) -> Codec:
    """The codec of a network whose rate is chosen when it is frozen, or can be moved a little. Raises OutOfReach."""
    from engram.codecs import dial as dials
    from engram.codecs.freeze import freeze
    from engram.errors import UsageError

    if asked.lossless or asked.max_error is not None:
        raise UsageError(f"{model} is a {network.method} model, which promises no largest error; leave out -m")
    if asked.bytes_per_image is not None:
        return dials.freeze_to_bytes(network, sample, asked.bytes_per_image)
    if asked.psnr_db is not None:
        return dials.freeze_to_psnr(network, sample, asked.psnr_db, images)
    if asked.accuracy_loss is None:
        return freeze(network, sample, bits=asked.bits)
    if network.prior:
        return _turned(freeze(network, sample), sample, model, asked, images, judging)
    return _keeping_accuracy(network, sample, model, asked, images, judging)


def _keeping_accuracy(
    network: Network, sample: ImageSet, model: str, asked: Asked, images: int, judging: Judging | None
) -> Codec:
    """The codec of the fewest bits that loses no more accuracy than asked for. Raises OutOfReach."""
    from engram.codecs.candidate import Candidate
    from engram.codecs.choice import turn
    from engram.codecs.dial import LEAST_BITS, MOST_BITS
    from engram.codecs.freeze import freeze

    assert judging is not None

    def at(bits: float) -> Candidate:
        codec = freeze(network, sample, bits=bits)
        return Candidate(codec, judging.images.images, len(sample), len(codec.model))

    return _as_asked(turn(asked.goal(images, judging), at, LEAST_BITS, MOST_BITS).codec, model, asked, images, judging)


def _turned(codec: Codec, sample: ImageSet, model: str, asked: Asked, images: int, judging: Judging | None) -> Codec:
    """The codec, at the step that does what is asked where it has one to choose. Raises OutOfReach or UsageError."""
    from engram.codecs import dial as dials
    from engram.codecs.spatial.codec import Spatial

    turned = asked.bytes_per_image or asked.psnr_db or asked.accuracy_loss is not None
    if turned and isinstance(codec, Spatial) and codec.can_encode and len(sample):
        looked_at = dials.sample_of(sample) if judging is None else judging.images.images
        return dials.at_step(codec, asked.goal(images, judging), looked_at)
    return _as_asked(codec, model, asked, images, judging)


def _as_asked(codec: Codec, model: str, asked: Asked, images: int, judging: Judging | None) -> Codec:
    """The codec itself, of a model that has one quality. Raises UsageError where that is not the one asked for."""
    from engram.codecs.candidate import Candidate
    from engram.codecs.dial import OutOfReach
    from engram.errors import UsageError

    if asked.bytes_per_image is not None or asked.psnr_db is not None or asked.bits is not None:
        raise UsageError(f"{model} packs at one quality; leave out --bytes, --psnr and --bits")
    most = 0 if asked.lossless else asked.max_error
    if most is not None and (codec.max_error is None or codec.max_error > most):
        has = "promises no largest error" if codec.max_error is None else f"may be off by {codec.max_error}"
        raise UsageError(f"{model} {has}, and {most} is asked for; leave out -m to learn one")
    if asked.accuracy_loss is not None and judging is not None:
        candidate = Candidate(codec, judging.images.images, 1, 0)
        if not asked.goal(images, judging).is_met(candidate):
            lost = judging.accuracy_of_originals - judging.accuracy(candidate.recovered)
            raise OutOfReach(
                f"with {model} {100 * lost:.1f} points of accuracy are lost, not {asked.accuracy_loss:g} at most; "
                "train it for more bytes, or leave out -m to learn one"
            )
    return codec
