"""A comparison told as a document: curves, pictures at equal bytes, the whole table, and what each study teaches."""

from __future__ import annotations

import math
from collections.abc import Iterable

from engram.document import (
    Block,
    Column,
    Curve,
    Document,
    Failure,
    Point,
    RateChart,
    Reference,
    Section,
    Spread,
    Strip,
    Table,
    Text,
)
from engram.experiments.comparison.lessons import lessons
from engram.experiments.comparison.plan import FAMILIES
from engram.experiments.comparison.row import Row
from engram.experiments.comparison.run import Comparison
from engram.experiments.comparison.summary import ANCHORS, OURS
from engram.images import Pixels

HEADLINE = (
    *("pixel", "spatial", "restored", "pca", "cnn", "ann", "tied", "avif-atlas", "avif-shared"),
    *("jxl-atlas", "webp-shared", "jpeg-plain-shared", "jxl-lossless-atlas", "png-each"),
)
"""What the first picture shows, where it was measured; those that come first keep their names."""
STRIPS = 16, 64
"""Bytes an image at which pictures are shown beside each other."""
NEAR = 1.35
"""A method is shown where it has a setting within this factor of those bytes."""
ONE_SIZE = 1.1
"""A method whose settings all take the same bytes, within this factor, has no curve."""
BYTES, WITH_MODEL = "bytes_per_image", "bytes_per_image_with_model"


def document(run: Comparison) -> Document:
    """The page of a comparison."""
    results = run.results
    sections = [
        Section("In one picture", tuple(_headline(results["points"]))),
        Section(
            "What an image costs, and what is left of it", tuple(_curves(results["points"], len(run.material.test)))
        ),
        Section("What a classifier still recognises", tuple(_recognised(run))),
        Section("The same image, at equal bytes", tuple(_strips(run))),
        Section("All figures", (_table(results["points"], run.material.judges),)),
        Section("In one number", tuple(_rates(results["bjontegaard"]))),
        *lessons(run),
        Section("How this was measured", tuple(map(Text, _method(run)))),
    ]
    data = results["data"]
    return Document(
        title=f"Small images in real bytes: {data['name']}",
        summary=_summary(run),
        sections=tuple(section for section in sections if section.blocks),
        facts=_facts(run),
        warning="A quick run: few images, few epochs. Its figures are no one's best." if results["quick"] else "",
    )


def _summary(run: Comparison) -> str:
    data, points = run.results["data"], run.results["points"]
    methods = {row["method"] for row in points}
    text = (
        f"{len(methods)} methods and rivals over {len(points)} settings, each measured on the {data['test_images']:,} "
        f"test images of {data['name']}, which no training saw. Bytes are those of files on disk."
    )
    rates = {
        row["anchor"]: row
        for row in run.results["bjontegaard"]
        if row["method"] == OURS and row["counted"] == "without_model"
    }
    if all(anchor in rates and rates[anchor]["percent"] < 0 for anchor in ANCHORS):
        picture, files = (rates[anchor] for anchor in ANCHORS)
        text += (
            f" At equal PSNR, the best of engram's codes takes {-files['percent']:.0f} % fewer bytes than AVIF files "
            f"that share what they have alike ({files['from_db']:.0f} to {files['to_db']:.0f} dB), and "
            f"{-picture['percent']:.0f} % fewer than one AVIF picture of all images ({picture['from_db']:.0f} to "
            f"{picture['to_db']:.0f} dB), from which no image can be had alone; the model apart."
        )
    return text


def _headline(points: Iterable[Row]) -> Iterable[Block]:
    chosen = [row for row in points if "error" not in row and row["method"] in HEADLINE]
    if chosen:
        yield RateChart(
            "headline",
            "The codes of engram, the paper's networks, and the best of the classical formats: all bytes but the "
            "model. From those called atlas, one picture of all images, no image can be had alone.",
            "bytes an image",
            "PSNR, dB",
            _families(sorted(chosen, key=lambda row: HEADLINE.index(row["method"])), BYTES, "psnr_db"),
            groups=FAMILIES,
            logarithmic_x=True,
        )


