"""Trained models against the classical rivals, in real bytes: `make bench-codec ARGS="--models FILES OR FOLDERS"`.

Models are those that engram brings, or, frozen with the training images, those of files; each packs DATA into an
archive of its own. Parts of the output:

archives   bytes an image without and with the model, PSNR, largest error; images a second packed and unpacked (to disk
           and from it), and the time of one image from a block that was not read before; medians of the repetitions;
           each judge's accuracy, and in the heading that on the originals
rivals     the points of each rival's curve; kept in a file of points, by what they depend on, for AVIF takes minutes
targets    bytes at a PSNR on each curve, beside the targets; in brackets where no archive is within 2 dB of it
rates      the Bjontegaard rate of the archives' front against each rival's, over the PSNR that both reach
speeds     the rivals packing and unpacking the same images, in this run

    python benchmarks/codec.py --out codec.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import engram
from engram import archive as archives
from engram import models
from engram.archive import shipped
from engram.codecs.contract import Codec
from engram.codecs.spatial.codec import Spatial
from engram.errors import EngramError, UsageError
from engram.evaluation.curves import Curve, NoCurve, OutsideCurve, Point, bjontegaard_rate, front
from engram.evaluation.distortion import max_error, psnr_db
from engram.evaluation.judge import Judge, accuracy, judge_of
from engram.evaluation.rivals import RIVALS, Coded, Rival
from engram.experiments.environment import environment
from engram.files import replacing_file
from engram.images import ImageSet

Row = dict[str, Any]
ARCHIVES = ("archive", "bytes", "with model", "PSNR, dB", "largest error", "packed/s", "unpacked/s", "image, ms")
CURVES = ("avif-atlas", "jxl-atlas", "webp-atlas", "jpeg-atlas")
LOSSLESS = ("jxl-lossless-atlas", "webp-lossless-atlas", "xz-stream", "zstd-stream", "png-each")
SPEEDS = {"avif-atlas": 50, "jxl-atlas": 2.5, "webp-atlas": 50, "jpeg-each": 75, "jxl-lossless-atlas": 7, "png-each": 9}
TARGETS = {None: 274, 46.0: 125, 37.0: 78, 34.1: 62, 30.7: 48, 26.7: 32, 24.0: 24, 21.7: 16, 19.8: 8}
"""Bytes an image to reach at a PSNR in dB, None being lossless, on the test images of Fashion-MNIST."""
STEPS = (32, 48, 56, 64, 80, 112, 160, 192, 250, 340, 420, 500, 600, 750)
"""What a spatial model is measured at, in half gray levels: from about 110 to 8 bytes an image."""
SINGLES = 50
"""Images that are read one by one."""
LONG_SECONDS = 20.0
"""What takes longer than this is timed once."""
FAR_DB = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="fashion-mnist:test", help="DATA to pack")
    parser.add_argument("--training", help="DATA to freeze models with; default: the train half of DATA")
    parser.add_argument(
        "--models",
        nargs="*",
        default=list(shipped.names()),
        help="names of models that engram brings, model files, archives, folders of models; default: all it brings",
    )
    parser.add_argument("--rivals", nargs="*", default=[*CURVES, *LOSSLESS], choices=sorted(RIVALS), metavar="RIVAL")
    parser.add_argument("--judges", nargs="*", metavar="JUDGE", help="files or names; default: those engram brings")
    parser.add_argument("--no-speeds", action="store_true", help="leave out the rivals' speeds")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--points", type=Path, default=Path("out/rival-points.json"), help="the rivals' points, kept")
    parser.add_argument("--out", type=Path, help="write all rows there, as JSON")
    options = parser.parse_args()
    images = half(options.data)
    result: Row = {"data": options.data, "images": len(images), "fingerprint": images.fingerprint()}
    result["environment"] = environment() | {"command": " ".join(["benchmarks/codec.py", *sys.argv[1:]])}
    result["load_before"] = os.getloadavg()[0]
    fashion = options.data == "fashion-mnist:test"
    names = options.judges if options.judges is not None else shipped.judges() if fashion else ()
    judges = {Path(name).stem: judge_of(name) for name in names}
    result["originals"] = {name: accuracy(judge.confusion(images)) for name, judge in judges.items()}
    training = half(options.training or options.data.replace(":test", ":train"))
    result["archives"] = [
        row
        for entry in options.models
        for name, codec in codecs(entry, training)
        if isinstance(codec, Path) or codec.image_shape == images.image_shape
        for row in [packed_row(name, codec, images, options.repetitions, judges)]
    ]
    result["rivals"] = [point for name in options.rivals for point in points(RIVALS[name], images, options.points)]
    speeds = {} if options.no_speeds else SPEEDS
    result["speeds"] = [speed(RIVALS[name], images, setting, options.repetitions) for name, setting in speeds.items()]
    result["targets"] = target_rows(result, fashion=fashion)
    result["rates"] = rate_rows(result)
    result["load_after"] = os.getloadavg()[0]
    print("\n\n".join(tables(result)))
    if options.out:
        with replacing_file(options.out) as file:
            file.write((json.dumps(result, indent=1) + "\n").encode())


def half(data: str) -> ImageSet:
    """DATA that does not come divided."""
    images = engram.load(data)
    if len(images.splits) > 1:
        raise UsageError(f"{data} comes divided; say {data}:train or {data}:test")
    return images


def codecs(entry: str, training: ImageSet) -> Iterator[tuple[str, Codec | Path]]:
    """(name, codec or archive) of an entry of --models; a spatial model comes at each of STEPS."""
    path = Path(entry)
    if path.is_dir():
        for file in sorted(path.glob("*.safetensors")):
            yield from codecs(str(file), training)
    elif path.suffix == ".egm":
        yield path.stem, path
    else:
        brought = not path.exists() and entry in shipped.names()
        codec = shipped.load(entry, training.image_shape) if brought else engram.freeze(models.load(path), training)
        if isinstance(codec, Spatial):
            yield from ((f"{path.stem}, step {step / 2:g}", codec.at(step)) for step in STEPS)
        else:
            yield path.stem, codec


def packed_row(name: str, codec: Codec | Path, images: ImageSet, repetitions: int, judges: dict[str, Judge]) -> Row:
    """What an archive costs, keeps and takes: one that is there already, or that of a codec, packed now."""
    if isinstance(codec, Path):
        return {"model": name} | archive_row(codec, images, repetitions, judges)
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "images.egm"
        packing = [timed(lambda: archives.pack(images, codec, archive, force=True)) for _ in range(repetitions)]
        row = {"model": name, "pack_images_per_second": len(images) / statistics.median(packing)}
        return row | archive_row(archive, images, repetitions, judges)


def archive_row(archive: Path, images: ImageSet, repetitions: int, judges: dict[str, Judge]) -> Row:
    row, about = engram.measure(archive, images, judges or None), engram.info(archive).groups[0]
    unpacking = [row["seconds"], *(timed(lambda: read(archive)) for _ in range(1, repetitions))]
    singles = one_by_one(archive, about.block_size)
    kept = ("bytes_per_image", "bytes_per_image_with_model", "model_bytes", "max_error")
    return {name: row[name] for name in kept} | {
        "codec": about.codecs[0],
        "accuracy": row.get("accuracy", {}),
        "psnr_db": finite(row["psnr_db"]),
        "unpack_images_per_second": len(images) / statistics.median(unpacking),
        "block_size": about.block_size,
        "one_image_seconds": statistics.median(singles),
        "one_image_seconds_worst": max(singles),
    }


def read(path: Path) -> Any:
    with engram.open(path) as archive:
        return archive[:]


def one_by_one(path: Path, block_size: int) -> list[float]:
    """Seconds of single reads, each from another block, at a place drawn from a seed."""
    draw = np.random.default_rng(0)
    with engram.open(path) as archive:
        blocks = draw.permutation(-(-len(archive) // block_size))[:SINGLES]
        places = np.minimum(blocks * block_size + draw.integers(block_size, size=len(blocks)), len(archive) - 1)
        return [timed(lambda at=at: archive[at]) for at in places.tolist()]


def points(rival: Rival, images: ImageSet, kept: Path) -> list[Row]:
    """The rival's points over its dial, from the file where it has them; a row with the error where it fails."""
    found: dict[str, Row] = json.loads(kept.read_text()) if kept.exists() else {}
    rows = []
    for setting in rival.dial:
        library = rival.format.made_by.split()[0]
        version = metadata.version(library) if library in ("Pillow", "imagecodecs") else "standard library"
        depends = [images.fingerprint(), rival.name, rival.format.made_by, version, setting]
        key = hashlib.sha256(json.dumps(depends).encode()).hexdigest()
        if key not in found:
            try:
                found[key] = point(rival, images, setting)
            except EngramError as error:
                rows.append({"rival": rival.name, "setting": setting, "error": str(error)})
                continue
            kept.parent.mkdir(parents=True, exist_ok=True)
            with replacing_file(kept) as file:
                file.write((json.dumps(found, indent=1) + "\n").encode())
            print(f"{rival.name}, {setting:g}: {near(found[key])}", file=sys.stderr)
        rows.append(found[key])
    return rows


