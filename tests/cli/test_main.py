"""The command line as a person meets it: help, exit codes, errors that say what to do, interruption."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from command_line import run as engram

from engram import models
from engram.datasets import wardrobe
from engram.experiments.reproduction import reproduce as reproduce_module

VERBS = (
    *("reproduce", "compare", "train", "pack", "append", "set", "rm", "unpack", "get", "info", "verify", "shard"),
    *("ls", "cat", "diff", "sheet", "data"),
)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    drawn = wardrobe.draw(64, 0)
    np.savez(tmp_path / "images.npz", images=drawn.images, labels=drawn.labels, class_names=drawn.class_names)
    return tmp_path / "images.npz"


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Enough for `reproduce`."""
    drawn = wardrobe.draw(8000, 0)
    np.savez(tmp_path / "many.npz", images=drawn.images, labels=drawn.labels, class_names=drawn.class_names)
    return tmp_path / "many.npz"


def test_help_names_every_verb() -> None:
    shown = engram("--help")
    assert shown.returncode == 0
    assert all(f" {verb} " in shown.stdout for verb in VERBS)


def test_help_names_what_is_needed_first_first() -> None:
    shown = engram("--help", COLUMNS="80").stdout
    words = ["─ Archives ─", "pack", "unpack", "get", "ls", "info", "─ Changing archives ─", "append", "─ Training ─"]
    words += ["train", "data", "─ Experiments ─", "compare", "reproduce"]
    places = [shown.index(word if "─" in word else f"│ {word} ") for word in words]
    assert places == sorted(places)
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str) -> None:
    shown = engram(verb, "-h", COLUMNS="120")
    assert shown.returncode == 0
    assert "Usage: engram" in shown.stdout


def test_train_writes_a_model_and_says_so_in_json(images: Path, tmp_path: Path) -> None:
    done = engram("train", images, "--method", "tied", "--epochs", 3, "--hidden", 17, "-o", tmp_path / "m", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    result = json.loads(done.stdout)
    assert (result["images"], result["epochs"], result["code_numbers"]) == (64, 3, 17)
    assert result["model_bytes"] == (tmp_path / "m").stat().st_size
    model = models.load(tmp_path / "m")
    assert model.facts["losses"][-1] == result["loss"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images.npz", "m"]
    told = engram("train", images, "--method", "cnn", "--epochs", 1, "-o", tmp_path / "n")
    assert told.stdout.startswith(f"{tmp_path / 'n'}: cnn, 7,086 parameters, a code of 40 numbers; loss 0.")


def test_every_setting_of_train_changes_the_result(images: Path, tmp_path: Path) -> None:
    def loss(*options: object) -> float:
        command = ("train", images, "--method", "ann", "--epochs", 2, "--force", "--json", "-o", tmp_path / "m")
        done = engram(*command, *options)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["loss"]

    usual = loss()
    assert loss() == usual
    for options in (("--seed", 1), ("--learning-rate", 10), ("--batch-size", 16), ("--hidden", 50), ("--epochs", 3)):
        assert loss(*options) != usual, options


def test_every_method_is_named_and_can_be_trained() -> None:
    from typing import get_args

    from engram.cli.methods import Method
    from engram.codecs.projection import PROJECTIONS
    from engram.training.recipe import RECIPES

    assert set(get_args(Method)) == {*RECIPES, *PROJECTIONS}
    shown = engram("train", "--help", COLUMNS="80").stdout.split("A training that was stopped")[0]
    assert all(method in shown for method in get_args(Method))


@pytest.mark.parametrize(
    ("options", "code_numbers"),
    [
        (("deep", "--widths", "20,6"), 6),
        (("stacked", "--depth", 2, "--code-channels", 3), 3 * 7 * 7),
        (("sparse", "--hidden", 9, "--sparsity", 0.1), 9),
        (("bidirectional", "--hidden", 9, "--bits", 2), 9),
        (("cnn", "--noise", "blocks", "--noise-strength", 0.5), 40),
        (("lda",), 9),
        (("pca", "--hidden", 5), 5),
        (("isomap", "--hidden", 4), 4),
    ],
)
def test_a_method_takes_its_own_options(options: tuple, code_numbers: int, images: Path, tmp_path: Path) -> None:
    trained = () if options[0] in ("lda", "pca", "isomap") else ("--epochs", 1)
    done = engram("train", images, "--method", *options, *trained, "-o", tmp_path / "m", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["code_numbers"] == code_numbers
    packed = engram("pack", images, "-m", tmp_path / "m", "--bits", 2, "-o", tmp_path / "a.egm")
    assert packed.returncode == 0, packed.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("train", "IMAGES", "--method", "ann", "--widths", "3", "-o", "m"), 2, "--widths is for deep, not for ann"),
        (("train", "IMAGES", "--method", "deep", "--widths", "3,x", "-o", "m"), 2, "whole numbers with commas between"),
        (("train", "IMAGES", "--method", "deep", "--depth", 2, "-o", "m"), 2, "--depth is for stacked, not for deep"),
        (("train", "IMAGES", "--method", "ann", "--sparsity", 0.1, "-o", "m"), 2, "--sparsity is for sparse"),
        (("train", "IMAGES", "--method", "pixel", "--noise", "blocks", "-o", "m"), 2, "--noise is for cnn, ann, tied"),
        (("train", "IMAGES", "--method", "ann", "--noise-strength", 3, "-o", "m"), 2, "takes a --noise: gaussian"),
        (("train", "IMAGES", "--method", "pca", "--epochs", 3, "-o", "m"), 2, "pca is solved at once"),
        (("train", "nowhere", "--method", "ann", "-o", "m"), 2, "engram: 'nowhere' is no file, no folder"),
        (("train", "wardrobe", "--method", "vae", "-o", "m"), 2, "'vae' is not one of"),
        (("train", "wardrobe", "-o", "m"), 2, "--method"),
        (
            ("train", "IMAGES", "--method", "cnn", "--hidden", 3, "-o", "m"),
            2,
            "--hidden is for ann, tied, sparse, bidirectional, pca",
        ),
        (("train", "IMAGES", "--method", "ann", "--epochs", 0, "-o", "m"), 2, "a recipe needs epochs >= 1"),
        (("train", "IMAGES", "--method", "ann", "-o", "images.npz"), 2, "images.npz exists already"),
        (("train", "IMAGES", "--method", "ann", "-o", "no/such/m", "--epochs", 1), 1, "No such file or directory"),
        (("train", "IMAGES", "--method", "cnn", "--learning-rate", 1e30, "-o", "m"), 1, "try a tenth of that"),
        (("train", "IMAGES", "--method", "cnn", "--device", "cuda", "-o", "m"), 2, "there is no CUDA GPU"),
        (("train", "DAMAGED", "--method", "cnn", "-o", "m"), 3, "damaged.npz"),
        (("reproduce", "--data", "IMAGES", "--out", "r"), 2, "images are needed, there are"),
        (("reproduce", "--seeds", 0, "--data", "IMAGES", "--out", "r"), 2, "at least one seed"),
        (("reproduce", "--method", "pca", "--data", "IMAGES", "--out", "r"), 2, "the paper has no method pca"),
        (("train", "IMAGES", "--method", "ann", "--seed", -1, "-o", "m"), 2, "a seed is 0 or more, not -1"),
        (("train", "IMAGES", "--method", "ann", "--hidden", 0, "-o", "m"), 2, "at least one number, not 0"),
        (("reproduce", "--data", "IMAGES", "--out", "IMAGES"), 2, "is a file; --out names a folder"),
        (("info", "nowhere.egm"), 2, "nowhere.egm"),
        (("compress",), 2, "No such command"),
    ],
)
def test_what_goes_wrong_is_said_with_its_exit_code(
    arguments: tuple, code: int, message: str, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "damaged.npz").write_bytes(images.read_bytes()[:-200])
    before = sorted(path.name for path in tmp_path.iterdir())
    done = engram(*(word if word not in ("IMAGES", "DAMAGED") else f"{word.lower()}.npz" for word in arguments))
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert done.returncode == code
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir() if p.name not in ("r", "m.checkpoint")) == before


