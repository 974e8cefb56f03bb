"""`engram append`: a folder more, of any sizes and kinds, in a file or in a shard set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import run
from PIL import Image
from trees import save

import engram


def done(place: Path, *words: object, code: int = 0) -> Any:
    """What is printed as JSON, or the error."""
    found = run(*words, *(() if code else ("--json",)), cwd=place)
    assert found.returncode == code, found.stderr
    return found.stderr if code else json.loads(found.stdout)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An archive of gray pictures of one size, and a folder of others."""
    for number in range(6):
        save(tmp_path / "old", f"{('cat', 'dog')[number % 2]}/{number}.png")
    for number, mode in enumerate(("L", "RGB", "RGBA", "LA", "I;16", "L"), 10):
        save(tmp_path / "new", f"{('ape', 'dog')[number % 2]}/{number}.png", mode, (number - 5, 8))
    save(tmp_path / "new", "ape/tiled.png", "L", (300, 4))
    done(tmp_path, "pack", "old", "-o", "a.egm", "--budget", 0)
    return tmp_path


def as_pillow(image: np.ndarray) -> np.ndarray:
    return image[..., 0] if image.shape[2] == 1 else image


def holds_both(place: Path, archive: str) -> None:
    """The archive has the pictures of both folders, the old ones first."""
    files = [*sorted((place / "old").rglob("*.png")), *sorted((place / "new").rglob("*.png"))]
    with engram.open(place / archive) as opened:
        paths = ["/".join(file.parts[-2:]) for file in files]
        assert list(opened.paths or ()) == paths
        assert opened.table["label"].tolist() == [path.partition("/")[0] for path in paths]
        for file, image in zip(files, opened, strict=True):
            assert np.array_equal(as_pillow(image), np.asarray(Image.open(file))), file
        assert np.array_equal(opened["dog/3.png"], opened[4])


def test_pictures_of_other_sizes_and_kinds_are_added(place: Path) -> None:
    old = (place / "a.egm").read_bytes()
    told = done(place, "append", "a.egm", "new")
    assert (told["images_added"], told["images"], told["new_class_names"]) == (7, 13, ["ape"])
    assert told["bytes_added"] == (place / "a.egm").stat().st_size - len(old)
    assert (place / "a.egm").read_bytes().startswith(old)
    holds_both(place, "a.egm")
    done(place, "verify", "a.egm")


def test_a_shard_set_grows(place: Path) -> None:
    done(place, "shard", "a.egm", "-o", "set", "--images", 3)
    assert done(place, "append", "set", "new")["images"] == 13
    holds_both(place, "set")
    done(place, "verify", "set")


def test_both_folders_come_back_as_one(place: Path) -> None:
    done(place, "append", "a.egm", "new")
    done(place, "unpack", "a.egm", "again")
    found = sorted(path.relative_to(place / "again").as_posix() for path in (place / "again").rglob("*.png"))
    both = [path.relative_to(place / name) for name in ("old", "new") for path in (place / name).rglob("*.png")]
    assert found == sorted(path.as_posix() for path in both)


@pytest.mark.parametrize("words", [("a.egm", "old"), ("a.egm", "nowhere"), ("set", "old")])
def test_what_cannot_be_added_leaves_the_archive_as_it_was(words: tuple[str, str], place: Path) -> None:
    done(place, "shard", "a.egm", "-o", "set")
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    done(place, "append", *words, code=2)
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


def test_a_largest_error_holds_for_what_is_added(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    sizes = {"old": [(40, 40)] * 30, "new": [(40, 40), (31, 40), (300, 8)] * 5}
    for name, shapes in sizes.items():
        (tmp_path / name).mkdir()
        for number, shape in enumerate(shapes):
            soft = np.add.outer(np.arange(shape[0]), np.arange(shape[1])) % 200 + random.integers(0, 20, shape)
            Image.fromarray(soft.astype(np.uint8)).save(tmp_path / name / f"{name}{number}.png")
    done(tmp_path, "pack", "old", "-o", "a.egm", "--budget", 0, "--max-error", 5)
    done(tmp_path, "append", "a.egm", "new")
    with engram.open(tmp_path / "a.egm") as archive:
        errors = [
            int(np.abs(np.asarray(Image.open(tmp_path / path[:3] / path)).astype(int) - image[..., 0]).max())
            for path, image in zip(archive.paths or (), archive, strict=True)
        ]
    assert 0 < max(errors) <= 5
