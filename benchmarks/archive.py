"""The archive's overhead, speed and memory: `make bench-archive`, or with ARGS="--million" the million images too.

Parts, each a table and rows of JSON:

overhead   10,000 images coded with a trained network: what each byte of the file is for, and the coder's state, which
           is the blocks' bytes less the information content of their symbols (the sum of -log2 of their probabilities).
speed      the same images packed to a file and unpacked to .npy, against Pillow encoding them as JPEG (quality 75,
           Huffman tables not optimised, its fastest) into memory and decoding them, in turn, on the same cores.
get        one image of a 70,000-image archive: in an open archive, at random, and as a cold `engram get`.
million    1,000,000 wardrobe images packed and verified by a process of its own, and `engram pack` of an IDX file that
           holds them; the peak memory of each.

Every figure is the median over the repetitions, with the lowest and the highest.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

Row = dict[str, Any]
COUNT = 10_000
MANY = 70_000
JPEG_QUALITY = 75
METHODS = ("tied", "ann")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="wardrobe", help="DATA of 28 x 28 gray images that comes divided")
    parser.add_argument("--parts", nargs="*", default=["overhead", "speed", "get"])
    parser.add_argument("--million", action="store_true", help="pack and verify 1,000,000 images (minutes)")
    parser.add_argument("--million-images", type=int, default=1_000_000, help=argparse.SUPPRESS)
    parser.add_argument("--million-child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--epochs", type=int, default=5, help="of the networks' training on 5,000 images")
    parser.add_argument("--bits", type=float, default=1.0, help="mean bits a code unit")
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.million_child:
        print(json.dumps(million_child(options.million_child, options.million_images)))
        return
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for part in options.parts:
            rows += {"overhead": overhead, "speed": speed, "get": get}[part](options, Path(scratch))
        if options.million:
            rows += million(options.million_images, Path(scratch))
    print(json.dumps(rows) if options.json else "\n".join(describe(row) for row in rows))


def overhead(options: argparse.Namespace, scratch: Path) -> list[Row]:
    import numpy as np

    from engram import archive
    from engram.coding import tables

    rows = []
    for method in METHODS:
        codec, images = codec_of(method, options), test_images(options)
        parts = archive.pack(images, codec, scratch / "overhead.egm", force=True).info
        symbols = codec.encoder.symbols([images.images])
        weights = [tables.weights_of(levels) for levels in codec.synthesis.levels]
        ideal = sum(float(tables.bits_of(w)[row].sum()) for w, row in zip(weights, symbols, strict=True)) / 8
        row: Row = {"part": "overhead", "method": method, "images": len(images)}
        row["block_size"] = parts.groups[0].block_size
        row |= {f"{name}_bytes_per_image": size / len(images) for name, size in parts.bytes_by_part.items()}
        row["information_bytes_per_image"] = ideal / len(images)
        row["coder_state_bytes_per_image"] = row["blocks_bytes_per_image"] - row["information_bytes_per_image"]
        row["overhead_bytes_per_image"] = sum(
            row[f"{name}_bytes_per_image"] for name in ("coder_state", "index", "directory", "prelude")
        )
        assert np.isclose(parts.archive_bytes, sum(parts.bytes_by_part.values()))
        rows.append(row)
    return rows


def speed(options: argparse.Namespace, scratch: Path) -> list[Row]:
    from engram import archive

    rows = []
    images = test_images(options)
    codecs = {method: codec_of(method, options) for method in METHODS}
    for cores in options.cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
        took: dict[str, list[float]] = defaultdict(list)
        for _ in range(options.repetitions):
            jpegs = timed(took["jpeg_encode"], encode_jpegs, images, cores)
            timed(took["jpeg_decode"], decode_jpegs, jpegs, cores)
            for method, codec in codecs.items():
                path = scratch / f"{method}.egm"
                timed(took[f"{method}_pack"], archive.pack, images, codec, path, force=True)
                timed(took[f"{method}_unpack"], archive.unpack, path, path.with_suffix(".npy"), force=True)
        for method in METHODS:
            for ours, theirs in ((f"{method}_pack", "jpeg_encode"), (f"{method}_unpack", "jpeg_decode")):
                ratios = [b / a for a, b in zip(took[ours], took[theirs], strict=True)]
                row = {"part": "speed", "cores": cores, "work": ours, "seconds": spread(took[ours])}
                rows.append(row | {f"{theirs}_seconds": spread(took[theirs]), "times_faster": spread(ratios)})
    return rows


def get(options: argparse.Namespace, scratch: Path) -> list[Row]:
    import numpy as np

    from engram import archive
    from engram.datasets import wardrobe

    path = scratch / "many.egm"
    codec = codec_of("tied", options)
    archive.pack(wardrobe.draw(MANY, seed=0), codec, path)
    rows = np.random.default_rng(0).integers(0, MANY, 500).tolist()
    inside: list[float] = []
    cold: list[float] = []
    with archive.open(path) as opened:
        opened[0]
        for row in rows:
            timed(inside, opened.__getitem__, row)
    for number, row in enumerate(rows[: 2 * options.repetitions]):
        command = [sys.executable, "-m", "engram", "get", str(path), str(row), "-o", str(scratch / f"{number}.png")]
        timed(cold, subprocess.run, command, check=True, stdout=subprocess.DEVNULL)
    return [{"part": "get", "images": MANY, "in_process_seconds": spread(inside), "cold_seconds": spread(cold)}]


def million(count: int, scratch: Path) -> list[Row]:
    child = ["--million-images", str(count), "--million-child", str(scratch / "million.egm")]
    run = subprocess.run([sys.executable, __file__, *child], check=True, capture_output=True, text=True)
    return [json.loads(run.stdout), command_line(count, scratch)]


PACK = """
import sys
from engram.cli.main import main
sys.argv[0] = "engram"
try:
    main()
