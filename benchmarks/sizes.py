"""Pictures of many sizes in one archive against a file for each: `make bench-sizes`.

Pictures of DATA are cut to sizes as a folder of thumbnails has them: half 32 x 24, three in ten 24 x 32, one in ten as
they are, the others anything from half a side on. Bytes of PNG (optimised) and lossless WebP, a file each; of
`engram.pack`; and of `engram.pack` where all are laid on cells of one size, which is what one size for all would cost.

    python benchmarks/sizes.py FOLDER_OF_PICTURES --budget 60s
"""

from __future__ import annotations

import argparse
import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

import engram
from engram.datasets.cells import cut as laid
from engram.images import Pixels

_SEED = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="a folder of pictures of one size, at least 32 x 32")
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--budget", default="60s", help="how long each pack learns")
    options = parser.parse_args()
    loaded = engram.load(options.data)
    random = np.random.default_rng(_SEED)
    chosen = random.permutation(len(loaded))[: options.images]
    pictures = [cut(loaded.images[row], random) for row in chosen.tolist()]
    with tempfile.TemporaryDirectory() as place:
        largest = tuple(max(picture.shape[axis] for picture in pictures) for axis in (0, 1, 2))
        padded = np.empty((len(pictures), *largest), np.uint8)
        for picture, cell in zip(pictures, padded, strict=True):
            laid(picture, 0, cell)
        found = {
            "PNG files": sum(size(picture, "png", optimize=True) for picture in pictures),
            "lossless WebP files": sum(
                size(picture, "webp", lossless=True, quality=100, method=6) for picture in pictures
            ),
        }
        own = engram.pack(pictures, Path(place, "own.egm"), budget=options.budget)
        one = engram.pack(padded, Path(place, "one.egm"), budget=options.budget)
        found["engram.pack, each its own size"] = own.info.archive_bytes
        found["engram.pack, all on cells of one size"] = one.info.archive_bytes
    print(f"{len(pictures):,} pictures\n{own.in_words()}")
    print("| | bytes | an image |\n|---|---|---|")
    for name, count in found.items():
        print(f"| {name} | {count:,} | {count / len(pictures):.1f} |")


def cut(image: Pixels, random: np.random.Generator) -> Pixels:
    """The middle of a picture, at a size that is drawn."""
    kinds = [
        (32, 24),
        (24, 32),
        image.shape[:2],
        tuple(random.integers(side // 2, side + 1) for side in image.shape[:2]),
    ]
    height, width = kinds[random.choice(4, p=[0.5, 0.3, 0.1, 0.1])]
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return np.ascontiguousarray(image[top : top + height, left : left + width])


def image_of(picture: Pixels) -> Image.Image:
    return Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)


def size(picture: Pixels, kind: str, **settings: object) -> int:
    """The bytes of a file."""
    file = BytesIO()
    image_of(picture).save(file, kind, **settings)
    return len(file.getvalue())


if __name__ == "__main__":
    main()
