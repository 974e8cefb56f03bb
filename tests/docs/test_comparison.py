"""The figures of the comparison, in the README and in docs/comparison, are those of the committed results.

`python tests/docs/test_comparison.py` prints the tables and sentences as these documents have to hold them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from engram.evaluation.curves import OutsideCurve
from engram.experiments.comparison.lessons import at_bytes
from engram.experiments.comparison.plan import FAMILIES
from engram.experiments.comparison.summary import ANCHORS, OURS, curve_of, summary

ROOT = Path(__file__).parents[2]
RESULTS = json.loads((ROOT / "docs" / "comparison" / "results.json").read_text())
Row = dict[str, Any]
POINTS: list[Row] = [row for row in RESULTS["points"] if "error" not in row]
QUALITIES = 46.0, 40.0, 37.0, 34.0, 30.0, 27.0, 24.0, 22.0
JUDGES = "paper's", "strong"
LEARNED = "pca", "lda", "isomap", "cnn", "ann", "tied", "sparse", "bidirectional", "deep", "stacked", "spatial"
WITHOUT, WITH = "bytes_per_image", "bytes_per_image_with_model"
ALONE, PICTURE, STREAM = FAMILIES[-3:]


def equal_quality() -> str:
    """Bytes an image at the same PSNR, ours and the smallest of the classical formats', on their curves."""
    lines = [
        "| quality | engram | with the model | the smallest files, one image each | the smallest picture of all |",
        "|---|---|---|---|---|",
    ]
    lossless = [least(row for row in POINTS if row["family"] == f and row["psnr_db"] is None) for f in shown()]
    best, alone, picture = lossless
    with_model = f"{best[WITH]:.1f}"
    lines.append(f"| lossless | {named(best)} | {with_model} | {named(alone)} | {named(picture)} |")
    for psnr_db in QUALITIES:
        cells = [", ".join(found) if (found := at(psnr_db, family)) else "-" for family in shown()]
        counted = at(psnr_db, OURS, WITH)
        cells.insert(1, counted[0] if counted else "-")
        lines.append(f"| {psnr_db:g} dB | {' | '.join(cells)} |")
    return "\n".join(lines)


def shown() -> tuple[str, str, str]:
    return OURS, ALONE, PICTURE


def least(rows: Iterable[Row]) -> Row:
    return min(rows, key=lambda row: row[WITHOUT])


def named(row: Row) -> str:
    return f"{row[WITHOUT]:.1f}, {row['method']}"


def at(psnr_db: float, family: str, key: str = WITHOUT) -> tuple[str, str] | None:
    """The bytes of the family's best method at a PSNR, and its name; None where none reaches it."""
    found = []
    for method in dict.fromkeys(row["method"] for row in POINTS if row["family"] == family):
        curve = curve_of(POINTS, method, key)
        if curve is not None:
            try:
                found.append((curve.rate_at(psnr_db), method))
            except OutsideCurve:
                continue
    return (f"{min(found)[0]:.1f}", min(found)[1]) if found else None


def rates() -> str:
    """Bjontegaard rates against both anchors, of what is worth a curve."""
    lines = [
        "| | against "
        + " | with the model | against ".join(f"`{anchor}`" for anchor in ANCHORS)
        + " | with the model |",
        "|---|---|---|---|---|",
    ]
    of = {(row["method"], row["anchor"], row["counted"]): row["percent"] for row in RESULTS["bjontegaard"]}
    methods = list(dict.fromkeys(row["method"] for row in RESULTS["bjontegaard"]))
    for method in sorted(methods, key=lambda method: of.get((method, ANCHORS[0], "without_model"), math.inf)):
        cells = [of.get((method, anchor, counted)) for anchor in ANCHORS for counted in ("without_model", "with_model")]
        told = ("" if cell is None else f"{cell:+.1f} %" for cell in cells)
        name = "**engram, the best of its codes**" if method == OURS else f"`{method}`"
        lines.append(f"| {name} | {' | '.join(told)} |")
    return "\n".join(lines)


