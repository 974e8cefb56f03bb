"""An archive, or a shard set, packed by an engine: whatever runs the work on ranges, the bytes are the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from importlib.metadata import version
from itertools import chain, islice
from pathlib import Path

import numpy as np

from engram.archive import layout, sharding
from engram.archive.errors import ResumeMismatch
from engram.archive.interrupted import BEGUN, parts_of
from engram.archive.opening import info
from engram.archive.ranges import Plan, RangeEncoder
from engram.archive.writer import DEFAULT_BLOCK_SIZE, Packed, Writer
from engram.codecs.contract import Codec
from engram.datasets import source
from engram.datasets.progress import Progress
from engram.datasets.stream import Stream
from engram.files import OutputExists, replacing_file

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
    streams: Sequence[Stream],
    codec: Codec,
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
    """Writes the archive that `pack` would write of `streams`, which every process of the engine opens by DATA's name.

    What is done lies in a folder beside it, PATH.parts, which all processes see and which goes when the archive is
    complete. resume: encode what is missing there; what is there is compared with its images. shard_images: above so
    many images a shard set becomes of it, the one that `shard` would cut.
    Raises what `pack`, `sharding.shard`, `RangeEncoder` and the engine raise.
    """
    path, data = Path(path), source.absolute(data)
    images, model = sum(map(len, streams)), codec.model
    as_set = shard_images is not None and images > shard_images
    header = layout.Header.of(codec.id, codec.config(), model, block_size, embed_model)
    writer = Writer(  # from here on nobody else packs to this name
        path,
        codec,
        block_size=block_size,
        embed_model=embed_model,
        model_path=None if as_set else model_path,
        force=force,
        resume=resume and not as_set,
    )
    try:
        for stream in streams:
            writer.describe(stream.known)
        plan = Plan(data, images, replace(header, model_embedded=False), parts_of(path).absolute(), version("engram"))
        _begin(plan.folder, layout.emit_header(header) + (model if embed_model else b""), resume)
        try:
            ranges = plan.ranges()
            resumed = sum(len(rows) for rows in ranges if plan.path(rows).exists())
            done = 0
            with closing(engine(RangeEncoder(plan, codec), ranges)) as finished:
                for rows in finished:
                    done += len(rows)
                    if progress:
                        progress(done, images)
            if as_set:
                assert shard_images is not None
                _write_set(path, plan, model, streams, shard_images, force)
            else:
                for rows in ranges:
                    coded = plan.read(rows)
                    writer.append_blocks(coded.blocks, coded.checksums, len(rows))
                writer.finish()
        except BaseException:
            _end(plan.folder, keep=True)
            raise
        _end(plan.folder, keep=False)
    finally:
        writer.abandon()
    return Packed(info(path), resumed)


def _write_set(path: Path, plan: Plan, model: bytes, streams: Sequence[Stream], shard_images: int, force: bool) -> None:
    """The shard set of all parts."""
    blocks = (block for rows in plan.ranges() for block in plan.read(rows).blocks)
    known = [stream.known for stream in streams]
    labels = [each.labels for each in known if each.labels is not None]
    all_labels = np.concatenate(labels) if labels else None
    names: Iterator[str] | None = None
    if known[0].names is not None:
        names = chain.from_iterable(each.names or () for each in known)
    step = sharding.blocks_of(shard_images, plan.header)
    with sharding.replacing_set(path, force) as folder:
        written = sharding.SetWriter(folder, plan.header, model)
        for start in range(0, plan.images, step * plan.header.block_size):
            stop = min(start + step * plan.header.block_size, plan.images)
            some = None if all_labels is None else all_labels[start:stop]
            written.add(islice(blocks, step), stop - start, known[0].class_names, some, names)
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