def point(rival: Rival, images: ImageSet, setting: float) -> Row:
    coded = rival.code(images, setting)
    error = max_error(images.images, coded.recovered)
    if rival.lossless and error:
        raise EngramError(f"{rival.name} promises to lose nothing, and is off by {error}")
    return {
        "rival": rival.name,
        "setting": setting,
        "bytes_per_image": coded.total_bytes / max(1, len(images)),
        "psnr_db": finite(psnr_db(images.images, coded.recovered)),
        "max_error": error,
        "random_access": coded.random_access,
    }


def speed(rival: Rival, images: ImageSet, setting: float, repetitions: int) -> Row:
    row: Row = {"rival": rival.name, "setting": setting}
    coded: list[Coded] = []
    try:
        while len(coded) < repetitions and (not coded or coded[0].encode_seconds < LONG_SECONDS):
            coded.append(rival.code(images, setting))
    except EngramError as error:
        return row | {"error": str(error)}
    return row | {
        "pack_images_per_second": len(images) / statistics.median(each.encode_seconds for each in coded),
        "unpack_images_per_second": len(images) / statistics.median(each.decode_seconds for each in coded),
    }


def finite(psnr_db: float) -> float | None:
    """None for the PSNR of images that are equal, which JSON cannot say."""
    return psnr_db if math.isfinite(psnr_db) else None


def timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def curve(rows: Iterable[Row], key: str = "bytes_per_image") -> Curve | None:
    """The front of the rows that lose something; None where they make no curve."""
    lossy: list[Point] = [(row[key], row["psnr_db"]) for row in rows if row.get("psnr_db") is not None]
    try:
        return Curve(front(lossy))
    except NoCurve:
        return None


def bytes_at(rows: list[Row], psnr_db: float | None, key: str = "bytes_per_image") -> float | None:
    """Bytes an image at a PSNR on the rows' curve, or the fewest that lose nothing; None where no row gets there."""
    if psnr_db is None:
        return min((row[key] for row in rows if key in row and row["psnr_db"] is None), default=None)
    try:
        found = curve(rows, key)
        return found and found.rate_at(psnr_db)
    except OutsideCurve:
        return None


def target_rows(result: Row, *, fashion: bool) -> list[Row]:
    """At the targets' PSNRs, or else at those of the archives: bytes of the rivals, the target, and of ours."""
    ours = result["archives"]
    wanted = TARGETS if fashion else {row["psnr_db"]: None for row in ours}
    jxl = [row for row in result["rivals"] if row["rival"] in ("jxl-atlas", "jxl-lossless-atlas")]
    rows = []
    for quality, target in wanted.items():
        same_kind = [row for row in ours if (row["psnr_db"] is None) == (quality is None)]
        nearest = min(same_kind, key=lambda row: abs((row["psnr_db"] or 0) - (quality or 0)), default=None)
        rows.append(
            {
                "psnr_db": quality,
                "avif_atlas": bytes_at(of_rival(result, "avif-atlas"), quality),
                "jxl_atlas": bytes_at(jxl, quality),
                "target": target,
                "ours": bytes_at(ours, quality),
                "ours_with_model": bytes_at(ours, quality, "bytes_per_image_with_model"),
                "nearest": nearest and {key: nearest[key] for key in ("model", "bytes_per_image", "psnr_db")},
            }
        )
    return rows


