"""`pack`: DATA into one archive. Everything that can fail is looked at before anything is learned."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engram import archive
from engram.archive import Coder, Packed
from engram.archive.errors import ResumeMismatch
from engram.codecs.contract import Codec
from engram.codecs.goals import LargestError
from engram.codecs.pixel.codec import Pixel
from engram.datasets import source
from engram.datasets.cells import Group
from engram.datasets.collection import Collection, tell_of_files
from engram.datasets.source import Data, Reading
from engram.errors import UsageError
from engram.images import ImageSet
from engram.packing import as_files, reached
from engram.packing import groups as of_groups
from engram.packing.asked import Asked, budget_of, checked_block_size
from engram.packing.choice import choose
from engram.packing.given import check_there
from engram.packing.groups import SAMPLE, Chooser, Chosen
from engram.packing.place import is_same, place_of
from engram.packing.report import Report
from engram.storage import is_url
from engram.training.budget import Budget
from engram.words import counted

if TYPE_CHECKING:
    from engram.archive.engines import Engine
    from engram.codecs.candidate import Candidate
    from engram.models import Model
    from engram.packing.judging import Judging
    from engram.packing.learners import Sample

ATTEMPTS = 3
"""How often an archive is written, at most, until all of its images keep a quality that a sample of them kept."""
MORE_DB = 0.02
"""What is asked for beyond what was missing."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is, and how much there is, 0 where that is not known."""


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
    reading: Reading | None = None,
    progress: Progress | None = None,
) -> Report:
    """Writes DATA into one archive, and says what was chosen, why, and what it reached.

    data: whatever `engram.load` takes; of DATA that comes divided all splits are packed, as a column. out: a path, or a
    URL. One of lossless (the default), max_error (no value is off by more; 0 to 63), bytes_per_image (the model apart),
    psnr (dB, no fewer) and accuracy_loss (points that a judge may lose) says what is asked for; `Asked` has the ranges.
    model: what codes the images; without one, what pays most is learned within the budget: seconds, or "90s", "2m",
    "1h", "500steps" (of each network: the same model on every run) or 0, or taken of what engram brings. judge: the
    classifier that accuracy is asked of. bits: of each code unit, with a model. model_apart: the model stays out of the
    archive, which names it by its SHA-256, and goes to OUT.model. engine: what encodes, for DATA
    that all of its processes can open by name; shard_images: above so many images it writes a shard set.
    reading: how DATA is read, where there is a choice: labels of a folder, frames, what is broken, keys of a .npz.
    Raises UsageError, OutputExists, and what reading DATA and writing raise; then nothing lies under the name.
    """
    asked = Asked(lossless, max_error, bytes_per_image, psnr, accuracy_loss, bits)
    allowed, stages = budget_of(budget), _Stages(progress)
    options = {"block_size": checked_block_size(block_size), "force": force, "resume": resume}
    if shard_images is not None and engine is None:
        raise UsageError("an engine writes shard sets; `engram.shard` cuts an archive that is packed here")
    if isinstance(data, str | Path) and not is_url(data) and Path(data).exists() and is_same(data, out):
        raise UsageError(f"{out} would be replaced by what is read from it; pack it to another name")
    if model is not None:
        check_there(model)
    with place_of(out, force, model_apart, learns=model is None) as place:
        keeps_files = asked.is_lossless and model is None
        found = source.collection(data, stages.of("Reading"), reading, keeps_files)
        groups = found.groups(keeps_files)
        tell_of_files(found, keeps_files)
        archive.check_collection(found, groups)
        if found.is_lossy and not force and (model is not None or not asked.is_lossless):
            raise UsageError(
                f"{found.name} has lost something already, and would lose more than is asked for: pack what it was "
                "made from, or --lossless; --force packs it all the same"
            )
        job = _Job(found, groups, place, asked, judge, model, allowed, model_apart, options, stages)
        if engine is not None:
            from engram.archive.engines import pack_by

            if not isinstance(data, str | Path):
                raise UsageError("an engine's processes open DATA by name: give a path, not images")
            if not job.is_uniform:
                raise UsageError(f"--engine ray is for pictures of one size: {found.name} has many sizes or kinds")
            write = partial(pack_by, engine, str(data), reading or Reading(), shard_images=shard_images)
            return job.run(lambda coders, **given: write(found, coders[0], place, **given))
        return job.run(lambda coders, **given: archive.pack_collection(found, groups, coders, place, **given))


