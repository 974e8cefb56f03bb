"""The transform code, measured: bytes on disk against PSNR, with rivals' figures beside, and images per second.

Takes model files of `engram train DATA --method transform --bytes N`, freezes each on the training images, packs the
test images into an archive, opens it and measures. The rival is the AVIF atlas (all images in one picture, no random
access), whose curve on the test set of Fashion-MNIST is kept here as data: Pillow, 100 x 100 tiles, 4:0:0, speed 3.

    python benchmarks/transform.py MODEL ...
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import engram
from engram import archive, models
from engram.archive import shipped
from engram.codecs.transform.codec import Transform
from engram.datasets import source
from engram.evaluation.judge import Judge, judge_of
from engram.images import ImageSet, Splits
from engram.models import Model

ATLAS = {
    24.1: 20.06,
    33.4: 21.66,
    48.5: 24.05,
    65.3: 26.67,
    86.9: 29.48,
    111.6: 32.89,
    143.0: 36.17,
}
"""Bytes an image to PSNR in dB."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument("--loss-db", type=float, default=0.05, help="what whole numbers may cost")
    parser.add_argument(
        "--judges", nargs="*", default=list(shipped.judges()), help="files, or names that engram brings"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    loaded = source.load(options.data)
    assert isinstance(loaded, Splits)
    judges = {Path(name).stem: judge_of(name) for name in options.judges}
    if not options.json:
        columns = ["model", "bytes", "with model", "PSNR, dB", "atlas at that PSNR", "packed/s", "unpacked/s", *judges]
        print(f"| {' | '.join(columns)} |")
        print("|---" * len(columns) + "|")
    for path in options.models:
        row = measure(models.load(path), loaded, options.loss_db, judges)
        if options.json:
            print(json.dumps({"model": path.name} | row), flush=True)
            continue
        judged = "".join(f" {100 * share:.1f} % |" for share in row["accuracy"].values())
        print(
            f"| {path.stem} | {row['bytes_per_image']:.2f} | {row['bytes_per_image_with_model']:.2f}"
            f" | {row['psnr_db']:.2f} | {row['atlas_bytes']:.1f} ({100 * row['saved']:.0f} % saved)"
            f" | {row['packed_per_second']:,.0f} | {row['unpacked_per_second']:,.0f} |{judged}",
            flush=True,
        )


def measure(model: Model, data: Splits, loss_db: float, judges: dict[str, Judge]) -> dict[str, Any]:
    """The row of one model."""
    codec = engram.freeze(model, data.train, loss_db=loss_db)
    assert isinstance(codec, Transform)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "test.egm"
        pixels = ImageSet(data.test.images)  # labels apart: they cost the same with every codec
        started = time.perf_counter()
        archive.pack(pixels, codec, path)
        packed = len(pixels) / (time.perf_counter() - started)
        row = engram.measure(path, data.test, judges)
    atlas = float(np.interp(row["psnr_db"], list(ATLAS.values()), list(ATLAS)))
    return row | {
        "packed_per_second": packed,
        "unpacked_per_second": row["images_per_second"],
        "atlas_bytes": atlas,
        "saved": 1 - row["bytes_per_image"] / atlas,
    }


if __name__ == "__main__":
    main()
