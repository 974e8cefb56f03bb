"""Writes the golden archives that are not there yet, and what they must decode to.

Run it as `python tests/golden/write_archives.py`. An archive that exists is never written again: bytes are frozen for
ever. A new codec, kind or type of columns gets a new archive here.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from engram import archive
from engram.archive import Archive, Coder
from engram.archive.changing import remove
from engram.codecs.contract import Codec
from engram.codecs.freeze import freeze
from engram.codecs.jpeg.fitting import fit_jpeg
from engram.codecs.jpeg.recovery import Grid
from engram.codecs.pca import fit_pca
from engram.codecs.picture_files import PictureFiles
from engram.codecs.pixel.generic import brought_to
from engram.codecs.raw import Raw
from engram.codecs.restored.freezing import with_restoration
from engram.coding.jpeg import Form, steps_of
from engram.datasets import folders, wardrobe
from engram.datasets.cells import Group
from engram.datasets.collection import OfPictures
from engram.datasets.pictures import encode_picture
from engram.images import ImageSet
from engram.kinds import KINDS, AnyPixels
from engram.networks.registry import make
from engram.table import Column, categories, column_of, texts

sys.path.append(str(Path(__file__).parents[1] / "codecs"))
from sample_networks import pictures, pixel, restoration, spatial

FOLDER = Path(__file__).parent / "archives"


def of_one_size() -> dict[str, tuple[ImageSet, Codec, int, bool]]:
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


def grown() -> dict[str, list[tuple[ImageSet, Codec | None]]]:
    """What is packed, and then appended, with codecs (None for the archive's own), by file name."""
    sets = [wardrobe.draw(40, seed=seed, shape=(12, 10)) for seed in (1, 2, 3)]
    first, second, third = (
        replace(images, paths=tuple(f"{number}-{row}.png" for row in range(40))) for number, images in enumerate(sets)
    )
    learned = freeze(pixel(first.image_shape), first)
    other = replace(third, class_names=("toga", *third.class_names[::-1]))
    return {
        "grown": [(first, learned), (second, None), (other, freeze(fit_pca(first, 6), first))],
        "grown-without-model": [(first, learned), (second[:7], None)],
    }


def mixed(path: Path) -> None:
    """Pictures of five sizes in two groups, with one model for both."""
    clothes = wardrobe.draw(40, seed=4, shape=(12, 10))
    learned = freeze(pixel((12, 10, 1)), clothes)
    shapes = [(12, 10), (10, 12), (12, 10), (9, 12), (10, 11), (12, 7)]
    found = [
        np.tile(image, (2, 2, 1))[: shapes[row % 6][0], : shapes[row % 6][1]]
        for row, image in enumerate(clothes.images)
    ]
    table = {
        "path": texts([f"{'left' if row % 2 else 'right'}/{row:03}.png" for row in range(40)]),
        "label": categories(1 - np.arange(40) % 2, ("left", "right")),
    }
    collection = OfPictures("drawn", found, table)
    is_high = collection.sizes[:, 0] == 12
    groups = [
        Group(KINDS["gray"], size, np.flatnonzero(mine), collection.sizes[mine])
        for size, mine in (((12, 10), is_high), ((10, 12), ~is_high))
    ]
    coders = [Coder.of(brought_to(learned, (*group.size, 1))) for group in groups]
    archive.pack_collection(collection, groups, coders, path, block_size=16)


def drawn(kind: str, height: int, width: int, seed: int) -> AnyPixels:
    """A picture of a kind that deflates well."""
    wanted = KINDS[kind]
    rows, columns, channels = np.ogrid[:height, :width, : wanted.channels]
    step = 3 + max(height, width) // 16
    values = (rows // step * 7 + columns // step * (channels + 3) + seed * 31) * (257 if wanted.bits == 16 else 1)
    return (values + (columns == seed)).astype(wanted.dtype)


def of_all_kinds(seed: int, *class_names: str) -> OfPictures:
    """Four sizes of each kind, with two files that are kept."""
    sizes = [(9, 7), (5, 8), (9, 9), (1, 1)]
    found = [drawn(kind, *size, seed + row) for row, size in enumerate(sizes) for kind in KINDS]
    paths = [f"{kind}/{seed}.{row}.png" for row in range(len(sizes)) for kind in KINDS]
    numbers = np.arange(len(found)) % len(class_names)
    collection = OfPictures("drawn", found, {"path": texts(paths), "label": categories(numbers, class_names)})
    collection.files = {"metadata.csv": b"file_name\n%d\n" % seed, f"more/{seed}.txt": b""}
    return collection


def kinds(path: Path) -> None:
    """Every kind, padded, with files; gray layers but the low bytes by a model."""
    collection = of_all_kinds(0, "ape", "bee")
    groups = collection.groups()
    gray = ImageSet(np.stack([np.resize(each, (9, 9, 1)).astype(np.uint8) for each in collection.read(np.arange(24))]))
    learned = freeze(pixel((9, 9, 1)), gray)
    coders = [
        Coder(
            group.kind,
            tuple(
                learned if channels == 1 and number == 0 else Raw((*group.size, channels))
                for number, channels in enumerate(group.kind.layers)
            ),
        )
        for group in groups
    ]
    archive.pack_collection(collection, groups, coders, path, block_size=3)


def grown_kinds(path: Path) -> None:
    """The same, and more of each kind with a new class."""
    kinds(path)
    archive.append(of_all_kinds(5, "bee", "cow"), path)


def tiles(path: Path) -> None:
    """Pictures larger than a cell may be, cut into tiles of two sizes, beside a small one."""
    sizes = [(300, 270), (20, 600), (4, 4), (257, 256)]
    collection = OfPictures("drawn", [drawn("rgb", *size, row) for row, size in enumerate(sizes)], {})
    groups = collection.groups()
    coders = [Coder(group.kind, (Raw((*group.size, 3)),)) for group in groups]
    archive.pack_collection(collection, groups, coders, path, block_size=2)


def thinned(path: Path) -> None:
    """What was left of an archive of many sizes when pictures went: cells that belong to nothing."""
    kinds(path)
    remove(path, [1, 2, 6, 7, 14, 15, 23])


def columns(path: Path) -> None:
    """Columns of every type, of 20,000 pictures of one pixel: two chunks, the second with few values."""
    rows = np.arange(20_000)
    some = rows % 7 != 3
    some[16_384:] = rows[16_384:] % 1000 == 0

    def of(value: Callable[[int], object], there: Sequence[bool] = (True,) * len(rows)) -> Column:
        return column_of([value(row) if there[row] else None for row in rows.tolist()])

    extremes = {0: -(1 << 63), 5: (1 << 63) - 1}
    numbers = {0: math.inf, 5: -0.0, 10: 5e-324}
    table = {
        "path": texts([f"{row // 1000}/{row * 3}.png" for row in rows.tolist()]),
        "label": categories(rows % 3, ("ape", "bee", "cow")),
        "many": categories(rows * 13 % 500, [f"{number} é" for number in range(500)]),
        "integer": of(lambda row: extremes.get(row, row % 100), some.tolist()),
        "constant": Column("integer", np.full(len(rows), -5)),
        "number": of(lambda row: numbers.get(row, row / 8), some.tolist()),
        "half": of(lambda row: row / 2),
        "boolean": of(lambda row: row % 3 == 0, some.tolist()),
        "odd": of(lambda row: row % 2 == 1),
        "category": Column("category", rows % 2, ("", "one"), some),
        "text": of(lambda row: f"{10**17 + row}" if row % 2 else "naïve" * (row % 4), some.tolist()),
        "json": of(lambda row: {"é": [row % 4, 1.5, None]} if row % 2 else [row % 3 == 0], some.tolist()),
        "sizes": of(lambda row: [row % 5] * (row % 3)),
    }
    found = [np.full((1, 1, 1), row % 100, np.uint8) for row in rows.tolist()]
    collection = OfPictures("drawn", found, table)
    archive.pack_collection(collection, collection.groups(), [Coder.of(Raw((1, 1, 1)))], path, block_size=5000)


def shard_set(path: Path) -> None:
    """Three shards that share a model, and one that was appended."""
    first = replace(wardrobe.draw(40, seed=1, shape=(12, 10)), paths=tuple(f"{row}.png" for row in range(40)))
    second = replace(first[:5], class_names=first.class_names, paths=tuple(f"more/{row}.png" for row in range(5)))
    whole = path.with_name("whole.egm")
    archive.pack(first, freeze(pixel(first.image_shape), first), whole, block_size=8)
    archive.shard([whole], path, images=16)
    whole.unlink()
    archive.append(second, path)


def picture_files(path: Path) -> None:
    """JPEG files of several makes and sizes, with a model, beside PNG files: some stored as they are, some pixels."""
    makes = (
        {"quality": 80},
        {"quality": 60, "optimize": True},
        {"quality": 90, "subsampling": 0, "progressive": True},
        {"quality": 75, "restart_marker_blocks": 2, "comment": b"one of a kind"},
    )
    with tempfile.TemporaryDirectory() as folder:
        for number, image in enumerate(pictures(48, (19, 27, 3), seed=6).images):
            some, place = image[: 19 - number % 5 * (number % 3)], Path(folder, f"{number:02}")
            shown = Image.fromarray(some if number % 6 else some[..., 0])
            shown.save(place.with_suffix(".jpg"), **makes[number % 4])
        for kind, channels in (("rgb", 3), ("rgba", 4), ("gray16", 1)):
            for number in range(3):
                data = encode_picture(drawn(kind, 11, 12, number)[..., :channels], ".png", 100)
                Path(folder, f"{kind}-{number}.png").write_bytes(data)
        collection = folders.collection(folder)
        groups = [
            group.as_files() if group.kind.name in ("rgba", "gray16") else group for group in collection.groups(True)
        ]
        found = collection.read_files(np.flatnonzero(collection.as_files))
        learned = PictureFiles.learn(KINDS["rgb"], (1, 1), found * 10, 5000)
        coders = [
            Coder(group.kind, (learned.at(group.kind, group.size) if group.of_files else Raw((*group.size, 3)),))
            for group in groups
        ]
        archive.pack_collection(collection, groups, coders, path, block_size=7)


OTHERS = {
    "mixed.egm": mixed,
    "kinds.egm": kinds,
    "grown-kinds.egm": grown_kinds,
    "tiles.egm": tiles,
    "thinned.egm": thinned,
    "columns.egm": columns,
    "picture-files.egm": picture_files,
    "set": shard_set,
}


def content(path: Path) -> dict[str, object]:
    """What an archive must decode to; its left-out model lies beside it."""
    left_out = path.with_suffix(".model")
    with archive.open(path, left_out if left_out.exists() else None) as opened:
        return {"sha256": digest_of(path), "images": len(opened), **digests(opened)}


def digest_of(path: Path) -> str:
    """SHA-256 of a file, or of all files of a folder."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return hashlib.sha256(b"".join(each.read_bytes() for each in files)).hexdigest()


def digests(opened: Archive) -> dict[str, str]:
    """SHA-256 of the pixels, of what the table says with sizes and kinds, and of the files."""
    pixels = hashlib.sha256()
    for image in opened:
        pixels.update(image.tobytes())
    table: list[object] = [opened.sizes.tolist(), [kind.name for kind in opened.kinds_of(opened.rows)]]
    for name in opened.column_names:
        column = opened.column(name)
        values = [column.value(row) for row in range(len(column))]
        table.append((name, column.type, column.categories, values))
    files = [
        (name, opened.segment(number).kept_file(name))
        for number, source in enumerate(opened.sources)
        for name in source.directory.files
    ]
    kept = np.flatnonzero(opened.are_files(opened.rows)).tolist()
    files += [(str(row), opened.file(row)) for row in kept]
    return {
        "pixels_sha256": pixels.hexdigest(),
        "table_sha256": hashlib.sha256(repr(table).encode()).hexdigest(),
        "files_sha256": hashlib.sha256(repr(files).encode()).hexdigest(),
    }


def write(folder: Path) -> None:
    """All that a folder lacks."""
    for stem, (images, codec, block_size, embed_model) in of_one_size().items():
        path = folder / f"{stem}.egm"
        if not path.exists():
            archive.pack(images, codec, path, block_size=block_size, embed_model=embed_model)
            if not embed_model:
                path.with_suffix(".model").write_bytes(codec.model)
    for stem, ((images, first), *more) in grown().items():
        path, embed_model = folder / f"{stem}.egm", not stem.endswith("without-model")
        if path.exists():
            continue
        assert first is not None
        archive.pack(images, first, path, block_size=16, embed_model=embed_model)
        if not embed_model:
            path.with_suffix(".model").write_bytes(first.model)
        for some, another in more:
            archive.append(some, path, another, model=None if embed_model else first.model)
    for name, make_it in OTHERS.items():
        if not (folder / name).exists():
            make_it(folder / name)


def main() -> None:
    write(FOLDER)
    path = FOLDER / "expected.json"
    expected = json.loads(path.read_text()) if path.exists() else {}
    for each in sorted([*FOLDER.glob("*.egm"), FOLDER / "set"]):
        if each.name not in expected:
            expected[each.name] = content(each)
    path.write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
