"""The kernel in C, built with the address and undefined-behaviour sanitizers, meets mutated streams and models.

    python tests/fuzz/sanitized_kernel.py --mutants 30000
    python tests/fuzz/sanitized_kernel.py --seconds 30

Whatever the bytes, a call ends in values or in an error of ours; a sanitizer that finds anything ends the process.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

TESTS = Path(__file__).parents[1]
SOURCE = TESTS.parent / "src" / "engram" / "codecs" / "pixel" / "kernel.c"
FLAGS = ("-O2", "-g", "-shared", "-fPIC", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
LOADED = "ENGRAM_SANITIZED_KERNEL"
SHAPES = {
    (8, 8, 1): {},
    (5, 7, 3): {},
    (1, 1, 1): {},
    (9, 1, 3): {},
    (7, 9, 1): {"hidden": (17, 100, 33), "components": 8, "radius": 4},
    (6, 6, 3): {"hidden": (3, 64, 2, 16), "components": 1, "edges": "zero"},
}


def build(folder: Path) -> tuple[Path, str] | None:
    """The library and the sanitizer's run-time to load before it; None without a GCC that has them."""
    compiler = shutil.which("gcc")
    if compiler is None:
        return None
    runtime = subprocess.run([compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    built = subprocess.run([compiler, *FLAGS, str(SOURCE), "-o", str(folder / "kernel.so"), "-lm"], check=False)
    return None if built.returncode or "/" not in runtime.stdout else (folder / "kernel.so", runtime.stdout.strip())


def meet(mutants: int | None, seconds: float | None) -> int:
    """How many mutants were met: streams, counts, pixels to encode, and models."""
    started = time.monotonic()
    sys.path += [str(TESTS / "codecs")]
    from sample_networks import pictures, pixel

    from engram.codecs.freeze import freeze
    from engram.codecs.pixel import kernel
    from engram.codecs.pixel.codec import CODED, Pixel
    from engram.errors import EngramError

    loaded = ctypes.CDLL(os.environ[LOADED])
    kernel.library = lambda: loaded  # type: ignore[assignment]
    import engram.codecs.pixel.codec as module

    module.library = kernel.library  # type: ignore[attr-defined]
    random, met, read = np.random.default_rng(time.time_ns() % 2**32), 0, 0
    print("seed", random.bit_generator.seed_seq.entropy, flush=True)  # type: ignore[attr-defined]
    codecs = [
        freeze(pixel(shape, max_error=error, **options), pictures(20, shape))
        for shape, options in SHAPES.items()
        for error in (0, 3)
    ]
    while (met < mutants) if mutants is not None else (time.monotonic() - started < (seconds or 0)):
        codec = codecs[int(random.integers(len(codecs)))]
        assert isinstance(codec, Pixel)
        if met % 50 == 49:  # another model: the bytes of this one, changed, as a file would have them
            model = bytearray(codec.model)
            for at in random.integers(len(model), size=3):
                model[at] = random.integers(256)
            try:
                codec = Pixel.from_config(codec.config(), bytes(model))
            except EngramError:
                met += 1
                continue
        count = int(random.integers(0, 9))
        noise = random.integers(0, 256, (count, *codec.image_shape), np.uint8)
        noise *= random.integers(0, 2, noise.shape, np.uint8)
        data = bytearray(codec.encode(noise))
        for at in random.integers(max(1, len(data)), size=int(random.integers(0, 4))):
            data[at : at + 1] = random.bytes(int(random.integers(0, 4)))
        try:
            codec.decode(CODED + bytes(data[1:]), count + int(random.integers(0, 3)))
            read += 1
        except EngramError:
            pass
        met += 1
    assert read, "no mutant was read to its end: nothing was tried"
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int)
    parser.add_argument("--seconds", type=float)
    given = parser.parse_args()
    if LOADED in os.environ:
        print(f"{meet(given.mutants, given.seconds):,} mutants, nothing found")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        built = build(Path(folder))
        if built is None:
            print("no GCC with sanitizers: nothing was run")
            return 77
        library, runtime = built
        environment = os.environ | {
            LOADED: str(library),
            "LD_PRELOAD": runtime,
            "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        return subprocess.run([sys.executable, *sys.argv], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
