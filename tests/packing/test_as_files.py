"""Pictures that come back as the files that they were: JPEG files always, others where that is smaller."""

from __future__ import annotations

import os
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import engram
from engram.coding import scans
from engram.datasets import wardrobe

SIZE = (40, 32)


def garment(seed: int, size: tuple[int, int] = SIZE, channels: int = 3) -> Image.Image:
    drawn = wardrobe.draw(1, seed, size).images[0, ..., 0].astype(float)
    tint = np.random.default_rng(seed).uniform(0.4, 1, channels)
    pixels = np.rint(40 + 0.8 * drawn[..., None] * tint).astype(np.uint8)
    return Image.fromarray(pixels if channels > 1 else pixels[..., 0])


def encoded(picture: Image.Image, kind: str = "JPEG", **how: Any) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **how)
    return file.getvalue()


def jpeg_files() -> dict[str, bytes]:
    """JPEG files of many makes, by their names."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "turned"
    plain = {f"plain/{number:02}.jpg": encoded(garment(number), quality=80) for number in range(12)}
    return plain | {
        "gray.jpg": encoded(garment(20, channels=1)),
        "whole.JPEG": encoded(garment(21), subsampling=0),
        "half.jpe": encoded(garment(22), subsampling=1),
        "progressive.jpg": encoded(garment(23), progressive=True, optimize=True),
        "optimised.jfif": encoded(garment(24), optimize=True),
        "restarts.jpg": encoded(garment(25), restart_marker_blocks=3),
        "turned.jpg": encoded(garment(26), exif=exif),
        "profile.jpg": encoded(garment(27), icc_profile=b"no profile that is known"),
        "more.jpg": encoded(garment(28)) + b"what a camera put after the picture",
        "odd.jpg": encoded(garment(30, (37, 23))),
        "large.jpg": encoded(garment(31).resize((700, 300))),
        "wide.jpg": encoded(garment(32).resize((16384, 3))),
        "tall.jpg": encoded(garment(33).resize((5, 12000))),
    }


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def pixels(data: bytes) -> np.ndarray:
    """As a viewer shows them."""
    with Image.open(BytesIO(data)) as picture:
        turned = {6: Image.Transpose.ROTATE_270}.get(picture.getexif().get(0x0112, 1))
        shown = np.asarray(picture if turned is None else picture.transpose(turned))
    return shown[..., None] if shown.ndim == 2 else shown


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of JPEG files, and an archive of it."""
    folder = tmp_path_factory.mktemp("jpeg")
    written(folder / "in", jpeg_files())
    engram.pack(folder / "in", folder / "a.egm", budget=0)
    return folder


def test_jpeg_files_come_back_byte_for_byte(packed: Path, tmp_path: Path) -> None:
    engram.unpack(packed / "a.egm", tmp_path / "out")
    assert tree(tmp_path / "out") == jpeg_files()


def test_their_pixels_are_those_that_a_viewer_shows(packed: Path) -> None:
    with engram.open(packed / "a.egm") as archive:
        for name, data in jpeg_files().items():
            assert np.array_equal(archive[name], pixels(data)), name
            assert archive.file(name) == data
        for image, path in zip(archive, archive.paths, strict=True):
            assert np.array_equal(image, archive[path])


def test_they_take_less_than_the_files(tmp_path: Path) -> None:
    files = {f"{number:03}.jpg": encoded(garment(number), quality=80) for number in range(100)}
    report = engram.pack(written(tmp_path / "in", files), tmp_path / "a.egm", budget=0)
    header = 623  # of the smallest file of this kind
    assert report.info.archive_bytes < 0.9 * sum(len(data) - header for data in files.values())
    assert report.quality["psnr_db"] is None


def test_they_are_verified_and_told_of(packed: Path) -> None:
    assert engram.verify(packed / "a.egm").ok
    info = engram.info(packed / "a.egm")
    assert {codec for group in info.groups for codec in group.codecs} == {"picture-files"}
    assert info.as_files == info.images


def test_they_come_out_of_containers(packed: Path, tmp_path: Path) -> None:
    engram.unpack(packed / "a.egm", tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as container:
        assert {name: container.read(name) for name in container.namelist()} == jpeg_files()
    engram.pack(tmp_path / "out.zip", tmp_path / "b.egm", budget=0)
    engram.unpack(tmp_path / "b.egm", tmp_path / "again")
    assert tree(tmp_path / "again") == jpeg_files()


def test_an_archive_of_them_is_data_that_keeps_them(packed: Path, tmp_path: Path) -> None:
    engram.pack(packed / "a.egm", tmp_path / "b.egm", budget=0, block_size=5)
    engram.unpack(tmp_path / "b.egm", tmp_path / "out")
    assert tree(tmp_path / "out") == jpeg_files()


def test_more_of_them_are_appended_as_files(packed: Path, tmp_path: Path) -> None:
    from engram.archive.appending import append
    from engram.datasets import source

    more = {"a.jpg": encoded(garment(90)), "b.png": encoded(garment(91), "PNG")}
    engram.pack(packed / "in", tmp_path / "a.egm", budget=0)
    append(source.collection(written(tmp_path / "more", more)), tmp_path / "a.egm")
    engram.unpack(tmp_path / "a.egm", tmp_path / "out")
    found = tree(tmp_path / "out")
    assert np.array_equal(pixels(found.pop("b.png")), pixels(more.pop("b.png")))
    assert found == jpeg_files() | more


def test_files_that_are_not_rebuilt_are_stored_and_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"{number}.jpg": encoded(garment(number)) for number in range(5)}
    parse = scans.parse

    def parse_others(data: bytes) -> scans.Scans:
        if data == files["3.jpg"]:
            raise scans.NotRebuilt("as one of arithmetic coding is not")
        return parse(data)

    monkeypatch.setattr(scans, "parse", parse_others)
    with pytest.warns(engram.Notice, match="not rebuilt from their coefficients.*3.jpg"):
        engram.pack(written(tmp_path / "in", files), tmp_path / "a.egm", budget=0)
    engram.unpack(tmp_path / "a.egm", tmp_path / "out")
    assert tree(tmp_path / "out") == files