class _Stages:
    """Makes of one callback those of its stages."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress

    def of(self, what: str) -> Callable[[int, int], None] | None:
        return self._progress and partial(self._progress, what)


@dataclass(frozen=True, eq=False)
class _Job:
    """One pack, from what is known before anything is learned."""

    collection: Collection
    groups: list[Group]
    place: Path
    asked: Asked
    judge: str | Path | None
    model: Any
    budget: Budget
    model_apart: bool
    options: dict[str, Any]
    stages: _Stages

    def __post_init__(self) -> None:
        """Raises UsageError for what is for pictures of one size, or of 8 bits."""
        if self.asked.bytes_per_image is not None and any(group.kind.bits == 16 for group in self.groups):
            raise UsageError("pictures of 16 bits are packed without loss or to a largest error; leave out --bytes")
        for name, given in (
            ("--accuracy-loss", self.asked.accuracy_loss is not None),
            ("--judge", self.judge is not None),
            ("--model-apart", self.model_apart),
        ):
            if given and not self.is_uniform:
                raise UsageError(f"{name} is for pictures of one size: {self.collection.name} has many sizes or kinds")

    @property
    def is_uniform(self) -> bool:
        """Whether each picture is one cell of the only group, in one layer."""
        return (
            len(self.groups) == 1
            and len(self.groups[0].kind.layers) == 1
            and self.groups[0].is_whole(self.collection.sizes)
        )

    def run(self, write: Callable[..., Packed]) -> Report:
        """Chooses, writes and checks, again and finer where a quality that was asked for is missed."""
        judged = self._judging() if self.asked.accuracy_loss is not None or self.judge is not None else None
        chosen, model_apart = self._resumed(judged) or (self._chosen(judged), self.model_apart)
        options, quality = self.options, dict[str, Any]()
        for attempt in range(ATTEMPTS):
            coders, started = [each.coder for each in chosen], time.perf_counter()
            model_path = self.place.with_name(self.place.name + ".model")
            packed = write(
                coders,
                embed_model=not model_apart,
                model_path=model_path if model_apart else None,
                progress=self.stages.of("Packing"),
                **options,
            )
            seconds = time.perf_counter() - started
            quality = self._reached(coders)
            finer = _finer(self.asked, quality, attempt)
            if finer is None or self.model is not None:
                break
            chosen = self._again(finer, coders)
            options = options | {"force": True, "resume": False}
        if judged is not None:
            quality |= reached.accuracy(coders[0].codecs[0], judged[0])
        if any(group.of_files for group in self.groups):
            with archive.open(self.place) as opened:
                as_files.tell_of_not_rebuilt(opened, self.collection)
        many = not self.is_uniform
        why = tuple(
            f"{_of(group)}: {each.why}" if many else each.why for group, each in zip(self.groups, chosen, strict=True)
        )
        laid = len(self.groups) != 1 or not self.groups[0].is_whole(self.collection.sizes)
        cells = [(g, coder) for g, coder in zip(self.groups, coders, strict=True) if not g.of_files]
        padding = of_groups.padding(self.collection, *zip(*cells, strict=True)) if laid and cells else {}
        return Report(packed.info, why, quality, padding, packed.images_resumed, seconds)

    def _judging(self) -> tuple[Judging, Sample]:
        """The judge, and the sample without the images that it judges."""
        from engram.codecs.candidate import hold_back
        from engram.packing.judging import MOST_JUDGED, SHARE_OF_JUDGE, check_labels, judging
        from engram.packing.learners import Sample

        known, images = self.collection.known, len(self.collection)
        check_labels(self.collection.name, known)
        sample = self.collection.cells(self.groups[0]).sample(SAMPLE, self.stages.of("Sampling"))
        rows = np.arange(0, images, max(1, -(-images // SAMPLE)))
        rest, measured = hold_back(known[rows].with_images(sample.images), most=MOST_JUDGED)
        found = judging(
            self.judge, rest, measured, self.budget.part(SHARE_OF_JUDGE), self.stages.of("Learning to judge")
        )
        return found, Sample(rest, measured, images)

    def _keep_files(self, numbers: Iterable[int]) -> None:
        """Makes groups of files of some groups."""
        for number in numbers:
            if number < len(self.groups) and not self.groups[number].of_files:
                self.groups[number] = self.groups[number].as_files()

    def _chosen(self, judged: tuple[Judging, Sample] | None) -> list[Chosen]:
        """What codes each group, of which some become groups of files."""
        files = [group for group in self.groups if group.of_files]
        others = [group for group in self.groups if not group.of_files]
        of_files = iter(as_files.choose(self.collection, files))
        of_others = iter(self._of_cells(others, judged) if others else [])
        chosen = [next(of_files if group.of_files else of_others) for group in self.groups]
        if self.asked.is_lossless and self.model is None:
            smaller = as_files.smaller(self.collection, self.groups, chosen)
            self._keep_files(smaller)
            chosen = [smaller.get(number, each) for number, each in enumerate(chosen)]
        return chosen

    def _of_cells(self, groups: list[Group], judged: tuple[Judging, Sample] | None) -> list[Chosen]:
        """What codes groups of cells."""
        if judged is None:
            return self._chooser(groups, self.asked, self.model, self.budget).all()
        from engram.packing.given import with_model
        from engram.packing.judging import SHARE_OF_JUDGE

        judge, sample = judged
        if self.model is not None:
            whole = ImageSet(np.concatenate([sample.rest.images, sample.measured.images]))
            codec = with_model(whole, self.model, self.asked, sample.images, judge)
            return [Chosen(Coder.of(codec), "its model was given")]
        budget = self.budget.part(1 - SHARE_OF_JUDGE if judge.learned else 1)
        found = choose(self.asked.goal(sample.images, judge), sample, budget, self.stages.of("Learning"))
        return [Chosen(Coder.of(found.codec), found.why, found.bytes_in_all)]

    def _chooser(
        self, groups: list[Group], asked: Asked, model: Any, budget: Budget, learned: list[Pixel] | None = None
    ) -> Chooser:
        told = self.stages.of("Learning"), self.stages.of("Sampling") if learned is None else None
        return Chooser(self.collection, groups, asked, model, budget, *told, learned or [])

    def _again(self, finer: Asked, coders: list[Coder]) -> list[Chosen]:
        """What codes each group for more quality, of what is there already."""
        learned = [codec for coder in coders for codec in coder.codecs if isinstance(codec, Pixel)]
        others = [codec for coder in coders for codec in coder.codecs if not isinstance(codec, Pixel)]
        if self.is_uniform and others:
            from engram.codecs.candidate import divide
            from engram.packing.learners import Sample

            images = len(self.collection)
            sample = self.collection.cells(self.groups[0]).sample(SAMPLE)
            found = choose(finer.goal(images), Sample(*divide(sample, images), images), Budget(0), present=others)
            return [Chosen(Coder.of(found.codec), found.why, found.bytes_in_all)]
        return self._chooser(self.groups, finer, None, Budget(0), learned).all()

    def _resumed(self, judged: tuple[Judging, Sample] | None) -> tuple[list[Chosen], bool] | None:
        """What an interrupted pack was begun with. Raises ResumeMismatch where that is not what is asked for."""
        from engram.archive.interrupted import interrupted

        if not self.options["resume"] or self.model is not None:
            return None
        begun = interrupted(self.place)
        if begun is None:
            return None
        coders, embedded = begun
        self._keep_files([number for number, coder in enumerate(coders) if coder.files])
        shapes = [(group.kind, group.size) for group in self.groups]
        goal = self.asked.goal(len(self.collection), judged[0] if judged else None)
        kept = [(coder.kind, coder.size) for coder in coders] == shapes
        if kept and isinstance(goal, LargestError):
            kept = all(coder.max_error is not None and coder.max_error <= goal.max_error for coder in coders)
        elif kept and self.is_uniform and len(self.collection):
            kept = goal.is_met(self._measured(coders[0], judged))
        if not kept:
            raise ResumeMismatch(f"{self.place} was begun for something else; ask for the same, or pack afresh")
        return [Chosen(coder, "it was chosen when the pack began") for coder in coders], not embedded

    def _measured(self, coder: Coder, judged: tuple[Judging, Sample] | None) -> Candidate:
        from engram.codecs.candidate import divide
        from engram.packing.learners import Sample

        images = len(self.collection)
        if judged is not None:
            return judged[1].candidate(coder.codecs[0])
        sample = self.collection.cells(self.groups[0]).sample(SAMPLE)
        return Sample(*divide(sample, images), images).candidate(coder.codecs[0])

    def _reached(self, coders: list[Coder]) -> dict[str, Any]:
        left_out = next((codec.model for coder in coders for codec in coder.codecs if codec.model), None)
        with archive.open(self.place, left_out) as opened:
            pairs = reached.pairs(self.collection, self.groups, opened, coders)
            told = _told(pairs, self.stages.of("Checking"), len(self.collection))
            return reached.quality(told, coders, len(self.collection))


def _of(group: Group) -> str:
    """What a report calls a group."""
    height, width = group.size
    many = counted(len(group.rows), "image")
    if group.of_files:
        return f"{many}, {group.kind.name} files"
    if group.cells > len(group.rows):
        return f"{many} in {counted(group.cells, 'tile')} of {height} x {width}"
    return f"{many}, {group.kind.name} {height} x {width}"


def _finer(asked: Asked, quality: dict[str, Any], attempt: int) -> Asked | None:
    """What to ask for so that all images keep what is asked; None where they do, or it was tried often enough."""
    if asked.psnr_db is None or quality["psnr_db"] is None or attempt == ATTEMPTS - 1:
        return None
    missing = asked.psnr_db - quality["psnr_db"]
    return Asked(psnr_db=asked.psnr_db + (attempt + 1) * missing + MORE_DB) if missing > 0 else None


def _told(pairs: reached.Pairs, progress: Callable[[int, int], None] | None, images: int) -> reached.Pairs:
    """The same, told of as they pass."""
    done = 0
    for before, after in pairs:
        yield before, after
        done += len(before)
        if progress:
            progress(done, images)
