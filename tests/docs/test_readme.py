"""What the README says is run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import run
from numpy.typing import NDArray
from PIL import Image

import engram
from engram.archive import shipped
from engram.datasets import source, wardrobe
from engram.training import fit

ROOT = Path(__file__).parents[2]
SPLITS, PETS = ("test", "train"), ("cat", "dog")
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def test_the_first_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shipped, "names", lambda: ("generic-gray",))
    ages = {f"{split}/{pet}/{number:04}.png": number for split in SPLITS for pet in PETS for number in range(4)}
    for number, path in enumerate(ages):
        picture = np.random.default_rng(number).integers(0, 256, (9, 7 + number % 3, 1 + number % 4), np.uint8)
        put(tmp_path / "pets" / path, picture)
    lines = ["file_name,age", *(f"{path},{age}" for path, age in ages.items())]
    (tmp_path / "pets" / "metadata.csv").write_text("\n".join(lines))
    names: dict = {}
    exec(blocks("python")[0], names)
    row = sorted(ages).index("train/cat/0001.png")
    with Image.open(tmp_path / "pets" / "train/cat/0001.png") as picture:
        assert np.array_equal(names["image"].squeeze(), np.asarray(picture))
    assert names["ages"][row] == 1
    assert len(names["cats"]) == 4
    engram.unpack("pets.egm", "again")
    assert tree(tmp_path / "again") == tree(tmp_path / "pets")


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def put(path: Path, pixels: NDArray[np.uint8]) -> None:
    """A file of one of the kinds that have alpha, or not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(path)


def test_the_steps_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(wardrobe, "COUNTS", {"train": 300, "test": 4800})
    drawn = source.load("wardrobe")
    monkeypatch.setattr(source, "load", lambda data: drawn)
    few = fit.RECIPES["tied"].__class__(epochs=3, optimiser="sgd", learning_rate=10.0)
    monkeypatch.setitem(fit.RECIPES, "tied", few)
    names: dict = {}
    _, program, packing = blocks("python")
    exec(program, names)
    assert names["image"].shape == (28, 28, 1)
    assert names["row"]["archive_bytes"] == (tmp_path / "fashion.egm").stat().st_size
    with engram.open(tmp_path / "fashion.egm") as archive:
        assert np.array_equal(archive[4711], names["image"])
        assert len(archive) == 4800
    monkeypatch.setattr(shipped, "names", lambda: ("generic-gray",))
    exec(packing.replace("2m", "0"), names)
    assert names["report"].quality["psnr_db"] >= 35
    assert names["report"].info.archive_bytes == (tmp_path / "small.egm").stat().st_size


CODE = r"[a-z0-9-]+(?:, (?:learned now|as for other sizes))?"
"""How `pack` calls a code."""
COST = r"[\d.,]+ bytes an image with its model(, [\d.]+ dB)?"
"""What it says of one."""


def masked(text: str) -> str:
    """The text without what depends on data and machine, its numbers and which code is best, and with single spaces."""
    text = re.sub(rf"{CODE}: {COST}, by a sample(; next best {CODE}, {COST})?", "the best code and the next", text)
    text = re.sub(r" and takes about [\d,]+ bytes$", "", text, flags=re.MULTILINE)  # told of pixel codes
    text = re.sub(r"[-\d][\d,.e+-]*", "#", re.sub(r" +", " ", text)).strip()
    return text.replace("# epochs", "# epoch")  # of a test is one


def run_session(block: str, folder: Path) -> list[str]:
    """Runs the commands on `wardrobe`, with less training, and holds what they print against the block."""
    steps = re.findall(r"^\$ (?:torchrun (.*) -m )?engram (.*)\n((?:[^$].*\n|\n)*)", block, re.MULTILINE)
    for ranks, command, printed in steps:
        words = re.sub(r"fashion-mnist(?!-)", "wardrobe", re.sub(r"--epochs \d+", "--epochs 1", command)).split()
        if words[0] == "pack" and "-m" not in words and "--budget 0" not in command:
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
    for number, image in enumerate(wardrobe.draw(40, 0).images):
        picture = np.pad(image, ((2, 2), (2, 2), (0, 2)), mode="edge")
        put(tmp_path / "photos" / f"{number % 10}" / f"{number:05}.jpg", picture)
    first, collection, paper = blocks("console")
    assert run_session(first, tmp_path) == ["pack", "unpack"]
    assert tree(tmp_path / "again") == tree(tmp_path / "photos")
    for name in tree(tmp_path / "photos"):
        if name.endswith(".jpg"):
            assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "photos" / name).read_bytes()
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
