"""pack, unpack, get, info and verify as a person types them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from engram import archive
from engram.cli import archives, packing
from engram.codecs.pca import fit_pca
from engram.codecs.raw import Raw
from engram.errors import EngramError
from engram.images import ImageSet
from engram.models import Model

app = typer.Typer()
for verb in (packing.pack, archives.unpack, archives.get, archives.info, archives.verify):
    app.command()(verb)


def run(*arguments: object, code: int = 0) -> str:
    """Standard output of a command line that ends with `code`."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, EngramError):
        assert result.exception.exit_code == code, result.exception
        return str(result.exception)
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (100, 9, 8), np.uint8)
    labels, names = rng.integers(0, 2, 100), np.array([f"{index:03}.png" for index in range(100)])
    np.savez(tmp_path / "data.npz", images=images, labels=labels, names=names, class_names=np.array(["cat", "dog"]))
    return tmp_path / "data.npz"


@pytest.fixture
def packed(tmp_path: Path, data: Path) -> Path:
    run("pack", data, "--lossless", "--budget", "0", "-o", tmp_path / "a.egm", "--block", 16)
    return tmp_path / "a.egm"


def test_pack_says_sizes_and_pace(tmp_path: Path, data: Path) -> None:
    path = tmp_path / "a.egm"
    result = json.loads(run("pack", data, "--lossless", "--budget", "0", "-o", path, "--json"))
    size = path.stat().st_size
    assert result["images"] == 100
    assert result["archive_bytes"] == size
    assert result["model_bytes"] == result["images_resumed"] == 0
    assert result["bytes_per_image"] == result["bytes_per_image_with_model"] == size / 100
    assert set(result) >= {"seconds", "images_per_second"}
    prose = run("pack", data, "--lossless", "--budget", "0", "-o", path, "--force")
    assert prose.startswith(f"{path}: 100 images in {size:,} bytes, {size / 100:.2f} bytes an image")


def test_there_and_back(tmp_path: Path, data: Path, packed: Path) -> None:
    for name in ("out", "out.npz", "out.npy", "x-images-idx3-ubyte.gz"):
        result = json.loads(run("unpack", packed, tmp_path / name, "--json"))
        assert (result["images"], result["images_lost"]) == (100, 0)
    before, after = np.load(data), np.load(tmp_path / "out.npz")
    for key in ("labels", "names", "class_names"):
        assert np.array_equal(before[key], after[key])
    assert np.array_equal(before["images"], after["images"][..., 0])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == before["names"].tolist()
    run("pack", tmp_path / "out", "--lossless", "--budget", "0", "-o", tmp_path / "b.egm")
    assert len(archive.load(tmp_path / "b.egm")) == 100


def test_get_one_image(tmp_path: Path, data: Path, packed: Path) -> None:
    out = tmp_path / "image.png"
    assert run("get", packed, 42, "-o", out) == f"{out}: image 42 of {packed}, 9 x 8\n"
    assert np.array_equal(np.asarray(Image.open(out)), np.load(data)["images"][42])
    assert "exists already" in run("get", packed, 42, "-o", out, code=2)
    result = json.loads(run("get", packed, 43, "-o", out, "--force", "--json"))
    assert (result["index"], result["height"], result["width"], result["channels"]) == (43, 9, 8, 1)
    assert np.array_equal(np.asarray(Image.open(out)), np.load(data)["images"][43])
    known = f"{packed} has images 0 to 99, and none at that path"
    assert run("get", packed, 100, "-o", tmp_path / "no.png", code=2) == f"{known}: '100'"
    run("get", packed, "007.png", "-o", out, "--force")
    assert np.array_equal(np.asarray(Image.open(out)), np.load(data)["images"][7])
    assert run("get", packed, "7.png", "-o", tmp_path / "no.png", code=2) == f"{known}: '7.png'"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".TIFF", ".ppm", ".pgm"])
