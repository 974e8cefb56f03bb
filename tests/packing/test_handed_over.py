"""`engram.pack` takes whatever a program hands over: arrays, pictures, data sets of PyTorch and Hugging Face."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import PIXELS
from PIL import Image

import engram

RANDOM = np.random.default_rng(0)


class Torch:
    """A data set of PyTorch's kind: __len__ and __getitem__ alone."""

    classes = ("left", "right")

    def __len__(self) -> int:
        return 4

    def __getitem__(self, row: int) -> tuple[Image.Image, int]:
        return Image.fromarray(PIXELS[row, :, :, 0]), row % 2


class Features(dict[str, Any]):
    """Hugging Face's, with a label that has names."""

    def __init__(self) -> None:
        super().__init__(image=None, label=type("ClassLabel", (), {"names": ["left", "right"]})())


class Rows(list[dict[str, Any]]):
    """A data set of Hugging Face's kind."""

    features = Features()


ROWS = Rows({"image": Image.fromarray(PIXELS[row, :, :, 0]), "label": row % 2} for row in range(4))


@pytest.mark.parametrize(
    ("data", "labels", "classes"),
    [
        (PIXELS[:4], None, ()),
        (PIXELS[:4, :, :, 0], None, ()),
        (list(PIXELS[:4]), None, ()),
        ((picture[..., 0] for picture in PIXELS[:4]), None, ()),
        ([Image.fromarray(picture[..., 0]) for picture in PIXELS[:4]], None, ()),
        ([(PIXELS[row], row % 2) for row in range(4)], [0, 1, 0, 1], ("0", "1")),
        ([(PIXELS[row], np.int32(row % 2)) for row in range(4)], [0, 1, 0, 1], ("0", "1")),
        ([(PIXELS[row], "ab"[row % 2]) for row in range(4)], [0, 1, 0, 1], ("a", "b")),
        (Torch(), [0, 1, 0, 1], ("left", "right")),
        (ROWS, [0, 1, 0, 1], ("left", "right")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_program_hands_over_is_packed(data: Any, labels: Any, classes: Any, tmp_path: Path) -> None:
    report = engram.pack(data, tmp_path / "a.egm", budget=0)
    assert (report.info.images, report.quality["psnr_db"]) == (4, None)
    with engram.open(tmp_path / "a.egm") as archive:
        assert np.array_equal(archive[:], PIXELS[:4])
        assert labels is None or archive.labels.tolist() == labels
        assert archive.class_names == classes


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (PIXELS.astype(np.float32), "pixels are uint8, 0 to 255, or uint16, not float32"),
        (PIXELS[..., 0, 0], r"DATA is uint8\[n, h, w\] or"),
        ([], "DATA has no picture in it"),
        ([PIXELS[0], "x"], "picture 1 is a str"),
        ([Image.new("CMYK", (3, 3))], "picture 0 has CMYK inks, which would be lost"),
        ([(PIXELS[0], 0.5)], "a label is a whole number or a text, not float"),
        ([(PIXELS[0], -1)], "labels are whole numbers from 0 to 1048575, not -1"),
        ([{"pixels": PIXELS[0]}], "a mapping has its picture under 'image'"),
        (7, "DATA is a path, a name, or"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_picture_is_refused(data: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(engram.EngramError, match=message):
        engram.pack(data, tmp_path / "a.egm", budget=0)
    assert list(tmp_path.iterdir()) == []


def test_an_archive_is_packed_with_all_that_it_knows(tmp_path: Path) -> None:
    images = engram.ImageSet(PIXELS[:4], ["a", "b", "a", "b"], paths=tuple("wxyz"))
    engram.pack(images, tmp_path / "a.egm", budget=0)
    with engram.open(tmp_path / "a.egm") as archive:
        engram.pack(archive, tmp_path / "b.egm", budget=0)
    with engram.open(tmp_path / "b.egm") as again:
        assert again.labels is not None
        assert (again.labels.tolist(), again.class_names, again.paths) == ([0, 1, 0, 1], ("a", "b"), tuple("wxyz"))


def test_what_else_is_known_of_pictures_becomes_columns(tmp_path: Path) -> None:
    rows = [
        {"image": PIXELS[0], "file_name": "b/1.png", "label": 0, "caption": "a boot", "box": [1, 2, 3, 4]},
        {"image": PIXELS[1], "file_name": "a/1.png", "label": 1, "weight": 0.5},
    ]
    engram.pack(rows, tmp_path / "a.egm", budget=0)
    with engram.open(tmp_path / "a.egm") as archive:
        assert list(archive.paths or ()) == ["b/1.png", "a/1.png"]
        table = {name: archive.table[name].tolist() for name in archive.table}
    assert table["caption"] == ["a boot", None]
    assert table["box"] == [[1, 2, 3, 4], None]
    assert np.isnan(table["weight"][0])
    assert table["weight"][1] == 0.5


def test_a_label_may_be_missing(tmp_path: Path) -> None:
    engram.pack([(PIXELS[0], "boot"), PIXELS[1]], tmp_path / "a.egm", budget=0)
    with engram.open(tmp_path / "a.egm") as archive:
        assert archive.table["label"].tolist() == ["boot", None]
        assert len(archive.where(label=None)) == 1


def test_what_an_archive_cannot_hold_is_told(tmp_path: Path) -> None:
    rows = [{"image": PIXELS[0], "label": 0, "thing": object()}]
    with pytest.warns(engram.Notice, match=r"columns that an archive cannot hold \(thing\): left out; 1 of 1"):
        engram.pack(rows, tmp_path / "a.egm", budget=0)


def test_pictures_of_pillow_are_taken_as_files_are(tmp_path: Path) -> None:
    picture = Image.fromarray(RANDOM.integers(0, 256, (4, 8, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as turned:
        engram.pack([turned], tmp_path / "a.egm", budget=0)
    with engram.open(tmp_path / "a.egm") as archive:
        assert np.array_equal(archive[0], np.rot90(np.asarray(picture), -1))
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:-40])
    with Image.open(tmp_path / "b.png") as cut, pytest.raises(engram.EngramError, match="picture 0 cannot be read"):
        engram.pack([cut], tmp_path / "b.egm", budget=0)


class Endless:
    """What can be indexed, and says nowhere how long it is."""

    def __getitem__(self, row: int) -> np.ndarray:
        return PIXELS[:3][row]


class TooLong(Endless):
    def __len__(self) -> int:
        return 9


@pytest.mark.parametrize("data", [Endless(), TooLong()])
def test_what_can_only_be_indexed_ends_with_an_index_error(data: Endless, tmp_path: Path) -> None:
    assert engram.pack(data, tmp_path / "a.egm", budget=0).info.images == 3
