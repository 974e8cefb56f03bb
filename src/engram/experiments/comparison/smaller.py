"""Smaller models: hidden units that say the same removed (paper, reference 1); weights pruned or clustered (4.2).

One network is trained, made smaller in steps, and trained on for a few epochs; beside it stand networks that were
trained with as few units from the start. Bytes are those of archives, as in every row.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, final

from engram.codecs.contract import Codec
from engram.codecs.dial import freeze_to_bytes
from engram.codecs.frozen import Frozen
from engram.codecs.product import quantise_products
from engram.codecs.pruning import pruned
from engram.codecs.reduction import reduced
from engram.document import Block, Column, Table, Text
from engram.experiments.comparison.job import Finding
from engram.experiments.comparison.material import Material
from engram.experiments.comparison.row import Row, confusions, packed, strip
from engram.experiments.comparison.study import Study
from engram.layers import Network
from engram.training.fit import fit
from engram.training.tuning import tune
from engram.training.workers import Tick

NEAR_DB = 0.1
SECONDS, TUNING_SECONDS = 15e-6, 120e-6
"""Of an image: an epoch of training, and all epochs of training on."""
Variant = tuple[str, str, Codec, dict[str, Any]]
"""The name of the method in the table, the setting, the codec, and what the study says of it."""


@dataclass(frozen=True, eq=False)
class _Smaller(Study):
    """Variants of the paper's fully connected network, at bytes_asked each."""

    family: str
    epochs: int
    bytes_asked: int

    @abstractmethod
    def variants(self, material: Material, tick: Tick) -> Iterator[Variant]:
        """The network as it was trained, then smaller ones."""

    def frozen(self, material: Material, network: Network) -> Codec:
        """The network's codec at bytes_asked."""
        return freeze_to_bytes(network, material.train, self.bytes_asked)

    def trained(self, material: Material, hidden: int, tick: Tick) -> Network:
        each = SECONDS * len(material.train)
        return fit(
            material.train,
            "ann",
            0,
            options={"hidden": hidden},
            epochs=self.epochs,
            progress=lambda done, epochs: tick(each),
        ).network

    def tuned(self, material: Material, network: Network, tick: Tick) -> Network:
        tuned = tune(network, material.train).network
        tick(TUNING_SECONDS * len(material.train))
        return tuned

    def run(self, material: Material, tick: Tick) -> Finding:
        rows: list[Row] = []
        facts, pictures, confused = [], {}, []
        for method, setting, codec, told in self.variants(material, tick):
            figures, recovered = packed(material, codec)
            counts = confusions(material, material.test.with_images(recovered))
            confused.append({judge: own.tolist() for judge, own in counts.items()})
            pictures[str(len(rows))] = strip(material, recovered)
            rows.append({"method": method, "family": self.family, "setting": setting} | figures)
            kept = ("psnr_db", "model_bytes", "decode_images_per_second")
            facts.append({"method": method} | told | {name: figures[name] for name in kept})
        return Finding(tuple(rows), {"variants": facts, "confusion": confused}, pictures)


@final
@dataclass(frozen=True, eq=False)
class Reduction(_Smaller):
    """Hidden units removed one after the other, the least distinct first."""

    title: ClassVar[str] = "Removing hidden units (paper 1, reference 1)"
    hidden: int
    left: tuple[int, ...]

    def seconds(self, material: Material) -> float:
        trainings = (1 + len(self.left)) * SECONDS * self.epochs + len(self.left) * TUNING_SECONDS
        return trainings * len(material.train) + 3 * len(self.left) * 5e-4 * len(material.test)

    def variants(self, material: Material, tick: Tick) -> Iterator[Variant]:
        whole = self.trained(material, self.hidden, tick)
        yield (
            "ann, units removed",
            f"{self.hidden} units",
            self.frozen(material, whole),
            {"units": self.hidden, "angle": None},
        )
        for network, angle in reduced(whole, material.train, min(self.left)):
            units = network.code_numbers
            if units not in self.left:
                continue
            setting, told = f"{units} units", {"units": units, "angle": angle}
            yield "ann, units removed", setting, self.frozen(material, network), told
            tuned = self.tuned(material, network, tick)
            yield "ann, units removed, tuned", setting, self.frozen(material, tuned), told
            anew = self.trained(material, units, tick)
            yield "ann of few units", setting, self.frozen(material, anew), {"units": units, "angle": None}

    def blocks(self, found: Finding) -> tuple[Block, ...]:
        variants = found.facts["variants"]
        first, few = variants[0], [fact for fact in variants if fact["units"] == min(self.left)]
        told = ", ".join(f"{fact['method']} {fact['psnr_db']:.1f} dB" for fact in few)
        return (
            Text(
                "Gedeon and Harris compress a trained network step by step: two hidden units whose activations over "
                "the training images point in nearly one direction say the same, and one takes over for both. "
                f"From {first['units']} units, {first['psnr_db']:.1f} dB at {self.bytes_asked} bytes, down to "
                f"{min(self.left)}: {told}. The angle is that between the last two units that were merged."
            ),
            Table(
                f"The paper's network with fewer hidden units, at {self.bytes_asked} bytes an image",
                (
                    *(Column("method"), Column("units"), Column("angle", 0, "degrees")),
                    *(Column("PSNR", 2, "dB"), Column("model", 0, "bytes")),
                ),
                tuple(
                    (fact["method"], fact["units"], fact["angle"], fact["psnr_db"], fact["model_bytes"])
                    for fact in variants
                ),
            ),
        )


