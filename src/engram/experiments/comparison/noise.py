"""Does the recovered image come out cleaner than the noisy one (paper 4.2)?

Noisy test images are packed and recovered by networks that were trained on clean images, and by others that were
trained to return the clean image from a noisy one, and held against the clean originals; beside them two filters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final, get_args

import numpy as np

from engram.codecs.dial import freeze_to_bytes
from engram.datasets.noise import STRENGTHS, Noise, with_noise
from engram.document import Block, Column, Pictures, Table, Text
from engram.evaluation.denoising import FILTERS
from engram.evaluation.distortion import psnr_db
from engram.experiments.comparison.job import Finding
from engram.experiments.comparison.material import Material
from engram.experiments.comparison.row import judged
from engram.experiments.comparison.study import Study
from engram.images import ImageSet, Pixels
from engram.training.fit import fit
from engram.training.workers import Tick

MEASURED = 2_000
"""Test images, at most."""
SHOWN = 6
FREEZING_SECONDS = 4.0
SEED = 1
"""Of the noise on the test images; trainings draw from their own."""
KINDS: tuple[Noise, ...] = get_args(Noise)


@dataclass(frozen=True, eq=False)
class _NoiseStudy(Study):
    title: ClassVar[str] = "Noise (paper 4.2)"

    def _found(self, material: Material, clean: ImageSet, results: Mapping[Noise, Mapping[str, Pixels]]) -> Finding:
        """results: what came back, by kind of noise and by what brought it back."""
        facts: dict[str, Any] = {
            kind: {
                name: {
                    "psnr_db": psnr_db(clean.images, pixels),
                    "accuracy": judged(material, clean.with_images(pixels)),
                }
                for name, pixels in variants.items()
            }
            for kind, variants in results.items()
        }
        pictures = {
            f"{kind}/{name}": np.ascontiguousarray(pixels[:SHOWN])
            for kind, variants in results.items()
            for name, pixels in variants.items()
        }
        return Finding(facts=facts, pictures=pictures | {"clean": np.ascontiguousarray(clean.images[:SHOWN])})


def noisy(clean: ImageSet, kind: Noise) -> Pixels:
    """The images with noise of the usual strength."""
    return with_noise(clean.images, kind, STRENGTHS[kind], np.random.default_rng(SEED))


@final
@dataclass(frozen=True, eq=False)
class Filters(_NoiseStudy):
    """What filters make of the noise: the measure of what networks do."""

    def seconds(self, material: Material) -> float:
        return 0.02 * min(MEASURED, len(material.test))

    def run(self, material: Material, tick: Tick) -> Finding:
        clean = material.test[:MEASURED]
        results = {}
        for kind in KINDS:
            images = noisy(clean, kind)
            deviation = float(np.sqrt(np.square(images.astype(np.float32) - clean.images).mean()))
            results[kind] = {"noisy": images} | {name: denoise(images, deviation) for name, denoise in FILTERS.items()}
        return self._found(material, clean, results)

    def blocks(self, found: Finding) -> tuple[Block, ...]:
        strengths = {"gaussian": "gray levels", "salt-and-pepper": "of all pixels", "blocks": "of a side"}
        told = ", ".join(f"{kind} of {STRENGTHS[kind]:g} {strengths[kind]}" for kind in KINDS)
        return (
            Text(
                f"Noise on the test images ({told}), and what removes it. A network that never saw noise removes what "
                "its code cannot hold; one that was trained to return clean images does better than that. Filters "
                "are told how strong the noise is. All rows are held against the same clean originals."
            ),
            _table("Filters", found.facts),
        )


@final
@dataclass(frozen=True, eq=False)
class Denoising(_NoiseStudy):
    """A network that learned from clean images, and for each kind of noise one that learned to take it away."""

    epochs: int
    seconds_per_image: float
    bytes_asked: int

    def seconds(self, material: Material) -> float:
        each = 1.3 * self.seconds_per_image * self.epochs * len(material.train)
        return (1 + len(KINDS)) * each + 2 * len(KINDS) * FREEZING_SECONDS

    def run(self, material: Material, tick: Tick) -> Finding:
        clean = material.test[:MEASURED]
        each = 1.3 * self.seconds_per_image * len(material.train)

        def recovered(images: Pixels, network: Any) -> Pixels:
            codec = freeze_to_bytes(network, material.train, self.bytes_asked)
            return codec.decode(codec.encode(images), len(images))

        def trained(kind: Noise | None) -> Any:
            model = fit(
                material.train, self.name, 0, epochs=self.epochs, noise=kind, progress=lambda done, epochs: tick(each)
            )
            return model.network

        plain = trained(None)
        results = {}
        for kind in KINDS:
            images = noisy(clean, kind)
            results[kind] = {
                "trained on clean images": recovered(images, plain),
                "trained with noise": recovered(images, trained(kind)),
            }
        return self._found(material, clean, results)

    def blocks(self, found: Finding) -> tuple[Block, ...]:
        pictures = tuple(
            tuple(found.pictures[f"{kind}/{name}"][at] for at in range(len(found.pictures["clean"])))
            for kind in KINDS
            for name in ("trained on clean images", "trained with noise")
        )
        rows = tuple(f"{kind}, {name}" for kind in KINDS for name in ("trained on clean images", "trained with noise"))
        shown = Pictures(
            f"noise-{self.name}",
            f"Noisy images as {self.name} gives them back from {self.bytes_asked} bytes.",
            tuple(map(str, range(len(found.pictures["clean"])))),
            ("clean", *rows),
            (tuple(found.pictures["clean"]), *pictures),
        )
        return _table(f"{self.name}, {self.bytes_asked} bytes an image", found.facts), shown


def _table(caption: str, facts: Any) -> Table:
    judges = list(next(iter(next(iter(facts.values())).values()))["accuracy"])
    return Table(
        caption,
        (
            Column("noise"),
            Column("image"),
            Column("PSNR", 2, "dB"),
            *(Column(f"{judge} judge", 1, "%") for judge in judges),
        ),
        tuple(
            (kind, name, figures["psnr_db"], *(100 * figures["accuracy"][judge] for judge in judges))
            for kind, variants in facts.items()
            for name, figures in variants.items()
        ),
    )
