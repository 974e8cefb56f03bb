"""The classical rivals at their honest best: a whole collection into bytes and back.

| layout | what is stored | one image alone |
|---|---|---|
| each   | one file an image | yes |
| shared | one file an image, but what all files have alike once | yes |
| atlas  | one picture, with all images as its tiles | no: all of them are decoded |
| stream | the raw pixels, one image after another | no |
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from engram.errors import EngramError
from engram.evaluation.atlas import tile, untile
from engram.evaluation.formats import FORMATS, Dial, Format
from engram.evaluation.sharing import share, unshare
from engram.images import ImageSet, Pixels

Layout = Literal["each", "shared", "atlas", "stream"]


class RivalFailed(EngramError):
    """A rival's library refused what it was given: a picture that is too large for it, say."""


@final
@dataclass(frozen=True, eq=False)
class Coded:
    """What a rival made of a collection. files: all that has to be stored to get the images back."""

    files: Sequence[bytes]
    recovered: Pixels
    random_access: bool
    encode_seconds: float
    decode_seconds: float

    @property
    def total_bytes(self) -> int:
        """The length of all files."""
        return sum(map(len, self.files))


@final
@dataclass(frozen=True)
class Rival:
    """A format in a layout."""

    name: str
    format: Format
    layout: Layout

    @property
    def dial(self) -> Dial:
        """Settings from the fewest bytes to the most; efforts where nothing is lost."""
        return self.format.dial

    @property
    def lossless(self) -> bool:
        """Whether the images come back as they were."""
        return self.format.lossless

    @property
    def random_access(self) -> bool:
        """Whether one image can be had without decoding the others."""
        return self.layout in ("each", "shared")

    def code(self, images: ImageSet, setting: float) -> Coded:
        """The collection through the rival and back, at one setting. Raises MissingLibrary, RivalFailed."""
        try:
            started = time.perf_counter()
            files = self.encode(images.images, setting)
            encoded = time.perf_counter()
            recovered = self.decode(files, len(images), images.image_shape)
            decoded = time.perf_counter()
        except EngramError:
            raise
        except Exception as error:  # each library has its own
            raise RivalFailed(f"{self.name} at {setting:g} failed on {images!r}: {error}") from error
        return Coded(files, recovered, self.random_access, encoded - started, decoded - encoded)

    def encode(self, images: Pixels, setting: float) -> list[bytes]:
        """The files, none for no images; in the shared layout the first is what all others have alike."""
        if not len(images):
            return []
        if self.layout == "atlas":
            return [self.format.encode(tile(images), setting)]
        if self.layout == "stream":
            return [self.format.encode(images.reshape(-1, 1, images.shape[3]), setting)]
        files = [self.format.encode(image, setting) for image in images]
        return share(files) if self.layout == "shared" else files

    def decode(self, files: Sequence[bytes], count: int, image_shape: tuple[int, int, int]) -> Pixels:
        """uint8[count, h, w, c] of the files that `encode` made of so many images of this shape."""
        if not count:
            return np.zeros((0, *image_shape), np.uint8)
        if self.layout == "shared":
            files = unshare(files)
        pictures = [self.format.decode(file, image_shape[2]) for file in files]
        if self.layout == "atlas":
            return untile(pictures[0], count, image_shape)
        return np.concatenate(pictures).reshape(count, *image_shape)


def _rivals() -> dict[str, Rival]:
    layouts: dict[str, tuple[Layout, ...]] = {
        "jpeg": ("atlas", "each"),  # each with tables of its own
        "jpeg-plain": ("shared",),
        "xz": ("stream",),
        "zstd": ("stream",),
    }
    rivals = {}
    for format_name, format in FORMATS.items():
        for layout in layouts.get(format_name, ("atlas", "each", "shared")):
            name = f"{format_name}-{layout}"
            rivals[name] = Rival(name, format, layout)
    return rivals


RIVALS = _rivals()
"""Every rival by its name, FORMAT-LAYOUT."""