def _curves(points: Iterable[Row], images: int) -> Iterable[Block]:
    measured = [row for row in points if "error" not in row]
    for name, key, title in (
        ("rates", BYTES, "All bytes of the file but the model."),
        ("rates-with-model", WITH_MODEL, f"The model included, shared by {images:,} images."),
    ):
        yield RateChart(
            name,
            f"{title} What is lossless stands on a line of its own.",
            "bytes an image",
            "PSNR, dB",
            _families(measured, key, "psnr_db"),
            groups=FAMILIES,
            logarithmic_x=True,
        )


def _recognised(run: Comparison) -> Iterable[Block]:
    measured = [row for row in run.results["points"] if "error" not in row]
    originals: dict[str, float] = next((row["accuracy"] for row in measured if row["method"] == "raw"), {})
    for judge, _ in run.material.judges:
        yield RateChart(
            f"accuracy-{'strong' if judge == 'strong' else 'paper'}",
            f"The share of images that the {judge} judge takes for what they are. It saw originals only in training.",
            "bytes an image",
            "accuracy, %",
            _families(measured, BYTES, judge),
            groups=FAMILIES,
            references=(Reference("the originals", 100 * originals[judge]),) if originals else (),
            logarithmic_x=True,
        )


def _families(rows: list[Row], key: str, value: str) -> tuple[Curve, ...]:
    """A curve for each method, in the order of its bytes; none for variants of one size, which have a section."""
    curves = []
    for method in dict.fromkeys(row["method"] for row in rows):
        own = sorted((row for row in rows if row["method"] == method), key=lambda row: row[key])
        if len(own) > 1 and own[0][BYTES] * ONE_SIZE > own[-1][BYTES] and own[0]["psnr_db"] is not None:
            continue
        points = tuple(Point(row[key], _height(row, value), f"{method} {row['setting']}", _details(row)) for row in own)
        curves.append(Curve(method, own[0]["family"], points))
    return tuple(curves)


def _height(row: Row, value: str) -> float:
    if value == "psnr_db":
        return math.inf if row["psnr_db"] is None else row["psnr_db"]
    return 100 * float(row["accuracy"][value])


def _details(row: Row) -> tuple[tuple[str, str], ...]:
    found = [
        ("bytes an image", f"{row[BYTES]:.1f}"),
        ("with the model", f"{row[WITH_MODEL]:.1f}"),
        ("PSNR", _decibels(row)),
        ("SSIM", f"{row['ssim']:.4f}"),
        ("largest error", f"{row['max_error']:g}"),
        *((f"{judge} judge", f"{100 * share:.1f} %") for judge, share in row["accuracy"].items()),
        ("one image alone", "yes" if row["random_access"] else "no"),
    ]
    return tuple(found)


def _decibels(row: Row) -> str:
    return "lossless" if row["psnr_db"] is None else f"{row['psnr_db']:.2f} dB"


def _strips(run: Comparison) -> Iterable[Block]:
    shown = run.material.shown
    test = run.material.test
    names = [
        f"image {place}" + ("" if test.labels is None else f", {test.class_names[test.labels[place]]}")
        for place in shown.tolist()
    ]
    for wanted in STRIPS:
        chosen = _nearest(run, wanted)
        if not chosen:
            continue
        originals = test.images[shown]
        size = math.prod(test.image_shape)
        yield Strip(
            f"strip-{wanted}",
            f"About {wanted} bytes an image, the model apart. The numbers are those of the whole test set.",
            tuple(names),
            ("original", *(row["method"] for row, _ in chosen)),
            tuple((originals[at], *(pictures[at] for _, pictures in chosen)) for at in range(len(shown))),
            tuple((f"{size} B", *(f"{row[BYTES]:.1f} B, {_decibels(row)}" for row, _ in chosen)) for _ in shown),
        )


def _nearest(run: Comparison, wanted: float) -> list[tuple[Row, Pixels]]:
    """Of each method the setting nearest to so many bytes, with its pictures; the best first."""
    found: dict[str, tuple[float, Row, Pixels]] = {}
    for finding in run.findings.values():
        for at, row in enumerate(finding.rows):
            far = abs(math.log(row[BYTES] / wanted))
            if far <= math.log(NEAR) and (row["method"] not in found or far < found[row["method"]][0]):
                found[row["method"]] = far, row, finding.pictures[str(at)]
    return sorted(
        ((row, pictures) for _, row, pictures in found.values()), key=lambda pair: -(pair[0]["psnr_db"] or 999)
    )