finally:
    print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")), file=sys.stderr)
"""


def command_line(count: int, scratch: Path) -> Row:
    """`engram pack` of a gzipped IDX file with its labels, by principal components."""
    import gzip
    import struct

    import numpy as np

    from engram.codecs.pca import fit_pca
    from engram.datasets import idx, wardrobe
    from engram.models import Model

    data, model, labels = scratch / "million-images-idx3-ubyte.gz", scratch / "pca", []
    Model(fit_pca(wardrobe.draw(5000, seed=1), 40)).save(model)
    with gzip.open(data, "wb", 1) as file:
        file.write(struct.pack(">HBB3I", 0, 8, 3, count, 28, 28))
        for first in range(0, count, 10_000):
            some = wardrobe.draw(min(10_000, count - first), seed=0, start=first)
            file.write(some.images.tobytes())
            labels.append(some.labels)
    idx.save(scratch / "million-labels-idx1-ubyte.gz", np.concatenate(labels).astype(np.uint8))
    command = ["pack", str(data), "-m", str(model), "--bits", "2", "-o", str(scratch / "command.egm"), "--json"]
    run = subprocess.run([sys.executable, "-c", PACK, *command], check=True, capture_output=True, text=True)
    found = json.loads(run.stdout)
    row: Row = {"part": "command line", "images": found["images"], "archive_bytes": found["archive_bytes"]}
    return row | {"pack_seconds": found["seconds"], "peak_memory_bytes": 1024 * int(run.stderr.split()[-2])}


def peak_memory_bytes() -> int:
    """Of this process alone; what getrusage says begins with the memory of the process that started it."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return 1024 * int(line.split()[1])


def million_child(path: Path, count: int) -> Row:
    """Packs wardrobe images as they are drawn, with principal components, which need no torch."""
    from engram import archive
    from engram.codecs.freeze import freeze
    from engram.codecs.pca import fit_pca
    from engram.datasets import wardrobe
    from engram.images import ImageSet

    def sets() -> Iterator[ImageSet]:
        for first in range(0, count, 10_000):
            some = wardrobe.draw(min(10_000, count - first), seed=0, start=first)
            paths = tuple(f"{index:07}.png" for index in range(first, first + len(some)))
            yield ImageSet(some.images, some.labels, some.class_names, paths)

    training = wardrobe.draw(5000, seed=1)
    codec = freeze(fit_pca(training, 40), training, bits=2.0)
    took: list[float] = []
    timed(took, archive.pack, sets(), codec, path)
    assert timed(took, archive.verify, path).ok
    parts = archive.info(path)
    return {
        "part": "million",
        "images": parts.images,
        "archive_bytes": parts.archive_bytes,
        "pack_seconds": took[0],
        "verify_seconds": took[1],
        "peak_memory_bytes": peak_memory_bytes(),
    }


@cache
def trained(method: str, data: str, epochs: int, bits: float) -> Any:
    """A network trained shortly, frozen."""
    from engram.codecs.freeze import freeze
    from engram.datasets import source
    from engram.training.fit import fit

    training = source.load(data).split("train")[:5000]
    return freeze(fit(training, method, seed=0, epochs=epochs).network, training, bits=bits)


def codec_of(method: str, options: argparse.Namespace) -> Any:
    return trained(method, options.data, options.epochs, options.bits)


def test_images(options: argparse.Namespace) -> Any:
    from engram.datasets import source

    return source.load(options.data).split("test")[:COUNT]


def encode_jpegs(images: Any, threads: int) -> list[bytes]:
    from PIL import Image

    def encode(image: Any) -> bytes:
        file = BytesIO()
        Image.fromarray(image[..., 0]).save(file, "JPEG", quality=JPEG_QUALITY)
        return file.getvalue()

    return in_threads(encode, images.images, threads)


def decode_jpegs(jpegs: list[bytes], threads: int) -> list[Any]:
    import numpy as np
    from PIL import Image

    return in_threads(lambda data: np.asarray(Image.open(BytesIO(data))), jpegs, threads)


def in_threads(work: Callable[[Any], Any], items: Any, threads: int) -> list[Any]:
    if threads == 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items, chunksize=256))


def timed(took: list[float], work: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What `work` gives; its seconds are added to `took`."""
    started = time.perf_counter()
    result = work(*arguments, **options)
    took.append(time.perf_counter() - started)
    return result


def spread(values: list[float]) -> tuple[float, float, float]:
    return statistics.median(values), min(values), max(values)


def describe(row: Row) -> str:
    lines = [
        f"\n{row['part']}: " + ", ".join(f"{k} {v}" for k, v in row.items() if isinstance(v, str | int) and k != "part")
    ]
    for name, value in row.items():
        if isinstance(value, tuple):
            lines.append(f"  {name:32} {value[0]:12.5f}   ({value[1]:.5f} to {value[2]:.5f})")
        elif isinstance(value, float):
            lines.append(f"  {name:32} {value:12.4f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
