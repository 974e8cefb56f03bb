"""Bytes against PSNR and accuracy for the paper's three methods, and what whole numbers cost: two tables of LOG.md.

Takes the models that a reproduction left (DIR/models) and freezes each at a dial of rates; steps and tables are fitted
on the training images alone. Parts:

rates   with and without training with quantisation in the loop, the test set of Fashion-MNIST is packed into archives
        and those are measured: `engram.measure`, judged by the reproduction's classifier.
losses  the PSNR of the float synthesis less that of the frozen one, both fed with the same symbols of the test set, so
        at equal bytes. For principal components too, which need no reproduction.

    python benchmarks/rates.py out/reproduction
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

import engram
from engram import archive as archives
from engram import models
from engram.codecs.analysis import evaluate, floats_of, pixels_of
from engram.codecs.pca import fit_pca
from engram.datasets import source
from engram.evaluation.distortion import psnr_db
from engram.evaluation.judge import Judge
from engram.experiments.reproduction.material import SPLIT_SEED
from engram.images import ImageSet, Pixels
from engram.layers import Network
from engram.training.quantised import fit_quantised

BITS = {"cnn": (8, 4, 3, 2, 1.5, 1), "ann": (4, 3, 2, 1, 0.5, 0.25), "tied": (4, 3, 2, 1, 0.5, 0.25)}


PCA_UNITS = 100
_PART = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of a reproduction")
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument("--parts", nargs="*", choices=("rates", "losses"), default=["rates", "losses"])
    parser.add_argument("--epochs", type=int, default=40, help="of training with quantisation")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    loaded = source.load(options.data)
    train = source.draw_split(loaded.split("train"), {"networks_train": 5000}, SPLIT_SEED)["networks_train"]
    for part in options.parts:
        {"rates": rates, "losses": losses}[part](options, train, loaded.split("test"))


def rates(options: argparse.Namespace, train: ImageSet, test: ImageSet) -> None:
    judge = Judge(trained("classifier", options))
    if not options.json:
        print("| method | bits | bytes | with model | PSNR, dB | accuracy, % | trained on: bytes | dB | % |")
        print("|---|---|---|---|---|---|---|---|---|")
    for method, dial in BITS.items():
        model = trained(method, options)
        for bits in dial:
            rows = []
            for network in (model, fit_quantised(model, train, bits, epochs=options.epochs)):
                codec = engram.freeze(network, train, bits=bits)
                with tempfile.TemporaryDirectory() as scratch:
                    path = Path(scratch) / "test.egm"
                    archives.pack(test, codec, path)
                    rows.append(engram.measure(path, test, judge))
            if options.json:
                print(json.dumps({"method": method, "bits": bits, "frozen": rows[0], "quantised": rows[1]}), flush=True)
                continue
            before, after = rows
            print(
                f"| {method} | {bits:g} | {before['bytes_per_image']:.2f} | {before['bytes_per_image_with_model']:.2f}"
                f" | {before['psnr_db']:.2f} | {100 * before['accuracy']:.1f}"
                f" | {after['bytes_per_image']:.2f} | {after['psnr_db']:.2f} | {100 * after['accuracy']:.1f} |",
                flush=True,
            )


def losses(options: argparse.Namespace, train: ImageSet, test: ImageSet) -> None:
    if not options.json:
        print("| method | bits | PSNR in floats, dB | frozen, dB | loss, dB |\n|---|---|---|---|---|")
    networks = {method: trained(method, options).network for method in BITS}
    networks["pca"] = fit_pca(train, PCA_UNITS)
    for method, network in networks.items():
        for bits in BITS.get(method, BITS["ann"]):
            floats, frozen = (psnr_db(test.images, pixels) for pixels in both_syntheses(network, train, test, bits))
            row = {"method": method, "bits": bits, "float_psnr_db": floats, "frozen_psnr_db": frozen}
            table = f"| {method} | {bits:g} | {floats:.3f} | {frozen:.3f} | {floats - frozen:.3f} |"
            print(json.dumps(row | {"loss_db": floats - frozen}) if options.json else table, flush=True)


def both_syntheses(network: Network, train: ImageSet, test: ImageSet, bits: float) -> tuple[Pixels, Pixels]:
    """The test images as the float network and as the frozen one make them of the same symbols."""
    codec = engram.freeze(network, train, bits=bits)
    assert codec.encoder
    quantiser, floats, frozen = codec.encoder.quantiser, [], []
    for start in range(0, len(test), _PART):
        codes = evaluate(network.analysis, floats_of(test.images[start : start + _PART]))
        symbols = quantiser.symbols(codes.reshape(len(codes), -1))
        values = quantiser.values(symbols).reshape(-1, *network.code_shape)
        floats.append(pixels_of(evaluate(network.synthesis, values)))
        frozen.append(codec.synthesis.pixels(symbols[codec.encoder.units]))
    return np.concatenate(floats), np.concatenate(frozen)


def trained(method: str, options: argparse.Namespace) -> models.Model:
    return models.load(options.folder / "models" / f"{method}-seed0.safetensors")


if __name__ == "__main__":
    main()
