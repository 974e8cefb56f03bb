"""What the methods that the paper names teach, a section each, in the numbers of this run."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from engram.document import Block, Column, Confusion, Section, Table, Text
from engram.experiments.comparison.row import Row
from engram.experiments.comparison.run import Comparison
from engram.experiments.comparison.study import Study

LEVELS = 8, 16, 32, 64, 128
NEAR = 0.15
"""How far from a level, as a share of it, a setting may be."""
Told = Callable[[list[Row]], str]


def lessons(run: Comparison) -> list[Section]:
    """A section for each method that the paper names, then for each title of the studies."""
    points = [row for row in run.results["points"] if "error" not in row]
    sections = [Section(title, tuple(_blocks(points, methods, text))) for title, methods, text in TOPICS]
    sections.append(Section("Which classes suffer (paper 3, reference 10)", tuple(_classes(run))))
    found = [(item, finding) for item, finding in run.findings.items() if isinstance(item, Study) and finding.facts]
    titled: dict[str, list[Block]] = {}
    for item, finding in found:
        titled.setdefault(item.title, []).extend(item.blocks(finding))
    return [*sections, *(Section(title, tuple(blocks)) for title, blocks in titled.items())]


def at_bytes(points: Iterable[Row], method: str, level: float) -> Row | None:
    """The method's setting nearest to so many bytes, if it is near."""
    near = [row for row in points if row["method"] == method]
    near = [row for row in near if abs(row["bytes_per_image"] - level) <= NEAR * level]
    return min(near, key=lambda row: abs(row["bytes_per_image"] - level), default=None)


def _blocks(points: list[Row], methods: tuple[str, ...], text: Told) -> Iterable[Block]:
    """Nothing where the first of the methods was not measured."""
    if not any(row["method"] == methods[0] for row in points):
        return
    yield Text(text(points))
    rows = []
    for method in methods:
        found = [at_bytes(points, method, level) for level in LEVELS]
        if any(found):
            models = [row["model_bytes"] for row in points if row["method"] == method]
            rows.append((method, *(row and row["psnr_db"] for row in found), max(models)))
    yield Table(
        "PSNR at about so many bytes an image, and the largest model among these settings",
        (Column("method"), *(Column(f"{level} B", 2, "dB") for level in LEVELS), Column("model", 0, "bytes")),
        tuple(rows),
    )


def _against(points: list[Row], method: str, other: str) -> str:
    """How the method fares against another, level by level."""
    pairs = [(level, at_bytes(points, method, level), at_bytes(points, other, level)) for level in LEVELS]
    apart = [(level, one["psnr_db"] - two["psnr_db"]) for level, one, two in pairs if one and two]
    if not apart:
        return f"There is no size at which {method} and {other} were both measured."
    told = ", ".join(f"{difference:+.1f} dB at {level} bytes" for level, difference in apart)
    return f"Against {other}: {told}."


def _pca(points: list[Row]) -> str:
    return (
        "Principal components are the best linear code for the squared error, linear discriminants the best for "
        "telling classes apart. LDA has at most one number fewer than there are classes, and no inverse: its pixels "
        "come from a least-squares regression. "
        + _against(points, "lda", "pca")
        + _recognised(points, "lda", "pca")
        + " What tells classes apart for a linear map is not what shows an image."
    )


def _recognised(points: list[Row], method: str, other: str) -> str:
    for level in LEVELS:
        one, two = at_bytes(points, method, level), at_bytes(points, other, level)
        if one and two and "strong" in one["accuracy"]:
            shares = 100 * one["accuracy"]["strong"], 100 * two["accuracy"]["strong"]
            told = f" At {level} bytes the strong judge recognises {shares[0]:.0f} % of the images of {method}"
            return f"{told}, and {shares[1]:.0f} % of those of {other}."
    return ""


