"""Images added to an archive without rewriting it: `engram append`.

They are encoded to an archive of their own beside it, `x.egm.more`, which is then copied to its end, with a directory
after it that names both. Until the last byte is on the disk readers are told by a file beside it, `x.egm.append`, how
long the archive was; so they see the old state or the new, also after a power cut.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engram import storage
from engram.archive import bundle, shipped
from engram.archive.breakdown import Breakdown
from engram.archive.bundle import Bundle, Member, Part
from engram.archive.directory import Directory
from engram.archive.extension import extend, growing
from engram.archive.file import GivenModel
from engram.archive.grown import Grown
from engram.archive.layout import Header
from engram.archive.opening import open
from engram.archive.reader import Archive
from engram.archive.writer import Writer
from engram.codecs.contract import Codec
from engram.datasets.names import UnsafeName
from engram.datasets.progress import Progress
from engram.datasets.stream import InMemory, Stream
from engram.errors import UsageError
from engram.images import ImageSet

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
    breakdown: Breakdown

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
    images: ImageSet | Stream | Iterable[ImageSet | Stream],
    path: Path | str,
    codec: Codec | None = None,
    *,
    model: GivenModel = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Appended:
    """Adds images to the end of an archive; those that are there keep their bytes and their places.

    codec: another than that of the newest images, which is taken where it can encode. model: the archive's, where it
    was packed without it. resume: go on with an append of the same images that was interrupted. Classes are known by
    their names, and new ones follow those of the archive. One process appends at a time; any number may read.
    Raises CannotAppend, ArchiveBusy, ArchiveChanged, CorruptArchive, DecodeOnly, PackInterrupted, UnsafeName and what
    `Writer` raises; the archive is then as it was.
    """
    if storage.is_url(path):
        raise CannotAppend(f"{storage.shown(path)}: append writes to a file of this machine, not to a URL")
    path = Path(path).absolute()
    sets = [images] if isinstance(images, ImageSet | Stream) else list(images)
    streams = [some if isinstance(some, Stream) else InMemory(some) for some in sets]
    with growing(path) as file, open(path, model) as archive:
        if not isinstance(archive, Archive | Grown):
            raise CannotAppend(f"{path} is no archive of images of one size; append goes to those only")
        old = _bundle_of(archive)
        codec = shipped.completed(archive.codec) if codec is None else codec
        class_names = _check(archive, streams, codec)
        before, resumed = os.fstat(file).st_size, 0
        if any(map(len, streams)):
            added = path.with_name(path.name + ".more")
            added.unlink(missing_ok=True)  # of one that died when all was encoded: it may be of other images
            size = old.headers[old.members[-1].header].block_size
            writer = Writer(added, codec, block_size=size, embed_model=_embeds(old, codec), resume=resume)
            try:
                for stream in streams:
                    for piece in stream.pieces():
                        writer.append(_renumbered(piece, class_names))
                        if progress:
                            progress(writer.count, sum(map(len, streams)))
                extend(path, file, writer, added, bundle.emit(_with(old, writer, before)))
            finally:
                writer.abandon()
                added.unlink(missing_ok=True)
            resumed = writer.images_resumed
    with open(path, model) as grown:
        assert isinstance(grown, Archive | Grown)
        return Appended(
            sum(map(len, streams)),
            os.path.getsize(path) - before,
            resumed,
            class_names[len(archive.class_names) :],
            *_rates(grown),
            grown.info,
        )


def _archives(reader: Archive | Grown) -> list[Archive]:
    return [reader] if isinstance(reader, Archive) else [reader.archive(number) for number in range(reader.archives)]


def _bundle_of(reader: Archive | Grown) -> Bundle:
    """What the archive's directory says, or would say if it had one."""
    if isinstance(reader, Grown):
        return reader.members.bundle
    directory = reader.file.directory
    size, checksum = directory.identity
    member = Member(bytes=size, footer_crc32=checksum, header=0, images=len(reader), offset=0)
    return Bundle((directory.header,), (Part(len(reader), (member,)),))


def _with(old: Bundle, writer: Writer, offset: int) -> Bundle:
    """The bundle with the archive that the writer completes."""
    headers = old.headers if writer.header in old.headers else (*old.headers, writer.header)
    size, checksum = writer.complete()
    member = Member(size, checksum, headers.index(writer.header), writer.count, offset)
    return Bundle(headers, (*old.parts, Part(writer.count, (member,))))


def _embeds(old: Bundle, codec: Codec) -> bool:
    """Whether the model has to be added: not where it is there, nor where it was left out before."""
    model = codec.model
    return not model or sha256(model).hexdigest() not in {header.model_sha256 for header in old.headers}


def _check(archive: Archive | Grown, streams: Sequence[Stream], codec: Codec) -> tuple[str, ...]:
    """The class names of all; the images go with those of the archive. Raises CannotAppend and UnsafeName."""
    has = (archive.labels is not None, archive.iterate_names() is not None)
    class_names = archive.class_names
    for stream in streams:
        known = stream.known
        if known.image_shape != archive.image_shape:
            new, old = (" x ".join(map(str, shape)) for shape in (known.image_shape, archive.image_shape))
            raise CannotAppend(f"{stream.name} has images of {new}, {archive.path} of {old}")
        for what, there, given in zip(("labels", "names"), has, (known.labels, known.names), strict=True):
            if there != (given is not None):
                haves = (stream.name, archive.path) if there else (archive.path, stream.name)
                raise CannotAppend(f"{haves[0]} has no {what}, and {haves[1]} has; all images have them, or none")
        class_names += tuple(name for name in known.class_names if name not in class_names)
    codec.check_shape(np.empty((0, *archive.image_shape), np.uint8))
    _check_names(archive, streams)
    return class_names


def _check_names(archive: Archive | Grown, streams: Sequence[Stream]) -> None:
    """Raises UnsafeName where an image of the archive has the class and the name of a new one."""
    new = {
        key for stream in streams for key in _keys(stream.known.names, stream.known.labels, stream.known.class_names)
    }
    for key in _keys(archive.iterate_names(), archive.labels, archive.class_names):
        if key in new:
            raise UnsafeName(
                f"{archive.path} has an image called {key[1]!r} of this class already; give it another name"
            )


def _keys(
    names: Iterable[str] | None, labels: NDArray[np.int64] | None, class_names: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    """The class and the name of each image."""
    classes = repeat("") if labels is None else (class_names[label] for label in labels.tolist())
    yield from zip(classes, names or (), strict=False)


def _renumbered(images: ImageSet, class_names: tuple[str, ...]) -> ImageSet:
    """The images with labels that are places in this list of classes."""
    if images.labels is None:
        return images
    places = np.array([class_names.index(name) for name in images.class_names], np.int64)
    return replace(images, labels=places[images.labels], class_names=class_names)


def _rates(reader: Archive | Grown) -> tuple[float, float | None]:
    """Bytes of blocks for each image: of the archive that was added last, and of those before it with its codec."""
    *before, last = [(len(each), each.file.directory) for each in _archives(reader)]
    alike = [(images, found) for images, found in before if _makes(found.header) == _makes(last[1].header)]
    return _rate([last]) or 0.0, _rate(alike)


def _rate(archives: Sequence[tuple[int, Directory]]) -> float | None:
    images = sum(images for images, _ in archives)
    return sum(int(found.index.lengths.sum()) for _, found in archives) / images if images else None


def _makes(header: Header) -> tuple[object, ...]:
    """What tells the codecs of headers apart."""
    return header.codec, header.config, header.model_sha256
