"""Blocks shaped as the page of a comparison: forty curves, a long table, a strip; the numbers are drawn."""

from __future__ import annotations

import math

import numpy as np

from engram.document import Cell, Column, Curve, Failure, Point, RateChart, Reference, Strip, Table
from engram.images import Pixels

ENGRAM, PAPER, NAMED = "engram", "the paper's", "named by the paper"
EACH, ATLAS = "classical, random access", "classical, one atlas"
GROUPS = (ENGRAM, PAPER, NAMED, EACH, ATLAS)


def steps(first: float) -> tuple[float, ...]:
    return tuple(first * 1.27**k for k in range(8))


METHODS: dict[str, tuple[str, tuple[float, ...], float, float]] = {
    # name: group, bytes an image, PSNR in dB at the first, how much more for twice the bytes
    "pixel": (ENGRAM, (38.8, 69.6, 86.9, 107.8, 170.4), 23.4, 10.4),
    "spatial": (ENGRAM, (6.1, 9.8, 15.8, 25.2, 41.0, 66.3, 90.1), 18.9, 3.3),
    "spatial, wide": (ENGRAM, (8.0, 16.0, 32.0), 19.9, 2.0),
    "spatial, task-aware": (ENGRAM, (8.0, 16.0, 32.0), 18.8, 1.8),
    "restored": (ENGRAM, (45.0, 62.0, 80.0), 25.5, 9.0),
    "cnn": (PAPER, (40.0, 80.0), 17.1, 0.9),
    "ann": (PAPER, (100.0, 200.0, 400.0), 19.1, 0.8),
    "tied": (PAPER, (100.0, 200.0, 400.0), 19.6, 0.8),
    "PCA": (NAMED, (9.7, 18.7, 29.1, 51.5, 79.3, 111.4), 18.1, 2.6),
    "LDA": (NAMED, (4.0, 9.0), 13.4, 0.8),
    "Isomap": (NAMED, (4.0, 8.0, 16.0), 14.9, 1.1),
    "deep autoencoder": (NAMED, (16.0, 32.0, 64.0), 19.4, 1.0),
    "sparse autoencoder": (NAMED, (32.0, 64.0, 128.0), 18.2, 1.6),
    "bidirectional, shared weights": (NAMED, (50.0, 100.0, 200.0), 17.3, 1.0),
    "hidden units removed": (NAMED, (25.0, 50.0, 75.0, 100.0), 16.0, 1.8),
    "pruned": (NAMED, (60.0, 120.0), 18.0, 0.4),
    "product-quantised": (NAMED, (60.0, 120.0), 17.0, 0.5),
    **{
        f"{name}{', shared header' if shared else ', one file each'}": (EACH, steps(first), at, 9.0)
        for name, shared, first, at in (
            ("JPEG", False, 218.0, 19.7), ("JPEG", True, 60.0, 19.6), ("WebP", False, 120.0, 23.7),
            ("WebP", True, 84.0, 23.2), ("AVIF", False, 300.0, 24.0), ("AVIF", True, 96.0, 22.2),
            ("JPEG XL", False, 90.0, 19.4), ("JPEG XL", True, 74.0, 21.6), ("JPEG 2000", False, 160.0, 20.0),
            ("JPEG 2000", True, 80.0, 18.8),
        )
    },
    **{f"{name}, one file each": (EACH, (at,), math.inf, 0) for name, at in (("PNG", 514.5), ("JPEG-LS", 450.2))},
    "zstd on raw pixels": (EACH, (489.0,), math.inf, 0),
    "xz of all pixels": (ATLAS, (377.8,), math.inf, 0),
    "PNG atlas": (ATLAS, (431.0,), math.inf, 0),
    **{
        f"{name} atlas": (ATLAS, steps(first), at, 8.4)
        for name, first, at in (
            ("JPEG", 41.8, 19.6), ("WebP", 53.6, 23.9), ("AVIF", 24.1, 20.1), ("JPEG XL", 51.3, 21.8),
            ("JPEG 2000", 48.0, 19.0), ("x265", 60.0, 20.2), ("AV1", 58.0, 22.8), ("JPEG-LS near", 120.0, 26.0),
        )
    },
}  # fmt: skip


def points(name: str) -> list[tuple[float, float]]:
    """(bytes an image, dB) of a method."""
    _, rates, at, slope = METHODS[name]
    found = [(rate, at + slope * math.log2(rate / rates[0]) if slope else at) for rate in rates]
    return [*found, (294.0, math.inf)] if name == "pixel" else found


def accuracy(decibels: float) -> float:
    return 92.3 if math.isinf(decibels) else 92.3 - 60 * math.exp(-max(decibels - 11, 0.1) / 4)


def _point(name: str, rate: float, decibels: float, y: float) -> Point:
    return Point(
        rate,
        y,
        f"dial {rate:.0f}",
        (
            ("bytes an image", f"{rate:,.1f}"),
            ("with the model", f"{rate + 14.2:,.1f}"),
            ("PSNR", "∞, lossless" if math.isinf(decibels) else f"{decibels:.2f} dB"),
            ("SSIM", f"{1 - math.exp(-max(decibels, 0) / 9):.4f}"),
            ("accuracy", f"{accuracy(decibels):.1f} %"),
            ("decoded", f"{12345 + len(name):,} images/s"),
            ("random access", "no" if METHODS[name][0] == ATLAS else "yes"),
        ),
    )


