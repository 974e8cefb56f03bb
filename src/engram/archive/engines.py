"""An archive, or a shard set, packed by an engine: whatever runs the work on ranges, the bytes are the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path

from engram.archive import sharding
from engram.archive.errors import ResumeMismatch
from engram.archive.interrupted import BEGUN, begun_bytes, parts_of
from engram.archive.layers import Coder
from engram.archive.packing import Packed
from engram.archive.ranges import Plan, RangeEncoder
from engram.archive.writer import DEFAULT_BLOCK_SIZE, Writer
from engram.archive.writer import Plan as CodingPlan
from engram.codecs.contract import Codec
from engram.datasets import source
from engram.datasets.collection import Collection
from engram.datasets.progress import Progress
from engram.datasets.source import Reading
from engram.files import OutputExists, replacing_file
from engram.version import __version__

Engine = Callable[[RangeEncoder, Sequence[range]], Generator[range, None, None]]
"""Runs the work on every range, in any order and anywhere, and gives each range that is done."""
_OURS = re.compile(rf"{BEGUN}|\d{{12,}}-\d{{12,}}|\..*\.part")


def in_process(work: RangeEncoder, ranges: Sequence[range]) -> Generator[range, None, None]:
    """The engine that needs nothing: one range after another, here."""
    for rows in ranges:
        work(rows)
        yield rows


def pack_by(
    engine: Engine,
    data: str,
    reading: Reading,
    collection: Collection,
    codec: Codec | Coder,
    path: Path | str,
    *,
    block_size: int = DEFAULT_BLOCK_SIZE,
    embed_model: bool = True,
    model_path: Path | None = None,
    shard_images: int | None = None,
    force: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
) -> Packed:
    """Writes the archive that `pack` would write of a collection of one size.

    Every process of the engine opens it by DATA's name.

    What is done lies in a folder beside it, PATH.parts, which all processes see and which goes when the archive is
    complete. resume: encode what is missing there; what is there is compared with its images. shard_images: above so
    many images a shard set becomes of it, the one that `shard` would cut.
    Raises what `pack`, `sharding.shard`, `RangeEncoder` and the engine raise.
    """
    path, data = Path(path), source.absolute(data)
    images = len(collection)
    as_set = shard_images is not None and images > shard_images
    writer = Writer(  # from here on nobody else packs to this name
        path,
        [codec],
        block_size=block_size,
        embed_model=embed_model,
        model_path=None if as_set else model_path,
        force=force,
        resume=resume and not as_set,
    )
    try:
        writer.describe(collection.table, images)
        for name, content in collection.files.items():
            writer.keep_file(name, content)
        coder = writer.plan.coders[0]
        without = CodingPlan([codec], block_size, embed_model=False)
        plan = Plan(
            data,
            reading,
            images,
            without.as_json(),
            coder.shape,
            coder.block_size(block_size),
            parts_of(path).absolute(),
            __version__,
        )
        _begin(plan.folder, begun_bytes(writer.plan), resume)
        try:
            ranges = plan.ranges()
            resumed = sum(len(rows) for rows in ranges if plan.path(rows).exists())
            done = 0
            with closing(engine(RangeEncoder(plan, coder), ranges)) as finished:
                for rows in finished:
                    done += len(rows)
                    if progress:
                        progress(done, images)
            if as_set:
                assert shard_images is not None
                _write_set(path, plan, writer, collection, shard_images, force)
            else:
                for rows in ranges:
                    coded = plan.read(rows)
                    writer.add_blocks(0, coded.blocks, coded.checksums, len(rows))
                writer.finish()
        except BaseException:
            _end(plan.folder, keep=True)
            raise
        _end(plan.folder, keep=False)
    finally:
        writer.abandon()
    return Packed(writer.info(), resumed)


def _write_set(path: Path, plan: Plan, writer: Writer, collection: Collection, shard_images: int, force: bool) -> None:
    """The shard set of all parts."""
    blocks = (block for rows in plan.ranges() for block in plan.read(rows).blocks)
    table = collection.table
    step = sharding.blocks_of(shard_images, plan.block_size)
    models = list(dict.fromkeys(codec.model for codec in writer.plan.coders[0].codecs if codec.model))
    with sharding.replacing_set(path, force) as folder:
        written = sharding.SetWriter(folder, writer.plan.directory, models)
        for start in range(0, plan.images, step * plan.block_size):
            stop = min(start + step * plan.block_size, plan.images)
            some = {name: column[start:stop] for name, column in table.items()}
            written.add(islice(blocks, step), stop - start, some, {} if start else collection.files)
        written.finish()


def _begin(folder: Path, begun: bytes, resume: bool) -> None:
    """A folder for parts: as it is, to go on with, or empty. It remembers the header and the model.

    Raises ResumeMismatch where it was begun with others, OutputExists where something else lies in it.
    """
    place = folder / BEGUN
    if resume and place.is_file():
        if place.read_bytes() != begun:
            raise ResumeMismatch(
                f"{folder} was begun with another codec, model or block size; pack as it was begun, "
                f"or afresh without --resume"
            )
        return
    _clear(folder)
    folder.mkdir(exist_ok=True)
    with replacing_file(place) as file:
        file.write(begun)


def _end(folder: Path, keep: bool) -> None:
    """Removes the folder; with `keep` only where it holds no part."""
    if not (keep and any(re.match(r"\d", each.name) for each in folder.iterdir())):
        _clear(folder)
        with suppress(OSError):  # a task that nobody waits for any more may still write
            folder.rmdir()


def _clear(folder: Path) -> None:
    """Removes what packs left. Raises OutputExists where anything else lies there, and removes nothing then."""
    found = list(folder.iterdir()) if folder.is_dir() else []
    for each in found:
        if not _OURS.fullmatch(each.name):
            raise OutputExists(f"{folder} is needed for the parts of the archive, and holds {each.name}; move it away")
    for each in found:
        each.unlink()
