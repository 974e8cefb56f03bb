"""`engram pack FOLDER`, `engram unpack`: the same tree, pixels and metadata; and what `pack` takes of a folder."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command_line import run
from trees import TREES, save, with_csv

import engram
from engram.datasets import kinds, wardrobe

METADATA = ("metadata.csv", "metadata.jsonl")


def done(place: Path, *words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    found = run(*words, cwd=place)
    assert found.returncode == code, found.stderr
    return found


def files(folder: Path) -> dict[str, Path]:
    """By their paths below a folder."""
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("draw", TREES, ids=lambda draw: draw.__name__)
def test_a_folder_comes_back(draw: Callable[[Path], None], tmp_path: Path) -> None:
    draw(tmp_path / "folder")
    done(tmp_path, "pack", "folder", "-o", "a.egm", "--budget", 0)
    done(tmp_path, "unpack", "a.egm", "again")
    before, after = files(tmp_path / "folder"), files(tmp_path / "again")
    with engram.open(tmp_path / "a.egm") as archive:
        kept = {path for path, is_file in zip(archive.paths, archive.are_files(archive.rows), strict=True) if is_file}
    assert {path for path in before if Path(path).suffix.lower() in (".jpg", ".jpeg", ".jfif", ".jpe")} <= kept
    stay = kept | {path for path in before if path.endswith(METADATA)}
    png = {path: Path(path).with_suffix(".png").as_posix() for path in before} | TREES[draw]
    becomes = {path: path if path in stay else png[path] for path in before}
    assert sorted(after) == sorted(becomes.values())
    for path, file in before.items():
        if path in stay:
            assert after[becomes[path]].read_bytes() == file.read_bytes()
        else:
            was, found = kinds.read(file), kinds.read(after[becomes[path]])
            assert (was.dtype, was.tolist()) == (found.dtype, found.tolist()), path
    if list(becomes) == list(becomes.values()):
        done(tmp_path, "pack", "again", "-o", "b.egm", "--budget", 0)
        assert (tmp_path / "b.egm").read_bytes() == (tmp_path / "a.egm").read_bytes()


def test_a_shard_set_comes_back_as_the_folder(tmp_path: Path) -> None:
    with_csv(tmp_path / "folder")
    done(tmp_path, "pack", "folder", "-o", "a.egm", "--budget", 0, "--block", 1)
    done(tmp_path, "shard", "a.egm", "-o", "set", "--images", 3)
    done(tmp_path, "unpack", "set", "again")
    before, after = files(tmp_path / "folder"), files(tmp_path / "again")
    assert sorted(before) == sorted(after)
    assert after["metadata.csv"].read_bytes() == before["metadata.csv"].read_bytes()


@pytest.mark.parametrize("format", ["png", "jpg"])
def test_what_was_exported_is_packed(format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wardrobe, "COUNTS", {"train": 20, "test": 12})
    done(tmp_path, "data", "export", "wardrobe", "folder", "--format", format)
    done(tmp_path, "pack", "folder", "-o", "a.egm", "--budget", 0)
    before, after = engram.load("wardrobe"), engram.load(str(tmp_path / "a.egm"))
    assert set(before.splits) == set(after.splits) == {"train", "test"}
    for was, found in ((before.split(name), after.split(name)) for name in before.splits):
        order = [int(path.rpartition("/")[2][:-4]) for path in found.paths or ()]
        assert [was.class_names[label] for label in was.labels[order]] == [
            found.class_names[label] for label in found.labels
        ]
        assert format == "jpg" or np.array_equal(was.images[order], found.images)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Labels in the folders, and others in metadata."""
    for number in range(6):
        save(tmp_path / "pets", f"{('cat', 'dog')[number % 2]}/{('old', 'new')[number // 3]}/{number}.png")
    rows = "\n".join(f"{('cat', 'dog')[n % 2]}/{('old', 'new')[n // 3]}/{n}.png,{'AB'[n // 4]}" for n in range(6))
    (tmp_path / "pets" / "metadata.csv").write_text(f"file_name,owner\n{rows}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        ((), ["cat"] * 3 + ["dog"] * 3),
        (("--label-from", "top"), ["cat"] * 3 + ["dog"] * 3),
        (("--label-from", "parent"), ["new", "old", "old", "new", "new", "old"]),
        (("--label-from", "owner"), ["B", "A", "A", "A", "B", "A"]),
    ],
)
def test_labels_come_from_where_one_says(words: tuple[str, ...], labels: list[str], pets: Path) -> None:
    done(pets, "pack", "pets", "-o", "a.egm", "--budget", 0, *words)
    with engram.open(pets / "a.egm") as archive:
        assert archive.table["label"].tolist() == labels


