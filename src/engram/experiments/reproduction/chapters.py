"""A reproduction told as a document: the paper's tables and figures, ours beside the published ones."""

from __future__ import annotations

from typing import Any

from engram.document import (
    Block,
    Column,
    Confusion,
    Document,
    Flow,
    LineChart,
    Pictures,
    Section,
    Series,
    Spread,
    Table,
    Text,
    Topology,
    Verdicts,
)
from engram.experiments.reproduction import decisions, paper
from engram.experiments.reproduction.claims import by_method, comparable, spread, verdicts
from engram.experiments.reproduction.montage import montage
from engram.experiments.reproduction.plan import JUDGE, PAPER
from engram.experiments.reproduction.reproduce import Reproduction
from engram.experiments.reproduction.trial import Outcome

TOPOLOGIES = {
    "cnn": ("figure-2-cnn", "Figure 2. The convolutional autoencoder (2.2.1), drawn from the trained module."),
    "ann": ("figure-4-ann", "Figure 4. The auto-associative network (2.2.2)."),
    "tied": ("figure-5-tied", "Figure 5. The auto-associative network with shared weights (2.2.3)."),
}

_SIDE_BY_SIDE = "training on one thread, with one more on each other core."


def document(run: Reproduction) -> Document:
    """The page of a reproduction."""
    results = run.results
    data = results["data"]
    sections = [
        Section("What the paper claims, and what we measure", _claims(run)),
        Section("The system", _system(run)),
        Section("Data", _data(run)),
        Section("The networks", _networks(run)),
        Section("The classifier that judges", _judge(run)),
        Section("Results", _results(run)),
        Section("What decides the ranking", decisions.blocks(run.results)),
        Section("What the classifier confuses", _confusions(run)),
    ]
    return Document(
        title=f"{paper.TITLE}, reproduced" + ("" if comparable(results) else f" on {data['name']}"),
        summary=_summary(results),
        sections=tuple(section for section in sections if section.blocks),
        facts=_facts(results),
        warning=_warning(results),
    )


def _warning(results: dict[str, Any]) -> str:
    data = results["data"]
    if data["missing"]:
        return (
            "These are NOT results on Fashion-MNIST, which could neither be found nor downloaded. They were made on "
            "wardrobe, drawings that engram makes itself, and nothing here may be compared with the paper. "
            f"{data['missing']}"
        )
    if not data["is_papers"]:
        return f"These results were made on {data['name']}, not on the paper's data; nothing is compared with it."
    if results["quick"]:
        return "A quick run: fewer images, epochs and seeds than the paper's; nothing is compared with it."
    if not comparable(results):
        return "A run on fewer images than the paper's; nothing is compared with it."
    return ""


def _summary(results: dict[str, Any]) -> str:
    counts, seeds = results["data"]["counts"], results["seeds"]
    return (
        f"Three networks learn to return {counts['networks_train']:,} images through a small code. "
        f"A classifier that was trained on {counts['classifier_train']:,} originals then judges "
        f"{counts['networks_test']:,} recovered test images that no network has seen. "
        f"{'Means and standard deviations over ' + str(seeds) + ' seeds.' if seeds > 1 else 'One seed only.'}"
    )