@pytest.mark.parametrize("channels", [1, 3])
def test_get_writes_every_suffix_it_offers(tmp_path: Path, suffix: str, channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 9, 8, channels), np.uint8)
    archive.pack(ImageSet(images), Raw((9, 8, channels)), tmp_path / "a.egm")
    run("get", tmp_path / "a.egm", 1, "-o", tmp_path / f"x{suffix}")
    with Image.open(tmp_path / f"x{suffix}") as picture:
        assert picture.size == (8, 9)


@pytest.mark.parametrize("suffix", [".blp", ".qoi", ".xbm", ".pdf", ".xyz"])
def test_get_offers_its_suffixes_where_another_is_asked_for(tmp_path: Path, packed: Path, suffix: str) -> None:
    out = tmp_path / f"image{suffix}"
    message = run("get", packed, 0, "-o", out, code=2)
    assert f"pictures are not written as {suffix}; take one of .png, .jpg, " in message
    assert not out.exists()


def test_info_accounts_for_every_byte(packed: Path) -> None:
    result = json.loads(run("info", packed, "--json"))
    assert sum(result["bytes_by_part"].values()) == result["archive_bytes"] == packed.stat().st_size
    [group] = result["groups"]
    assert (group["kind"], group["height"], group["width"], group["codecs"]) == ("gray", 9, 8, ["raw"])
    assert (group["cells"], group["block_size"], group["blocks"], result["blocks"]) == (100, 16, 7, 7)
    assert result["columns"] == {"path": "text", "label": "category"}
    table = run("info", packed)
    assert table.startswith(f"{packed}: 100 gray images 9 x 8, raw\n")
    assert "columns: path (text), label (category)\n" in table
    for part, size in result["bytes_by_part"].items():
        assert f"{part:<20}{size:>16,}" in table


def test_info_lists_the_groups_of_pictures_that_differ(tmp_path: Path) -> None:
    for number in range(3):
        Image.new("L", (8 + number % 2, 9), number).save(tmp_path / f"{number}.png")
    Image.new("RGBA", (300, 4)).save(tmp_path / "3.png")
    run("pack", tmp_path, "--budget", 0, "-o", tmp_path / "a.egm")
    result = json.loads(run("info", tmp_path / "a.egm", "--json"))
    assert [(g["kind"], g["height"], g["width"], g["cells"]) for g in result["groups"]] == [
        ("gray", 9, 9, 3),
        ("rgba", 4, 150, 2),
    ]
    table = run("info", tmp_path / "a.egm")
    assert ": 4 images (gray, rgba), 4 to 9 pixels high and 8 to 300 wide, raw\n" in table
    assert (result["heights"], result["widths"]) == ([4, 9], [8, 300])
    assert "group of 2 rgba cells 4 x 150: raw, raw\n" in table


def test_info_says_the_pictures_sizes_not_their_cells(tmp_path: Path) -> None:
    for number in range(3):
        Image.new("L", (20 + number, 28), number).save(tmp_path / f"{number}.png")
    run("pack", tmp_path, "--budget", 0, "-o", tmp_path / "a.egm")
    assert run("info", tmp_path / "a.egm").startswith(
        f"{tmp_path / 'a.egm'}: 3 gray images, 28 pixels high and 20 to 22 wide, raw\n"
    )


def test_one_of_anything_is_singular(tmp_path: Path) -> None:
    Image.new("L", (8, 9)).save(tmp_path / "1.png")
    packed = tmp_path / "a.egm"
    assert run("pack", tmp_path / "1.png", "--budget", 0, "-o", packed).startswith(f"{packed}: 1 image in ")
    assert f"{packed}: 1 gray image 9 x 8, raw\n" in run("info", packed)
    assert run("verify", packed) == f"{packed}: 1 image in 1 block, all sound\n"
    assert run("unpack", packed, tmp_path / "again").startswith(f"{tmp_path / 'again'}: 1 image in ")


