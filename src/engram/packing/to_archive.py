"""`pack`: DATA into one archive. Everything that can fail is looked at before anything is learned."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engram import archive
from engram.archive import Packed
from engram.archive.errors import ResumeMismatch
from engram.codecs.contract import Codec
from engram.codecs.goals import LargestError
from engram.codecs.pixel.codec import Pixel
from engram.datasets import source
from engram.datasets.assortment import Assortment
from engram.datasets.source import Data
from engram.datasets.stream import Stream
from engram.errors import UsageError
from engram.images import ImageSet
from engram.packing import reached, sizes
from engram.packing.asked import Asked, budget_of, checked_block_size
from engram.packing.choice import Choice, choose
from engram.packing.given import check_there
from engram.packing.place import place_of
from engram.storage import is_url
from engram.training.budget import Budget

if TYPE_CHECKING:
    from engram.archive import Breakdown
    from engram.archive.packing import Engine
    from engram.models import Model
    from engram.packing.judging import Judging

SAMPLE = 20_000
"""How many images of a collection are learned from, at most."""

ATTEMPTS = 3
"""How often an archive is written, at most, until all of its images keep a quality that a sample of them kept."""
MORE_DB = 0.02
"""What is asked for beyond what was missing."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is, and how much there is, 0 where that is not known."""


@dataclass(frozen=True)
class Report:
    """What was written, why so, and what it reached.

    breakdown: the archive's bytes, part by part. why: a sentence for each choice that was made. quality: psnr_db, None
    where nothing is lost; max_error; measured_images, of which these are told; with a judge accuracy, 0 to 1, and
    accuracy_of_originals. padding: of pictures of many sizes, what laying them on canvases costs. images_resumed: how
    many an interrupted pack had done already. seconds: of writing.
    """

    breakdown: Breakdown
    why: tuple[str, ...]
    quality: dict[str, Any]
    padding: dict[str, Any]
    images_resumed: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return self.quality | self.padding | {"why": list(self.why), "images_resumed": self.images_resumed}

    def in_words(self) -> str:
        """What was reached, and why it is coded as it is, in a few lines."""
        lines = [reached.in_words(self.quality, self.breakdown.images)]
        lines += [sizes.in_words(self.padding)] if self.padding else []
        return "\n".join([*lines, *self.why])


