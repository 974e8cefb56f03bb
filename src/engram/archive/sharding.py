"""Archives cut into a shard set. Blocks are copied as they are: nothing is decoded, and no pixel changes."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from engram.archive import layout, manifest, metadata
from engram.archive.directory import Directory
from engram.archive.file import GivenModel
from engram.archive.grown import Grown
from engram.archive.manifest import Manifest, Shard
from engram.archive.opening import open as open_archive
from engram.archive.reader import Archive
from engram.archive.shards import ShardMismatch
from engram.datasets.progress import Progress
from engram.errors import UsageError
from engram.files import replacing_folder
from engram.storage import Location, open, shown

DEFAULT_IMAGES = 1 << 20
MODEL_NAME = "model"


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
    with replacing_set(out, force) as folder:
        written: SetWriter | None = None
        for location in archives:
            for archive in _archives(location, model):
                header = archive.file.directory.header
                if written is None:
                    written = SetWriter(folder, header, archive.file.model(model) if header.model_bytes else b"")
                if replace(header, model_embedded=written.header.model_embedded) != written.header:
                    raise ShardMismatch(
                        f"{archive.path} has another codec, model, image shape or block size than {shown(archives[0])}"
                    )
                step, names = blocks_of(images, header), archive.iterate_names()
                for start in range(0, max(1, archive.blocks), step):
                    stop = min(start + step, archive.blocks)
                    first, end = int(archive.block_starts[start]), int(archive.block_starts[stop])
                    labels = None if archive.labels is None else archive.labels[first:end]
                    blocks = map(archive.file.block, range(start, stop))
                    written.add(blocks, end - first, archive.class_names, labels, names)
                    if progress:
                        progress(written.images, 0)
        assert written is not None
        return written.finish()


def _archives(location: Location, model: GivenModel) -> Iterator[Archive]:
    """The archives of a file, open one after another."""
    with open_archive(location, model) as found:
        if isinstance(found, Grown):
            yield from map(found.archive, range(found.archives))
        elif isinstance(found, Archive):
            yield found
        else:
            raise UsageError(f"{found.path} is no archive; a shard set is cut from archives of images of one size")


def blocks_of(images: int, header: layout.Header) -> int:
    """How many blocks a shard has that is to have so many images."""
    return -(-images // header.block_size)


@contextmanager
def replacing_set(out: Path | str, force: bool) -> Iterator[Path]:
    """A folder to fill with a shard set, which becomes `out` when all goes well; `force` replaces nothing but a set."""
    with replacing_folder(out, force=force and (Path(out) / manifest.NAME).is_file()) as folder:
        yield folder


class SetWriter:
    """A shard set under way: the model, then shard after shard, then the manifest."""

    def __init__(self, folder: Path, header: layout.Header, model: bytes) -> None:
        self.header = replace(header, model_embedded=not header.model_bytes)
        self.images = 0
        self._folder, self._shards = folder, list[Shard]()
        if header.model_bytes:
            (folder / MODEL_NAME).write_bytes(model)

    def add(
        self,
        blocks: Iterable[bytes],
        images: int,
        class_names: Sequence[str],
        labels: metadata.Labels | None,
        names: Iterator[str] | None,
    ) -> None:
        """Writes the next shard: its blocks, and what is known of its images, whose names come next."""
        path = self._folder / f"{len(self._shards):05}.egm"
        box = layout.emit_header(self.header)
        lengths, checksums = list[int](), list[int]()
        with path.open("xb") as file:
            file.write(box)
            for data in blocks:
                file.write(data)
                lengths.append(len(data))
                checksums.append(zlib.crc32(data))
            encoder = metadata.NameEncoder()
            if names is not None:
                encoder.add(tuple(islice(names, images)))
            sections = (
                metadata.emit_class_names(class_names) if class_names else b"",
                b"" if labels is None else metadata.emit_labels(labels, len(class_names)),
                b"" if names is None else encoder.finish(),
            )
            index = layout.Index(np.array(lengths, np.int64), np.array(checksums, np.uint32))
            file.write(layout.emit_tail(box, images, sections, index))
        with open(path) as written:
            identity = Directory.read(written).identity
        self._shards.append(Shard(path.name, images, *identity))
        self.images += images

    def finish(self) -> Manifest:
        """Writes the manifest."""
        found = Manifest(self.header, MODEL_NAME if self.header.model_bytes else None, tuple(self._shards))
        (self._folder / manifest.NAME).write_bytes(manifest.emit(found))
        return found
