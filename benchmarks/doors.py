"""A folder of small PNG files, and the same in a .zip and a .tar: reading and packing each. `make bench-doors`.

The pictures are of Fashion-MNIST's training set, as they are and then mirrored. Each measurement is a process of its
own: seconds of the processor and of the clock, and the most memory that the process took beyond its imports. read:
every file is looked at, then decoded. pack: `engram pack --budget 0 --lossless`. The files are in the page cache.

python benchmarks/doors.py [--images 100000] [--no-pack] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import engram
import engram.archive
from engram.datasets import source
from engram.datasets.pictures import encode_picture, in_threads

KINDS = ("folder", "zip", "tar")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--no-pack", action="store_true", help="read only")
    parser.add_argument("--keep", type=Path, help="where the files are made, and left")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        what, data = options.measure
        print(json.dumps(measure(what, Path(data))))
        return
    with tempfile.TemporaryDirectory() as folder:
        place = options.keep or Path(folder)
        make(place, options.images)
        print(f"{options.images:,} pictures; {processor()}")
        print(f"{'':<14}{'processor, s':>14}{'clock, s':>12}{'memory, MB':>12}{'to the folder':>16}")
        for what in ("read",) if options.no_pack else ("read", "pack"):
            first = 0.0
            for kind in KINDS:
                command = [sys.executable, __file__, "--measure", what, str(place / f"data.{kind}")]
                done = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                first = first or done["processor"]
                print(
                    f"{what} {kind:<9}{done['processor']:>14.1f}{done['clock']:>12.1f}{done['memory']:>12.0f}"
                    f"{done['processor'] / first:>16.2f}",
                    flush=True,
                )


def make(place: Path, images: int) -> None:
    """Writes data.folder, data.zip and data.tar, unless they are there."""
    if all((place / f"data.{kind}").exists() for kind in KINDS):
        return
    folder = place / "data.folder"
    found = list(pictures(images))
    for label in {name.partition("/")[0] for name, _ in found}:
        (folder / label).mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(place / "data.zip", "w") as box, tarfile.open(place / "data.tar", "w") as tar:
        for name, data in found:
            (folder / name).write_bytes(data)
            box.writestr(name, data)
            tar.add(folder / name, name)


def pictures(images: int) -> Iterator[tuple[str, bytes]]:
    """(path, bytes) of PNG files."""
    known = engram.load("fashion-mnist:train")
    assert isinstance(known, engram.ImageSet)
    assert known.labels is not None
    pixels = np.concatenate([known.images, known.images[:, :, ::-1]])[:images]
    labels = np.concatenate([known.labels, known.labels])[:images]
    found = [b""] * images

    def encode(start: int, stop: int) -> int:
        found[start:stop] = [encode_picture(picture, ".png", 100) for picture in pixels[start:stop]]
        return 0

    in_threads(encode, images)
    for number, (label, data) in enumerate(zip(labels.tolist(), found, strict=True)):
        yield f"{label}/{number:06}.png", data


def measure(what: str, data: Path) -> dict[str, float]:
    """Seconds of the processor and of the clock, and MB of memory."""
    before = most_memory()
    started, clock = time.process_time(), time.perf_counter()
    if what == "read":
        found = source.collection(data)
        for group in found.groups():
            for _ in found.cells(group).pieces():
                pass
    else:
        with tempfile.TemporaryDirectory() as folder:
            engram.pack(data, Path(folder) / "a.egm", lossless=True, budget=0)
    return {
        "processor": time.process_time() - started,
        "clock": time.perf_counter() - clock,
        "memory": (most_memory() - before) / 1000,
    }


def most_memory() -> int:
    """KB that this process has taken at most; what `getrusage` says would begin with its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines() if Path("/proc/self/status").exists() else []
    found = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    return found[0] if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def processor() -> str:
    """What the machine calls its processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    main()