@pytest.mark.filterwarnings("ignore::engram.Notice")
def test_what_was_left_out_is_listed(tmp_path: Path) -> None:
    (tmp_path / "set" / "sub").mkdir(parents=True)
    Image.new("L", (8, 9)).save(tmp_path / "set" / "1.png")
    Image.new("CMYK", (8, 9)).save(tmp_path / "set" / "2.tif")
    (tmp_path / "set" / "sub" / "3.png").write_bytes(b"no picture")
    packed = tmp_path / "a.egm"
    run("pack", tmp_path / "set", "--budget", 0, "--skip-broken", "-o", packed)
    assert json.loads(run("info", packed, "--json"))["left_out"] == 2
    how = f"2 pictures were left out when it was packed: `engram get {packed} left-out.txt -o -` lists them"
    assert how in run("info", packed)
    listed = run("get", packed, "left-out.txt", "-o", "-")
    assert listed == (
        "2.tif\thas CMYK inks, which would be lost: convert it first, to 8-bit RGBA say\n"
        "sub/3.png\tcannot be read as a picture (cannot identify image file it): repair it or take it out\n"
    )
    run("get", packed, "left-out.txt", "-o", tmp_path / "list.txt")
    assert (tmp_path / "list.txt").read_text() == listed
    assert "exists already" in run("get", packed, "left-out.txt", "-o", tmp_path / "list.txt", code=2)
    assert "none at that path" in run("get", packed, "notes.txt", "-o", tmp_path / "x.png", code=2)
    for _ in range(2):
        run("unpack", packed, tmp_path / "again", "--force")
        assert (tmp_path / "again" / "left-out.txt").read_text() == listed
    run("pack", packed, "--budget", 0, "-o", tmp_path / "b.egm")
    assert run("get", tmp_path / "b.egm", "left-out.txt", "-o", "-") == listed


def test_nothing_left_out_is_no_file(packed: Path) -> None:
    assert json.loads(run("info", packed, "--json"))["left_out"] == 0
    assert "left out" not in run("info", packed)


def test_verify_lists_the_damage_and_unpack_saves_the_rest(tmp_path: Path, packed: Path) -> None:
    assert run("verify", packed).endswith("100 images in 7 blocks, all sound\n")
    content = bytearray(packed.read_bytes())
    with archive.open(packed) as opened:
        content[opened.segment(0).span(2)[0]] ^= 1
    packed.write_bytes(content)
    result = json.loads(run("verify", packed, "--json", code=3))
    assert result["ok"] is False
    assert result["images_lost"] == 16
    assert [(b["block"], b["first"], b["stop"]) for b in result["damaged_blocks"]] == [(2, 32, 48)]
    assert "block 2: images 32 to 47: is damaged: its checksum is wrong" in run("verify", packed, code=3)
    assert "block 2 (images 32 to 47)" in run("unpack", packed, tmp_path / "out.npz", code=3)
    assert "block 2 (images 32 to 47)" in run("get", packed, 40, "-o", tmp_path / "x.png", code=3)
    saved = json.loads(run("unpack", packed, tmp_path / "out.npz", "--skip-damaged", "--json"))
    assert (saved["images"], saved["images_lost"]) == (84, 16)
    assert "84 images" in run("unpack", packed, tmp_path / "out2.npz", "--skip-damaged")


def test_pack_with_a_model_that_is_left_out(tmp_path: Path, data: Path) -> None:
    loaded = np.load(data)["images"][..., np.newaxis]
    Model(fit_pca(ImageSet(loaded), 4)).save(tmp_path / "model")
    with_model = json.loads(run("pack", data, "-m", tmp_path / "model", "-o", tmp_path / "a.egm", "--json"))
    assert with_model["model_bytes"] > 0
    run("pack", data, "-m", tmp_path / "model", "--model-apart", "-o", tmp_path / "b.egm")
    left_out = tmp_path / "b.egm.model"
    assert left_out.stat().st_size == with_model["model_bytes"]
    assert "exists already" in run(
        "pack", data, "-m", tmp_path / "model", "--model-apart", "-o", tmp_path / "b.egm", code=2
    )
    assert "packed without its model" in run("get", tmp_path / "b.egm", 0, "-o", tmp_path / "x.png", code=2)
    assert "another model" in run("verify", tmp_path / "b.egm", "-m", data, code=3)
    for model in (left_out, tmp_path / "a.egm"):
        assert "all sound" in run("verify", tmp_path / "b.egm", "-m", model)
        run("get", tmp_path / "b.egm", 5, "-o", tmp_path / "x.png", "-m", model, "--force")
        run("unpack", tmp_path / "b.egm", tmp_path / "x.npy", "-m", model, "--force")
    assert np.array_equal(np.load(tmp_path / "x.npy"), archive.load(tmp_path / "a.egm").images)
    fewer = json.loads(run("pack", data, "-m", tmp_path / "model", "--bits", 1, "-o", tmp_path / "c.egm", "--json"))
    assert fewer["bytes_per_image"] < with_model["bytes_per_image"]


