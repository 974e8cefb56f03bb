"""Archives cut into a shard set. Blocks are copied as they are: nothing is decoded, and no pixel changes."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from engram.archive import frame, shards
from engram.archive.archive import Archive
from engram.archive.copying import write_segment
from engram.archive.errors import CorruptArchive
from engram.archive.format import Directory
from engram.archive.joining import tables_of
from engram.archive.models import GivenModel, find_model
from engram.archive.opening import open as open_archive
from engram.archive.shards import Manifest, Shard
from engram.datasets.progress import Progress
from engram.errors import UsageError
from engram.files import replacing_folder
from engram.storage import Location, shown
from engram.table import Column

DEFAULT_IMAGES = 1 << 20
MODEL_NAME = "model"


class ShardMismatch(CorruptArchive):
    """An archive that does not go with the other shards."""


def shard(
    archives: Sequence[Location],
    out: Path | str,
    *,
    images: int = DEFAULT_IMAGES,
    model: GivenModel = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Manifest:
    """Writes a folder of shards, of up to `images` images each, rounded up to whole blocks; and its manifest.

    Each archive is cut on its own, in the order given; all have one codec, model, image shape and block size, and the
    model lies in the folder once. force: replace a shard set that is there. Nothing is left under the name when
    anything fails.
    Raises ShardMismatch, CorruptArchive, ModelMissing, OutputExists, CannotWrite, UsageError.
    """
    if not archives:
        raise UsageError("a shard set is made of at least one archive")
    if images < 1:
        raise UsageError(f"a shard has at least 1 image, not {images}")
    with ExitStack() as stack, replacing_set(out, force) as folder:
        opened = [stack.enter_context(open_archive(location, model)) for location in archives]
        for archive in opened:
            if not archive.is_plain:
                raise UsageError(
                    f"{archive.path} has pictures of many sizes, or lost some by `rm`; a shard set is of one size: "
                    "pack it anew"
                )
        written = SetWriter(folder, opened[0].sources[0].directory, _models_of(opened[0], 0))
        for archive, table in zip(opened, tables_of(opened, []), strict=True):
            for number, source in enumerate(archive.sources):
                written.check(source.directory, archive.path, archives[0])
                _cut(archive, number, table, written, images, progress)
        return written.finish()


def _models_of(archive: Archive, number: int) -> list[bytes]:
    return [find_model(archive, number, model, *archive.given) for model in archive.sources[number].directory.models]


def _cut(
    archive: Archive,
    number: int,
    table: Mapping[str, Column],
    written: SetWriter,
    images: int,
    progress: Progress | None,
) -> None:
    """The shards of a segment."""
    source = archive.sources[number]
    first_row, first_block = archive.first_of(number)
    size = source.directory.groups[0].block_size
    step = blocks_of(images, size)
    for start in range(0, max(1, source.directory.blocks), step):
        stop = min(start + step, source.directory.blocks)
        rows = np.arange(start * size, min(stop * size, source.directory.rows)) + first_row
        some = {name: column[rows] for name, column in table.items()}
        blocks = (archive.read_blocks([first_block + block])[0] for block in range(start, stop))
        names = () if start else source.directory.files
        written.add(blocks, len(rows), some, {name: archive.segment(number).kept_file(name) for name in names})
        if progress:
            progress(written.images, 0)


def blocks_of(images: int, block_size: int) -> int:
    """How many blocks a shard has that is to have so many images."""
    return -(-images // block_size)


@contextmanager
def replacing_set(out: Path | str, force: bool) -> Iterator[Path]:
    """A folder to fill with a shard set, which becomes `out` when all goes well; `force` replaces nothing but a set."""
    with replacing_folder(out, force=force and (Path(out) / shards.MANIFEST).is_file()) as folder:
        yield folder


class SetWriter:
    """A shard set under way: the model, then shard after shard, then the manifest."""

    def __init__(self, folder: Path, directory: Directory, models: Sequence[bytes]) -> None:
        """directory: that of an archive like those that are written. Several models go into the first shard."""
        self.images = 0
        self._kind = _kind_of(directory)
        self._folder, self._shards, self._models = folder, list[Shard](), models
        if len(models) == 1:
            (folder / MODEL_NAME).write_bytes(models[0])

    def check(self, directory: Directory, path: Location, first: Location) -> None:
        """Raises ShardMismatch for an archive that is coded otherwise."""
        if _kind_of(directory) != self._kind:
            raise ShardMismatch(f"{path} has another codec, model, image shape or block size than {shown(first)}")

    def add(
        self, blocks: Iterable[bytes], images: int, table: Mapping[str, Column], files: Mapping[str, bytes]
    ) -> None:
        """Writes the next shard: its blocks, what is known of its images, and files that are kept beside them."""
        path = self._folder / f"{len(self._shards):05}.egm"
        embedded = len(self._models) > 1 and not self._shards
        like = replace(self._kind, models=tuple(replace(each, embedded=embedded) for each in self._kind.models))
        with path.open("xb") as file:
            file.write(frame.emit_prelude())
            models = self._models if embedded else ()
            deflated = {name: zlib.compress(data, 9) for name, data in files.items()}
            directory, crc32 = write_segment(file, like, models, blocks, [images], table, images, deflated)
            size = file.tell()
        self._shards.append(Shard(path.name, size, crc32, directory))
        self.images += images

    def finish(self) -> Manifest:
        """Writes the manifest."""
        found = Manifest(MODEL_NAME if len(self._models) == 1 else None, tuple(self._shards))
        (self._folder / shards.MANIFEST).write_bytes(shards.emit(found))
        return found


def _kind_of(directory: Directory) -> Directory:
    """What shards of a set have in common: models that are left out, codecs, and groups without their cells."""
    return Directory(
        rows=0,
        models=tuple(replace(model, embedded=False) for model in directory.models),
        codings=directory.codings,
        groups=tuple(replace(group, cells=0) for group in directory.groups),
        columns=(),
        files=(),
        before=(),
        width=1,
        index_crc32=0,
    )