def _isomap(points: list[Row]) -> str:
    return (
        "Isomap lays images out so that distances along the neighbourhood graph are kept. It codes only the images "
        "that it was fitted to, and cannot draw any: both ways are regressions here, from pixels to coordinates and "
        "back, fitted on true coordinates. " + _against(points, "isomap", "pca") + _recognised(points, "isomap", "pca")
    )


def _deep(points: list[Row]) -> str:
    return (
        "Several layers on each side of the code bend the space that principal components cut flat. "
        + _against(points, "deep", "pca")
        + " "
        + _against(points, "deep", "ann")
        + " The layers are paid for in the model: what they win in the first bytes, small collections give back."
    )


def _sparse(points: list[Row]) -> str:
    return (
        "A penalty keeps most hidden units near 0 (Ng's notes, the paper's reference 4). A unit that is mostly silent "
        "takes few bits, so the question is whether the entropy coder gains more than the pixels lose. "
        + _against(points, "sparse", "ann")
        + " "
        + _against(points, "sparse", "pca")
    )


def _bidirectional(points: list[Row]) -> str:
    return (
        "Gedeon's bidirectional training (references 6 and 9) uses the weights in both directions, one drawn for each "
        "step: between the two free matrices of ann and the one of tied. "
        + _against(points, "bidirectional", "ann")
        + " "
        + _against(points, "bidirectional", "tied")
    )


def _stacked(points: list[Row]) -> str:
    return (
        "The paper asks how many convolutions there should be. stacked has three, with strides for pooling and a "
        "linear code of 128 numbers, where cnn has two, with pooling, and 40. "
        + _against(points, "stacked", "cnn")
        + " "
        + _against(points, "stacked", "pca")
    )


TOPICS: tuple[tuple[str, tuple[str, ...], Told], ...] = (
    ("PCA and LDA (paper 1)", ("pca", "lda"), _pca),
    ("Isomap (paper 4.2)", ("isomap", "pca"), _isomap),
    ("Deep autoencoder (paper 4.2)", ("deep", "ann", "pca"), _deep),
    ("Sparse autoencoder (paper 1, reference 4)", ("sparse", "ann", "pca"), _sparse),
    ("Bidirectional training (paper 2.2.3)", ("bidirectional", "ann", "tied"), _bidirectional),
    ("More convolutions (paper 4.2)", ("stacked", "cnn", "pca"), _stacked),
)
"""Title, methods in the table, and what is said of them."""


def _classes(run: Comparison) -> Iterable[Block]:
    """Per-class accuracy of PCA and the autoencoders at equal bytes, and two confusion matrices."""
    names, level, judge = run.material.test.class_names, 16, "paper's"
    counts: dict[str, NDArray[np.int64]] = {}
    for finding in run.findings.values():
        for at, row in enumerate(finding.rows):
            near = abs(row["bytes_per_image"] - level) <= NEAR * level
            if near and row["method"] not in counts and judge in row["accuracy"] and "confusion" in finding.facts:
                counts[row["method"]] = np.array(finding.facts["confusion"][at][judge])
    if "pca" not in counts:
        return
    shares = {method: 100 * np.diag(own) / own.sum(axis=1).clip(1) for method, own in counts.items()}
    worst = int(shares["pca"].argmin())
    best = max(shares, key=lambda method: float(shares[method].mean()))
    yield Text(
        "The paper quotes confusion matrices in which some classes survive principal components at 23 or 48 %. Here, "
        f"at about {level} bytes, the paper's judge recognises least of {names[worst]} after pca: "
        f"{shares['pca'][worst]:.0f} %, and {shares[best][worst]:.0f} % after {best}, which keeps most of all classes."
    )
    yield Table(
        f"Recognised by the paper's judge at about {level} bytes an image, by class, in %",
        (Column("class"), *(Column(method, 1) for method in shares)),
        tuple((name, *(float(share[at]) for share in shares.values())) for at, name in enumerate(names)),
    )
    for method in dict.fromkeys(("pca", best)):
        caption = f"What the paper's judge takes the images of {method} for, at about {level} bytes."
        yield Confusion(f"confusion-{method}", caption, names, counts[method])
