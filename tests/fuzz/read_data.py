"""Fuzzers of the doors of DATA: .zip, .tar, .parquet, .npy, .npz, metadata.csv and metadata.jsonl.

The law, for any bytes: reading a file, and packing what is read, gives pictures or raises an EngramError. It takes no
more than SECONDS and BYTES, of a file of some thousands of bytes; it leaves nothing behind, changes nothing, and writes
nowhere but to its own archive. What was packed comes back.

    python tests/fuzz/read_data.py                       every door for 60 seconds
    python tests/fuzz/read_data.py zip tar --seconds 600
    python tests/fuzz/read_data.py zip --only 123        the one input of this number
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from mutated_data import DOORS, PATHS, picture

SECONDS = 5.0
"""Of processor time, for one file."""
BYTES = 1 << 28
"""What the process may take beyond what it took for the sound files that it reads first."""
PACKED = 3
"""One file of so many is packed, too."""


def check(door: str, number: int, folder: Path) -> str:
    """What became of a file: "read", or the name of the error. Raises AssertionError where the law is broken."""
    from engram.errors import EngramError

    data = _made(door, number, folder)
    before, escaped = _seen(folder), Path("/tmp/engram-fuzz-escape.png")
    started, refused = time.process_time(), list[EngramError]()
    try:
        _read(data, folder.with_name("out") if number % PACKED == 0 else None)
    except EngramError as error:
        refused.append(error)
    seconds = time.process_time() - started
    for error in refused:
        causes = [error.__cause__, error.__context__]
        assert not any(isinstance(cause, MemoryError) for cause in causes), f"it asked for too much memory: {error}"
        assert error.exit_code in (2, 3), f"exit code {error.exit_code}: {error}"
        assert str(error), "no message"
    assert seconds < SECONDS, f"it took {seconds:.1f} s"
    assert _seen(folder) == before, "it changed what it read, or left something behind"
    assert not escaped.exists(), "it wrote outside"
    return type(refused[0]).__name__ if refused else "read"


def _made(door: str, number: int, folder: Path) -> str:
    """Writes the file of a number, and gives DATA's name."""
    content = DOORS[door](random.Random(f"{door} {number}"))
    if door in ("csv", "jsonl"):
        (folder / f"metadata.{door}").write_bytes(content)
        return str(folder)
    (folder / f"data.{door}").write_bytes(content)
    return str(folder / f"data.{door}")


def _seen(folder: Path) -> list[tuple[str, int, int]]:
    paths = sorted(path for path in folder.rglob("*"))
    return [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]


def _read(data: str, out: Path | None) -> None:
    """Reads all of DATA; packs it where `out` is given."""
    import numpy as np

    from engram import archive
    from engram.codecs.raw import Raw
    from engram.datasets import source

    found = source.collection(data)
    groups = found.groups()
    archive.check_collection(found, groups)
    assert all(len(column) == len(found) for column in found.table.values()), "columns of other lengths"
    rows = np.arange(len(found))
    pictures = found.read(rows)
    assert [each.shape[:2] for each in pictures] == [tuple(size) for size in found.sizes.tolist()], "other sizes"
    if out is None:
        return
    out.mkdir()
    try:
        coders = [
            archive.Coder(group.kind, tuple(Raw((*group.size, channels)) for channels in group.kind.layers))
            for group in groups
        ]
        archive.pack_collection(found, groups, coders, out / "a.egm")
        with archive.open(out / "a.egm") as opened:
            for before, after in zip(pictures, opened, strict=True):
                assert np.array_equal(before, after), "a picture comes back otherwise"
            for name, column in found.table.items():
                again = opened.column(name)
                for row in rows.tolist():
                    values = column.value(row), again.value(row)
                    assert repr(values[0]) == repr(values[1]), f"{name} comes back otherwise: {values}"
    finally:
        left = sorted(path.name for path in out.iterdir())
        for path in out.iterdir():
            path.unlink()
        out.rmdir()
    assert left == ["a.egm"], f"it left {left}"


def run(door: str, seconds: float, first: int = 0) -> Counter[str]:
    """Checks files of a door for so long; how many became what. Raises AssertionError."""
    became = Counter[str]()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as place:
        folder = Path(place) / "in"
        for path in PATHS if door in ("csv", "jsonl") else ("",):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            if path:
                (folder / path).write_bytes(picture(random.Random(path)))
        folder.mkdir(exist_ok=True)
        started, number = time.monotonic(), first
        while time.monotonic() - started < seconds or number < first + 10:
            try:
                became[check(door, number, folder)] += 1
            except BaseException:
                print(f"{door} {number}: python {' '.join(sys.argv[:1])} {door} --only {number}", flush=True)
                raise
            number += 1
            if number == first + 10:
                _limit()
    return became


def _limit() -> None:
    """From now on no more than BYTES more are allocated, where the system can see to it."""
    status = Path("/proc/self/status")
    if not status.exists() or resource.getrlimit(resource.RLIMIT_DATA)[0] != resource.RLIM_INFINITY:
        return
    [now] = [int(line.split()[1]) << 10 for line in status.read_text().splitlines() if line.startswith("VmData")]
    resource.setrlimit(resource.RLIMIT_DATA, (now + BYTES, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("doors", nargs="*", metavar="DOOR", help=f"any of {', '.join(DOORS)}; all without one")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--first", type=int, help="the number of the first file; drawn from the time if left out")
    parser.add_argument("--only", type=int, help="one file")
    options = parser.parse_args()
    warnings.simplefilter("error")
    from engram.datasets.notices import Notice

    for told in (Notice, SyntaxWarning):  # what Python says of a .npy header
        warnings.simplefilter("ignore", told)
    warnings.filterwarnings("ignore", "Reading `.npy`")  # of a header by Python 2
    first = time.time_ns() // 1000 % 10**9 if options.first is None else options.first
    for door in options.doors or DOORS:
        if options.only is not None:
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place) / "in"
                folder.mkdir()
                print(check(door, options.only, folder))
            continue
        became = run(door, options.seconds, first)
        print(
            f"{door}: {became.total():,} files from {first}, nothing found; "
            + ", ".join(f"{name} {count:,}" for name, count in became.most_common()),
            flush=True,
        )


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
        sys.exit(1)
