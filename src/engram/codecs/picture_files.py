"""picture-files: pictures as the files that they came in, which come back byte for byte.

A JPEG file is taken apart (`coding/scans.py`): its coefficients are coded by what was learned of the collection's
(`jpeg/coefficients.py`), and its skeleton, which is all else, is stored once for all files that have the same. A file
of another format, or a JPEG file that is not rebuilt from its coefficients, is stored as it is. The pixels are those
that a decoder of the file gives.

A block: the length of its head (u32); the head, deflated (RFC 1951) with the model's skeletons as a dictionary; the
length of the coefficients' stream (u32); that stream; the files that are stored as they are, one after another. The
head, in numbers of `coding/varint.py`: how many skeletons follow, each its length and its bytes, which go on the
model's; then of each file 0 and its length, where it is stored as it is; or 2k + 1, where skeleton k with the largest
height and width rebuilds it; or 2k + 2, its height, its width, the length of what is loose, and that.

The model: how many skeletons there are, each its length and its bytes, deflated, with the length of that before it
(u32); then the model of the coefficients. No model is no skeletons, and coefficients of which nothing was learned.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import ClassVar, Self

import numpy as np

from engram.codecs.contract import Codec, Config, CorruptModel, Rows, image_shape_of
from engram.codecs.jpeg.coefficients import CoefficientCoder, Grid
from engram.codecs.pixel.threads import side_by_side
from engram.codecs.settings import check_keys
from engram.coding import scans, varint
from engram.errors import CorruptData, EngramError, UsageError
from engram.kinds import KINDS, AnyPixels, Kind

MOST_SKELETONS = 256
"""Of a model."""
MOST_SKELETON_BYTES = 1 << 16
"""Of a skeleton in a model; a longer one stays with its block."""
MOST_HEAD_BYTES = 1 << 24
"""Of the heads of a block, and of the skeletons of a model, inflated."""
LEARNED_BYTES = 1 << 22
"""Of the files that are learned from, at most."""
_LENGTH, _JPEG = struct.Struct("<I"), b"\xff\xd8"
Files = list[bytes]
_Rebuilt = tuple[bytes, tuple[int, int], bytes]
"""What rebuilds a JPEG file beside its coefficients: a skeleton, (height, width), and what is loose."""


@dataclass(frozen=True, eq=False)
class PictureFiles(Codec):
    """Files of pictures of one kind, none larger than (height, width).

    A picture is decoded to the top left of image_shape, with zeros around it.
    """

    id: ClassVar[str] = "picture-files"
    lossless: ClassVar[bool] = True
    kind: Kind
    size: tuple[int, int]
    skeletons: tuple[bytes, ...] = ()
    coefficients: CoefficientCoder = CoefficientCoder(b"")  # noqa: RUF009  # it is frozen

    @property
    def image_shape(self) -> tuple[int, int, int]:  # type: ignore[override]
        return *self.size, self.kind.channels

    def config(self) -> Config:
        return {"image_shape": list(self.image_shape), "kind": self.kind.name}

    @cached_property
    def model(self) -> bytes:
        if not self.skeletons and not self.coefficients.model:
            return b""
        packed = _deflated(_emit_skeletons(self.skeletons))
        return _LENGTH.pack(len(packed)) + packed + self.coefficients.model

    @classmethod
    def from_config(cls, config: Config, model: bytes) -> Self:
        check_keys(config, {"image_shape", "kind"})
        kind = KINDS.get(str(config["kind"]))
        if kind is None:
            raise CorruptModel(f"there is no kind {config['kind']!r} of pictures")
        shape = image_shape_of(config, (kind.channels,))
        if not model:
            return cls(kind, shape[:2])
        try:
            packed, rest = _part(model, 0)
            skeletons, end = _parse_skeletons(plain := _inflated(packed), 0)
            if end != len(plain) or len(skeletons) > MOST_SKELETONS:
                raise CorruptData("its skeletons do not end where they should, or are too many")
            return cls(kind, shape[:2], tuple(skeletons), CoefficientCoder(model[rest:]).checked())
        except CorruptData as error:
            raise CorruptModel(f"a model of picture files: {error}") from None

    def at(self, kind: Kind, size: tuple[int, int]) -> Self:
        """The same model for files of another kind or size."""
        return replace(self, kind=kind, size=size)

    @classmethod
    def learn(cls, kind: Kind, size: tuple[int, int], files: Sequence[bytes], count: int) -> Self:
        """What codes `count` files like these, with a model of their coefficients where that pays."""
        parsed = [found for found in map(_parsed, files) if found is not None]
        seen = Counter(found.skeleton for found in parsed)
        often = [skeleton for skeleton, times in seen.most_common(MOST_SKELETONS) if times > 1]
        skeletons = tuple(skeleton for skeleton in often if len(skeleton) <= MOST_SKELETON_BYTES)
        if not parsed:
            return cls(kind, size)
        layouts = [_grids(found.skeleton, found.size) for found in parsed]
        coefficients = CoefficientCoder.learn([found.coefficients for found in parsed], layouts, count)
        return cls(kind, size, skeletons, coefficients)

    def encode(self, block: AnyPixels | Sequence[bytes]) -> bytes:
        """The bytes of files; or of pictures, which become PNG files."""
        if isinstance(block, np.ndarray):
            from engram.datasets.pictures import encode_picture

            self._check(block)
            block = [encode_picture(picture, ".png", 100) for picture in block]
        parsed = [_parsed(file) for file in block]
        numbers = {skeleton: number for number, skeleton in enumerate(self.skeletons)}
        added, heads = list[bytes](), bytearray()
        for file, found in zip(block, parsed, strict=True):
            if found is None:
                heads += b"\0" + varint.emit(len(file))
                continue
            number = numbers.setdefault(found.skeleton, len(numbers))
            if number == len(self.skeletons) + len(added):
                added.append(found.skeleton)
            if found.size == self.size and not found.loose:
                heads += varint.emit(2 * number + 1)
            else:
                heads += b"".join(map(varint.emit, (2 * number + 2, *found.size, len(found.loose)))) + found.loose
        head = _deflated(_emit_skeletons(added) + heads, self._dictionary)
        rebuilt = [found for found in parsed if found is not None]
        layouts = [_grids(found.skeleton, found.size) for found in rebuilt]
        stream = self.coefficients.encode([found.coefficients for found in rebuilt], layouts)
        kept = [file for file, found in zip(block, parsed, strict=True) if found is None]
        return b"".join((_LENGTH.pack(len(head)), head, _LENGTH.pack(len(stream)), stream, *kept))

    def encode_many(self, blocks: Sequence[AnyPixels | Sequence[bytes]]) -> list[bytes]:
        return side_by_side(self.encode, blocks)

    def files(self, data: bytes, count: int, rows: Rows | None = None) -> Files:
        """The files of a block, or those at some places in it. Raises CorruptData."""
        wanted = range(count) if rows is None else rows.tolist()
        found, stream = self._parsed_head(data, count)
        rebuilt = [each for each in found if not isinstance(each, bytes)]
        layouts = [_grids(skeleton, size) for skeleton, size, _ in rebuilt]
        try:
            coefficients = iter(self.coefficients.decode(stream, layouts))
        except UsageError as error:  # more than a writer codes together
            raise CorruptData(str(error)) from None
        parts = [(each, [] if isinstance(each, bytes) else next(coefficients)) for each in found]
        return [
            each if isinstance(each, bytes) else scans.emit(*each, numbers)
            for each, numbers in (parts[place] for place in wanted)
        ]

    def _parsed_head(self, data: bytes, count: int) -> tuple[list[_Rebuilt | bytes], bytes]:
        """(the files that are stored as they are, and what rebuilds the others; the stream of coefficients)."""
        head, at = _part(data, 0)
        stream, at = _part(data, at)
        plain = _inflated(head, self._dictionary)
        added, where = _parse_skeletons(plain, 0)
        skeletons, found = [*self.skeletons, *added], list[_Rebuilt | bytes]()
        for _ in range(count):
            number, where = varint.parse(plain, where)
            if number == 0:
                length, where = varint.parse(plain, where)
                if at + length > len(data):
                    raise CorruptData("a block ends within a file")
                found.append(data[at : at + length])
                at += length
                continue
            skeleton, size, loose = (number - 1) // 2, self.size, b""
            if number % 2 == 0:
                height, where = varint.parse(plain, where)
                width, where = varint.parse(plain, where)
                length, where = varint.parse(plain, where)
                size, loose, where = (height, width), plain[where : where + length], where + length
            if skeleton >= len(skeletons):
                raise CorruptData(f"a file has skeleton {skeleton}, and there are {len(skeletons)}")
            self._check_claim(size)
            found.append((skeletons[skeleton], size, loose))
        if where != len(plain) or at != len(data):
            raise CorruptData(f"a block of {count} files does not end where it should")
        return found, stream

    def not_rebuilt(self, data: bytes, count: int) -> Rows:
        """Where in a block JPEG files are that are stored as they are. Raises CorruptData."""
        found, _ = self._parsed_head(data, count)
        return np.flatnonzero([isinstance(each, bytes) and each.startswith(_JPEG) for each in found])

    def decode(self, data: bytes, count: int) -> AnyPixels:
        return self._pixels(self.files(data, count))

    def decode_one(self, data: bytes, count: int, index: int) -> AnyPixels:
        picture: AnyPixels = self._pixels(self.files(data, count, np.array([index])))[0]
        return picture

    def decode_some(self, blocks: Sequence[tuple[bytes, int, Rows]]) -> list[AnyPixels]:
        return side_by_side(lambda block: self._pixels(self.files(*block)), blocks)

    def _pixels(self, files: Files) -> AnyPixels:
        """[n, h, w, c] of files. Raises CorruptData."""
        from engram.datasets import kinds  # brings Pillow, without which other codes are read
        from engram.datasets.tree import Held

        found = np.zeros((len(files), *self.image_shape), self.kind.dtype)
        for number, (place, data) in enumerate(zip(found, files, strict=True)):
            try:
                [picture] = kinds.read_frames(Held(f"file {number} of a block", data), (0,), self.size)
            except CorruptData:
                raise
            except EngramError as error:
                raise CorruptData(str(error)) from None
            height, width, channels = picture.shape
            fits = height <= self.size[0] and width <= self.size[1]
            if not fits or (picture.dtype, channels) != (self.kind.dtype, self.kind.channels):
                raise CorruptData(f"a file in it is no {self.kind.name} picture, or a larger one than it may be")
            place[: picture.shape[0], : picture.shape[1]] = picture
        return found

    def _check(self, block: AnyPixels) -> None:
        if self.kind.bits == 8:
            self.check_shape(block)

    def _check_claim(self, size: tuple[int, int]) -> None:
        """Raises CorruptData where a file would be larger than pictures may be, however it is turned."""
        if any(side > most for side, most in zip(sorted(size), sorted(self.size), strict=True)) or min(size) < 1:
            raise CorruptData(f"a file of {size[1]} x {size[0]} pixels, more than it may have")

    @property
    def _dictionary(self) -> bytes:
        """What deflate knows before: the last 32 KB of the skeletons."""
        return b"".join(self.skeletons)[-(1 << 15) :]


def _grids(skeleton: bytes, size: tuple[int, int]) -> list[Grid]:
    """What the coefficients of a JPEG file lie on. Raises CorruptData."""
    found = scans.layout(skeleton, size)
    return [_grid(*grid, steps.tobytes()) for grid, steps in zip(found.grids, found.steps, strict=True)]


@lru_cache(1 << 12)
def _grid(rows: int, columns: int, steps: bytes) -> Grid:
    """The same one for all files that have it: skeletons, which may be long, are not held on to."""
    return Grid(rows, columns, np.frombuffer(steps, np.int64).reshape(8, 8))


def _parsed(file: bytes) -> scans.Scans | None:
    """A JPEG file taken apart; None for another, or one that is not rebuilt."""
    if not file.startswith(_JPEG):
        return None
    try:
        found = scans.parse(file)
    except scans.NotRebuilt:
        return None
    return found if all(grid.steps.all() for grid in _grids(found.skeleton, found.size)) else None


def _emit_skeletons(skeletons: Sequence[bytes]) -> bytes:
    return varint.emit(len(skeletons)) + b"".join(varint.emit(len(each)) + each for each in skeletons)


def _parse_skeletons(data: bytes, at: int) -> tuple[list[bytes], int]:
    """(skeletons, where they end). Raises CorruptData."""
    found = list[bytes]()
    count, at = varint.parse(data, at)
    for _ in range(count):
        length, at = varint.parse(data, at)
        if at + length > len(data):
            raise CorruptData("it ends within a skeleton")
        found.append(data[at : at + length])
        at += length
    return found, at


def _part(data: bytes, at: int) -> tuple[bytes, int]:
    """(the bytes whose length is at a place, where they end). Raises CorruptData."""
    if at + _LENGTH.size > len(data):
        raise CorruptData("it ends before the length of a part")
    [length] = _LENGTH.unpack_from(data, at)
    start = at + _LENGTH.size
    if start + length > len(data):
        raise CorruptData("it ends within a part")
    return data[start : start + length], start + length


def _deflated(data: bytes, dictionary: bytes = b"") -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zdict=dictionary)
    return deflater.compress(data) + deflater.flush()


def _inflated(data: bytes, dictionary: bytes = b"") -> bytes:
    """Raises CorruptData."""
    inflater = zlib.decompressobj(-15, zdict=dictionary)
    try:
        found = inflater.decompress(data, MOST_HEAD_BYTES + 1)
    except zlib.error as error:
        raise CorruptData(f"its head is no deflated stream ({error})") from None
    if not inflater.eof or inflater.unused_data or len(found) > MOST_HEAD_BYTES:
        raise CorruptData("its head does not end where it should, or is too long")
    return found
