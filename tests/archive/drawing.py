"""Random collections for the archive's tests, and damage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engram import archive
from engram.codecs.raw import Raw
from engram.datasets.collection import OfPictures
from engram.images import ImageSet
from engram.kinds import KINDS, AnyPixels
from engram.table import Column, column_of, texts

CLASSES = ("ape", "bee/wasp", "cat")
TYPES: dict[str, list[Any]] = {
    "age": [None if row % 5 == 0 else row - 70 for row in range(150)],
    "weight": [row / 7 for row in range(150)],
    "fresh": [row % 3 == 0 for row in range(150)],
    "maker": [("Ada", "Bo")[row % 2] for row in range(150)],
    "note": [f"no. {row * 7919 % 150}" for row in range(150)],
    "box": [[row, row + 1] if row % 4 else None for row in range(150)],
}
"""A column of each type, some with missing values."""


def draw(count: int, shape: tuple[int, int, int] = (4, 3, 1), seed: int = 0) -> ImageSet:
    """Random images of three classes, with paths."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, *shape), np.uint8)
    return ImageSet(images, rng.integers(0, 3, count), CLASSES, tuple(f"{index:04}.png" for index in range(count)))


def draw_rich() -> ImageSet:
    """150 images with a column of each type, in folders."""
    paths = tuple(f"{('train', 'test')[row % 2]}/{row:03}.png" for row in range(150))
    return replace(draw(150), paths=paths, columns={name: column_of(values) for name, values in TYPES.items()})


def with_columns(count: int, **columns: Any) -> ImageSet:
    """Random images of which these columns are known, and nothing else."""
    return ImageSet(draw(count).images, columns={name: column_of(values) for name, values in columns.items()})


def picture(height: int, width: int, kind: str = "gray", seed: int = 0) -> AnyPixels:
    """A random picture of any size and kind."""
    most = np.iinfo(KINDS[kind].dtype).max
    shape = (height, width, KINDS[kind].channels)
    return np.random.default_rng(seed).integers(0, most, shape, KINDS[kind].dtype, endpoint=True)


def coder_of(size: tuple[int, int], kind: str) -> archive.Coder:
    """What deflates the layers of a kind."""
    return archive.Coder(KINDS[kind], tuple(Raw((*size, channels)) for channels in KINDS[kind].layers))


def collection_of(pictures: Iterable[AnyPixels], **columns: Any) -> OfPictures:
    """A collection of pictures in memory, called 000.png and so on."""
    given = list(pictures)
    table: dict[str, Column] = {"path": texts([f"{row:03}.png" for row in range(len(given))])}
    return OfPictures("pictures", given, table | {name: column_of(each) for name, each in columns.items()})


def pack_pictures(pictures: Iterable[AnyPixels], path: Path, **options: Any) -> archive.Packed:
    """An archive of pictures of any sizes and kinds, in groups as `Collection.groups` makes them."""
    collection = collection_of(pictures)
    groups = collection.groups()
    coders = [coder_of(group.size, group.kind.name) for group in groups]
    return archive.pack_collection(collection, groups, coders, path, **options)


def more(count: int, seed: int) -> ImageSet:
    """Other images than `draw` gives alone, of other paths."""
    return replace(draw(count, seed=seed), paths=tuple(f"{seed}-{index}.png" for index in range(count)))


def bare(images: ImageSet) -> ImageSet:
    """Without paths, so that any of them may be appended twice."""
    return ImageSet(images.images, images.labels, images.class_names)


def load(path: Path) -> ImageSet:
    """An archive as one set."""
    found = archive.load(path)
    assert isinstance(found, ImageSet)
    return found


def content(path: Path, model: bytes | None = None) -> tuple[list[bytes], dict[str, list[Any]], tuple[str, ...]]:
    """The pictures of an archive, its table, and its classes."""
    with archive.open(path, model) as opened:
        table = {name: values.tolist() for name, values in opened.table.items()}
        return [image.tobytes() for image in opened], table, opened.class_names


def flip(path: Path, offset: int) -> None:
    """Changes one bit of the byte at an offset."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(data)


def flip_block(path: Path, block: int, segment: int = 0) -> None:
    """Damages a block of a segment."""
    with archive.open(path) as opened:
        offset = opened.segment(segment).span(block)[0]
    flip(path, offset)


def flip_column(path: Path, name: str) -> None:
    """Damages the last piece of a column, or of the kept files for "", of a file of one segment."""
    with archive.open(path) as opened:
        directory = opened.sources[0].directory
        firsts = [*directory.first_pieces.values(), directory.pieces]
        number = firsts[list(directory.first_pieces).index(name) + 1] - 1
        offset = opened.segment(0).span(number)[0]
    flip(path, offset)