def _table(points: list[Row], judges: Iterable[tuple[str, object]]) -> Table:
    names = [name for name, _ in judges]
    columns = (
        Column("method"),
        Column("setting"),
        Column("bytes an image", 1),
        Column("with model", 1),
        Column("PSNR", 2, "dB"),
        Column("SSIM", 4),
        Column("largest error"),
        *(Column(f"{name} judge", 1, "%") for name in names),
        Column("encoded", 0, "images/s"),
        Column("decoded", 0, "images/s"),
        Column("one image alone"),
        Column("pays from", 0, "images"),
        Column("trainings"),
    )
    rows = tuple(_cells(row, names) for row in points)
    front = tuple(at for at, row in enumerate(points) if "without_model" in row.get("front", ()))
    return Table("Every setting of every method", columns, rows, filterable=True, front=front)


def _cells(row: Row, judges: list[str]) -> tuple[str | int | float | Spread | Failure | None, ...]:
    if "error" in row:
        return row["method"], row.get("setting", ""), Failure(row["error"])

    def spread(name: str, value: float | None, factor: float = 1) -> float | Spread | None:
        if value is None or row["seeds"] == 1:
            return None if value is None else factor * value
        return Spread(factor * value, factor * row["deviation"][name], row["seeds"])

    return (
        row["method"],
        row["setting"].removeprefix("fashion-mnist-"),
        spread(BYTES, row[BYTES]),
        row[WITH_MODEL],
        "lossless" if row["psnr_db"] is None else spread("psnr_db", row["psnr_db"]),
        row["ssim"],
        round(row["max_error"]),
        *(spread(judge, row["accuracy"][judge], 100) for judge in judges),
        row["encode_images_per_second"],
        row["decode_images_per_second"],
        "yes" if row["random_access"] else "no",
        row["break_even_images"],
        row["seeds"],
    )


def _rates(rates: list[Row]) -> Iterable[Block]:
    for anchor in ANCHORS:
        own = [row for row in rates if row["anchor"] == anchor]
        without = {row["method"]: row for row in own if row["counted"] == "without_model"}
        counted = {row["method"]: row for row in own if row["counted"] == "with_model"}
        rows = sorted(without.values(), key=lambda row: row["percent"])
        if rows:
            yield Table(
                f"Bjontegaard rate against {anchor}: by how many per cent bytes differ at equal PSNR",
                (
                    Column("method"),
                    Column("without model", 1, "%"),
                    Column("with model", 1, "%"),
                    Column("from", 1, "dB"),
                    Column("to", 1, "dB"),
                ),
                tuple(
                    (
                        row["method"],
                        row["percent"],
                        counted[row["method"]]["percent"] if row["method"] in counted else None,
                        row["from_db"],
                        row["to_db"],
                    )
                    for row in rows
                ),
            )


def _method(run: Comparison) -> Iterable[str]:
    yield (
        "Every size is the length of something on disk. An archive has blocks of 64 images, an index, checksums and "
        "no labels, for no rival stores them. Rivals are set as is best for each (the options are in results.json). "
        "They come as a file for each image, as those files with all that they have alike stored once (shared), and as "
        "one picture with all images as its tiles (atlas), from which no image can be had alone."
    )
    yield (
        "Images a second are of processor time, all threads together: one core's worth. An archive pays from that "
        "number of images on at which it is smaller, its model included, than the AVIF atlas of equal PSNR, or the "
        "lossless JPEG XL atlas; a dash stands where it never is, or where there is nothing to compare it with."
    )
    yield (
        "PSNR is of the mean squared error of all images together. Nothing was chosen by looking at the test images. "
        "Networks are trained several times; their figures are means, with the standard deviation where it is shown."
    )


def _facts(run: Comparison) -> tuple[tuple[str, str], ...]:
    results = run.results
    data = results["data"]
    found = {
        "data": f"{data['name']}: {data['train_images']:,} images to learn from, {data['test_images']:,} to measure on",
        "time": f"{results['work_seconds'] / 60:.0f} core minutes in all; this run took {results['seconds'] / 60:.1f}",
    }
    return tuple((found | results["environment"]).items())
