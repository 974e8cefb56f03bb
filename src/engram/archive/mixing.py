"""Archives of images of many sizes: each canvas is packed to an archive of its own, and all become one file.

What is done lies in PATH.parts: for each canvas the codec, as an archive of no images, then its archive, then the
SHA-256 of the pixels that it was made of. Where a pack is taken up again, codecs and whole archives are found there,
and the pixels are compared.
"""

from __future__ import annotations

import re
import shutil
import zlib
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engram.archive import bundle, shipped
from engram.archive.bundle import Bundle, Member, Part, Stored, stored
from engram.archive.errors import ResumeMismatch
from engram.archive.interrupted import parts_of
from engram.archive.layout import Header
from engram.archive.opening import info
from engram.archive.reader import Archive
from engram.archive.writer import DEFAULT_BLOCK_SIZE, Packed, Writer, pack
from engram.codecs.contract import Codec
from engram.datasets.assortment import Assortment
from engram.datasets.canvases import Canvas, in_order
from engram.datasets.progress import Progress, shifted
from engram.datasets.stream import Stream
from engram.errors import EngramError
from engram.files import OutputExists, replacing_file
from engram.images import ImageSet, Pixels

_PART = re.compile(r"\d{5}\.(codec|egm|sha256)(\.[a-z]+)*")
"""The names of what lies in PATH.parts; a folder that holds anything else is the user's."""


def pack_mixed(
    images: Assortment,
    canvases: Sequence[Canvas],
    codecs: Sequence[Codec],
    path: Path | str,
    *,
    block_size: int = DEFAULT_BLOCK_SIZE,
    force: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
) -> Packed:
    """Writes an archive in which each image keeps its size; a model that canvases share is in it once.

    resume: go on with a pack that was interrupted, which `begun` gives the codecs of. Raises what `Writer` raises;
    nothing is left under the name when anything fails.
    """
    path = Path(path)
    folder = parts_of(path)
    lock = Writer(path, codecs[0], force=force)  # from here on nobody else packs to this name
    try:
        _begin(folder, codecs, resume)
        done, resumed, embedded = 0, 0, set[bytes]()
        for number, (canvas, codec) in enumerate(zip(canvases, codecs, strict=True)):
            embeds = codec.model not in embedded or not codec.model
            embedded.add(codec.model)
            resumed += _pack_canvas(
                images,
                canvas,
                codec,
                folder / f"{number:05}.egm",
                block_size,
                embeds,
                resume,
                shifted(progress, done, len(images)),
            )
            done += len(canvas.images)
        with replacing_file(path) as file:
            at, headers, members = 0, list[Header](), list[Member]()
            for number in range(len(canvases)):
                place = folder / f"{number:05}.egm"
                with Archive(place) as archive:
                    directory = archive.file.directory
                if directory.header not in headers:
                    headers.append(directory.header)
                index = headers.index(directory.header)
                members.append(Member(*directory.identity, index, directory.footer.count, at))
                with place.open("rb") as member:
                    shutil.copyfileobj(member, file)
                at += directory.size
            sections = list[Stored | None]()
            for data in (_order(canvases, len(images)), _padding(images, canvases)):
                sections.append(None if data is None else stored(at, data))
                file.write(data or b"")
                at += len(data or b"")
            part = Part(len(images), tuple(members), *sections)
            file.write(bundle.emit(Bundle(tuple(headers), (part,))))
        shutil.rmtree(folder)
    finally:
        lock.abandon()
    return Packed(info(path), resumed)


def begun(path: Path | str) -> list[Codec] | None:
    """The codecs of an interrupted pack; None where there is none, or one of its codecs cannot encode again."""
    found = list[Codec]()
    for place in sorted(parts_of(Path(path)).glob("*.codec")):
        try:
            with Archive(place) as archive:
                found.append(shipped.completed(archive.codec))
        except EngramError:
            return None
    return found if found and all(codec.can_encode for codec in found) else None


def _begin(folder: Path, codecs: Sequence[Codec], resume: bool) -> None:
    """A folder with the codecs, and with what is done where that is to be gone on with. Raises ResumeMismatch."""
    if resume and folder.is_dir():
        there = begun(folder.with_name(folder.name.removesuffix(".parts")))
        if there is None or [each.model for each in there] != [each.model for each in codecs]:
            raise ResumeMismatch(f"{folder} was begun with other codecs; pack afresh without --resume")
        return
    found = list(folder.iterdir()) if folder.is_dir() else []
    ours = all(each.is_file() and _PART.fullmatch(each.name) for each in found)
    if found and not (ours and any(each.name.startswith("00000.codec") for each in found)):
        raise OutputExists(f"{folder} is needed for the parts of the archive, and holds something else; move it away")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number, codec in enumerate(codecs):
        pack(ImageSet(np.empty((0, *codec.image_shape), np.uint8)), codec, folder / f"{number:05}.codec")


def _pack_canvas(
    images: Assortment,
    canvas: Canvas,
    codec: Codec,
    place: Path,
    block_size: int,
    embeds: bool,
    resume: bool,
    progress: Progress | None,
) -> int:
    """How many images were there already."""
    stream, digest = _Digested(images.on(canvas)), place.with_suffix(".sha256")
    if resume and place.exists() and digest.exists():
        with Archive(place) as archive:
            same = len(archive) == len(stream) and archive.names == stream.known.names
        if not same or digest.read_bytes() != stream.sha256_of_all():
            raise ResumeMismatch(f"{place} was made from other images; pack afresh without --resume")
        return len(stream)
    place.unlink(missing_ok=True)  # it was made, and of what was not yet written down
    packed = pack(stream, codec, place, block_size=block_size, embed_model=embeds, resume=resume, progress=progress)
    with replacing_file(digest) as file:
        file.write(stream.seen.digest())
    return packed.images_resumed


class _Digested(Stream):
    """A stream with the SHA-256 of the pixels that have passed."""

    def __init__(self, stream: Stream) -> None:
        self.name, self.known, self.notices = stream.name, stream.known, stream.notices
        self.seen, self._stream = sha256(), stream

    def pixels(self, rows: range) -> Iterator[Pixels]:
        for piece in self._stream.pixels(rows):
            self.seen.update(piece.tobytes())
            yield piece

    def sha256_of_all(self) -> bytes:
        """Of all pixels, which are read for it."""
        self.seen = sha256()
        for _ in self.pieces():
            pass
        return self.seen.digest()


def _order(canvases: Sequence[Canvas], images: int) -> bytes | None:
    if len(canvases) == 1:
        return None
    kind = np.uint8 if len(canvases) <= 256 else "<u2"
    return zlib.compress(in_order(canvases, images).astype(kind).tobytes(), 9)


def _padding(images: Assortment, canvases: Sequence[Canvas]) -> bytes | None:
    over = padding_of(images, canvases)
    return zlib.compress(over.T.astype("<u2").tobytes(), 9) if over.any() else None


def padding_of(images: Assortment, canvases: Sequence[Canvas]) -> NDArray[np.int32]:
    """int32[n, 2]: the rows and columns that are put on to each image."""
    over = np.empty((len(images), 2), np.int32)
    for canvas in canvases:
        over[canvas.images] = np.array(canvas.size, np.int32) - images.sizes[canvas.images]
    return over
