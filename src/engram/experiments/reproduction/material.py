"""The images of a reproduction: found, converted to JPG as the paper does, and divided as the paper divides them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from engram.datasets import catalog, pictures, source
from engram.datasets.progress import Progress
from engram.errors import UsageError
from engram.evaluation.distortion import psnr_db
from engram.images import ImageSet

PAPER_DATA = "fashion-mnist"
JPEG_QUALITY = 95
"""The paper does not give the quality of its JPG files. At 95 they are 44.5 dB from the originals, and the classifier
does not notice (the report's table; other qualities are in LOG.md)."""
SPLIT_SEED = 0


class NoLabels(UsageError):
    """A reproduction needs classes for the judge."""


@dataclass(frozen=True, eq=False)
class Material:
    """The images that all trials share, and the device they train on. `facts` are JSON-able."""

    networks_train: ImageSet
    networks_test: ImageSet
    classifier_train: ImageSet
    classifier_test: ImageSet
    original_test: ImageSet  # classifier_test before its conversion to JPG
    device: str
    facts: dict[str, Any]

    @cached_property
    def fingerprint(self) -> str:
        """What trials are valid for: the sets that networks and classifiers see, and the device."""
        sets = self.networks_train, self.networks_test, self.classifier_train, self.classifier_test
        return "-".join([self.device, *(images.fingerprint()[:16] for images in sets)])


def prepare(data: str | None, counts: dict[str, int], device: str, progress: Progress | None = None) -> Material:
    """The material from DATA, or from Fashion-MNIST where data is None, or from `wardrobe` where that is not to be had.

    counts: how many images for `networks_train`, `networks_test`, `classifier_train`, `classifier_test`; the first two
    are drawn from the halves of the set by SPLIT_SEED, the last two likewise where they are fewer than the half holds.
    Raises what `source.load` raises for a data set that was named, TooFewImages, and NoLabels.
    """
    missing = ""
    try:
        loaded = source.load(data or PAPER_DATA, progress)
    except catalog.NotAvailable as error:
        if data is not None:
            raise
        missing = str(error)
        loaded = source.load("wardrobe", progress)
    name = data or ("wardrobe" if missing else PAPER_DATA)
    if {"train", "test"} <= set(loaded.splits):
        halves = {half: loaded.split(half) for half in ("train", "test")}
    else:
        seventh = len(loaded) // 7  # the paper's share
        halves = source.draw_split(loaded, {"test": seventh, "train": len(loaded) - seventh}, SPLIT_SEED)
    for half in halves.values():
        if half.labels is None:
            raise NoLabels(f"{name} has no labels, which the judge needs: use a folder with one sub-folder per class")
    test = draw(halves["test"], "classifier_test", counts)
    train_jpg, test_jpg = (as_jpg(draw(halves[half], f"classifier_{half}", counts)) for half in ("train", "test"))
    facts = {
        "name": name,
        "is_papers": name == PAPER_DATA,
        "missing": missing,
        "jpeg_quality": JPEG_QUALITY,
        "jpeg_psnr_db": psnr_db(test.images, test_jpg.images),
        "image_shape": list(train_jpg.image_shape),
        "class_names": list(train_jpg.class_names),
        "train_images": len(halves["train"]),
        "test_images": len(halves["test"]),
        "counts": counts,
        "split": f"numpy.random.default_rng({SPLIT_SEED}).permutation(n)[:count] of each half",
        "sha256": {name: half.fingerprint() for name, half in halves.items()},
    }
    return Material(
        draw(train_jpg, "networks_train", counts),
        draw(test_jpg, "networks_test", counts),
        train_jpg,
        test_jpg,
        test,
        device,
        facts,
    )


def draw(images: ImageSet, kind: str, counts: dict[str, int]) -> ImageSet:
    """The images of a split, all in their order where it takes all."""
    if counts[kind] == len(images):
        return images
    return source.draw_split(images, {kind: counts[kind]}, SPLIT_SEED)[kind]


def as_jpg(images: ImageSet) -> ImageSet:
    """The images with the pixels that their JPG files hold (paper 2.1)."""
    return ImageSet(pictures.jpeg_roundtrip(images.images, JPEG_QUALITY), images.labels, images.class_names)


def files_of(name: str) -> list[dict[str, Any]]:
    """Name, images and bytes of each file of Table 1, for the paper's data; empty for others."""
    if name != PAPER_DATA:
        return []
    folder = Path(catalog.fetch(name))
    return [{"name": file.name, "bytes": (folder / file.name).stat().st_size} for file in catalog.CATALOG[name].files]
