"""The figures in the README and in docs/reproduction are those of the committed results.

`python tests/docs/test_reproduction.py` prints the tables as these documents have to hold them.
"""

from __future__ import annotations

import json
from pathlib import Path

from engram.document import Spread
from engram.experiments.reproduction import decisions, paper
from engram.experiments.reproduction.claims import Rows, by_method, comparable, spread, verdicts
from engram.experiments.reproduction.plan import CHOICES, EQUAL, JUDGE

ROOT = Path(__file__).parents[2]
RESULTS = json.loads((ROOT / "docs" / "reproduction" / "results.json").read_text())
ROWS: Rows = RESULTS["rows"]
INFLUENCE = json.loads((ROOT / "docs" / "reproduction" / "influence.json").read_text())


def table_3() -> str:
    """The methods, ours beside the published ones."""
    lines = [
        "| method | code | final loss | accuracy | training time | published: loss | accuracy | time |",
        "|---|---|---|---|---|---|---|---|",
    ]
    found = {key: by_method(ROWS, key) for key in ("code_numbers", "loss", "accuracy", "training_seconds")}
    for method, published in paper.TABLE_3.items():
        code, loss, accuracy, seconds = (found[key][method] for key in found)
        lines.append(
            f"| `{method}` | {code.mean:.0f} numbers | {loss.mean:.4f} ± {loss.deviation:.4f} "
            f"| {100 * accuracy.mean:.1f} ± {100 * accuracy.deviation:.1f} % "
            f"| {seconds.mean:.1f} ± {seconds.deviation:.1f} s "
            f"| {published.loss:.4f} | {published.accuracy:.0%} | {published.seconds:.0f} s |"
        )
    return "\n".join(lines)


def claims() -> str:
    """Every claim with its verdict."""
    lines = ["| claim | published | measured | verdict |", "|---|---|---|---|"]
    for verdict in verdicts(RESULTS, decisions.reasons(RESULTS)):
        outcome = f"**{verdict.outcome}**" if verdict.outcome != "holds" else verdict.outcome
        why = f". {verdict.why}" if verdict.why else ""
        lines.append(
            f"| {verdict.claim} ({verdict.source}) | {verdict.published} | {verdict.measured} | {outcome}{why} |"
        )
    return "\n".join(lines)


def classifier() -> str:
    """Table 2."""
    lines = ["| epoch | training loss | test accuracy | published: loss | accuracy |", "|---|---|---|---|---|"]
    judges = [row for row in ROWS if row["purpose"] == JUDGE]
    for index, item in enumerate(paper.TABLE_2):
        loss = spread([row["losses"][item.epoch - 1] for row in judges])
        accuracy = spread([row["accuracies"][index] for row in judges])
        lines.append(
            f"| {item.epoch} | {loss.mean:.3f} ± {loss.deviation:.3f} "
            f"| {100 * accuracy.mean:.1f} ± {100 * accuracy.deviation:.1f} % | {item.loss:.3f} | {item.accuracy:.0%} |"
        )
    return "\n".join(lines)


def trainings(rows: Rows, purpose: str) -> str:
    """The comparison at equal code size, or the open choices."""
    lines = ["| training | code | final loss | PSNR, dB | accuracy, % |", "|---|---|---|---|---|"]
    of: dict[str, list] = {}
    for row in rows:
        if row["purpose"] == purpose:
            of.setdefault(row["label"], []).append(row)
    for label, group in of.items():
        loss, psnr_db, share = (spread([row[key] for row in group]) for key in ("loss", "psnr_db", "accuracy"))
        lines.append(
            f"| {label} | {group[0]['code_numbers']} | {plus_minus(loss, 4)} | {plus_minus(psnr_db, 1)} "
            f"| {plus_minus(share, 1, 100)} |"
        )
    return "\n".join(lines)


def plus_minus(value: Spread, digits: int, scale: float = 1) -> str:
    """The mean, with the deviation where there is more than one run."""
    mean, deviation = scale * value.mean, scale * value.deviation
    return f"{mean:.{digits}f} ± {deviation:.{digits}f}" if value.n > 1 else f"{mean:.{digits}f}"


TABLES = table_3(), claims(), classifier(), trainings(ROWS, EQUAL), trainings(INFLUENCE["rows"], CHOICES)


def test_the_readme_has_table_3() -> None:
    assert table_3() in (ROOT / "README.md").read_text()


def test_the_reproduction_has_every_table() -> None:
    text = (ROOT / "docs" / "reproduction" / "README.md").read_text()
    for table in TABLES:
        assert table in text


def test_the_results_are_the_papers_whole() -> None:
    for results in (RESULTS, INFLUENCE):
        assert comparable(results)
        assert results["seeds"] >= 3
        assert len(results["environment"]["commit"]) == 12, "from a commit, without changes on top"


if __name__ == "__main__":
    print("\n\n".join(TABLES))
