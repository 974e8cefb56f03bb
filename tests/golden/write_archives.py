"""Writes the golden archives that are not there yet, and what they must decode to.

Run it as `python tests/golden/write_archives.py`. An archive that exists is never written again: bytes are frozen for
ever. A new codec gets a new archive here.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from engram import archive
from engram.codecs.contract import Codec
from engram.codecs.freeze import freeze
from engram.codecs.jpeg.fitting import fit_jpeg
from engram.codecs.jpeg.recovery import Grid
from engram.codecs.pca import fit_pca
from engram.codecs.pixel.generic import brought_to
from engram.codecs.raw import Raw
from engram.codecs.restored.freezing import with_restoration
from engram.coding.jpeg import Form, steps_of
from engram.datasets import folders, wardrobe
from engram.datasets.assortment import Assortment
from engram.datasets.canvases import Canvas
from engram.images import ImageSet
from engram.networks.registry import make

sys.path.append(str(Path(__file__).parents[1] / "codecs"))
from sample_networks import pictures, pixel, restoration, spatial, transform

FOLDER = Path(__file__).parent / "archives"


def golden() -> dict[str, tuple[ImageSet, Codec, int, bool]]:
    """Images, codec, block size, and whether the model is embedded, by file name."""
    rng = np.random.default_rng(0)
    gray = ImageSet(
        rng.integers(0, 256, (20, 8, 8, 1), np.uint8),
        rng.integers(0, 3, 20),
        ("ape", "bee/wasp", "éclair"),
        (*(f"{index:04}.jpg" for index in range(18)), "naïve.png", "naïve 7.png"),
    )
    colour = ImageSet(rng.integers(0, 256, (5, 9, 8, 3), np.uint8))
    classes = tuple(f"class {index}" for index in range(300))
    many = ImageSet(rng.integers(0, 256, (10, 8, 8, 1), np.uint8), np.arange(10) * 33, classes)
    clothes = wardrobe.draw(100, seed=0)
    small = wardrobe.draw(100, seed=1, shape=(12, 10))
    tinted = ImageSet(
        np.concatenate([small.images, small.images // 2, 255 - small.images], axis=3), small.labels, small.class_names
    )
    pca = freeze(fit_pca(small, 6), small)
    found: dict[str, tuple[ImageSet, Codec, int, bool]] = {
        "raw-gray": (gray, Raw((8, 8, 1)), 7, True),
        "raw-rgb-nothing-known": (colour, Raw((9, 8, 3)), 64, True),
        "raw-many-classes": (many, Raw((8, 8, 1)), 1, True),
        "raw-empty": (gray[:0], Raw((8, 8, 1)), 64, True),
        "frozen-pca": (small, pca, 64, True),
        "frozen-pca-without-model": (small, pca, 33, False),
        "frozen-pca-rgb": (tinted, freeze(fit_pca(tinted, 6), tinted), 64, True),
    }
    for method, options in (("cnn", {}), ("ann", {"hidden": 6}), ("tied", {"hidden": 6})):
        images = clothes if method == "cnn" else small
        network = make(method, images.image_shape, seed=0, initial_scale=2.0, **options).describe()
        found[f"frozen-{method}"] = (images, freeze(network, images), 64, True)
    colourful = freeze(transform(tinted.image_shape, 9), tinted)
    found["transform"] = (clothes, freeze(transform(clothes.image_shape, 12), clothes), 64, True)
    found["transform-rgb-without-model"] = (tinted, colourful, 33, False)
    blobs, colours = pictures(32, (8, 8, 1)), pictures(40, (9, 8, 3))
    mixed = ImageSet(np.concatenate([blobs.images, gray.images[:8]]))  # the last block is deflated
    near = pixel(colours.image_shape, (16,), components=3, radius=1, max_error=1)
    found["pixel"] = (mixed, freeze(pixel(blobs.image_shape), blobs), 16, True)
    found["pixel-near-lossless-rgb-without-model"] = (colours, freeze(near, colours), 33, False)
    coarse_gray = freeze(pixel(small.image_shape, max_error=8), small)
    found["restored"] = (small, with_restoration(coarse_gray, restoration(1, max_error=8), small), 64, True)
    rough = freeze(pixel(colours.image_shape, max_error=12), colours)
    restored = with_restoration(rough, restoration(3, 4, 2, max_error=12), colours)
    found["restored-rgb-without-model"] = (colours, restored, 33, False)
    few = {"width": 4, "context": 6, "hidden": 12}
    found["spatial"] = (small, freeze(spatial(small.image_shape), small), 64, True)
    corner = ImageSet(tinted.images[:, :11, :7], tinted.labels, tinted.class_names)  # no side is whole cells
    coarse = freeze(spatial(corner.image_shape, **few), corner).at(101)
    found["spatial-rgb-without-model"] = (corner, coarse, 33, False)
    luma, chroma = steps_of(75)
    grid = Grid(Form((16, 32, 3), True), np.stack([luma, chroma, chroma]))
    scenes = pictures(40, (16, 32, 3), seed=4).images
    scenes[:33] = grid.pixels(grid.recover(scenes[:33]))  # the last block is corrected
    photographs = ImageSet(scenes)
    jpeg = fit_jpeg(scenes, grid)
    assert jpeg is not None
    found["jpeg-coefficients"] = (photographs, jpeg, 11, True)
    return found


def appended() -> dict[str, list[tuple[ImageSet, Codec | None]]]:
    """What is packed, and then appended, with codecs (None for the archive's own), by file name."""
    sets = [wardrobe.draw(40, seed=seed, shape=(12, 10)) for seed in (1, 2, 3)]
    first, second, third = (
        replace(images, names=tuple(f"{number}-{row}.png" for row in range(40))) for number, images in enumerate(sets)
    )
    learned = freeze(pixel(first.image_shape), first)
    other = replace(third, class_names=("toga", *third.class_names[::-1]))
    return {
        "grown": [(first, learned), (second, None), (other, freeze(fit_pca(first, 6), first))],
        "grown-without-model": [(first, learned), (second[:7], None)],
    }


def mixed(path: Path) -> None:
    """An archive of images of five sizes on two canvases, with one model for both."""
    clothes = wardrobe.draw(40, seed=4, shape=(12, 10))
    learned = freeze(pixel((12, 10, 1)), clothes)
    sizes = [(12, 10), (10, 12), (12, 10), (9, 12), (10, 11), (12, 7)]
    with tempfile.TemporaryDirectory() as folder:
        for row, image in enumerate(clothes.images):
            height, width = sizes[row % len(sizes)]
            place = Path(folder) / ("left" if row % 2 else "right") / f"{row:03}.png"
            place.parent.mkdir(exist_ok=True)
            Image.fromarray(np.tile(image[..., 0], (2, 2))[:height, :width]).save(place)
        images = folders.collection(folder)
        assert isinstance(images, Assortment)
        canvases = [
            Canvas((12, 10), np.flatnonzero(images.sizes[:, 0] == 12)),
            Canvas((10, 12), np.flatnonzero(images.sizes[:, 0] < 12)),
        ]
        codecs = [brought_to(learned, (*canvas.size, 1)) for canvas in canvases]
        archive.pack_mixed(images, canvases, codecs, path, block_size=16)


def content(path: Path) -> dict[str, object]:
    """What an archive must decode to; its left-out model lies beside it."""
    left_out = path.with_suffix(".model")
    with archive.open(path, left_out if left_out.exists() else None) as opened:
        print(path)
        images = list(opened)
        return {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "codec": opened.codecs[-1].id,
            "shape": [len(images), *(images[0].shape if images else opened.image_shape)],
            "pixels_sha256": hashlib.sha256(b"".join(image.tobytes() for image in images)).hexdigest(),
            "class_names": list(opened.class_names),
            "labels": None if opened.labels is None else opened.labels.tolist(),
            "names": None if opened.names is None else list(opened.names),
        }


def main() -> None:
    expected_path = FOLDER / "expected.json"
    expected = json.loads(expected_path.read_text()) if expected_path.exists() else {}
    for stem, (images, codec, block_size, embed_model) in golden().items():
        path = FOLDER / f"{stem}.egm"
        if path.exists():
            continue
        archive.pack(images, codec, path, block_size=block_size, embed_model=embed_model)
        if not embed_model:
            path.with_suffix(".model").write_bytes(codec.model)
        expected[path.name] = content(path)
    for stem, ((images, first), *more) in appended().items():
        path, embed_model = FOLDER / f"{stem}.egm", not stem.endswith("without-model")
        if path.exists():
            continue
        assert first is not None
        archive.pack(images, first, path, block_size=16, embed_model=embed_model)
        if not embed_model:
            path.with_suffix(".model").write_bytes(first.model)
        for some, another in more:
            archive.append(some, path, another, model=None if embed_model else first.model)
        expected[path.name] = content(path)
    path = FOLDER / "mixed.egm"
    if not path.exists():
        mixed(path)
        expected[path.name] = content(path)
    expected_path.write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