def rate_rows(result: Row) -> list[Row]:
    """By how many per cent the archives' bytes differ from each rival's at equal PSNR."""
    rows = []
    for rival in dict.fromkeys(row["rival"] for row in result["rivals"]):
        theirs = curve(of_rival(result, rival))
        for counted, key in (("without model", "bytes_per_image"), ("with model", "bytes_per_image_with_model")):
            ours = curve(result["archives"], key)
            if theirs and ours:
                with suppress(OutsideCurve):
                    row = {"rival": rival, "counted": counted, "bjontegaard_percent": bjontegaard_rate(theirs, ours)}
                    row["from_db"] = max(theirs.psnr_db[0], ours.psnr_db[0])
                    row["to_db"] = min(theirs.psnr_db[-1], ours.psnr_db[-1])
                    rows.append(row)
    return rows


def of_rival(result: Row, rival: str) -> list[Row]:
    return [row for row in result["rivals"] if row["rival"] == rival]


def tables(result: Row) -> list[str]:
    """The result in Markdown."""
    about = result["environment"]
    archives = [
        [
            *(row["model"], row["bytes_per_image"], row["bytes_per_image_with_model"], decibels(row["psnr_db"])),
            *(row["max_error"], rate(row, "pack"), rate(row, "unpack"), 1000 * row["one_image_seconds"]),
            *(percent(row["accuracy"][name]) for name in result["originals"]),
        ]
        for row in result["archives"]
    ]
    targets = [
        [
            *(decibels(row["psnr_db"]), row["avif_atlas"], row["jxl_atlas"], row["target"]),
            *(interpolated(row, "ours"), interpolated(row, "ours_with_model"), near(row["nearest"])),
        ]
        for row in result["targets"]
    ]
    rates = [
        [row["rival"], row["counted"], row["bjontegaard_percent"], f"{row['from_db']:.1f} to {row['to_db']:.1f}"]
        for row in result["rates"]
    ]
    curves = [
        [name, "yes" if RIVALS[name].random_access else "no", "; ".join(map(near, of_rival(result, name)))]
        for name in dict.fromkeys(row["rival"] for row in result["rivals"])
    ]
    speeds = [[row["rival"], f"{row['setting']:g}", rate(row, "pack"), rate(row, "unpack")] for row in result["speeds"]]
    found = [
        table(
            " | ".join([*ARCHIVES, *(f"{name} ({percent(share)})" for name, share in result["originals"].items())]),
            archives,
        ),
        table("PSNR, dB | AVIF atlas | JPEG XL atlas | target | ours | with model | nearest archive", targets),
        table("rival | archives | Bjontegaard rate, % | over dB", rates),
        table("rival | random access | bytes at dB", curves),
        table("rival | setting | packed/s | unpacked/s", speeds),
    ]
    machine = (
        f"{result['data']}: {result['images']:,} images; {about['cores']} cores of {about['processor']}, "
        f"load {result['load_before']:.1f} before and {result['load_after']:.1f} after; commit {about['commit']}"
    )
    return [machine, *filter(None, found)]


def interpolated(row: Row, key: str) -> str | None:
    """The bytes, in brackets where they come from archives that are far off."""
    if row[key] is None:
        return None
    far = abs((row["psnr_db"] or 0) - (row["nearest"]["psnr_db"] or 0)) > FAR_DB
    return f"({row[key]:.2f})" if far else f"{row[key]:.2f}"


def near(row: Row | None) -> str:
    """A point in words."""
    if row is None or "error" in row:
        return row["error"] if row else ""
    name = f"{row['model']}: " if "model" in row else ""
    return f"{name}{row['bytes_per_image']:.1f} at {decibels(row['psnr_db'])}"


def rate(row: Row, way: str) -> str | None:
    found = row.get(f"{way}_images_per_second")
    return row.get("error") if found is None else f"{found:,.0f}"


def percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def decibels(psnr_db: float | None) -> str:
    return "lossless" if psnr_db is None else f"{psnr_db:.2f}"


def table(heading: str, rows: list[list[Any]]) -> str:
    """A table in Markdown; nothing where there are no rows."""
    if not rows:
        return ""
    cells = [
        ["" if cell is None else f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row]
        for row in rows
    ]
    rule = "|".join("---" for _ in heading.split("|"))
    return "\n".join([f"| {heading} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in cells)])


if __name__ == "__main__":
    main()