def pack(
    data: Data,
    out: Path | str,
    *,
    model: str | Path | Model | Codec | None = None,
    lossless: bool = False,
    max_error: int | None = None,
    bytes_per_image: float | None = None,
    psnr: float | None = None,
    accuracy_loss: float | None = None,
    judge: str | Path | None = None,
    bits: float | None = None,
    budget: str | float | Budget = "2m",
    block_size: int = archive.DEFAULT_BLOCK_SIZE,
    model_apart: bool = False,
    force: bool = False,
    resume: bool = False,
    engine: Engine | None = None,
    shard_images: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Writes DATA into one archive, and says what was chosen, why, and what it reached.

    data: whatever `engram.load` takes; of DATA that comes divided both halves are packed. out: a path, or a URL.
    One of lossless (the default), max_error (no value is off by more; 0 to 63), bytes_per_image (the model apart), psnr
    (dB, no fewer) and accuracy_loss (points that a judge may lose) says what is asked for; `Asked` has their ranges.
    model: what codes the images; without one, what pays most is learned within the budget: seconds, or "90s", "2m",
    "1h", "500steps" (of each network: the same model on every run) or 0, or taken of what engram brings. judge: the
    classifier that accuracy is asked of. bits: of each code unit, with a model. model_apart: the model stays out of the
    archive, which names it by its SHA-256, and goes to OUT.model. engine: what encodes, for DATA
    that all of its processes can open by name; shard_images: above so many images it writes a shard set.
    Raises UsageError, OutputExists, and what reading DATA and writing raise; then nothing lies under the name.
    """
    asked = Asked(lossless, max_error, bytes_per_image, psnr, accuracy_loss, bits)
    allowed, stages = budget_of(budget), _Stages(progress)
    options = {"block_size": checked_block_size(block_size), "force": force, "resume": resume}
    if shard_images is not None and engine is None:
        raise UsageError("an engine writes shard sets; `engram.shard` cuts an archive that is packed here")
    if isinstance(data, str | Path) and not is_url(data) and Path(data).exists() and _is_same(data, out):
        raise UsageError(f"{out} would be replaced by what is read from it; pack it to another name")
    if model is not None:
        check_there(model)
    with place_of(out, force, model_apart, learns=model is None) as place:
        found = source.collection(data, stages.of("Reading"))
        if isinstance(found, Assortment):
            _refuse_for_many_sizes(found, asked, judge, model_apart, engine)
            return _of_many_sizes(found, place, asked, model, allowed, options, stages)
        if len(shapes := {part.image_shape for part in found}) > 1:
            raise UsageError(f"the halves of DATA have images of {' and '.join(map(str, shapes))}; make them one size")
        archive.check_known(part.known for part in found)
        write: Callable[..., Packed] = archive.pack
        if engine is not None:
            from engram.archive.packing import pack_by

            if not isinstance(data, str | Path):
                raise UsageError("an engine's processes open DATA by name: give a path, not images")
            write = partial(pack_by, engine, str(data), shard_images=shard_images)
        return _of_one_size(found, place, asked, judge, model, allowed, model_apart, write, options, stages)


class _Stages:
    """Makes of one callback those of its stages."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress

    def of(self, what: str) -> Callable[[int, int], None] | None:
        return self._progress and partial(self._progress, what)


def _of_one_size(
    parts: tuple[Stream, ...],
    place: Path,
    asked: Asked,
    judge: str | Path | None,
    model: Any,
    budget: Budget,
    model_apart: bool,
    write: Callable[..., Packed],
    options: dict[str, Any],
    stages: _Stages,
) -> Report:
    from engram.archive.interrupted import interrupted
    from engram.codecs.candidate import divide, hold_back
    from engram.packing.given import with_model
    from engram.packing.judging import MOST_JUDGED, SHARE_OF_JUDGE, check_labels, judging
    from engram.packing.learners import Collection

    judged: Judging | None = None
    judges = asked.accuracy_loss is not None or judge is not None
    if judges:
        check_labels(parts[0].name, parts[0].known)
    begun = interrupted(place) if options["resume"] else None
    images = sum(map(len, parts))
    sample = _sample(parts, images, stages.of("Sampling"))
    rest, measured = hold_back(sample, most=MOST_JUDGED) if judges else divide(sample, images)
    if judges:
        judged = judging(judge, rest, measured, budget.part(SHARE_OF_JUDGE), stages.of("Learning to judge"))
        budget = budget.part(1 - SHARE_OF_JUDGE if judged.learned else 1)
    collection = Collection(rest, measured, images)
    if model is not None:
        choice = Choice(with_model(sample, model, asked, images, judged), "its model was given")
    elif begun is not None:
        choice, model_apart = Choice(begun[0], "it was chosen when the pack began"), not begun[1]
        if len(measured) and not asked.goal(images, judged).is_met(collection.candidate(choice.codec)):
            raise ResumeMismatch(f"{place} was begun for something else; ask for the same, or pack afresh")
    else:
        choice = choose(asked.goal(images, judged), collection, budget, stages.of("Learning"))
    quality: dict[str, Any] = {}
    for attempt in range(ATTEMPTS):
        codec, started = choice.codec, time.perf_counter()
        packed = write(
            parts,
            codec,
            place,
            embed_model=not model_apart,
            model_path=place.with_name(place.name + ".model") if model_apart and codec.model else None,
            progress=stages.of("Packing"),
            **options,
        )
        seconds = time.perf_counter() - started
        quality = reached.quality(_told(_pairs(parts, place, codec), stages.of("Checking"), images), [codec], images)
        finer = _finer(asked, quality, attempt)
        if finer is None or model is not None:
            break
        choice = choose(finer.goal(images), collection, Budget(0), present=[codec])
        options = options | {"force": True, "resume": False}
    if judged is not None:
        quality |= reached.accuracy(codec, judged)
    return Report(packed.breakdown, (choice.why,), quality, {}, packed.images_resumed, seconds)


def _finer(asked: Asked, quality: dict[str, Any], attempt: int) -> Asked | None:
    """What to ask for so that all images keep what is asked; None where they do, or it was tried often enough."""
    if asked.psnr_db is None or quality["psnr_db"] is None or attempt == ATTEMPTS - 1:
        return None
    missing = asked.psnr_db - quality["psnr_db"]
    return Asked(psnr_db=asked.psnr_db + (attempt + 1) * missing + MORE_DB) if missing > 0 else None


def _sample(parts: tuple[Stream, ...], images: int, progress: Callable[[int, int], None] | None) -> ImageSet:
    """SAMPLE of all images, at most, each part's share of them."""
    taken = [part.sample(-(-SAMPLE * len(part) // max(1, images)), progress) for part in parts if len(part)]
    if len(taken) < 2:
        return taken[0] if taken else parts[0].known[:0]
    labels = None if taken[0].labels is None else np.concatenate([each.labels for each in taken])
    return ImageSet(np.concatenate([each.images for each in taken]), labels, taken[0].class_names)


def _pairs(parts: tuple[Stream, ...], place: Path, codec: Codec) -> reached.Pairs:
    """The images as they were and as they come back, piece by piece."""
    first = 0
    with archive.open(place, codec.model or None) as opened:
        for part in parts:
            for rows in reached.runs_of(len(part)):
                at = first + rows.start
                for piece in part.pieces(rows):
                    yield piece.images, opened[at : at + len(piece)]
                    at += len(piece)
            first += len(part)


def _told(pairs: reached.Pairs, progress: Callable[[int, int], None] | None, images: int) -> reached.Pairs:
    """The same, told of as they pass."""
    done = 0
    for before, after in pairs:
        yield before, after
        done += len(before)
        if progress:
            progress(done, images)


def _refuse_for_many_sizes(found: Assortment, asked: Asked, judge: Any, model_apart: bool, engine: Any) -> None:
    """Raises UsageError for what is for images of one size."""
    for name, given in (
        ("--accuracy-loss", asked.accuracy_loss is not None),
        ("--judge", judge is not None),
        ("--model-apart", model_apart),
        ("--engine ray", engine is not None),
    ):
        if given:
            raise UsageError(f"{name} is for pictures of one size: {found.refusal()}")


def _of_many_sizes(
    images: Assortment,
    place: Path,
    asked: Asked,
    model: Any,
    budget: Budget,
    options: dict[str, Any],
    stages: _Stages,
) -> Report:
    from engram.archive.mixing import begun
    from engram.datasets.canvases import share

    canvases = share(images.sizes)
    archive.check_known([images.known])
    there = begun(place) if options["resume"] and model is None else None
    if there is not None:
        exact = asked.goal(len(images))
        kept = not isinstance(exact, LargestError) or all(exact.is_kept_by(codec) for codec in there)
        if len(there) != len(canvases) or not kept:
            raise ResumeMismatch(f"{place} was begun for something else; give and ask for the same, or pack afresh")
        choices = [Choice(codec, "it was chosen when the pack began") for codec in there]
    else:
        choices = sizes.choices(images, canvases, asked, model, budget, SAMPLE, stages.of("Learning"))
    quality: dict[str, Any] = {}
    for attempt in range(ATTEMPTS):
        codecs, started = [choice.codec for choice in choices], time.perf_counter()
        packed = archive.pack_mixed(images, canvases, codecs, place, progress=stages.of("Packing"), **options)
        seconds = time.perf_counter() - started
        with archive.open(place) as opened:
            pairs = sizes.pairs(images, canvases, opened, reached.MOST_CHECKED)
            quality = reached.quality(_told(pairs, stages.of("Checking"), len(images)), codecs, len(images))
        finer = _finer(asked, quality, attempt)
        if finer is None or model is not None:
            break
        learned = [codec for codec in codecs if isinstance(codec, Pixel)]
        choices = sizes.choices(images, canvases, finer, None, Budget(0), SAMPLE, None, learned)
        options = options | {"force": True, "resume": False}
    why = [
        f"{len(canvas.images):,} images on {canvas.size[0]} x {canvas.size[1]}: {choice.why}"
        for canvas, choice in zip(canvases, choices, strict=True)
    ]
    figures = sizes.padding(images, canvases, codecs)
    return Report(packed.breakdown, tuple(why), quality, figures, packed.images_resumed, seconds)


def _is_same(data: str | Path, out: str | Path) -> bool:
    return not is_url(out) and Path(out).exists() and Path(data).samefile(out)