@final
@dataclass(frozen=True, eq=False)
class Weights(_Smaller):
    """Of the weights of the synthesis only the largest stay, or each piece of a row becomes one of a few codewords."""

    title: ClassVar[str] = "Pruning and product quantisation (paper 4.2, reference 11)"
    hidden: int
    kept: tuple[float, ...]
    codebooks: tuple[tuple[int, int], ...]  # (codewords, their length)

    def seconds(self, material: Material) -> float:
        trainings = SECONDS * self.epochs + len(self.kept) * TUNING_SECONDS
        codecs = 1 + 2 * len(self.kept) + len(self.codebooks)
        return trainings * len(material.train) + codecs * (5 + 5e-4 * len(material.test))

    def variants(self, material: Material, tick: Tick) -> Iterator[Variant]:
        whole = self.trained(material, self.hidden, tick)
        codec = self.frozen(material, whole)
        yield "ann, all weights", "all weights", codec, {"kept": 1.0}
        for share in self.kept:
            network = pruned(whole, share)
            setting, told = f"{share:.0%} of the weights", {"kept": share}
            yield "ann, pruned", setting, self.frozen(material, network), told
            tuned = self.tuned(material, network, tick)
            yield "ann, pruned, tuned", setting, self.frozen(material, tuned), told
        assert isinstance(codec, Frozen)
        for codewords, length in self.codebooks:
            setting = f"{codewords} codewords of {length}"
            quantised = quantise_products(codec, material.train, codewords, length)
            yield "ann, product quantised", setting, quantised, {"kept": None, "codewords": setting}

    def blocks(self, found: Finding) -> tuple[Block, ...]:
        whole, *smaller = found.facts["variants"]
        good = [fact for fact in smaller if fact["psnr_db"] >= whole["psnr_db"] - NEAR_DB]
        least = min(good, key=lambda fact: fact["model_bytes"], default=None)
        best = f"None of these comes within {NEAR_DB:g} dB of the whole network's {whole['psnr_db']:.2f} dB."
        if least is not None:
            what = least.get("codewords") or f"{least['kept']:.0%} of the weights"
            best = (
                f"The smallest model within {NEAR_DB:g} dB of the whole network's {whole['psnr_db']:.2f} dB has {what} "
                f"({least['method']}): {least['model_bytes']:,} bytes for {whole['model_bytes']:,}."
            )
        return (
            Text(
                "Pruned weights are 0, which the archive's entropy coder stores in a fraction of a bit; of product "
                f"quantised ones it stores codewords and which of them stands where. {best} Decoding multiplies whole "
                "matrices in either case, so its time stays about as it is: the paper hoped for speed, and what there "
                "is to win is size."
            ),
            Table(
                f"The paper's network with fewer numbers in its model, at {self.bytes_asked} bytes an image",
                (
                    *(Column("method"), Column("setting"), Column("PSNR", 2, "dB")),
                    *(Column("model", 0, "bytes"), Column("decoded", 0, "images/s")),
                ),
                tuple(
                    (
                        fact["method"],
                        fact.get("codewords") or f"{fact['kept']:.0%} of the weights",
                        *(fact["psnr_db"], fact["model_bytes"], fact["decode_images_per_second"]),
                    )
                    for fact in found.facts["variants"]
                ),
            ),
        )
