"""JPEG files in an archive, against the files, JPEG XL's transcoding and Lepton's, a file each: `make bench-jpeg`.

Sets: the 6,000 files of 32 x 32 of color-32; and traffic signs (PPM files as published) made JPEG files here: of
64 x 48, gray ones too, and sheets of six of 300 x 200. Every file is compared, byte for byte. Bytes are all on the
disk; speed is files a second of processor time, the median of some repetitions, of packing (`--budget 0`, everything
counted) and of reading all files back from the archive. Lepton is measured where its package is installed.

    python benchmarks/jpeg.py $ENGRAM_DATA [--repetitions 3]
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image

import engram

SHEET = 2, 3
"""Rows and columns of the signs of a picture of 300 x 200."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    for name, files in sets(options.data):
        plain = sum(map(len, files))
        print(f"\n{name}: {len(files):,} files, {plain / len(files):.1f} bytes each")
        with tempfile.TemporaryDirectory() as folder:
            archived(files, plain, Path(folder), options.repetitions)
        for rival, encode, decode in rivals():
            told(rival, files, plain, options.repetitions, encode, decode)


def sets(data: Path) -> Iterator[tuple[str, list[bytes]]]:
    """(name, files) of each collection."""
    with zipfile.ZipFile(next(data.rglob("cifar10-jpg-6000.zip"))) as container:
        yield "color-32", [container.read(name) for name in container.namelist() if name.endswith(".jpg")]
    with zipfile.ZipFile(next(data.rglob("traffic-signs-ppm.zip"))) as container:
        names = [name for name in container.namelist() if name.endswith(".ppm")]
        signs = [Image.open(BytesIO(container.read(name))) for name in names]
    small = [sign.resize((64, 48), Image.Resampling.LANCZOS) for sign in signs]
    yield "64 x 48, quality 80", [jpeg(picture, quality=80) for picture in small]
    yield "64 x 48, gray, optimised", [jpeg(picture.convert("L"), quality=85, optimize=True) for picture in small]
    yield "64 x 48, progressive 4:4:4", [jpeg(p, quality=90, subsampling=0, progressive=True) for p in small]
    rows, columns = SHEET
    sheets = [signs[start : start + rows * columns] for start in range(0, len(signs) - rows * columns, rows * columns)]
    yield "300 x 200, quality 85", [jpeg(sheet(some), quality=85) for some in sheets]


def jpeg(picture: Image.Image, **how: Any) -> bytes:
    file = BytesIO()
    picture.save(file, "JPEG", **how)
    return file.getvalue()


def sheet(pictures: list[Image.Image]) -> Image.Image:
    """Six pictures as one."""
    found = Image.new("RGB", (100 * SHEET[1], 100 * SHEET[0]))
    for number, picture in enumerate(pictures):
        place = number % SHEET[1] * 100, number // SHEET[1] * 100
        found.paste(picture.resize((100, 100), Image.Resampling.LANCZOS), place)
    return found


def archived(files: list[bytes], plain: int, folder: Path, repetitions: int) -> None:
    (folder / "in").mkdir()
    for number, data in enumerate(files):
        (folder / "in" / f"{number:06}.jpg").write_bytes(data)
    packing, reading = list[float](), list[float]()
    for _ in range(repetitions):
        with timed(packing):
            report = engram.pack(folder / "in", folder / "a.egm", budget=0, force=True)
        with timed(reading), engram.open(folder / "a.egm") as archive:
            found = archive.files_of(archive.rows)
    assert found == files
    line("engram", report.info.archive_bytes, len(files), plain, packing, reading)
    parts = report.info.bytes_by_part
    print("   " + ", ".join(f"{name} {size / len(files):.2f}" for name, size in parts.items() if size))


def rivals() -> Iterator[tuple[str, Callable[[bytes], bytes], Callable[[bytes], bytes]]]:
    """(name, encode, decode) of each that is installed."""
    import imagecodecs

    yield "JPEG XL, a file each", imagecodecs.jpegxl_encode_jpeg, imagecodecs.jpegxl_decode_jpeg
    try:
        lepton = importlib.import_module("lepton_jpeg_python")
    except ModuleNotFoundError:
        return
    yield "Lepton, a file each", lepton.compress_bytes, lepton.decompress_bytes


def told(
    name: str,
    files: list[bytes],
    plain: int,
    repetitions: int,
    encode: Callable[[bytes], bytes],
    decode: Callable[[bytes], bytes],
) -> None:
    packing, reading = list[float](), list[float]()
    for _ in range(repetitions):
        with timed(packing):
            coded = [encode(data) for data in files]
        with timed(reading):
            back = [decode(data) for data in coded]
    same = sum(before == bytes(after) for before, after in zip(files, back, strict=True))
    line(name, sum(map(len, coded)), len(files), plain, packing, reading)
    if same < len(files):
        print(f"   {len(files) - same:,} of the files do not come back")


def line(name: str, size: int, files: int, plain: int, packing: list[float], reading: list[float]) -> None:
    speeds = [f"{files / median(times):,.0f} a second" for times in (packing, reading)]
    print(
        f"{name:<22}{size / files:>9.1f} bytes each, {100 * (size / plain - 1):+.1f} %; in {speeds[0]}, out {speeds[1]}"
    )


@contextmanager
def timed(found: list[float]) -> Iterator[None]:
    """Adds the processor time that is taken within."""
    before = time.process_time()
    yield
    found.append(time.process_time() - before)


if __name__ == "__main__":
    main()