def learned() -> str:
    """The paper's methods and those it names, at two sizes."""
    lines = [
        "| method | 16 bytes: PSNR | the paper's judge | the strong judge "
        "| 64 bytes: PSNR | the paper's judge | the strong judge | model, bytes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for method in LEARNED:
        cells, models = [], []
        for level in (16, 64):
            row = at_bytes(POINTS, method, level)
            cells += ["-"] * 3 if row is None else left(row)
            models += [] if row is None else [row["model_bytes"]]
        if models:
            lines.append(f"| `{method}` | {' | '.join(cells)} | {max(models):,.0f} |")
    return "\n".join(lines)


def left(row: Row) -> list[str]:
    """PSNR and accuracies, with the deviation over trainings where there are several."""
    apart = row.get("deviation", {})
    decibels = f"{row['psnr_db']:.2f}" + (f" ± {apart['psnr_db']:.2f}" if apart else "") + " dB"
    shares = [
        f"{100 * row['accuracy'][judge]:.1f}" + (f" ± {100 * apart[judge]:.1f}" if apart else "") + " %"
        for judge in JUDGES
    ]
    return [decibels, *shares]


def noise() -> str:
    """What comes back of noisy images."""
    studies = RESULTS["studies"]
    columns = [("filters", name) for name in ("noisy", "median filter", "non-local means")]
    columns += [(method, name) for method in ("ann", "cnn") for name in studies[method]["gaussian"]]
    names = (name if method == "filters" else f"`{method}`, {name}" for method, name in columns)
    lines = [f"| noise | {' | '.join(names)} |", "|---" * (len(columns) + 1) + "|"]
    for kind in studies["filters"]:
        found = (studies[method][kind][name] for method, name in columns)
        cells = (f"{row['psnr_db']:.1f} dB, {100 * row['accuracy']['strong']:.0f} %" for row in found)
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(lines)


def smaller(study: str) -> str:
    """Networks made smaller: what the model is, and what is left of the images at 32 bytes."""
    lines = ["| network | PSNR | model, bytes | decoded, images/s |", "|---|---|---|---|"]
    for row in RESULTS["studies"][study]["variants"]:
        kept = row.get("kept")
        size = f"{row['units']} units" if "units" in row else row.get("codewords") or f"{kept:.0%} of the weights"
        speed = f"{round(row['decode_images_per_second'], -3):,.0f}"
        lines.append(f"| {row['method']}: {size} | {row['psnr_db']:.2f} dB | {row['model_bytes']:,} | {speed} |")
    return "\n".join(lines)


def structure() -> str:
    """The best found of each kind of network."""
    told = []
    for name in ("convolutional", "fully connected"):
        found = RESULTS["studies"][name]
        best = max(found["trials"], key=lambda row: row["psnr_db"])
        options = ", ".join(f"{key} {value}" for key, value in best["options"].items())
        told.append(
            f"of {len(found['trials'])} {name} trials `{best['method']}` ({options}; {best['recipe']['optimiser']}, "
            f"learning rate {best['recipe']['learning_rate']:g}, {best['epochs']} epochs): {best['psnr_db']:.1f} dB, "
            f"a model of {best['model_bytes']:,} bytes"
        )
    return f"The best {told[0]}; {told[1]}."


def tables() -> dict[str, str]:
    """Each part of docs/comparison by its mark there."""
    return {
        "equal": equal_quality(),
        "rates": rates(),
        "learned": learned(),
        "structure": structure(),
        "noise": noise(),
        "units": smaller("fewer units"),
        "weights": smaller("fewer weights"),
    }


def sentences() -> Iterator[str]:
    """What the README claims, in the numbers of the results."""
    of = {(row["anchor"], row["counted"]): row for row in RESULTS["bjontegaard"] if row["method"] == OURS}
    picture, files = (of[anchor, "without_model"] for anchor in ANCHORS)
    loaded, alone = (of[anchor, "with_model"] for anchor in ANCHORS)
    yield (
        f"At equal PSNR an archive takes **{-files['percent']:.0f} % fewer bytes** than the smallest classical files "
        f"that give out one image ({files['from_db']:.0f} to {files['to_db']:.0f} dB), and "
        f"{-picture['percent']:.0f} % fewer than AVIF of all 10,000 images in one picture, which gives out none "
        f"({picture['from_db']:.0f} to {picture['to_db']:.0f} dB). "
        f"With the models counted it is {-alone['percent']:.0f} and {-loaded['percent']:.0f} %."
    )
    pays = [row["break_even_images"] for row in POINTS if row["method"] == "spatial" and row["break_even_images"]]
    lossless = next(row for row in POINTS if row["method"] == "pixel" and row["psnr_db"] is None)
    yield (
        f"Lossless, a model has paid for itself from {lossless['break_even_images']:,} images on, against the smallest "
        f"lossless picture of all; the `spatial` model, against AVIF of all in one picture, from {min(pays):,} to "
        f"{max(pays):,}."
    )
    png = next(row for row in POINTS if row["method"] == "png-each")
    webp = least(row for row in POINTS if row["method"] == "webp-shared")
    spatial = [row["decode_images_per_second"] for row in POINTS if row["method"] == "spatial"]
    yield (
        f"For each second of processor time the `pixel` code gives back {per_second(lossless)} images and `spatial` "
        f"about {round(sum(spatial) / len(spatial), -2):,.0f}; PNG files give back {per_second(png)}, and WebP files "
        f"{per_second(webp)}."
    )
    worst = max((row for row in POINTS if row["method"] == "spatial"), key=lambda row: row["max_error"])
    yield (
        f"At {worst['bytes_per_image']:.0f} bytes an image the strong judge still recognises "
        f"{100 * worst['accuracy']['strong']:.0f} %, where it recognises {100 * originals():.0f} % of the originals, "
        f"and some pixel is off by {worst['max_error']:.0f}."
    )


def per_second(row: Row) -> str:
    return f"{round(row['decode_images_per_second'], -2):,.0f}"


def originals() -> float:
    return float(next(row for row in POINTS if row["method"] == "raw")["accuracy"]["strong"])


def test_the_readme_says_what_was_measured() -> None:
    text = " ".join((ROOT / "README.md").read_text().split())
    for sentence in sentences():
        assert sentence in text


def test_the_page_has_every_table() -> None:
    text = (ROOT / "docs" / "comparison" / "README.md").read_text()
    for table in tables().values():
        assert table in text


def test_the_readme_shows_the_picture_near_its_top() -> None:
    assert "docs/comparison/headline.svg" in (ROOT / "README.md").read_text()[:2500]
    assert (ROOT / "docs" / "comparison" / "headline.svg").read_text().startswith("<svg ")


def test_the_results_are_of_a_whole_run_of_a_commit() -> None:
    assert not RESULTS["quick"]
    assert len(RESULTS["environment"]["commit"]) == 12, "from a commit, without changes on top"
    assert RESULTS["data"]["test_images"] == 10_000
    assert not [row["error"] for row in RESULTS["rows"] if "error" in row], "no method failed"


def test_the_summary_follows_from_the_rows() -> None:
    found = summary(RESULTS["rows"])
    assert found["bjontegaard"] == RESULTS["bjontegaard"]
    assert found["points"] == RESULTS["points"]


if __name__ == "__main__":
    print("\n\n".join([*tables().values(), *sentences()]))
