"""What the README says is run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import run

import engram
from engram.archive import shipped
from engram.datasets import source, wardrobe
from engram.images import Splits
from engram.training import fit

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def test_the_eight_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(source, "load", lambda data: Splits(wardrobe.draw(300, 0), wardrobe.draw(4800, 1)))
    few = fit.RECIPES["tied"].__class__(epochs=3, optimiser="sgd", learning_rate=10.0)
    monkeypatch.setitem(fit.RECIPES, "tied", few)
    names: dict = {}
    program, packing = blocks("python")
    exec(program, names)
    assert names["image"].shape == (28, 28, 1)
    assert names["row"]["archive_bytes"] == (tmp_path / "fashion.egm").stat().st_size
    with engram.open(tmp_path / "fashion.egm") as archive:
        assert np.array_equal(archive[4711], names["image"])
        assert len(archive) == 4800
    monkeypatch.setattr(shipped, "names", lambda: ("generic-gray",))
    exec(packing.replace("2m", "0"), names)
    assert names["report"].quality["psnr_db"] >= 35
    assert names["report"].breakdown.archive_bytes == (tmp_path / "small.egm").stat().st_size


CODE = r"[a-z0-9-]+(?:, (?:learned now|as for other sizes))?"
"""How `pack` calls a code."""
COST = r"[\d.,]+ bytes an image with its model(, [\d.]+ dB)?"
"""What it says of one."""


def masked(text: str) -> str:
    """The text without what depends on data and machine, its numbers and which code is best, and with single spaces."""
    text = re.sub(rf"{CODE}: {COST}, by a sample(; next best {CODE}, {COST})?", "the best code and the next", text)
    return re.sub(r"[-\d][\d,.e+-]*", "#", re.sub(r" +", " ", text)).strip()


def run_session(block: str, folder: Path) -> list[str]:
    """Runs the commands on `wardrobe`, with less training, and holds what they print against the block."""
    steps = re.findall(r"^\$ (?:torchrun (.*) -m )?engram (.*)\n((?:[^$].*\n|\n)*)", block, re.MULTILINE)
    for ranks, command, printed in steps:
        words = re.sub(r"fashion-mnist(?!-)", "wardrobe", command).replace("--epochs 50", "--epochs 1").split()
        if words[0] == "pack" and "-m" not in words:
            words += [
                "--budget",
                "1s" if "fashion-mnist" in command else "500steps" if "--budget" in words else "50steps",
            ]
        if ranks:
            command_line = [sys.executable, "-m", "torch.distributed.run", *ranks.split(), "-m", "engram", *words]
            done = subprocess.run(command_line, cwd=folder, capture_output=True, text=True, check=False)
        else:
            done = run(*words, cwd=folder)
        assert done.returncode == 0, done.stderr
        assert masked(done.stdout) == masked(printed)
    return [command.split()[0] for _, command, _ in steps]


def test_the_sessions_print_what_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wardrobe, "COUNTS", {"train": 4800, "test": 4800})  # they ask for image 4711
    monkeypatch.setattr(shipped, "names", lambda: ("generic-gray",))  # a small model, which codes in no time
    collection, paper = blocks("console")
    assert run_session(collection, tmp_path) == ["pack", "pack", "pack", "info", "get", "unpack", "verify"]
    assert (tmp_path / "4711.png").is_file()
    assert len(list((tmp_path / "pictures").rglob("*.png"))) == 4800
    assert run_session(paper, tmp_path) == ["train", "pack", "verify"]


def test_the_two_commands_are_make_targets_and_the_gate_calls_one() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make ([a-z-]+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    assert "make check" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize(
    "document", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")), ids=lambda p: p.name
)
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name} links to {target}"
