"""Feeding a training from an archive and from a folder of PNG files: `make bench-dataset`.

The same images, random order, batches of float32 tensors, the same DataLoader settings. The folder is read as
torchvision reads one: a list of files and classes, each file opened by Pillow and made a tensor. Rows of an archive:

loader       the batches of `ArchiveDataset.loader`, all images kept decoded
examples     a plain DataLoader of the same dataset, shuffle=True, which makes its batches of single examples
quarter      the loader, with memory for the pixels of a quarter of the images

The first epoch counts the opening, the start of workers, and all decoding; workers stay for the later ones. Images a
second, the median of the repetitions (of all later epochs), with the slowest and the fastest in brackets.

    python benchmarks/dataset.py --out dataset.json
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from codec import half, table
from PIL import Image
from torch.utils.data import DataLoader, Dataset

import engram
from engram import archive as archives
from engram.archive import shipped
from engram.codecs.contract import Codec
from engram.codecs.pca import fit_pca
from engram.codecs.raw import Raw
from engram.datasets import folders
from engram.experiments.environment import environment
from engram.files import replacing_file
from engram.images import ImageSet

Row = dict[str, Any]
Loader = Iterable[Any]
LATER_EPOCHS = 3


class PictureFolder(Dataset[Any]):
    """(float32[c, h, w] in [0, 1], class) of each picture in a folder of class folders."""

    def __init__(self, folder: Path) -> None:
        names = sorted(entry.name for entry in os.scandir(folder))
        self.files = [(path, label) for label, name in enumerate(names) for path in sorted((folder / name).iterdir())]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        path, label = self.files[index]
        with Image.open(path) as picture:
            pixels = np.array(picture)
        pixels = pixels[:, :, np.newaxis] if pixels.ndim == 2 else pixels
        return torch.from_numpy(pixels).permute(2, 0, 1).contiguous().to(torch.float32).div(255), label


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", default="fashion-mnist", help="DATA, whose test half is read; for PCA, the train half"
    )
    parser.add_argument("--models", nargs="*", default=["fashion-mnist-lossless"], help="models that engram brings")
    parser.add_argument("--workers", nargs="*", type=int, default=[0, 2])
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write all rows there, as JSON")
    options = parser.parse_args()
    images, training = half(f"{options.data}:test"), half(f"{options.data}:train")
    result: Row = {"data": f"{options.data}:test", "images": len(images), "batch_size": options.batch_size}
    result["environment"] = environment() | {"command": " ".join(["benchmarks/dataset.py", *sys.argv[1:]])}
    result["torch_threads"], result["load_before"] = torch.get_num_threads(), os.getloadavg()[0]
    result["rows"] = []
    with tempfile.TemporaryDirectory() as scratch:
        sources = list(written(images, training, options.models, Path(scratch)))
        for workers in options.workers:
            settings = {"batch_size": options.batch_size, "shuffle": True, "num_workers": workers}
            settings["persistent_workers"] = workers > 0
            for name, size, read in sources:
                row = {"source": name, "workers": workers, "bytes": size}
                result["rows"].append(row | measured(partial(read, settings), len(images), options.repetitions))
    result["load_after"] = os.getloadavg()[0]
    print(report(result))
    if options.out:
        with replacing_file(options.out) as file:
            file.write((json.dumps(result, indent=1) + "\n").encode())


def written(
    images: ImageSet, training: ImageSet, models: list[str], folder: Path
) -> Iterator[tuple[str, int, Callable[[Row], Loader]]]:
    """(name, bytes on disk, what makes a loader of DataLoader settings), each source written to the folder."""
    size = folders.save(images, folder / "pictures", format="png")
    yield "PNG folder", size, lambda settings: DataLoader(PictureFolder(folder / "pictures"), **settings)
    codecs: dict[str, Codec] = {name: shipped.load(name, images.image_shape) for name in models}
    codecs["pca, 64 components"] = engram.freeze(fit_pca(training, 64), training, bits=3)
    codecs["raw"] = Raw(images.image_shape)
    for name, codec in codecs.items():
        path = folder / f"{name}.egm"
        archives.pack(images, codec, path)
        quarter, size = images.images.nbytes // 4, path.stat().st_size
        yield f"{name}, loader", size, partial(whole_batches, path)
        yield f"{name}, examples", size, partial(single_examples, path)
        yield f"{name}, quarter", size, partial(whole_batches, path, memory_bytes=quarter)


def whole_batches(path: Path, settings: Row, **options: Any) -> Loader:
    return engram.ArchiveDataset(path, **options).loader(**settings)


def single_examples(path: Path, settings: Row) -> Loader:
    return DataLoader(engram.ArchiveDataset(path), **settings)


def measured(make: Callable[[], Loader], count: int, repetitions: int) -> Row:
    """Images a second of first epochs and of later ones, sorted."""
    first, later = [], []
    for _ in range(repetitions):
        started = time.perf_counter()
        loader = make()
        epoch(loader, count)
        first.append(count / (time.perf_counter() - started))
        for _ in range(LATER_EPOCHS):
            started = time.perf_counter()
            epoch(loader, count)
            later.append(count / (time.perf_counter() - started))
    return {"first_images_per_second": sorted(first), "later_images_per_second": sorted(later)}


def epoch(loader: Loader, count: int) -> None:
    seen = sum(len(labels) for images, labels in loader if images.dtype == torch.float32)
    assert seen == count


def report(result: Row) -> str:
    """The result in Markdown; `times` are medians over the PNG folder's with as many workers."""
    about, lines = result["environment"], []
    for row in result["rows"]:
        [folder] = [
            each for each in result["rows"] if each["source"] == "PNG folder" and each["workers"] == row["workers"]
        ]
        cells = [row["source"], row["workers"], f"{row['bytes'] / result['images']:.1f}"]
        for key in ("first_images_per_second", "later_images_per_second"):
            speed = statistics.median(row[key])
            cells += [f"{speed:,.0f} ({row[key][0]:,.0f} to {row[key][-1]:,.0f})"]
            cells += [f"{speed / statistics.median(folder[key]):.1f}"]
        lines.append(cells)
    return (
        f"{result['data']}, {result['images']:,} images, batches of {result['batch_size']}; {about['cores']} cores of "
        f"{about['processor']}, {result['torch_threads']} torch threads, load {result['load_before']:.1f} before and "
        f"{result['load_after']:.1f} after; commit {about['commit']}\n\n"
        + table("source | workers | bytes an image | first epoch, images/s | times | later epochs | times", lines)
    )


if __name__ == "__main__":
    main()
