"""`repack`: an archive into another code, dial, budget or block size, or the same again without what was taken out."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engram import archive, storage
from engram.archive.compacting import Compacted, compact, kept_files
from engram.archive.extension import growing
from engram.archive.source import collection
from engram.errors import UsageError
from engram.packing.asked import checked_block_size
from engram.packing.place import place_of
from engram.packing.report import Report
from engram.packing.to_archive import Progress, pack
from engram.training.budget import Budget
from engram.words import counted

if TYPE_CHECKING:
    from engram.codecs.contract import Codec
    from engram.models import Model


@dataclass(frozen=True)
class Repacked:
    """What was written. bytes_before: of the archive as it was. seconds: of all.

    report: what `pack` says, where pictures were decoded and coded anew; else None, and `compacted` says how many
    blocks were copied as they are and how many coded again.
    """

    info: archive.Info
    bytes_before: int
    seconds: float
    report: Report | None = None
    compacted: Compacted | None = None

    @property
    def images_resumed(self) -> int:
        """How many an interrupted repack had done already."""
        done = self.report or self.compacted
        return min(self.info.images, done.images_resumed) if done else 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        found: dict[str, Any] = {"bytes_before": self.bytes_before, "images_resumed": self.images_resumed}
        if self.compacted:
            found |= {"blocks_copied": self.compacted.blocks_copied, "blocks_coded": self.compacted.blocks_coded}
        return found | (self.report.as_dict() if self.report else {})

    def in_words(self) -> str:
        """How it was done."""
        if self.report:
            return self.report.in_words()
        assert self.compacted is not None
        return f"{counted(self.compacted.blocks_copied, 'block')} copied, {self.compacted.blocks_coded:,} coded again"


def repack(
    path: Path | str,
    out: Path | str | None = None,
    *,
    model: str | Path | Model | Codec | None = None,
    lossless: bool = False,
    max_error: int | None = None,
    bytes_per_image: float | None = None,
    psnr: float | None = None,
    accuracy_loss: float | None = None,
    judge: str | Path | None = None,
    bits: float | None = None,
    budget: str | float | Budget | None = None,
    block_size: int | None = None,
    model_apart: bool = False,
    force: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
) -> Repacked:
    """Writes an archive, or a shard set, anew to `out`; without `out` it takes the archive's place when it is whole.

    All pictures come along with their paths, columns, sizes and kinds, and the files beside them. Without a model, a
    dial and a budget the codes stay what they are: what `rm` took out is dropped, segments become one, and blocks are
    copied; those with a gap, or of another block_size, are coded again, so the archive has to be lossless. With any of
    these it is `pack` of the archive, and the options are those of `pack`.
    force: replace `out`; let an archive that has lost something lose more. resume: go on with a repack that was
    interrupted. Who has the archive open reads on in it as it was.
    Raises UsageError, HasLoss, OutputExists, ArchiveBusy, CorruptArchive, ModelMissing, and what `pack` raises.
    """
    asked: dict[str, Any] = {
        "model": model,
        "lossless": lossless or None,
        "max_error": max_error,
        "bytes_per_image": bytes_per_image,
        "psnr": psnr,
        "accuracy_loss": accuracy_loss,
        "judge": judge,
        "bits": bits,
        "budget": budget,
        "model_apart": model_apart or None,
    }
    asked = {name: value for name, value in asked.items() if value is not None}
    if block_size is not None:
        block_size = checked_block_size(block_size)
    in_place = out is None or _is_same(path, out)
    if in_place:
        _check_replaceable(path, model_apart)
    started = time.perf_counter()
    with ExitStack() as stack:
        if in_place:
            stack.enter_context(growing(Path(path)))
        with _opened(path) as found:
            before, embedded = found.info.archive_bytes, found.info.model_embedded
            if not asked:
                place = stack.enter_context(place_of(path if out is None else out, force or in_place, False, False))
                told = (lambda done, total: progress("Packing", done, total)) if progress else None
                done = compact(
                    found,
                    place,
                    block_size=block_size,
                    embed_model=embedded or not in_place,
                    force=force or in_place,
                    resume=resume,
                    progress=told,
                )
                return Repacked(done.info, before, time.perf_counter() - started, compacted=done)
            files = kept_files(found)
        data = collection(path)
        data.files = files
        if block_size is not None:
            asked["block_size"] = block_size
        asked |= {"force": force, "resume": resume, "progress": progress}
        if not in_place:
            assert out is not None
            report = pack(data, out, **asked)
        else:
            with _replaced(Path(path)) as place:
                report = pack(data, place, **asked)
    return Repacked(report.info, before, time.perf_counter() - started, report)


def _is_same(path: Path | str, out: Path | str) -> bool:
    """Whether both are one file."""
    if storage.is_url(path) or storage.is_url(out):
        return str(path) == str(out)
    return Path(out).exists() and Path(path).exists() and Path(path).samefile(out)


def _check_replaceable(path: Path | str, model_apart: bool) -> None:
    """Raises UsageError for what is not replaced by what is made of it."""
    shown = storage.shown(path)
    if storage.is_url(path):
        raise UsageError(f"{shown} is at a URL, where nothing is replaced; name another archive: -o NEW")
    if Path(path).is_dir() or Path(path).suffix == ".json":
        raise UsageError(f"{shown} is a shard set, and what is written is one file; name it: -o NEW")
    if model_apart:
        raise UsageError(f"{shown} would be replaced, and its model lie beside it later; name another archive: -o NEW")


@contextmanager
def _opened(path: Path | str) -> Iterator[archive.Archive]:
    """The archive, with the model that lies beside it where it was packed without."""
    beside = None if storage.is_url(path) else Path(path).with_name(Path(path).name + ".model")
    with archive.open(path, beside if beside is not None and beside.is_file() else None) as found:
        yield found


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    """A name beside an archive that takes its place when the block ends well: until then the archive is read."""
    place = path.with_name(path.name + ".repacked")
    place.unlink(missing_ok=True)  # of a repack that was stopped when all was written but not checked yet
    try:
        yield place
    except BaseException:
        place.unlink(missing_ok=True)
        raise
    os.replace(place, path)