def test_there_need_be_no_labels(pets: Path) -> None:
    done(pets, "pack", "pets", "-o", "a.egm", "--budget", 0, "--label-from", "none")
    with engram.open(pets / "a.egm") as archive:
        assert list(archive.table) == ["path", "owner"]


def test_a_place_that_labels_have_not_is_wrong_usage(pets: Path) -> None:
    found = done(pets, "pack", "pets", "-o", "a.egm", "--label-from", "colour", code=2)
    assert "labels are taken from auto, none, parent, top or a column of metadata (owner), not 'colour'" in found.stderr


def test_pictures_are_picked_by_their_columns(pets: Path) -> None:
    done(pets, "pack", "pets", "-o", "a.egm", "--budget", 0)
    with engram.open(pets / "a.egm") as archive:
        some = archive.where(label="dog", owner=["A"])
        assert list(some.paths or ()) == ["dog/new/3.png", "dog/old/1.png"]
        assert some.table["owner"].tolist() == ["A", "A"]
        assert np.array_equal(some["dog/old/1.png"], archive[5])
        assert np.array_equal(some[:], archive[[3, 5]])
        with pytest.raises(KeyError):
            some["cat/old/0.png"]
        with pytest.raises(engram.UsageError, match="no column 'colour'; it has path, label, owner"):
            archive.where(colour="red")


def test_frames_are_pictures_where_one_says_so(tmp_path: Path) -> None:
    from PIL import Image

    frames = [Image.new("L", (6, 5), 20 * number) for number in range(11)]
    (tmp_path / "folder").mkdir()
    frames[0].save(tmp_path / "folder" / "a.gif", save_all=True, append_images=frames[1:])
    told = done(tmp_path, "pack", "folder", "-o", "a.egm", "--budget", 0).stderr
    assert "several frames" in told
    assert len(engram.open(tmp_path / "a.egm")) == 1
    done(tmp_path, "pack", "folder", "-o", "b.egm", "--budget", 0, "--frames")
    with engram.open(tmp_path / "b.egm") as archive:
        assert list(archive.paths or ()) == [f"a.gif#{number:02}" for number in range(11)]
        assert [int(image[0, 0, 0]) for image in archive] == [20 * number for number in range(11)]
    done(tmp_path, "unpack", "b.egm", "again")
    assert sorted(files(tmp_path / "again")) == [f"a.gif#{number:02}.png" for number in range(11)]


def test_what_is_broken_stops_the_pack_or_is_left_out(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / "folder", f"{number}.png")
    (tmp_path / "folder" / "x.png").write_bytes(b"text")
    (tmp_path / "folder" / "y.jpg").write_bytes((tmp_path / "folder" / "0.png").read_bytes()[:-5])
    told = done(tmp_path, "pack", "folder", "-o", "a.egm", "--budget", 0, code=3).stderr
    assert "folder/x.png cannot be read as a picture" in told
    assert "2 of 5 pictures are not taken, for such reasons: folder/y.jpg" in told
    assert not (tmp_path / "a.egm").exists()
    told = done(tmp_path, "pack", "folder", "-o", "a.egm", "--budget", 0, "--skip-broken").stderr
    assert "left out; 2 of 5 files" in told
    with engram.open(tmp_path / "a.egm") as archive:
        assert list(archive.paths or ()) == ["0.png", "1.png", "2.png"]
