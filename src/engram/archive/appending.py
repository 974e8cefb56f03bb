"""Images added to an archive without rewriting it: `engram append`.

They are encoded to a segment of their own beside it, `x.egm.more`, which is then copied to its end. Until the last byte
is on the disk readers are told by a file beside it, `x.egm.append`, how long the archive was; so they see the old state
or the new, also after a power cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from engram import storage
from engram.archive import shards, shipped
from engram.archive.about import Info
from engram.archive.archive import Archive
from engram.archive.extension import extend, growing
from engram.archive.format import Before
from engram.archive.layers import Coder
from engram.archive.models import GivenModel
from engram.archive.opening import open
from engram.archive.packing import placement, write_collection
from engram.archive.segment import read_directories
from engram.archive.writer import DEFAULT_BLOCK_SIZE, Writer
from engram.codecs.contract import Codec
from engram.codecs.picture_files import PictureFiles
from engram.codecs.pixel.codec import Pixel
from engram.codecs.pixel.generic import brought_to
from engram.codecs.raw import Raw
from engram.datasets.cells import Group
from engram.datasets.collection import Collection, OfStreams, tell_of_files
from engram.datasets.names import UnsafeName
from engram.datasets.progress import Progress
from engram.datasets.stream import InMemory, Stream
from engram.errors import EngramError, UsageError
from engram.files import replacing_file
from engram.images import ImageSet, Pixels
from engram.table import Column, converted, joined

_WEIGHED = 64
"""Cells that tell which code takes the fewest bytes for a size that the archive does not have."""
MARGIN = 0.1
"""New images that take so much more than the old have drifted away from what the model learned."""
FEWEST = 256
"""Images below which nothing is said of that: a block or two."""


class CannotAppend(UsageError):
    """Images that do not go with those of the archive, or an archive that does not grow."""


@dataclass(frozen=True)
class Appended:
    """What was added; `bytes` is by how much the file grew. A rate is bytes of blocks for each image.

    rate_before: that of the images which the same codec had packed before, None where there are none.
    """

    images: int
    bytes: int
    images_resumed: int
    new_class_names: tuple[str, ...]
    rate: float
    rate_before: float | None
    info: Info

    @property
    def drift(self) -> float | None:
        """By which share new images take more than the old; None where that cannot be said."""
        if not self.rate_before or self.images < FEWEST:
            return None
        return self.rate / self.rate_before - 1

    @property
    def bytes_to_save(self) -> int:
        """What a model learned on the new images would save on them if it did as well as this one did on the old.

        0 where the drift is within MARGIN.
        """
        if self.drift is None or self.rate_before is None or self.drift <= MARGIN:
            return 0
        return round((self.rate - self.rate_before) * self.images)


def append(
    images: ImageSet | Stream | Collection | Iterable[ImageSet | Stream],
    path: Path | str,
    codec: Codec | None = None,
    *,
    model: GivenModel = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Appended:
    """Adds pictures to the end of an archive, or of a shard set; those that are there keep their bytes and places.

    They may be of other sizes and kinds. What the archive has for a size and kind codes the new ones too; others take
    a model that it has, or one that engram brings. JPEG files stay files where all is lossless. codec: another than
    that of the newest images, of one size. model: the archive's, where it was packed without it. resume: go on with an
    append of the same images that was interrupted.
    Categories are known by their names, and new ones follow those of the archive. One process appends at a time; any
    number may read.
    Raises CannotAppend, ArchiveBusy, ArchiveChanged, CorruptArchive, DecodeOnly, PackInterrupted, UnsafeName and what
    `Writer` raises; the archive is then as it was.
    """
    if storage.is_url(path):
        raise CannotAppend(f"{storage.shown(path)}: append writes to a file of this machine, not to a URL")
    path, new = Path(path).absolute(), _collection(images)
    manifest = path / shards.MANIFEST if path.is_dir() else path
    is_set = manifest.suffix == ".json"
    with growing(manifest) as file, open(manifest, model) as archive:
        keeps = codec is None and new.as_files is not None and all(coder.lossless for coder in archive.coders)
        tell_of_files(new, keeps)
        groups, classes = new.groups(with_files=keeps) if len(new) else [], len(archive.class_names)
        coders = coders_for(archive, new, groups, codec)
        table = _table(archive, new) | placement(new, groups)
        size, resumed = _size(archive), 0
        if len(new):
            there = [model.sha256 for each in archive.sources for model in each.directory.models]
            add = _add_shard if is_set else partial(_add_segment, file)
            block_size = next((g.block_size for g in archive.sources[-1].directory.groups), DEFAULT_BLOCK_SIZE)
            resumed = add(manifest, archive, _Addition(new, groups, coders, table, block_size, there, resume, progress))
    with open(manifest, model) as grown:
        rates = _rates(grown)
        return Appended(len(new), _size(grown) - size, resumed, grown.class_names[classes:], *rates, grown.info)


@dataclass(frozen=True, eq=False)
class _Addition:
    """What is added, and how it is coded."""

    collection: Collection
    groups: Sequence[Group]
    coders: Sequence[Coder]
    table: dict[str, Column]
    block_size: int
    there: Sequence[str]
    resume: bool
    progress: Progress | None

    def writer(self, path: Path, before: Sequence[Before] = ()) -> Writer:
        return Writer(
            path,
            self.coders,
            block_size=self.block_size,
            resume=self.resume,
            before=before,
            there=self.there,
        )


def _add_segment(file: int, path: Path, archive: Archive, new: _Addition) -> int:
    """How many of the images were done already, now that they are in the file."""
    added = path.with_name(path.name + ".more")
    added.unlink(missing_ok=True)  # of one that died when all was encoded: it may be of other images
    writer = new.writer(added, [Before(each.stop, each.directory.rows, each.crc32) for each in archive.sources])
    try:
        write_collection(writer, new.collection, new.groups, new.table, new.progress)
        extend(path, file, writer, added)
    finally:
        writer.abandon()
        added.unlink(missing_ok=True)
    return writer.images_resumed


def _add_shard(manifest: Path, archive: Archive, new: _Addition) -> int:
    """The same of a shard set, which has one shard more: readers see the old manifest, or the new one."""
    found = shards.parse(manifest.read_bytes(), str(manifest))
    name = next(name for k in count(len(found.shards)) if (name := f"{k:05}.egm") not in {s.name for s in found.shards})
    place = manifest.with_name(name)
    place.unlink(missing_ok=True)  # of one that died before the manifest named it
    writer = new.writer(place)
    try:
        write_collection(writer, new.collection, new.groups, new.table, new.progress)
        writer.finish()
    finally:
        writer.abandon()
    with storage.open(place) as file:
        [(directory, stop, crc32)] = read_directories(file)
    grown = replace(found, shards=(*found.shards, shards.Shard(name, stop, crc32, directory)))
    with replacing_file(manifest) as target:
        target.write(shards.emit(grown))
    return writer.images_resumed


def _collection(images: ImageSet | Stream | Collection | Iterable[ImageSet | Stream]) -> Collection:
    if isinstance(images, Collection):
        return images
    sets = [images] if isinstance(images, ImageSet | Stream) else list(images)
    if not sets:
        raise UsageError("append takes one set of images at least")
    return OfStreams([some if isinstance(some, Stream) else InMemory(some) for some in sets])


def _size(archive: Archive) -> int:
    return sum({source.place: source.size for source in archive.sources}.values())


def coders_for(archive: Archive, new: Collection, groups: Sequence[Group], codec: Codec | None) -> list[Coder]:
    """What codes each new group. Raises CannotAppend and DecodeOnly."""
    if codec is not None:
        if len(groups) > 1 or any(group.kind.layers != (codec.image_shape[2],) for group in groups):
            raise CannotAppend(f"{new.name} has pictures of many sizes or kinds, and one codec is for one of them")
        coder = Coder.of(codec)
        for group in groups:
            coder.check(np.empty((0, *group.size, group.kind.channels), group.kind.dtype))
        return [coder for _ in groups]
    there = list(reversed(archive.coders))
    return [_coder_for(there, new, group) for group in groups]


def _coder_for(there: Sequence[Coder], new: Collection, group: Group) -> Coder:
    if group.of_files:
        like = next((coder.files for coder in there if coder.files), PictureFiles(group.kind, group.size))
        return Coder(group.kind, (like.at(group.kind, group.size),))
    for coder in (coder for coder in there if not coder.files):
        if (coder.kind, coder.size) == (group.kind, group.size):
            return Coder(coder.kind, tuple(shipped.completed(codec) for codec in coder.codecs))
    sample = new.cells(group).sample(_WEIGHED).images
    known = [codec for coder in there for codec in coder.codecs if isinstance(codec, Pixel)]
    layers = [_smallest(known, layer, group.cells) for layer in group.kind.split(sample)]
    return Coder(group.kind, tuple(layers))


def _smallest(known: Sequence[Pixel], layer: Pixels, cells: int) -> Codec:
    """The codec that takes the fewest bytes of those that need no learning, for so many cells like these of a layer.

    A model counts, unless it is there already.
    """
    shape = (layer.shape[1], layer.shape[2], layer.shape[3])
    error = min((codec.max_error for codec in known), default=0)
    generic = [shipped.load(name) for name in shipped.names() if name.startswith(shipped.GENERIC)]
    found: list[Codec] = [Raw(shape)]
    for codec in (*known, *generic):
        if isinstance(codec, Pixel) and codec.image_shape[2] == shape[2]:
            with suppress(EngramError):
                found.append(brought_to(codec, shape, error))
    there = {codec.model for codec in known}

    def size(codec: Codec) -> float:
        model = 0 if codec.model in there else len(codec.model)
        return len(codec.encode(layer)) * cells / len(layer) + model

    return min(found, key=size)


def _table(archive: Archive, new: Collection) -> dict[str, Column]:
    """The new columns with the categories of all. Raises CannotAppend and UnsafeName."""
    names, table = archive.column_names, dict(new.table)
    if len(archive):
        for name in (*names, *table):
            if (name in names) != (name in table):
                haves = (new.name, archive.path) if name in names else (archive.path, new.name)
                raise CannotAppend(
                    f"{haves[0]} has no column {name!r}, and {haves[1]} has; all pictures have it, or none"
                )
    for name in set(names) & set(table):
        there, column = archive.column(name, np.empty(0, np.int64)), table[name]
        column = converted(column, there.type)
        if column.type != there.type and len(column) and (column.present is None or column.present.any()):
            raise CannotAppend(f"column {name!r} is {there.type} there and {column.type} here; make it one type")
        table[name] = joined([there, column])
    if "path" in table:
        added = set(table["path"].values)
        for path in archive.iterate_paths() or ():
            if path in added:
                raise UnsafeName(f"{archive.path} has an image called {path!r} already; give it another name")
    return {name: table[name] for name in (*names, *table) if name in table}


def _rates(archive: Archive) -> tuple[float, float | None]:
    """Bytes of blocks for each image: of the newest segment, and of those before it with its codec."""
    found = [
        (source.directory.rows, archive.segment(number).bytes_by_part["blocks"], _makes(archive, number))
        for number, source in enumerate(archive.sources)
    ]
    *before, last = found
    alike = [each for each in before if each[2] == last[2]]
    return _rate([last]) or 0.0, _rate(alike)


def _rate(segments: Sequence[tuple[int, int, Any]]) -> float | None:
    images = sum(images for images, _, _ in segments)
    return sum(size for _, size, _ in segments) / images if images else None


def _makes(archive: Archive, number: int) -> Any:
    """What tells the codecs of segments apart."""
    directory = archive.sources[number].directory
    models = [model.sha256 for model in directory.models]
    return [(c.id, c.config, None if c.model is None else models[c.model]) for c in directory.codings]