def test_a_full_disk_is_said_and_leaves_nothing(images: Path, tmp_path: Path) -> None:
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f"sys.argv = ['engram', 'train', {str(images)!r}, '--method', 'ann', '--epochs', '1'];"
        f"sys.argv += ['-o', {str(tmp_path / 'm')!r}];"
        "from engram.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "could not be written (File too large)" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["images.npz"]


@pytest.mark.parametrize(
    ("command", "number"),
    [
        (("train", "wardrobe:test", "--method", "cnn", "-o", "m"), signal.SIGTERM),
        (("reproduce", "--data", "many.npz", "--quick", "--out", "r"), signal.SIGINT),
    ],
)
def test_a_stop_ends_at_once_and_leaves_nothing_half_written(
    command: tuple[str, ...], number: signal.Signals, many: Path, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "engram", *command],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    awaited = tmp_path / ("m.checkpoint" if command[0] == "train" else "r/trainings")
    deadline = time.monotonic() + 60
    while not awaited.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert said.splitlines()[1] == "engram: stopping; once more ends it at once"
    assert "interrupted; nothing half-written is left under a final name, and the same command goes on" in said
    assert "Traceback" not in said
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".part")]
    assert not (tmp_path / "m").exists()
    assert not (tmp_path / "r" / "report.html").exists()


@pytest.mark.parametrize(
    "command",
    [
        ("train", "images.npz", "--method", "tied", "--epochs", "3", "-o", "m", "--bits", "3"),
        ("pack", "images.npz", "--lossless", "--budget", "0", "-o", "a.egm"),
        ("data", "export", "images.npz", "pictures"),
        ("reproduce", "--data", "wardrobe", "--quick", "--method", "tied", "--out", "r"),
    ],
    ids=lambda command: command[0],
)
def test_a_terminal_gets_a_bar_and_no_error(
    command: tuple[str, ...], images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {"networks_train": 120, "networks_test": 70, "classifier_train": 300, "classifier_test": 100}
    monkeypatch.setattr(reproduce_module, "QUICK", small)
    monkeypatch.setattr(wardrobe, "COUNTS", {"train": 300, "test": 100})
    ours, theirs = os.openpty()
    shown = bytearray()

    def read() -> None:
        while not shown.endswith(b"(the end)"):
            shown.extend(os.read(ours, 65536))

    reader = Thread(target=read, daemon=True)
    reader.start()
    with os.fdopen(theirs, "w") as terminal:
        process = engram(*command, cwd=tmp_path, terminal=terminal, TERM="xterm", COLUMNS="100")
        terminal.write("(the end)")
    reader.join(60)
    os.close(ours)
    text = shown.decode()
    assert process.returncode == 0, text
    assert "Traceback" not in text
    assert "\x1b[" in text, "a bar moves the cursor"
