"""A transform code from the command line: trained for a rate, packed, unpacked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from command_line import run as engram

from engram import models
from engram.datasets import arrays, wardrobe
from engram.training.fit import fit


def test_train_pack_unpack(tmp_path: Path) -> None:
    np.savez(tmp_path / "images.npz", images=wardrobe.draw(80, 0, shape=(12, 10)).images)
    images, model = tmp_path / "images.npz", tmp_path / "m"
    train = ("train", images, "--method", "transform", "--epochs", 3, "--batch-size", 16, "-o", model, "--json")
    done = engram(*train, "--bytes", 6)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["method"], result["code_numbers"]) == ("transform", 56)
    packed = engram("pack", images, "-m", model, "-o", tmp_path / "a.egm", "--json")
    assert packed.returncode == 0, packed.stderr
    done = engram("unpack", tmp_path / "a.egm", tmp_path / "out.npy")
    assert done.returncode == 0, done.stderr
    assert np.load(tmp_path / "out.npy").shape == (80, 12, 10, 1)
    refused = engram("pack", images, "-m", model, "--bytes", 900, "-o", tmp_path / "b.egm")
    assert refused.returncode == 2
    assert "transform was trained for one rate" in refused.stderr
    refused = engram("train", images, "--method", "ann", "--bytes", 6, "-o", tmp_path / "n")
    assert refused.returncode == 2
    assert "--bytes is for transform; how many ann takes is asked of `engram pack --bytes`" in refused.stderr


def test_a_task_is_a_classifier_that_is_spared(tmp_path: Path) -> None:
    drawn = wardrobe.draw(80, 0, shape=(16, 16))
    arrays.save(tmp_path / "images.npz", drawn)
    images, judge = tmp_path / "images.npz", tmp_path / "judge"
    fit(drawn, "judge", epochs=1, options={"widths": [4]}).save(judge)
    train = ("train", images, "--epochs", 1, "--json", "--method", "transform", "-o")
    for weight, expected in (((), 200.0), (("--task-weight", 7), 7.0)):
        model = tmp_path / f"m{expected:g}"
        done = engram(*train, model, "--task", judge, *weight)
        assert done.returncode == 0, done.stderr
        facts = models.load(model).facts
        assert facts["recipe"]["task_weight"] == expected
        assert facts["task"] == models.load(judge).identity
    for options, message in (
        (("--task-weight", 7), "--task-weight takes a --task"),
        (("--task", "nothing"), "'nothing' is no file, and no judge that comes with engram"),
        (("--task", judge, "--method", "ann"), "--task is for transform and spatial, not for ann"),
    ):
        refused = engram(*train, tmp_path / "n", *options)
        assert refused.returncode == 2
        assert message in refused.stderr
