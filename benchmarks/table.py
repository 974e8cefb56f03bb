"""A table of many rows: opening it, one picture, a path by its row, a row by its path. `make bench-table`.

Pictures are of one black pixel, so that the table is all there is. Each time is that of a new process, its imports
apart; memory is all that the process takes.

python benchmarks/table.py [--rows 10000000] [--repetitions 5]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

import engram
import engram.archive.opening
from engram.archive import Writer
from engram.codecs.raw import Raw
from engram.table import categories, texts

CLASSES = 10
_AT_ONCE = 1 << 17


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        print(json.dumps(read(options.read)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.egm"
        seconds = write(path, options.rows)
        parts = engram.info(path).bytes_by_part
        print(f"{options.rows:,} rows written in {seconds:.1f} s of processor time")
        for name in ("column path", "column label", "index", "directory"):
            print(f"{name:<14}{parts[name]:>12,} bytes, {parts[name] / options.rows:.4f} a row")
        command = [sys.executable, __file__, "--read", str(path)]
        runs = [
            json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            for _ in range(options.repetitions)
        ]
    for what in runs[0]:
        values = [run[what] for run in runs]
        print(f"{what:<28}{median(values):>10.4f}   {min(values):.4f} to {max(values):.4f}")


def write(path: Path, rows: int) -> float:
    """Seconds of processor time."""
    started = time.process_time()
    names = [f"class {number}" for number in range(CLASSES)]
    with Writer(path, [Raw((1, 1, 1))]) as writer:
        for start in range(0, rows, _AT_ONCE):
            some = range(start, min(start + _AT_ONCE, rows))
            labels = np.array(some) * CLASSES // rows
            paths = [f"class-{label}/{row:09}.png" for row, label in zip(some, labels.tolist(), strict=True)]
            writer.add(0, np.zeros((len(some), 1, 1, 1), np.uint8))
            writer.describe({"path": texts(paths), "label": categories(labels, names)}, len(some))
    return time.process_time() - started


def read(path: Path) -> dict[str, float]:
    """Seconds, and MB of memory."""
    found, started = {}, time.perf_counter()

    def lap(what: str) -> None:
        nonlocal started
        found[what] = time.perf_counter() - started
        started = time.perf_counter()

    with engram.open(path) as archive:
        lap("open, s")
        _ = archive[len(archive) // 2]
        lap("one picture, s")
        assert archive.paths is not None
        name = archive.paths[len(archive) * 2 // 3]
        lap("a path by its row, s")
        assert archive.row_of(name) == len(archive) * 2 // 3
        _ = archive.row_of(archive.paths[len(archive) // 7])
        lap("a row by its path, twice, s")
    found["memory, MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return found


if __name__ == "__main__":
    main()
