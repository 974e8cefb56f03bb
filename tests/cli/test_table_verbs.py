"""ls, get, cat, diff, sheet, set and rm as a person types them."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from engram import archive
from engram.cli.main import app
from engram.codecs.raw import Raw
from engram.errors import EngramError
from engram.images import ImageSet
from engram.kinds import KINDS

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 3), np.uint8)


def run(*arguments: object, code: int = 0) -> str:
    """Standard output of a command line that ends with `code`, or its error."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, EngramError):
        assert result.exception.exit_code == code, result.exception
        return str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    paths = tuple(f"{('cat', 'dog')[row % 2]}/{row}.png" for row in range(6))
    images = ImageSet(PIXELS, np.arange(6) % 2, ("cat", "dog"), paths, {"age": [1, 2, None, 4, 5, 6]})
    archive.pack(images, Raw((5, 4, 3)), tmp_path / "a.egm", block_size=2)
    return tmp_path / "a.egm"


def test_ls_lists_paths_sizes_kinds_and_columns(packed: Path) -> None:
    assert run("ls", packed).split() == [f"{('cat', 'dog')[row % 2]}/{row}.png" for row in range(6)]
    assert run("ls", packed, "cat/*", "age=").split() == ["cat/2.png"]
    head, line = run("ls", "--long", packed, "3").splitlines()
    assert (head.split(), line.split()) == (
        ["path", "height", "width", "kind", "label", "age"],
        ["dog/3.png", "5", "4", "rgb", "dog", "4"],
    )
    [row] = json.loads(run("ls", "--json", packed, "cat/2.png"))["images"]
    assert row == {"path": "cat/2.png", "height": 5, "width": 4, "kind": "rgb", "label": "cat", "age": None}


def test_get_takes_paths_globs_and_conditions(packed: Path, tmp_path: Path) -> None:
    run("get", packed, "dog/3.png", "-o", tmp_path / "x.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "x.png")), PIXELS[3])
    run("get", packed, "label=cat", "-o", tmp_path / "some")
    assert sorted(path.name for path in (tmp_path / "some" / "cat").iterdir()) == ["0.png", "2.png", "4.png"]
    assert "3 images" in run("get", packed, "cat/*", "-o", tmp_path / "y.png", code=2)
    assert "counted from 0" in run("get", packed, "-1", "-o", tmp_path / "y.png", code=2)


def test_get_writes_to_standard_output(packed: Path) -> None:
    result = CliRunner().invoke(app, ["get", str(packed), "1", "-o", "-"])
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(result.stdout_bytes))), PIXELS[1])


def test_cat_joins_and_diff_compares(packed: Path, tmp_path: Path) -> None:
    assert "both have an image called 'cat/0.png'" in run("cat", packed, packed, "-o", tmp_path / "b.egm", code=2)
    (tmp_path / "c.egm").write_bytes(packed.read_bytes())
    assert run("cat", packed, tmp_path / "c.egm", "--folders", "-o", tmp_path / "b.egm").startswith(
        f"{tmp_path / 'b.egm'}: 12 images of 2 archives"
    )
    assert run("diff", packed, tmp_path / "c.egm") == "6 images are the same\n"
    told = json.loads(run("diff", packed, tmp_path / "b.egm", "--json", code=1))
    assert (len(told["gone"]), len(told["added"]), told["same"]) == (6, 12, 0)


def test_set_and_rm_change_an_archive(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file_name,weight\ncat/0.png,1.5\ndog/1.png,2\n")
    run("set", packed, "--columns", tmp_path / "t.csv", "--drop", "age")
    with archive.open(packed) as opened:
        assert opened.column_names == ("path", "label", "weight")
        assert [opened.column("weight").value(row) for row in range(3)] == [1.5, 2.0, None]
    assert "nothing to do" in run("set", packed, code=2)
    assert json.loads(run("rm", packed, "dog/*", "--json"))["images_removed"] == 3
    assert run("ls", packed).split() == ["cat/0.png", "cat/2.png", "cat/4.png"]


def test_sheet_writes_a_picture(packed: Path, tmp_path: Path) -> None:
    run("sheet", packed, "-o", tmp_path / "sheet.png", "--by", "label")
    with Image.open(tmp_path / "sheet.png") as found:
        assert found.size == (3 * 7 + 2, 2 * 7 + 2)
    assert "exists already" in run("sheet", packed, "-o", tmp_path / "sheet.png", code=2)


def test_get_says_which_picture_a_format_cannot_hold(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1, 5, 4, 4), np.uint8)
    codecs = (Raw((5, 4, 3)), Raw((5, 4, 1)))
    archive.pack(ImageSet(pixels), archive.Coder(KINDS["rgba"], codecs), tmp_path / "a.egm")
    told = run("get", tmp_path / "a.egm", "0", "-o", tmp_path / "x.jpg", code=2)
    assert told == f"{tmp_path / 'x.jpg'}: JPEG holds no rgba picture; write a .png"
    assert not (tmp_path / "x.jpg").exists()
