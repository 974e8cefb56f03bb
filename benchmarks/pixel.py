"""The pixel code's speed by effort, beside its targets and rivals: `make bench-pixel`.

Each effort's network is trained for some epochs, kept in a folder, and frozen; the archive of DATA is then packed and
unpacked several times, to disk and from it, and single images are read each from a block that was not read before. The
rivals code the same images in the same run. Speeds are medians, with the slowest and the fastest in brackets; "a core"
is images a second of processor time, which a machine busy with other work changes less.

    python benchmarks/pixel.py --efforts fast default --epochs 6 --out out/pixel/speed.json
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codec import half, one_by_one, read, speed, table, timed

import engram
from engram import archive as archives
from engram import models
from engram.codecs.pixel.kernel import library
from engram.evaluation.rivals import RIVALS
from engram.experiments.environment import environment
from engram.files import replacing_file
from engram.images import ImageSet
from engram.models import Model
from engram.networks.pixel import EFFORTS

TARGETS = {"fast": (20_000, 10_000, 20), "default": (10_000, 5_000, 20), "best": (None, None, 20)}
"""Images a second packed and unpacked on two cores, and milliseconds for one image of a block of 64."""
SPEEDS = {"avif-atlas": 80, "jxl-lossless-atlas": 7, "png-each": 9}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", default="fashion-mnist", help="DATA, whose train half is learned and test half packed"
    )
    parser.add_argument("--efforts", nargs="*", default=list(EFFORTS), choices=EFFORTS, metavar="EFFORT")
    parser.add_argument("--epochs", type=int, default=6, help="how long networks are trained that are not there yet")
    parser.add_argument("--models", type=Path, default=Path("out/pixel"), help="the folder of the trained networks")
    parser.add_argument("--rivals", nargs="*", default=list(SPEEDS), choices=SPEEDS, metavar="RIVAL")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write all rows there, as JSON")
    options = parser.parse_args()
    images, training = half(f"{options.data}:test"), half(f"{options.data}:train")
    result: dict[str, Any] = {"data": options.data, "images": len(images), "kernel": library() is not None}
    result["environment"] = environment() | {"command": " ".join(["benchmarks/pixel.py", *sys.argv[1:]])}
    result["load_before"] = os.getloadavg()[0]
    trained = [trained_model(effort, options.models, training, options.epochs) for effort in options.efforts]
    result["efforts"] = [
        {"effort": effort} | measured(model, images, training, options.repetitions)
        for effort, model in zip(options.efforts, trained, strict=True)
    ]
    result["rivals"] = [speed(RIVALS[name], images, SPEEDS[name], options.repetitions) for name in options.rivals]
    result["load_after"] = os.getloadavg()[0]
    print("\n\n".join(tables(result)))
    if options.out:
        with replacing_file(options.out) as file:
            file.write((json.dumps(result, indent=1) + "\n").encode())


def trained_model(effort: str, folder: Path, training: ImageSet, epochs: int) -> Model:
    """The network of an effort, from the folder where it is there."""
    path = folder / f"{effort}.safetensors"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        engram.fit(training, "pixel", options=EFFORTS[effort], epochs=epochs).save(path)
    return models.load(path)


def measured(model: Model, images: ImageSet, training: ImageSet, repetitions: int) -> dict[str, Any]:
    """Bytes, images a second of each repetition, and seconds of single reads."""
    codec = engram.freeze(model, training)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "images.egm"
        archives.pack(images, codec, path)
        row = engram.measure(path, images)
        packing = [both_times(lambda: archives.pack(images, codec, path, force=True)) for _ in range(repetitions)]
        unpacking = [both_times(lambda: read(path)) for _ in range(repetitions)]
        singles = one_by_one(path, engram.info(path).groups[0].block_size)
    return {
        "epochs": model.facts["recipe"]["epochs"],
        "hidden": model.facts["options"]["hidden"],
        "bytes_per_image": row["bytes_per_image"],
        "bytes_per_image_with_model": row["bytes_per_image_with_model"],
        "pack_images_per_second": sorted(len(images) / seconds for seconds, _ in packing),
        "pack_images_per_core_second": sorted(len(images) / seconds for _, seconds in packing),
        "unpack_images_per_second": sorted(len(images) / seconds for seconds, _ in unpacking),
        "unpack_images_per_core_second": sorted(len(images) / seconds for _, seconds in unpacking),
        "one_image_seconds": sorted(singles),
    }


def both_times(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds that pass, and seconds of processor time, over all threads."""
    before = time.process_time()
    seconds = timed(work)
    return seconds, time.process_time() - before


def tables(result: dict[str, Any]) -> list[str]:
    """The result in Markdown."""
    about = result["environment"]
    machine = (
        f"{result['data']}:test, {result['images']:,} images; {about['cores']} cores of {about['processor']}, "
        f"{'the kernel in C' if result['kernel'] else 'NumPy alone'}, load {result['load_before']:.1f} before and "
        f"{result['load_after']:.1f} after; commit {about['commit']}"
    )
    efforts = []
    for row in result["efforts"]:
        packed, unpacked, milliseconds = TARGETS[row["effort"]]
        singles = [1000 * seconds for seconds in row["one_image_seconds"]]
        efforts.append(
            [
                *(row["effort"], "-".join(map(str, row["hidden"])), row["epochs"]),
                *(row["bytes_per_image"], row["bytes_per_image_with_model"]),
                *(spread(row["pack_images_per_second"]), per_core(row, "pack"), packed and f"{packed:,}"),
                *(spread(row["unpack_images_per_second"]), per_core(row, "unpack"), unpacked and f"{unpacked:,}"),
                *(f"{statistics.median(singles):.1f} (worst {singles[-1]:.1f})", milliseconds),
            ]
        )
    rivals = [
        [
            *(row["rival"], f"{row['setting']:g}"),
            *(row.get("error") or f"{row[f'{way}_images_per_second']:,.0f}" for way in ("pack", "unpack")),
        ]
        for row in result["rivals"]
    ]
    heading = (
        "effort | hidden | epochs | bytes | with model | packed/s | a core | target | unpacked/s | a core | target"
    )
    return [
        machine,
        *filter(None, [table(f"{heading} | one of a block, ms | target", efforts)]),
        *filter(None, [table("rival | setting | packed/s | unpacked/s", rivals)]),
    ]


def per_core(row: dict[str, Any], way: str) -> str:
    return f"{statistics.median(row[f'{way}_images_per_core_second']):,.0f}"


def spread(sorted_numbers: list[float]) -> str:
    """The median, the least and the largest."""
    return f"{statistics.median(sorted_numbers):,.0f} ({sorted_numbers[0]:,.0f} to {sorted_numbers[-1]:,.0f})"


if __name__ == "__main__":
    main()
