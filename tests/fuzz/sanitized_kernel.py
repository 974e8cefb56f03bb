"""The kernel in C, built with the address and undefined-behaviour sanitizers, meets mutants of all that it is given.

Streams, counts, pixels to encode, the numbers of models, and neighbourhoods: shapes, radii, edges and layers' widths.

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
from itertools import pairwise
from pathlib import Path

import numpy as np

import engram.codecs.pixel.codec as codec_module
from engram.codecs.pixel import kernel
from engram.codecs.pixel.codec import CODED, Pixel
from engram.codecs.pixel.network import CausalNetwork, WholeDense, joined
from engram.coding import numbers
from engram.coding.integer import EXACT32
from engram.coding.neighbourhood import FULL, Edges, Neighbourhood
from engram.errors import EngramError

TESTS = Path(__file__).parents[1]
SOURCE = TESTS.parent / "src" / "engram" / "codecs" / "pixel" / "kernel.c"
FLAGS = ("-O2", "-g", "-shared", "-fPIC", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
LOADED = "ENGRAM_SANITIZED_KERNEL"
NEIGHBOURHOODS = 8
"""How many mutated ones there are at a time."""


def build(folder: Path) -> tuple[Path, str] | None:
    """The library and the sanitizer's run-time to load before it; None without a GCC that has them."""
    compiler = shutil.which("gcc")
    if compiler is None:
        return None
    runtime = subprocess.run([compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    built = subprocess.run([compiler, *FLAGS, str(SOURCE), "-o", str(folder / "kernel.so"), "-lm"], check=False)
    return None if built.returncode or "/" not in runtime.stdout else (folder / "kernel.so", runtime.stdout.strip())


def neighbourhood(random: np.random.Generator) -> Pixel:
    """A codec of a network of noise over a neighbourhood, all of its sizes drawn."""
    shape = (int(random.integers(1, 12)), int(random.integers(1, 12)), int(random.choice([1, 3])))
    edges: Edges = "zero" if random.integers(2) else "nearest"
    around = Neighbourhood(shape, int(random.integers(1, 6)), int(random.integers(2, 9)), edges)
    hidden = random.integers(1, 70, int(random.integers(1, 5))).tolist()
    components, high = int(random.integers(1, 9)), int(random.integers(1, 1024))

    def layer(inputs: int, outputs: int) -> WholeDense:
        most = EXACT32 // 2 // (inputs * max(FULL, high))
        weight = random.integers(-most, most + 1, (inputs, outputs))
        return WholeDense(weight, random.integers(-(2**20), 2**20, outputs), int(random.integers(0, 14)))

    taken = around.inputs + around.features
    widths = [*pairwise((taken, *hidden)), (hidden[-1] + taken, 1 + 3 * components)]
    channels = [CausalNetwork(around, tuple(layer(*size) for size in widths), high) for _ in range(shape[2])]
    return Pixel(joined(tuple(channels)), 2 * int(random.choice([0, 1, 3, 30])) + 1)


def other_model(codec: Pixel, random: np.random.Generator) -> Pixel:
    """The codec with some of its model's numbers changed, by little or beyond all bounds. Raises EngramError."""
    layers = [layer for channel in codec.network.networks for layer in channel.layers]
    changed = numbers.unpack(codec.model, sum(layer.weight.size + layer.bias.size for layer in layers)).astype(np.int64)
    at = random.integers(len(changed), size=int(random.integers(1, 6)))
    changed[at] += random.integers(-1, 2, len(at)) << random.integers(0, 20, len(at))
    changed = np.clip(changed, -(2**31), 2**31 - 1)
    return Pixel.from_config(codec.config(), numbers.pack(changed.astype(np.int32)))


def meet_one(codec: Pixel, random: np.random.Generator) -> None:
    """Encodes pixels and decodes what becomes of the stream when some of it changes. Raises EngramError."""
    count = int(random.integers(0, 9))
    noise = random.integers(0, 256, (count, *codec.image_shape), np.uint8)
    noise *= random.integers(0, 2, noise.shape, np.uint8)
    data = bytearray(codec.encode(noise))
    for at in random.integers(max(1, len(data)), size=int(random.integers(0, 4))):
        data[at : at + 1] = random.bytes(int(random.integers(0, 4)))
    codec.decode(CODED + bytes(data[1:]), count + int(random.integers(0, 3)))


def meet(mutants: int | None, seconds: float | None) -> str:
    """Meets so many mutants, or for so long, and says how many. Raises AssertionError where no mutant was accepted."""
    started, seed = time.monotonic(), time.time_ns() % 2**32
    print("seed", seed, flush=True)
    loaded = ctypes.CDLL(os.environ[LOADED])
    kernel.library = codec_module.library = lambda: loaded  # type: ignore[assignment, attr-defined]
    random, met, models, read = np.random.default_rng(seed), 0, 0, 0
    codecs = [neighbourhood(random) for _ in range(NEIGHBOURHOODS)]
    while (met < mutants) if mutants is not None else (time.monotonic() - started < (seconds or 0)):
        at, met = int(random.integers(len(codecs))), met + 1
        if met % 100 == 0:
            codecs[at] = neighbourhood(random)
        codec = codecs[at]
        try:
            if met % 5 == 0:
                codec = other_model(codec, random)
                models += 1
            meet_one(codec, random)
            read += 1
        except EngramError:
            pass
    assert models, "no mutated model was accepted: none was tried"
    assert read, "no mutated stream was read to its end: none was tried"
    return f"{met:,} mutants, {models:,} of them models and {read:,} streams that were read: nothing found"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int)
    parser.add_argument("--seconds", type=float)
    given = parser.parse_args()
    if LOADED in os.environ:
        print(meet(given.mutants, given.seconds))
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
