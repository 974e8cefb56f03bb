"""Bytes against PSNR and accuracy for the paper's three methods: the rate table of LOG.md.

Takes the models that a reproduction left (DIR/models), freezes each at a dial of rates, with and without training with
quantisation in the loop, packs the test set of Fashion-MNIST into archives and measures those: `engram.measure`, judged
by the reproduction's classifier. Steps and tables are fitted on the training images alone.

    python benchmarks/rates.py out/reproduction
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import engram
from engram import models
from engram.datasets import source
from engram.evaluation.judge import Judge
from engram.experiments.material import SPLIT_SEED
from engram.images import Splits
from engram.training.quantised import fit_quantised

BITS = {"cnn": (8, 4, 3, 2, 1.5, 1), "ann": (4, 3, 2, 1, 0.5, 0.25), "tied": (4, 3, 2, 1, 0.5, 0.25)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of a reproduction")
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument("--epochs", type=int, default=40, help="of training with quantisation")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    loaded = source.load(options.data)
    assert isinstance(loaded, Splits)
    train = source.draw_split(loaded.train, {"networks_train": 5000}, SPLIT_SEED)["networks_train"]
    judge = Judge(models.load(options.folder / "models" / "classifier-seed0.safetensors"))
    if not options.json:
        print("| method | bits | bytes | with model | PSNR, dB | accuracy, % | trained on: bytes | dB | % |")
        print("|---|---|---|---|---|---|---|---|---|")
    for method, dial in BITS.items():
        model = models.load(options.folder / "models" / f"{method}-seed0.safetensors")
        for bits in dial:
            rows = []
            for trained in (model, fit_quantised(model, train, bits, epochs=options.epochs)):
                codec = engram.freeze(trained, train, bits=bits)
                with tempfile.TemporaryDirectory() as scratch:
                    path = Path(scratch) / "test.egm"
                    engram.pack(loaded.test, codec, path)
                    rows.append(engram.measure(path, loaded.test, judge))
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


if __name__ == "__main__":
    main()
