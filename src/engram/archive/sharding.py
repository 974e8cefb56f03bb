"""Archives cut into a shard set. Blocks are copied as they are: nothing is decoded, and no pixel changes."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from engram.archive import layout, manifest, metadata
from engram.archive.directory import Directory
from engram.archive.file import GivenModel
from engram.archive.manifest import Manifest, Shard
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
    with replacing_folder(out, force=force and (Path(out) / manifest.NAME).is_file()) as folder:
        written, header = list[Shard](), None
        for location in archives:
            with Archive(location, model) as archive:
                mine = replace(
                    archive.file.directory.header, model_embedded=not archive.file.directory.header.model_bytes
                )
                if header is None:
                    header = mine
                    if header.model_bytes:
                        (folder / MODEL_NAME).write_bytes(archive.file.model(model))
                if mine != header:
                    raise ShardMismatch(
                        f"{archive.path} has another codec, model, image shape or block size than {shown(archives[0])}"
                    )
                step, names = -(-images // header.block_size), archive.iterate_names()
                for first in range(0, max(1, archive.blocks), step):
                    path = folder / f"{len(written):05}.egm"
                    _write(path, archive, header, range(first, min(first + step, archive.blocks)), names)
                    with open(path) as file:
                        directory = Directory.read(file)
                    written.append(Shard(path.name, directory.footer.count, *directory.identity))
                    if progress:
                        progress(sum(each.images for each in written), 0)
        assert header is not None
        found = Manifest(header, MODEL_NAME if header.model_bytes else None, tuple(written))
        (folder / manifest.NAME).write_bytes(manifest.emit(found))
    return found


def _write(path: Path, archive: Archive, header: layout.Header, blocks: range, names: Iterator[str] | None) -> None:
    """An archive of some blocks of another, whose names come next."""
    first, stop = int(archive.block_starts[blocks.start]), int(archive.block_starts[blocks.stop])
    box = layout.emit_header(header)
    lengths, checksums = list[int](), list[int]()
    with path.open("xb") as file:
        file.write(box)
        for number in blocks:
            data = archive.file.block(number)
            file.write(data)
            lengths.append(len(data))
            checksums.append(zlib.crc32(data))
        index = layout.Index(np.array(lengths, np.int64), np.array(checksums, np.uint32))
        index_box = layout.emit_index(index)
        class_names = metadata.emit_class_names(archive.class_names) if archive.class_names else b""
        labels = b""
        if archive.labels is not None:
            labels = metadata.emit_labels(archive.labels[first:stop], len(archive.class_names))
        encoder = metadata.NameEncoder()
        if names is not None:
            encoder.add(tuple(islice(names, stop - first)))
        sections = (class_names, labels, encoder.finish() if names is not None else b"")
        of_class_names, of_labels, of_names = map(layout.Section.of, sections)
        footer = layout.Footer(
            stop - first, of_class_names, of_labels, of_names, index.width, zlib.crc32(index_box), zlib.crc32(box[:-4])
        )
        file.write(b"".join(sections) + index_box + layout.emit_footer(footer))
