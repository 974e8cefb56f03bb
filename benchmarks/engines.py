"""Packing on Ray against packing without it: `make bench-ray`.

The images of `wardrobe`, as one .npy file, are packed three ways in turn; the archives must be the same, byte for byte:

process    `archive.pack`, what `--engine local` does: one process, whose codec may use all cores
pool       the same ranges on a pool of worker processes of the standard library: what Ray is measured against
ray        on a Ray of as many workers, which is started before and not counted, at the pool's priority

Seconds, the median of the repetitions with the shortest and the longest in brackets, and the overhead of Ray over the
pool, run by run; and the most memory that a worker ever had, by the system's own account.

    python benchmarks/engines.py --images 1000000 --codecs raw frozen
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from engram import archive
from engram.archive import shipped
from engram.archive.engines import pack_by
from engram.archive.ranges import RangeEncoder
from engram.codecs.contract import Codec
from engram.codecs.freeze import freeze
from engram.codecs.pca import fit_pca
from engram.codecs.raw import Raw
from engram.datasets import source, wardrobe
from engram.datasets.collection import Collection
from engram.integrations.ray import Cluster

_DRAWN_AT_ONCE = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--codecs", nargs="*", default=["raw", "frozen", "pixel"], choices=["raw", "frozen", "pixel"])
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    workers = len(os.sched_getaffinity(0))
    # Ray's name; else it is 15, and then whatever else runs would be measured
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
    print(f"{options.images:,} images, {workers} workers; load {os.getloadavg()[0]:.1f} before")
    print("| codec | one process, s | pool, s | ray, s | overhead of ray | largest worker, MiB |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "images.npy"
        write(data, options.images)
        started = time.perf_counter()
        with Cluster() as cluster, ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            list(pool.map(abs, range(4 * workers)))
            began = time.perf_counter() - started
            ways: dict[str, Callable[..., archive.Packed]] = {
                "process": in_one_process,
                "pool": partial(pack_by, partial(in_pool, pool), str(data), source.Reading()),
                "ray": partial(pack_by, cluster, str(data), source.Reading()),
            }
            for name in options.codecs:
                print(row(name, codec_of(name), ways, data, options.repetitions), flush=True)
    print(f"load {os.getloadavg()[0]:.1f} after; starting Ray and the pool took {began:.1f} s")


def write(path: Path, images: int) -> None:
    """The file, in constant memory."""
    array = np.lib.format.open_memmap(path, "w+", np.uint8, (images, 28, 28))
    for start in range(0, images, _DRAWN_AT_ONCE):
        count = min(_DRAWN_AT_ONCE, images - start)
        array[start : start + count] = wardrobe.draw(count, seed=start).images[..., 0]
    array.flush()


def codec_of(name: str) -> Codec:
    if name == "raw":
        return Raw((28, 28, 1))
    if name == "pixel":
        return shipped.load("fashion-mnist-lossless")
    training = wardrobe.draw(4000, seed=1)
    return freeze(fit_pca(training, 32), training)


def in_one_process(collection: Collection, codec: Codec, out: Path) -> archive.Packed:
    return archive.pack(collection.stream(), codec, out)


def in_pool(pool: ProcessPoolExecutor, work: RangeEncoder, ranges: Sequence[range]) -> Generator[range, None, None]:
    """An engine: the worker processes take ranges as they come."""
    under_way = {pool.submit(work, rows): rows for rows in ranges}
    for done in as_completed(under_way):
        done.result()
        yield under_way[done]


def row(name: str, codec: Codec, ways: dict[str, Callable[..., archive.Packed]], data: Path, repetitions: int) -> str:
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    sums, out = set(), data.with_name("out.egm")
    for _ in range(repetitions):
        for way, pack in ways.items():
            collection = source.collection(str(data))
            started = time.perf_counter()
            pack(collection, codec, out)
            seconds[way].append(time.perf_counter() - started)
            with out.open("rb") as file:
                sums.add(hashlib.file_digest(file, "sha256").digest())
            out.unlink()
    assert len(sums) == 1, "the ways gave different bytes"
    overheads = [100 * (ray / pool - 1) for ray, pool in zip(seconds["ray"], seconds["pool"], strict=True)]
    cells = [f"{statistics.median(each):.1f} ({min(each):.1f} to {max(each):.1f})" for each in seconds.values()]
    cells.append(f"{statistics.median(overheads):+.1f} % ({min(overheads):+.1f} to {max(overheads):+.1f})")
    return f"| {name} | " + " | ".join(cells) + f" | {largest_worker_bytes() / 2**20:,.0f} |"


def largest_worker_bytes() -> int:
    """The most resident memory that any of Ray's worker processes has had."""
    found = [0]
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if b"ray::" in (place / "cmdline").read_bytes():
                lines = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
                found.append(1024 * int(lines["VmHWM"].split()[0]))
        except OSError:  # it ended meanwhile
            continue
    return max(found)


if __name__ == "__main__":
    main()