def test_with_some_loss_they_are_pixels(packed: Path, tmp_path: Path) -> None:
    with pytest.warns(engram.Notice, match="whose pixels are packed, which come back as PNG files.*12 of 12"):
        engram.pack(packed / "in" / "plain", tmp_path / "a.egm", budget=0, max_error=2)
    with engram.open(tmp_path / "a.egm") as archive:
        assert not archive.are_files(archive.rows).any()
        assert archive.file(0).startswith(b"\x89PNG")


def test_files_that_are_smaller_than_their_code_are_stored(tmp_path: Path) -> None:
    palette, numbers = np.random.default_rng(0), np.random.default_rng(1).integers(0, 4, (2, 300, 280)).astype(np.uint8)
    files = {}
    for name, picture in zip("ab", map(Image.fromarray, numbers), strict=True):
        picture.putpalette(palette.integers(0, 256, 12).tolist())
        files[f"{name}.png"] = encoded(picture, "PNG", optimize=True)
    report = engram.pack(written(tmp_path / "in", files), tmp_path / "a.egm", budget=0)
    assert "stored as they are" in report.in_words()
    engram.unpack(tmp_path / "a.egm", tmp_path / "out")
    assert tree(tmp_path / "out") == files


def test_what_differs_in_its_suffix_only_stays_apart(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2, 20, 20, 3)).astype(np.uint8)
    files = {"a.jpg": encoded(garment(1)), "a.bmp": encoded(Image.fromarray(noise[0]), "BMP")}
    engram.pack(written(tmp_path / "in", files), tmp_path / "a.egm", budget=0)
    engram.unpack(tmp_path / "a.egm", tmp_path / "out")
    found = tree(tmp_path / "out")
    assert found["a.jpg"] == files["a.jpg"]
    assert np.array_equal(pixels(found["a.png"]), noise[0])


def test_an_interrupted_pack_of_them_goes_on(tmp_path: Path) -> None:
    files = {f"{number:03}.jpg": encoded(garment(number), quality=60) for number in range(80)}
    written(tmp_path / "in", files)
    engram.pack(tmp_path / "in", tmp_path / "whole.egm", budget=0, block_size=4)

    class Stopped(Exception):
        pass

    def stop(what: str, done: int, total: int) -> None:
        if what == "Packing" and done:
            raise Stopped

    with pytest.raises(Stopped):
        engram.pack(tmp_path / "in", tmp_path / "a.egm", budget=0, block_size=4, progress=stop)
    report = engram.pack(tmp_path / "in", tmp_path / "a.egm", budget=0, block_size=4, resume=True)
    assert report.info.images == 80
    assert (tmp_path / "a.egm").read_bytes() == (tmp_path / "whole.egm").read_bytes()
    assert not list(tmp_path.glob("a.egm.*"))


def test_a_file_that_is_other_than_it_was_is_found_when_a_pack_goes_on(tmp_path: Path) -> None:
    files = {f"{number:03}.jpg": encoded(garment(number), quality=60) for number in range(8)}
    written(tmp_path / "in", files)
    from engram.archive.errors import ResumeMismatch
    from engram.archive.layers import Coder
    from engram.archive.writer import Writer
    from engram.codecs.picture_files import PictureFiles
    from engram.kinds import KINDS

    coder = Coder(KINDS["rgb"], (PictureFiles(KINDS["rgb"], SIZE),))
    writer = Writer(tmp_path / "a.egm", [coder], block_size=4)
    writer.add(0, list(files.values()))
    writer._write_batch()
    writer.abandon()
    again = Writer(tmp_path / "a.egm", [coder], block_size=4, resume=True)
    again.add(0, [*list(files.values())[:-1], encoded(garment(99))])
    with pytest.raises(ResumeMismatch, match="others"):
        again._write_batch()
    again.abandon()


@pytest.mark.real
def test_six_thousand_files_of_a_user(tmp_path: Path) -> None:
    [where] = Path(os.environ["ENGRAM_DATA"]).rglob("cifar10-jpg-6000.zip")
    report = engram.pack(where, tmp_path / "a.egm", budget=0)
    assert report.info.bytes_per_image_with_model <= 250
    engram.unpack(tmp_path / "a.egm", tmp_path / "out.zip")
    with zipfile.ZipFile(where) as before, zipfile.ZipFile(tmp_path / "out.zip") as after:
        names = [name for name in before.namelist() if name.endswith(".jpg")]
        assert len(names) == 6000
        assert all(before.read(name) == after.read(name) for name in names)