def _facts(results: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    data = results["data"]
    return (
        ("data", f"{data['name']}, {data['train_images']:,} training and {data['test_images']:,} test images"),
        ("SHA-256 of the training half", data["sha256"]["train"]),
        ("SHA-256 of the test half", data["sha256"]["test"]),
        (
            "images of the networks",
            f"{data['split']} (NumPy), after conversion to JPG at quality {data['jpeg_quality']}",
        ),
        ("seeds", ", ".join(map(str, range(results["seeds"])))),
        *results["environment"].items(),
        ("whole run", f"{results['seconds']:.0f} s (what an earlier, interrupted run had finished is not in it)"),
    )


def _claims(run: Reproduction) -> tuple[Block, ...]:
    found = verdicts(run.results, decisions.reasons(run.results))
    return (Verdicts("The paper's claims, each with a verdict computed from this run.", found),)


def _system(run: Reproduction) -> tuple[Block, ...]:
    columns = (
        ("IDX files",),
        ("JPG files",),
        ("training images", "test images"),
        ("three networks",),
        ("recovered images",),
        ("classifier",),
        ("accuracy",),
    )
    arrows = (
        ("IDX files", "JPG files"),
        ("JPG files", "training images"),
        ("JPG files", "test images"),
        ("training images", "three networks"),
        ("test images", "three networks"),
        ("three networks", "recovered images"),
        ("recovered images", "classifier"),
        ("classifier", "accuracy"),
    )
    caption = "Figure 1. The system. The classifier is trained on originals and then sees recovered images."
    return (Flow("figure-1-system", caption, columns, arrows),)


def _data(run: Reproduction) -> tuple[Block, ...]:
    data = run.results["data"]
    blocks: list[Block] = []
    if data["files"]:
        bytes_of = {file["name"]: file["bytes"] for file in data["files"]}
        caption = "Table 1. The files of Fashion-MNIST. The published label sizes (140 and 92 bytes) are not theirs."
        rows = tuple((f.name, f.description, f.examples, f.size, bytes_of.get(f.name)) for f in paper.TABLE_1)
        columns = (
            Column("file"),
            Column("description"),
            Column("examples"),
            Column("size, published"),
            Column("size", unit="bytes"),
        )
        blocks.append(Table(caption, columns, rows))
    judges = [row for row in run.results["rows"] if row["purpose"] == JUDGE]
    costs = Column("images"), Column("PSNR to the original", 2, "dB"), Column("classifier's accuracy", 2, "%")
    blocks += [
        Text(
            "The paper converts every image to JPG and loads those files (2.1), but does not give their quality. "
            f"We chose {data['jpeg_quality']}: this is what it costs before any network is trained."
        ),
        Table(
            "The cost of JPG, on the test images. The classifier was trained on JPG images.",
            costs,
            (
                ("as published", None, _percent([row["accuracy_raw"] for row in judges])),
                ("as JPG", data["jpeg_psnr_db"], _percent([row["accuracy"] for row in judges])),
            ),
        ),
    ]
    return tuple(blocks)


def _networks(run: Reproduction) -> tuple[Block, ...]:
    shown: list[Block] = [
        Topology(TOPOLOGIES[method][0], TOPOLOGIES[method][1], _outcome(run, PAPER, method).model.network)
        for method in run.results["methods"]
    ]
    rows = [row for row in run.results["rows"] if row["purpose"] in (PAPER, JUDGE) and row["seed"] == 0]
    columns = (
        Column("network"),
        Column("epochs"),
        Column("optimiser"),
        Column("learning rate", 3),
        Column("batch"),
        Column("parameters"),
        Column("factors of products may be"),
    )
    table = tuple(
        (
            row["method"],
            row["settings"]["epochs"],
            row["settings"]["optimiser"],
            row["settings"]["learning_rate"],
            row["settings"]["batch_size"],
            row["parameters"],
            row["settings"]["precision"],
        )
        for row in rows
    )
    return (
        *shown,
        Text(
            "The paper leaves strides, learning rates, batch sizes, first weights and output activations open. Ours "
            "were chosen once: the learning rates by the loss on a validation split of the training set, the rest by "
            "custom. The loss is the mean squared error over all pixels in [0, 1]."
        ),
        Table("Settings of each training.", columns, table),
    )


def _judge(run: Reproduction) -> tuple[Block, ...]:
    rows = [row for row in run.results["rows"] if row["purpose"] == JUDGE]
    published = {item.epoch: item for item in paper.TABLE_2} if _comparable(run) else {}
    columns = [Column("epoch"), Column("training loss", 4), Column("test accuracy", 2, "%")]
    if published:
        columns += [Column("training loss, published", 4), Column("test accuracy, published", 0, "%")]
    table = tuple(
        (
            epoch,
            spread([row["losses"][epoch - 1] for row in rows]),
            _percent([row["accuracies"][index] for row in rows]),
            *((published[epoch].loss, 100 * published[epoch].accuracy) if published else ()),
        )
        for index, epoch in enumerate(rows[0]["snapshots"])
    )
    network = _outcome(run, JUDGE, "classifier").model.network
    return (
        Topology("figure-6-classifier", "Figure 6. The classifier (2.3), drawn from the trained module.", network),
        Table("Table 2. The training of the classifier.", tuple(columns), table),
    )


def _results(run: Reproduction) -> tuple[Block, ...]:
    rows, methods = run.results["rows"], run.results["methods"]
    columns = [
        Column("method"),
        Column("code"),
        Column("final loss", 4),
        Column("PSNR", 1, "dB"),
        Column("accuracy", 1, "%"),
        Column("time", 1, "s"),
    ]
    if _comparable(run):
        columns += [
            Column("final loss, published", 4),
            Column("accuracy, published", 0, "%"),
            Column("time, published", 0, "s"),
        ]
    values = {key: by_method(rows, key) for key in ("loss", "psnr_db", "training_seconds")}
    table = tuple(
        (
            method,
            int(by_method(rows, "code_numbers")[method].mean),
            *(values[key][method] for key in ("loss", "psnr_db")),
            _percent([row["accuracy"] for row in _rows(run, method)]),
            values["training_seconds"][method],
            *(
                (paper.TABLE_3[method].loss, 100 * paper.TABLE_3[method].accuracy, paper.TABLE_3[method].seconds)
                if _comparable(run)
                else ()
            ),
        )
        for method in methods
    )
    originals = spread([row["accuracy"] for row in rows if row["purpose"] == JUDGE])
    note = (
        "Code is how many numbers stand for an image. The final loss is the mean squared error on the training images "
        "in the last epoch, pixels in [0, 1]. The published losses are on a scale that the paper does not give: only "
        "their order can be compared. Accuracy is the classifier's on recovered test images, rounded to whole pixel "
        f"values; on the originals of its own test set it reaches {100 * originals.mean:.2f} %. A time is that of one "
        + ("training on a GPU." if run.results["environment"]["device"] != "cpu" else _SIDE_BY_SIDE)
    )
    return (
        Table("Table 3. The three methods.", tuple(columns), table),
        Text(note),
        _figure_7(run),
        _figure_8(run),
    )


def _figure_7(run: Reproduction) -> LineChart:
    series = []
    for method in run.results["methods"]:
        losses = [row["losses"] for row in _rows(run, method)]
        bands = [spread(values) for values in zip(*losses, strict=True)]
        series.append(
            Series(
                method,
                tuple(range(1, len(bands) + 1)),
                tuple(band.mean for band in bands),
                tuple(min(values) for values in zip(*losses, strict=True)),
                tuple(max(values) for values in zip(*losses, strict=True)),
            )
        )
    caption = "Figure 7. Training loss of the three methods; the band is the lowest and highest of the seeds."
    return LineChart("figure-7-loss", caption, "epoch", "mean squared error", tuple(series), logarithmic=True)


def _figure_8(run: Reproduction) -> Pictures:
    methods = run.results["methods"]
    outcomes = [_outcome(run, PAPER, method) for method in methods]
    epochs = outcomes[0].facts["snapshots"]
    count = len(outcomes[0].pictures[f"snapshot-{epochs[0]}"])
    rows = [tuple(montage(item.pictures[f"snapshot-{epoch}"]) for epoch in epochs) for item in outcomes]
    originals = montage(run.originals[:count])
    return Pictures(
        "figure-8-recovered",
        f"Figure 8. The same {count} test images as each method gives them back after some epochs, and the originals.",
        (*(f"epoch {epoch}" for epoch in epochs), "originals"),
        tuple(methods),
        tuple((*row, originals) for row in rows),
    )


def _confusions(run: Reproduction) -> tuple[Block, ...]:
    names = tuple(run.results["data"]["class_names"])
    blocks: list[Block] = []
    for method in ("originals", *run.results["methods"]):
        counts = sum(counts for (name, _), counts in run.confusions.items() if name == method)
        of = "the originals" if method == "originals" else f"what {method} recovers"
        caption = f"The classifier on {of}: test images of each class (rows) by judged class, all seeds together."
        blocks.append(Confusion(f"confusion-{method}", caption, names, counts))  # type: ignore[arg-type]
    return tuple(blocks)


def _comparable(run: Reproduction) -> bool:
    return comparable(run.results)


def _rows(run: Reproduction, method: str) -> list[dict[str, Any]]:
    return [row for row in run.results["rows"] if row["purpose"] == PAPER and row["method"] == method]


def _outcome(run: Reproduction, purpose: str, method: str) -> Outcome:
    """The outcome of seed 0."""
    return next(o for t, o in run.outcomes.items() if (t.purpose, t.method, t.seed) == (purpose, method, 0))


def _percent(shares: list[float]) -> Spread:
    return spread([100 * share for share in shares])