def rates(judged: bool) -> RateChart:
    curves = tuple(
        Curve(
            name,
            group,
            tuple(_point(name, rate, db, accuracy(db) if judged else db) for rate, db in points(name)),
        )
        for name, (group, *_) in METHODS.items()
    )
    if judged:
        return RateChart(
            "rate-accuracy",
            "Figure 10. What a strong judge recognises in the reconstructions of 10,000 test images.",
            "bytes an image, without the model",
            "accuracy of the strong judge (%)",
            curves,
            GROUPS,
            (Reference("on the originals", 93.1),),
            logarithmic_x=True,
        )
    return RateChart(
        "rate-psnr",
        "Figure 9. Rate and distortion of every method on the 10,000 test images; what is lossless stands at the top.",
        "bytes an image, without the model",
        "PSNR (dB)",
        curves,
        GROUPS,
        logarithmic_x=True,
    )


def search() -> RateChart:
    generator = np.random.default_rng(5)
    tried = [
        (float(x), float(18 + 2.1 * np.log2(x) - generator.exponential(0.9))) for x in generator.uniform(4, 60, 60)
    ]
    best: list[tuple[float, float]] = []
    for x, y in sorted(tried):
        if not best or y > best[-1][1]:
            best.append((x, y))
    named = [
        tuple(Point(x, y, f"{int(x) % 3 + 1} layers", (("PSNR", f"{y:.2f} dB"),)) for x, y in found)
        for found in (best, sorted(set(tried) - set(best)))
    ]
    curves = (Curve("front", "the front", named[0]), Curve("tried", "tried", named[1], joined=False))
    return RateChart(
        "search", "Figure 11. Sixty structures and their front.", "numbers of the code", "PSNR (dB)", curves
    )


def table() -> Table:
    columns = (
        Column("Method"), Column("Dial"), Column("Bytes an image", 1), Column("With the model", 1),
        Column("Model", 0, "bytes"), Column("PSNR", 2, "dB"), Column("SSIM", 4), Column("Largest error"),
        Column("Judge of the paper", 1, "%"), Column("Strong judge", 1, "%"), Column("Encoding", 0, "images/s"),
        Column("Decoding", 0, "images/s"), Column("Random access"), Column("Pays from", 0, "images"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for name, (group, *_) in METHODS.items():
        for number, (rate, db) in enumerate(points(name)):
            if name == "Isomap" and number == 2:
                rows.append((name, "16 numbers", Failure("the neighbourhood graph of the images is not connected")))
                continue
            own = group in (ENGRAM, PAPER)
            rows.append(
                (name, f"{rate:.0f} B", rate, rate + 14.2 * own, 142_000 if own else None, db,
                 1 - math.exp(-max(db, 0) / 9),
                 255 - round(min(db, 51) * 5), accuracy(db) - 6, accuracy(db), 1234 + number,
                 12345 + number, "no" if group == ATLAS else "yes", 8123 + number if own else None)
            )  # fmt: skip
    rows.append(("JPEG XR", None, Failure("not measured: imagecodecs is missing; pip install 'engram-images[rivals]'")))
    front, best = [], -math.inf
    for place in sorted(range(len(rows)), key=lambda place: _rate(rows[place])):
        db = rows[place][5] if len(rows[place]) > 5 else -math.inf
        if isinstance(db, float) and db > best:
            front.append(place)
            best = db
    return Table("Table 4. Every method at every dial.", columns, tuple(rows), filterable=True, front=tuple(front))


def _rate(row: tuple[Cell, ...]) -> float:
    return row[2] if isinstance(row[2], float) else math.inf


def strip(choices: int = 20) -> Strip:
    generator = np.random.default_rng(7)
    methods = ("original", *list(METHODS)[:11])
    classes = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")

    def garment() -> Pixels:
        rows, columns = np.mgrid[-1:1:28j, -1:1:28j]
        width, height, corner = generator.uniform((0.3, 0.3, 1.2), (0.85, 0.85, 6))
        shape = 235 * np.exp(-((np.abs(columns / width) ** corner + np.abs(rows / height) ** corner) ** 2))
        return (shape + 12 * np.sin(9 * rows) * (shape > 20)).clip(0, 255).astype(np.uint8)[:, :, None]

    originals = [garment() for _ in range(choices)]
    return Strip(
        "equal-bytes",
        "Figure 12. An original and what comes back at about 16 bytes an image.",
        tuple(f"image {17 * place + 3}, {classes[place % 10]}" for place in range(choices)),
        methods,
        tuple(
            tuple(
                (original + generator.normal(0, 5.0 * k, original.shape)).clip(0, 255).astype(np.uint8)
                for k in range(len(methods))
            )
            for original in originals
        ),
        tuple(
            tuple("784 B" if not k else f"{15.1 + k / 7:.1f} B, {25.3 - k:.1f} dB" for k in range(len(methods)))
            for _ in originals
        ),
    )
