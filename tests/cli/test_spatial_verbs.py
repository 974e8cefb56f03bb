"""A spatial code from the command line: trained once, packed at any rate, unpacked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from command_line import run as engram

from engram import models
from engram.datasets import arrays, wardrobe
from engram.training.fit import fit


def result(*arguments: object) -> dict[str, float]:
    done = engram(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(done.stdout)
    return found


def test_train_pack_verify_unpack(tmp_path: Path) -> None:
    images, model = tmp_path / "images.npz", tmp_path / "m"
    np.savez(images, images=wardrobe.draw(80, 0, shape=(10, 9)).images)
    trained = result("train", images, "--method", "spatial", "--epochs", 1, "-o", model)
    assert (trained["method"], trained["code_numbers"], trained["epochs"]) == ("spatial", 16 * 3 * 3, 1)
    found = [
        result("pack", images, "-m", model, *dial, "-o", tmp_path / f"{name}.egm")
        for name, dial in (("a", ()), ("b", ("--psnr", 24)), ("c", ("--bytes", 16)))
    ]
    sizes = [packed["bytes_per_image"] for packed in found]
    assert sizes[0] > sizes[1]
    assert abs(found[1]["psnr_db"] - 24) < 0.5
    headers = [result("info", tmp_path / f"{name}.egm") for name in "abc"]
    assert [header["groups"][0]["codecs"] for header in headers] == 3 * [["spatial"]]
    assert len({header["model_bytes"] for header in headers}) == 1
    assert engram("verify", tmp_path / "a.egm").returncode == 0
    assert engram("unpack", tmp_path / "a.egm", tmp_path / "out.npy").returncode == 0
    assert np.load(tmp_path / "out.npy").shape == (80, 10, 9, 1)
    for dial, words in ((("--bytes", 900), "this spatial model takes"), (("--bits", 3), "no bits a unit can be asked")):
        refused = engram("pack", images, "-m", model, *dial, "-o", tmp_path / "d.egm")
        assert refused.returncode == 2
        assert words in refused.stderr
    for option in ("--bits", "--hidden"):
        refused = engram("train", images, "--method", "spatial", option, 3, "-o", tmp_path / "n")
        assert refused.returncode == 2
        assert f"{option} is for" in refused.stderr


def test_a_model_is_trained_on_for_a_task(tmp_path: Path) -> None:
    drawn = wardrobe.draw(60, 0, shape=(16, 16))
    arrays.save(tmp_path / "images.npz", drawn)
    images, judge, start, more = (tmp_path / name for name in ("images.npz", "judge", "start", "more"))
    fit(drawn, "judge", epochs=1, options={"widths": [4]}).save(judge)
    fit(drawn, "spatial", epochs=1, options=dict.fromkeys(("context", "hidden"), 8)).save(start)
    result("train", images, "--method", "spatial", "--epochs", 1, "--start", start, "--task", judge, "-o", more)
    facts = models.load(more).facts
    assert facts["options"] == models.load(start).facts["options"]
    assert facts["start"] == models.load(start).identity
    assert (facts["task"], facts["recipe"]["task_weight"]) == (models.load(judge).identity, 200.0)
    train = ("train", images, "-o", tmp_path / "n", "--method")
    for options, message in (
        (("pca", "--start", start), "--start is for what is trained from weights; pca starts from the images"),
        (("spatial", "--task-weight", 7), "--task-weight takes a --task"),
        (("spatial", "--task", "nothing"), "'nothing' is no file, and no judge that comes with engram"),
        (("ann", "--task", judge), "--task is for spatial, not for ann"),
    ):
        refused = engram(*train, *options)
        assert refused.returncode == 2
        assert message in refused.stderr


def test_a_restoration_is_trained_for_a_largest_error(tmp_path: Path) -> None:
    arrays.save(tmp_path / "images.npz", wardrobe.draw(60, 0, shape=(16, 16)))
    images, model = tmp_path / "images.npz", tmp_path / "model"
    result("train", images, "--method", "restoration", "--epochs", 1, "--max-error", 8, "-o", model)
    assert models.load(model).facts["options"]["max_error"] == 8
    refused = engram("train", images, "--method", "restoration", "-o", tmp_path / "n")
    assert refused.returncode == 2
    assert "a restoration takes a --max-error, that of the pixel code" in refused.stderr
