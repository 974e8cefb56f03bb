"""wardrobe: garments and shoes drawn from a seed, as many as wanted, with nothing to download.

The same ten classes as Fashion-MNIST, gray, 28 x 28 unless another size is asked for. An image depends on nothing but
the seed, its index and the size. The random numbers are raw PCG64 words, whose stream NumPy keeps for ever.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engram.datasets import garments, shoes
from engram.datasets.sheet import NUMBERS, Recipe, Sheet
from engram.datasets.stream import Stream, without_pixels
from engram.errors import UsageError
from engram.images import ImageSet, Pixels

RECIPES: dict[str, Recipe] = {
    "T-shirt/Top": garments.t_shirt,
    "Trouser": garments.trouser,
    "Pullover": garments.pullover,
    "Dress": garments.dress,
    "Coat": garments.coat,
    "Sandal": shoes.sandal,
    "Shirt": garments.shirt,
    "Sneaker": shoes.sneaker,
    "Bag": garments.bag,
    "Ankle boot": shoes.ankle_boot,
}
"""In the order of their labels, which is Fashion-MNIST's."""
CLASS_NAMES = tuple(RECIPES)
COUNTS = {"train": 60_000, "test": 10_000}
_SEEDS = {"train": 0, "test": 1}
_CHUNK = 1000  # part of the definition: another chunk makes other images


def load_half(split: str) -> ImageSet:
    """One of the two, train or test."""
    return draw(COUNTS[split], _SEEDS[split])


def stream(split: str) -> Stream:
    """One of the two, drawn as it passes."""
    return _Half(split)


class _Half(Stream):
    """Its labels are known before, since they are the first thing that is drawn of each image."""

    def __init__(self, split: str) -> None:
        self.name, self._seed = f"wardrobe:{split}", _SEEDS[split]
        count = COUNTS[split]
        chunks = [_numbers(self._seed, chunk)[1] for chunk in range(-(-count // _CHUNK))]
        labels = np.concatenate([_labels(numbers) for numbers in chunks])[:count]
        self.known = ImageSet(without_pixels((count, 28, 28, 1)), labels, CLASS_NAMES)

    def pixels(self, rows: range) -> Iterator[Pixels]:
        for first in range(rows.start - rows.start % _CHUNK, rows.stop, _CHUNK):
            start, stop = max(rows.start, first), min(rows.stop, first + _CHUNK)
            yield draw(stop - start, self._seed, start=start).images[(rows.start - start) % rows.step :: rows.step]


def draw(count: int, seed: int, shape: tuple[int, int] = (28, 28), start: int = 0) -> ImageSet:
    """Images start to start + count of a seed's endless row; shape is (height, width)."""
    height, width = shape
    if count < 0 or start < 0 or seed < 0:
        raise UsageError(f"count, seed and start are at least 0, not {count}, {seed}, {start}")
    if min(shape) < 1:
        raise UsageError(f"images of {height} x {width} pixels hold nothing")
    images, labels = np.empty((count, height, width, 1), np.uint8), np.empty(count, np.int64)
    stop = start + count
    for first in range(start - start % _CHUNK, stop, _CHUNK):
        chunk, chunk_labels = _draw_chunk(seed, first // _CHUNK, height, width)
        low, high = max(start, first), min(stop, first + _CHUNK)
        images[low - start : high - start, ..., 0] = chunk[low - first : high - first]
        labels[low - start : high - start] = chunk_labels[low - first : high - first]
    return ImageSet(images, labels, CLASS_NAMES)


def _draw_chunk(seed: int, chunk: int, height: int, width: int) -> tuple[Pixels, NDArray[np.int64]]:
    words, numbers = _numbers(seed, chunk)
    labels = _labels(numbers)
    grain = words.random_raw(_CHUNK * -(-height * width // 8)).astype("<u8").view(np.uint8)
    grain = grain.reshape(_CHUNK, -1)[:, : height * width].reshape(_CHUNK, height, width)
    images = np.empty((_CHUNK, height, width), np.uint8)
    for label, recipe in enumerate(RECIPES.values()):
        rows = np.flatnonzero(labels == label)
        sheet = _lay_out(numbers[rows, 1:], height, width)
        depth, shade = recipe(sheet)
        cover = np.clip(depth * np.float32(min(height, width) / 2) + np.float32(0.5), np.float32(0), np.float32(1))
        rough = sheet.between(0.0, 0.12) * (grain[rows].astype(np.float32) / 255 - np.float32(0.5))
        light = cover * np.clip(shade + rough, np.float32(0.02), np.float32(1))
        images[rows] = (light * 255 + np.float32(0.5)).astype(np.uint8)
    return images, labels


def _numbers(seed: int, chunk: int) -> tuple[np.random.PCG64, NDArray[np.float32]]:
    """What the images of a chunk are drawn by, and the words that come after."""
    words = np.random.PCG64(np.random.SeedSequence((seed, chunk)))
    return words, _uniform(words, (_CHUNK, NUMBERS))


def _labels(numbers: NDArray[np.float32]) -> NDArray[np.int64]:
    return (numbers[:, 0] * np.float32(len(RECIPES))).astype(np.int64)


def _uniform(words: np.random.PCG64, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Numbers in [0, 1) with 24 bits, exact in float32."""
    raw = words.random_raw(shape[0] * shape[1]) >> np.uint64(40)
    return (raw.astype(np.float32) * np.float32(2**-24)).reshape(shape)


def _lay_out(numbers: NDArray[np.float32], height: int, width: int) -> Sheet:
    """Pixel centres as the garment's own coordinates: slightly shifted, turned, sheared and scaled."""
    v, u = np.meshgrid(
        (np.arange(height, dtype=np.float32) * 2 + 1) / height - 1,
        (np.arange(width, dtype=np.float32) * 2 + 1) / width - 1,
        indexing="ij",
    )
    sheet = Sheet(u[np.newaxis], v[np.newaxis], numbers)
    turn, shear = sheet.between(-0.05, 0.05), sheet.between(-0.04, 0.04)
    du, dv = sheet.u - sheet.between(-0.06, 0.06), sheet.v - sheet.between(-0.03, 0.03)
    norm = np.sqrt(1 + turn * turn)
    sheet.u = (du + (turn + shear) * dv) / norm * sheet.between(0.95, 1.1)
    sheet.v = (dv - turn * du) / norm * sheet.between(0.98, 1.05)
    return sheet
