"""Every block of every guide is run, in its order, in an empty folder."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from PIL import Image
from test_readme import masked, run_session

import engram
from engram.codecs import registry
from engram.datasets import wardrobe

ROOT = Path(__file__).parents[2]
GUIDES = ROOT / "docs" / "guides"
load_half = functools.cache(wardrobe.load_half)


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder; what a guide registers is not registered afterwards; the built-in set is drawn once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_codecs", dict(registry._codecs))
    monkeypatch.setattr(wardrobe, "load_half", load_half)


def blocks(guide: str) -> list[tuple[str, str]]:
    """(language, text) of each block."""
    text = (GUIDES / f"{guide}.md").read_text()
    return re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def run(guide: str, folder: Path) -> dict[str, Any]:
    """The names that the Python blocks leave, after all blocks were run."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for language, text in blocks(guide):
        if language == "python":
            exec(compile(text, f"{guide}.md", "exec", dont_inherit=True), names)
        elif text.startswith("$ pytest"):
            run_laws(text, folder)
        elif language == "console":
            assert run_session(text, folder)
        else:
            makefile = (ROOT / "Makefile").read_text()
            targets = re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)
            assert targets
            assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    return names


def run_laws(text: str, folder: Path) -> None:
    """Runs the laws on the guide's codec as if it stood where the guide says, and holds the last line to the text."""
    [definition] = [block for _, block in blocks("codec") if "class Differences" in block]
    [instances] = [block for _, block in blocks("codec") if block.startswith("instances")]
    paths = [str(ROOT / "tests" / name) for name in ("laws", "codecs")]
    start = f"import sys\nsys.path[:0] = {paths}\nfrom codec_instances import INSTANCES\n"
    (folder / "guide_codec.py").write_text(f"{start}{definition}\n{instances}\nINSTANCES.update(instances)\n")
    command, expected = re.fullmatch(r"\$ pytest (.*)\n(.*)\n", text).groups()  # type: ignore[union-attr]
    words = [sys.executable, "-m", "pytest", "-p", "guide_codec", "-p", "no:cacheprovider", *command.split()]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert masked(re.sub(r" in [\d.]+s.*", "", done.stdout.splitlines()[-1])) == masked(expected)


def test_every_guide_is_run_and_the_readme_leads_to_it() -> None:
    guides = {path.stem for path in GUIDES.glob("*.md")}
    assert guides == {name.removeprefix("test_") for name in globals() if name.removeprefix("test_") in guides}
    readme = (ROOT / "README.md").read_text()
    assert all(f"docs/guides/{guide}.md" in readme for guide in guides)


def test_thumbnails(tmp_path: Path) -> None:
    names = run("thumbnails", tmp_path)
    before, after = engram.load("thumbnails"), engram.load("again")
    assert np.array_equal(before.images, after.images)
    assert before.paths == after.paths
    assert before.paths is not None
    assert names["image"].shape == (28, 20, 1)
    assert np.array_equal(names["image"], names["images"].images[0, :, :20])
    assert [image.shape for image in names["some"]] == [(28, 23, 1), (28, 28, 1)]
    assert names["path"] == before.paths[42] == "Bag/00202.png"
    assert np.array_equal(names["same"], before.images[42])
    assert (tmp_path / "42-large.png").is_file()


def test_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = run("folders", tmp_path)
    assert tree(tmp_path / "again") == tree(tmp_path / "pets")
    assert names["image"].shape == (28, 21, 1)
    assert names["ages"].tolist() == [int(path[-8:-4]) % 12 for path in tree(tmp_path / "pets") if "/" in path]
    assert names["owners"].tolist().count(None) == 15
    assert {path.split("/")[0] for path in names["unowned"].table["path"]} == {"train", "val"}
    printed = capsys.readouterr().out
    assert [line for line in said("folders") if line not in printed] == []
    with engram.open(tmp_path / "owners.egm") as archive:
        assert archive.class_names == ("Ann",)


def test_growing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = run("growing", tmp_path)
    with Image.open(tmp_path / "wednesday" / "hats" / "3.png") as picture:
        assert np.array_equal(names["hat"], np.asarray(picture))
    assert len(names["hats"]) == 5
    printed = capsys.readouterr().out
    assert [line for line in said("growing") if line not in printed] == []


def test_formats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = run("formats", tmp_path)
    for archive in ("shard", "known", "idx", "parquet", "torch", "rows"):
        with engram.open(tmp_path / f"{archive}.egm") as opened:
            assert np.array_equal(opened[:][..., 0], names["pixels"]), archive
            assert np.array_equal(opened.labels, names["labels"]), archive
    with engram.open(tmp_path / "clothes.egm") as opened:
        assert (len(opened), opened.info.groups[0].cells) == (40, 40)
    assert names["ages"].tolist() == [number % 7 for number in range(60)]
    assert names["said"] == {"label": "hats", "age": 0, "box": [7, 2, 20, 20]}
    assert len(tree(tmp_path / "clothes")) == 60
    assert len(tree(tmp_path / "hats")) == 20
    assert len(list((tmp_path / "shards").glob("*.egm"))) == 2
    printed = capsys.readouterr().out
    assert [line for line in said("formats") if line not in printed] == []


def test_python(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = run("python", tmp_path)
    assert np.array_equal(names["image"], names["same"])
    assert [image.shape for image in names["some"]] == [(28, 23, 1), (28, 21, 1), (28, 22, 1)]
    assert len(list((tmp_path / "cats").rglob("*.png"))) == len(names["cats"]) == 65
    with engram.open(tmp_path / "cats.egm") as archive:
        assert list(archive.paths or ()) == names["cats"].table["path"].tolist()
    assert said("python")[-1] in capsys.readouterr().out


def said(guide: str) -> list[str]:
    """What a guide's comments beside `print` say that it prints."""
    code = "".join(text for language, text in blocks(guide) if language == "python")
    return re.findall(r"^ *print\(.*\)  # (.*)$", code, re.MULTILINE)


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_billion(tmp_path: Path) -> None:
    try:
        names = run("billion", tmp_path)
    finally:
        fsspec.filesystem("memory").rm("/bucket", recursive=True)
    with engram.open(tmp_path / "set") as shards:
        assert np.array_equal(shards[:][..., 0], names["collection"])
        assert len(shards) == 3000
    assert names["some"].shape == (3, 28, 28, 1)


def test_jpeg(tmp_path: Path) -> None:
    names = run("jpeg", tmp_path)
    assert len(names["files"]) == 200


def test_pictures(tmp_path: Path) -> None:
    names = run("pictures", tmp_path)
    assert str(names["turned"]) == ("EXIF orientation: turned as it says; 1 of 4 files, the first pictures/1.png")
    assert np.array_equal(names["loaded"].images[1, :, :, 0], np.rot90(names["images"][1], -1))
    assert np.array_equal(names["loaded"].images[2, :, :, 0], names["images"][2])


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_training(tmp_path: Path) -> None:
    names = run("training", tmp_path)
    assert names["pictures"].shape[1:] == (1, 28, 28)
    assert {label for _, label in names["shirts"]} == {6}
    assert names["loss"] < 2.3


def test_paper(tmp_path: Path) -> None:
    names = run("paper", tmp_path)
    assert (tmp_path / "tied.safetensors").is_file()
    assert names["row"]["archive_bytes"] == (tmp_path / "tied.egm").stat().st_size


def test_codec(tmp_path: Path) -> None:
    assert run("codec", tmp_path)["Differences"].id == "differences"
