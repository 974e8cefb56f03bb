"""What decides the paper's ranking: the code's size, the optimiser, and the other choices left open."""

from __future__ import annotations

from typing import Any

from engram.document import Block, Cell, Column, Table, Text
from engram.experiments.reproduction.claims import Rows, by_method, spread
from engram.experiments.reproduction.plan import CHOICES, EQUAL, PAPER

COLUMNS = (
    Column("training"),
    Column("code"),
    Column("final loss", 4),
    Column("test loss", 4),
    Column("PSNR", 1, "dB"),
    Column("accuracy", 1, "%"),
    Column("time", 0, "s"),
)


def blocks(results: dict[str, Any]) -> tuple[Block, ...]:
    """The comparison at equal code size, and the table of open choices; nothing where neither was run."""
    rows = results["rows"]
    found: list[Block] = []
    equal = _labels(rows, EQUAL)
    if equal:
        found += [
            Text(
                "The paper compares a code of 40 numbers (cnn) with codes of 400 (ann, tied). Here the fully connected "
                "networks get a code of the size that the cnn has, everything else as before."
            ),
            Table(
                "The three methods at equal code size.",
                COLUMNS,
                tuple(_line(label, of) for label, of in ({"cnn": _select(rows, PAPER, "cnn")} | equal).items()),
            ),
        ]
    choices = _labels(rows, CHOICES)
    if choices:
        ours = {f"{method}, our choice": _select(rows, PAPER, method) for method in results["methods"]}
        together = sorted(
            (ours | choices).items(), key=lambda item: list(results["methods"]).index(item[1][0]["method"])
        )
        found += [
            Text(
                "Every other row departs from our choice in what it names, and in nothing else (one seed)."
                + _learning_rate_note(rows)
            ),
            Table("What the open choices change.", COLUMNS, tuple(_line(label, of) for label, of in together)),
        ]
    return tuple(found)


def reasons(results: dict[str, Any]) -> dict[str, str]:
    """For each claim that may fail, what our numbers say about why, by the claim's text."""
    rows = results["rows"]
    loss = by_method(rows, "loss")
    if set(loss) != {"cnn", "ann", "tied"}:
        return {}
    codes = by_method(rows, "code_numbers")
    equal = {of[0]["method"]: spread([row["accuracy"] for row in of]) for of in _labels(rows, EQUAL).values()}
    accuracy = by_method(rows, "accuracy")
    size = (
        f"The cnn's code has {codes['cnn'].mean:.0f} numbers, the others' {codes['ann'].mean:.0f}, "
        f"and a learning rate chosen on a validation split lets them use theirs."
    )
    at_equal = (
        f" At {codes['cnn'].mean:.0f} numbers each, accuracies are cnn {100 * accuracy['cnn'].mean:.1f} %, "
        + ", ".join(f"{method} {100 * value.mean:.1f} %" for method, value in equal.items())
        + "."
        if equal
        else ""
    )
    slow = _learning_rate_note(rows)
    seconds = by_method(rows, "training_seconds")
    return {
        "The CNN method is the most accurate.": size + at_equal,
        "The CNN method has the lowest final loss.": size + slow,
        "The final losses rank CNN, then ANN, then shared weights.": size + slow,
        "Shared weights train fastest, the CNN slowest.": (
            f"tied takes {seconds['tied'].mean / seconds['ann'].mean:.2f} times ann's time: sharing a matrix saves the "
            "writing of one, but not one of the five matrix products that a step is made of."
        ),
    }


def _learning_rate_note(rows: Rows) -> str:
    """A sentence on the ranking by loss at learning rate 1, where that was run."""
    slow = {
        row["method"]: row["loss"]
        for row in rows
        if row["purpose"] == CHOICES and row["method"] != "cnn" and row["settings"]["learning_rate"] == 1.0
    }
    losses = by_method(rows, "loss")
    if set(slow) != {"ann", "tied"} or "cnn" not in losses:
        return ""
    ranked = losses["cnn"].mean < slow["ann"] < slow["tied"]
    return (
        f" With learning rate 1 for SGD the final losses are cnn {losses['cnn'].mean:.4f}, ann {slow['ann']:.4f}, tied "
        f"{slow['tied']:.4f}: {'the' if ranked else 'not the'} paper's ranking."
    )


def _select(rows: Rows, purpose: str, method: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["purpose"] == purpose and row["method"] == method]


def _labels(rows: Rows, purpose: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of a purpose by their label, in order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["purpose"] == purpose:
            found.setdefault(row["label"], []).append(row)
    return found


def _line(label: str, rows: list[dict[str, Any]]) -> tuple[Cell, ...]:
    keys = "loss", "test_mse", "psnr_db"
    return (
        label,
        rows[0]["code_numbers"],
        *(spread([row[key] for row in rows]) for key in keys),
        spread([100 * row["accuracy"] for row in rows]),
        spread([row["training_seconds"] for row in rows]),
    )