@pytest.fixture
def model(tmp_path: Path, data: Path) -> Path:
    Model(fit_pca(ImageSet(np.load(data)["images"][..., np.newaxis]), 4)).save(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("resume", [[], ["--resume"]])
def test_another_model_beside_the_archive_is_replaced_by_force_only(
    tmp_path: Path, data: Path, model: Path, resume: list[str]
) -> None:
    out, beside = tmp_path / "a.egm", tmp_path / "a.egm.model"
    pack = ("pack", data, "-m", model, "--model-apart", "-o", out, *resume)
    beside.write_text("years of work")
    assert f"{beside} exists already, and is another model" in run(*pack, code=2)
    assert beside.read_text() == "years of work"
    assert not out.exists()
    run(*pack, "--force")
    assert "all sound" in run("verify", out, "-m", beside)
    out.unlink()
    run(*pack)  # the same model is no obstacle
    assert "all sound" in run("verify", out, "-m", beside)


def test_a_pack_that_leaves_nothing_leaves_no_model(tmp_path: Path, data: Path, model: Path) -> None:
    run("pack", data, "-m", model, "--model-apart", "-o", tmp_path / "a.egm", "--block", 0, code=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.npz", "model"]
    run("pack", data, "--lossless", "--budget", "0", "-o", tmp_path / "a.egm")
    run("pack", data, "-m", model, "--model-apart", "-o", tmp_path / "a.egm", code=2)
    assert not (tmp_path / "a.egm.model").exists()


def test_both_halves_of_divided_data_are_packed(tmp_path: Path) -> None:
    for half, count in (("train", 3), ("test", 2)):
        for number in range(count):
            (tmp_path / "set" / half / "cat").mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 9), number).save(tmp_path / "set" / half / "cat" / f"{half}{number}.png")
    run("pack", tmp_path / "set", "--lossless", "--budget", "0", "-o", tmp_path / "a.egm")
    with archive.open(tmp_path / "a.egm") as opened:
        assert opened.table["split"].tolist() == ["test", "test", "train", "train", "train"]
        assert opened.table["label"].tolist() == ["cat"] * 5
        assert list(opened.where(split="train").paths or ()) == [f"train/cat/train{number}.png" for number in range(3)]


def test_wrong_usage(tmp_path: Path, data: Path, packed: Path) -> None:
    assert "there is no model file x" in run("pack", data, "-m", "x", "-o", tmp_path / "b.egm", code=2)
    assert "replace it with --force" in run("pack", data, "--lossless", "--budget", "0", "-o", packed, code=2)
    assert "a block has 1 to 65,536" in run(
        "pack", data, "--lossless", "--budget", "0", "--block", 0, "-o", tmp_path / "b.egm", code=2
    )
    assert "cannot be opened: No such file" in run("info", tmp_path / "none.egm", code=2)
    assert "is no archive: it does not begin as one does" in run("info", data, code=3)


def test_resume_says_what_was_done(tmp_path: Path, data: Path, packed: Path) -> None:
    result = json.loads(
        run("pack", data, "--lossless", "--budget", "0", "--block", 16, "-o", packed, "--force", "--resume", "--json")
    )
    assert result["images_resumed"] == 0


def test_help_starts_without_what_only_work_needs() -> None:
    code = (
        "import sys; from engram.cli import main; "
        "print([m for m in ('numpy', 'torch', 'PIL', 'rich.progress', 'constriction') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout == "[]\n"
