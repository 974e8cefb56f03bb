"""The C code, built with the address and undefined-behaviour sanitizers, meets mutants of all that it is given.

kernel        streams, counts, pixels, the numbers of models, and neighbourhoods: shapes, radii, edges, layers' widths
scans         JPEG files, skeletons, sizes, what is loose, and coefficients
coefficients  streams, models, layouts, and coefficients

    python tests/fuzz/sanitized.py --seconds 30
    python tests/fuzz/sanitized.py scans --mutants 30000 --seed 7

Whatever the bytes, a call ends in values or in an error of ours; a sanitizer that finds anything ends the process.
"""

from __future__ import annotations

import argparse
import io
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.random import Generator
from PIL import Image

from engram.codecs.jpeg.coefficients import CoefficientCoder, Grid
from engram.codecs.jpeg.mixing import State
from engram.codecs.pixel.codec import CODED, Pixel
from engram.codecs.pixel.network import CausalNetwork, WholeDense, joined
from engram.coding import numbers, scans
from engram.coding.integer import EXACT32
from engram.coding.neighbourhood import FULL, Edges, Neighbourhood
from engram.coding.scan_coder import Coefficients
from engram.errors import EngramError

ROOT = Path(__file__).parents[2]
FLAGS = ("-O2", "-g", "-shared", "-fPIC", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
LOADED = "ENGRAM_SANITIZED"
"""The folder of the libraries, where they were built."""
NEIGHBOURHOODS = 8
"""How many mutated ones there are at a time."""
LEAST = 500
"""Mutants that are met, however long it takes."""
MOST_NUMBERS = 1 << 17
"""Coefficients of a file that is encoded, for time."""
_INTERLEAVED = re.compile(rb"\xff\xda\0\x0c\x03(..)(..)(..)(...)", re.DOTALL)
_ALONE = b"\xff\xda\0\x08\1"
"""The headers of a scan of three components, and of one."""
Planes = list[Coefficients]
T = TypeVar("T")


class Finder:
    """Finds an extension module of engram in the folder of the libraries."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        file = Path(os.environ[LOADED]) / f"{name}.so"
        return spec_from_file_location(name, file) if file.exists() else None


def build(names: list[str], folder: Path) -> str | None:
    """Builds the libraries that pyproject.toml has; the sanitizer's run-time, or None without a GCC that has it."""
    compiler = shutil.which("gcc")
    if compiler is None:
        return None
    runtime = subprocess.run([compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["ext-modules"]
    for module in settings:
        if module["name"].rpartition("._")[2] in names:
            sources = [str(ROOT / source) for source in module["sources"]]
            command = [compiler, *FLAGS, *sources, "-o", str(folder / f"{module['name']}.so"), "-lm"]
            if subprocess.run(command, check=False).returncode:
                return None
    assert {module["name"].rpartition("._")[2] for module in settings} <= set(MEET), "some C code meets no mutants"
    return runtime.stdout.strip() if "/" in runtime.stdout else None


def values(call: Callable[..., T], *arguments: object) -> T | None:
    """What a call ends in; None where that is an error of ours."""
    try:
        return call(*arguments)
    except EngramError:
        return None


def mutated(data: bytes, random: Generator) -> bytes:
    """Up to six changes: any bytes, a bit, a run taken out, a run put in again, an extreme byte, the end taken off."""
    changed = bytearray(data)
    for _ in range(random.choice([0, 1, 1, 1, 2, 3, 6])):
        at, other = random.integers(len(changed) + 1, size=2).tolist()
        match random.integers(11):
            case 0 | 1:
                changed[at : at + 1] = random.bytes(int(random.integers(4)))
            case 2 | 3:
                changed[at : at + 1] = bytes(byte ^ 1 << random.integers(8) for byte in changed[at : at + 1])
            case 4 | 5:
                del changed[at : at + int(random.integers(1, 10))]
            case 6 | 7:
                changed[at:at] = changed[other : other + int(random.integers(1, 40))]
            case 8 | 9:
                changed[at : at + 1] = random.choice(np.array([0, 1, 127, 128, 217, 218, 196, 255], np.uint8)).tobytes()
            case 10:
                del changed[at:]
    return bytes(changed)


def meet_kernel(random: Generator) -> Iterator[str]:
    """What mutants become, one after the other."""
    codecs = [_neighbourhood(random) for _ in range(NEIGHBOURHOODS)]
    for met in itertools.count():
        at = int(random.integers(len(codecs)))
        if met % 100 == 99:
            codecs[at] = _neighbourhood(random)
        codec, count = codecs[at], int(random.integers(9))
        if met % 5 == 4:
            changed = values(_other_model, codec, random)
            yield "refused models" if changed is None else "models"
            codec = changed or codec
        noise = random.integers(0, 256, (count, *codec.image_shape), np.uint8)
        noise *= random.integers(0, 2, noise.shape, np.uint8)
        stream = CODED + mutated(codec.encode(noise)[1:], random)
        read = values(codec.decode, stream, count + int(random.integers(3)))
        yield "refused streams" if read is None else "streams"


def _neighbourhood(random: Generator) -> Pixel:
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
    widths = [*itertools.pairwise((taken, *hidden)), (hidden[-1] + taken, 1 + 3 * components)]
    channels = [CausalNetwork(around, tuple(layer(*size) for size in widths), high) for _ in range(shape[2])]
    return Pixel(joined(tuple(channels)), 2 * int(random.choice([0, 1, 3, 30])) + 1)


def _other_model(codec: Pixel, random: Generator) -> Pixel:
    """The codec with another model. Raises EngramError."""
    layers = [layer for channel in codec.network.networks for layer in channel.layers]
    count = sum(layer.weight.size + layer.bias.size for layer in layers)
    return Pixel.from_config(codec.config(), _other_numbers(codec.model, count, random))


def _other_numbers(model: bytes, count: int, random: Generator) -> bytes:
    """A model with some of its numbers changed, by little or beyond all bounds."""
    changed = numbers.unpack(model, count).astype(np.int64)
    at = random.integers(len(changed), size=int(random.integers(1, 6)))
    changed[at] += random.integers(-1, 2, len(at)) << random.integers(0, 20, len(at))
    return numbers.pack(np.clip(changed, -(2**31), 2**31 - 1).astype(np.int32))


def meet_scans(random: Generator) -> Iterator[str]:
    files = jpeg_files(random)
    parsed = [scans.parse(file) for file in files]
    while True:
        file = mutated(files[random.integers(len(files))], random)
        found = values(scans.parse, file)
        yield "refused files" if found is None else "files"
        skeleton, size, planes = _drawn(parsed, random)
        made = values(scans.emit, skeleton, size, random.bytes(int(random.integers(4))), planes)
        yield "refused skeletons" if made is None else "skeletons"
        if made is not None:
            yield "written files, refused" if values(scans.parse, made) is None else "written files"


def jpeg_files(random: Generator) -> list[bytes]:
    """Files of each kind that Pillow writes, of few blocks, and files of a scan for each component."""
    choices: tuple[dict[str, Any], ...] = (
        *({}, {"optimize": True}, {"progressive": True}, {"quality": 100, "progressive": True}, {"quality": 2}),
        *({"subsampling": 0}, {"subsampling": 0, "progressive": True}, {"subsampling": 1}),
        *({"restart_marker_blocks": 1}, {"restart_marker_rows": 1, "progressive": True}, {"comment": b"of \xff\xd9"}),
    )
    found = []
    for mode, (height, width), options in itertools.product(
        ("L", "RGB", "CMYK"), ((1, 1), (16, 16), (47, 33)), choices
    ):
        image = Image.frombytes(mode, (5, 5), random.bytes(25 * len(mode))).resize((width, height))
        image.save(file := io.BytesIO(), "JPEG", **options)
        found.append(file.getvalue())
        parts = scans.parse(found[-1])
        apart = _INTERLEAVED.sub(lambda at: b"".join(_ALONE + at[i] + at[4] for i in (1, 2, 3)), parts.skeleton)
        made = values(scans.emit, apart, parts.size, parts.loose, parts.coefficients)
        found += [] if made is None or made == found[-1] else [made]
    return found


def _drawn(parsed: list[scans.Scans], random: Generator) -> tuple[bytes, tuple[int, int], Planes]:
    """A skeleton and a size, one of them or both of no file, and their coefficients or others."""
    while True:
        of = parsed[random.integers(len(parsed))]
        skeleton, size = mutated(of.skeleton, random), of.size
        if random.random() < 0.3:
            size = int(random.choice([1, 8, 17, 100, 3000, 16384])), int(random.choice([1, 8, 33, 100]))
        layout = values(scans.layout, skeleton, size)
        if layout is None:
            continue  # and no call in C
        if [plane.shape[:2] for plane in of.coefficients] == list(layout.grids) and random.random() < 0.7:
            return skeleton, size, of.coefficients
        if 64 * sum(rows * columns for rows, columns in layout.grids) <= MOST_NUMBERS:
            return skeleton, size, [_noise(grid, random) for grid in layout.grids]


def _noise(grid: tuple[int, int], random: Generator) -> Coefficients:
    most, share = random.choice([0, 1, 2, 15, 300, 40000]), random.choice([0, 0.02, 0.3, 1])
    noise = random.integers(-most, most + 1, (*grid, 64)) * (random.random((*grid, 64)) < share)
    clipped: Coefficients = noise.clip(-(2**15), 2**15 - 1).astype(np.int16)
    return clipped


def meet_coefficients(random: Generator) -> Iterator[str]:
    parsed = [scans.parse(file) for file in jpeg_files(random)]
    known = zip(*(_with_grids(found.skeleton, found.size, found.coefficients) for found in parsed), strict=True)
    coders = CoefficientCoder(b""), CoefficientCoder.learn(*known, 10**6)  # type: ignore[call-arg, arg-type]
    base = State.default()
    count = base.chances.size + base.weights.size + base.scales.size
    assert coders[1].model, "no model was learned"
    for met in itertools.count():
        coder = coders[met % 2]
        if met % 8 == 7:
            coder = CoefficientCoder(_other_numbers(coder.model, count, random))
        elif met % 8 == 5:
            coder = CoefficientCoder(mutated(coder.model, random))
        files, layouts = list[Planes](), list[list[Grid]]()
        for _ in range(random.integers(4)):
            planes, layout = _with_grids(*_drawn(parsed, random)) if random.integers(3) else _of_any_grids(random)
            files.append(planes)
            layouts.append(layout)
        stream = values(coder.encode, files, layouts)
        yield "refused models or steps" if stream is None else "models"
        if random.random() < 0.2:
            layouts.append(_of_any_grids(random)[1])
        stream = random.bytes(int(random.integers(200))) if stream is None else mutated(stream, random)
        read = values(coder.decode, stream.rstrip(b"\0"), layouts)
        yield "refused streams" if read is None else "streams"


def _with_grids(skeleton: bytes, size: tuple[int, int], planes: Planes) -> tuple[Planes, list[Grid]]:
    layout = scans.layout(skeleton, size)
    return planes, [Grid(*grid, steps) for grid, steps in zip(layout.grids, layout.steps, strict=True)]


def _of_any_grids(random: Generator) -> tuple[Planes, list[Grid]]:
    """Components that no JPEG file has: of any sizes beside each other, and any steps."""
    sizes = random.integers(1, 6, (int(random.integers(1, 5)), 2)).tolist()
    most = random.integers(1, 1 << 16, len(sizes))
    grids = [Grid(size[0], size[1], random.integers(1, 1 + top, (8, 8))) for size, top in zip(sizes, most, strict=True)]
    return [_noise((grid.rows, grid.columns), random) for grid in grids], grids


MEET = {"kernel": meet_kernel, "scans": meet_scans, "coefficients": meet_coefficients}
"""For each library: what mutants become, one after the other, without end."""


def meet(name: str, seed: int, mutants: int | None, seconds: float) -> str:
    """Meets so many mutants, or for so long, and says what they became. Raises AssertionError."""
    started, became = time.monotonic(), Counter[str]()
    for what in MEET[name](np.random.default_rng(seed)):
        became[what] += 1
        done = time.monotonic() - started > seconds if mutants is None else became.total() >= mutants
        if done and became.total() >= LEAST:
            break
    loaded = re.search(rf"{os.environ[LOADED]}/\S*_{name}.so$", Path("/proc/self/maps").read_text(), re.MULTILINE)
    assert loaded, "another library was met"
    refused = sum("refused" in what for what in became)
    assert 2 * refused == len(became), f"of some mutants all were taken, or all refused: {became}"
    return f"{became.total():,} mutants, nothing found: " + ", ".join(f"{n:,} {what}" for what, n in became.items())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("libraries", nargs="*", metavar="LIBRARY", help=f"any of {', '.join(MEET)}; all without one")
    parser.add_argument("--mutants", type=int, help="so many for each library")
    parser.add_argument("--seconds", type=float, default=60, help="so long for all libraries together")
    parser.add_argument("--seed", type=int, help="drawn from the time if left out")
    given = parser.parse_args()
    names = given.libraries or list(MEET)
    if LOADED in os.environ:
        sys.meta_path.insert(0, Finder)
        for name in names:
            seed = time.time_ns() % 2**32 if given.seed is None else given.seed
            print(f"{name}, seed {seed}", flush=True)
            print(meet(name, seed, given.mutants, given.seconds / len(names)), flush=True)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        runtime = build(names, Path(folder))
        if runtime is None:
            print("no GCC with sanitizers: nothing was run")
            return 77
        environment = os.environ | {
            LOADED: folder,
            "LD_PRELOAD": runtime,
            "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        return subprocess.run([sys.executable, *sys.argv], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
