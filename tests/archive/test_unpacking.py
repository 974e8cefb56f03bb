"""unpack: what was packed comes out again, in every form, whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from drawing import CLASSES, draw, flip

from engram import archive, datasets
from engram.archive import metadata, sequence, to_arrays
from engram.archive import writer as writing
from engram.archive.errors import CorruptBlock, CorruptMetadata, DuplicateName, UnsafeName
from engram.archive.file import ArchiveFile
from engram.codecs.contract import Codec
from engram.codecs.raw import Raw
from engram.datasets import folders, idx
from engram.errors import UsageError
from engram.files import CannotWrite, OutputExists
from engram.images import ImageSet, Pixels

SHAPE = (8, 9, 3)


def pack(tmp_path: Path, images: ImageSet, block_size: int = 16) -> Path:
    archive.pack(images, Raw(images.image_shape), tmp_path / "a.egm", block_size=block_size)
    return tmp_path / "a.egm"


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequence, "_BATCH_BYTES", 2 * 16 * 12)


@pytest.mark.parametrize("shape", [(4, 3, 1), SHAPE])
def test_folder_out_folder_in(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    images = draw(150, shape)
    done = archive.unpack(pack(tmp_path, images), tmp_path / "out")
    assert done.images == 150
    found = folders.load(tmp_path / "out")
    order = np.argsort(images.labels, kind="stable")  # a folder is read class by class
    assert found.fingerprint() == images[order].fingerprint()
    assert found.names == images[order].names
    assert found.class_names == CLASSES
    archive.pack(found, Raw(shape), tmp_path / "b.egm")
    assert archive.load(tmp_path / "b.egm").fingerprint() == found.fingerprint()


def test_without_labels_and_names_a_flat_folder_in_order(tmp_path: Path) -> None:
    images = ImageSet(draw(20).images)
    archive.unpack(pack(tmp_path, images), tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out"))[::19] == ["00000.png", "00019.png"]
    assert np.array_equal(folders.load(tmp_path / "out").images, images.images)


def test_other_suffixes_become_png(tmp_path: Path) -> None:
    images = ImageSet(draw(3).images, names=("a.jpg", "b.JPEG", "c"))
    archive.unpack(pack(tmp_path, images), tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out")) == ["a.png", "b.png", "c.png"]


@pytest.mark.parametrize("count", [0, 1, 40])
@pytest.mark.parametrize("shape", [(4, 3, 1), SHAPE])
def test_npz_brings_everything_back(tmp_path: Path, shape: tuple[int, int, int], count: int) -> None:
    images = draw(count, shape)
    path = pack(tmp_path, images)
    archive.unpack(path, tmp_path / "out.npz")
    found = datasets.load(str(tmp_path / "out.npz"))
    assert isinstance(found, ImageSet)
    assert found.fingerprint() == images.fingerprint()
    assert (found.names or ()) == images.names
    assert found.class_names == CLASSES
    first = (tmp_path / "out.npz").read_bytes()
    archive.unpack(path, tmp_path / "out.npz", force=True)
    assert (tmp_path / "out.npz").read_bytes() == first


@pytest.mark.parametrize("count", [0, 1, 40])
def test_npy_brings_the_pixels_back(tmp_path: Path, count: int) -> None:
    images = draw(count)
    archive.unpack(pack(tmp_path, images), tmp_path / "out.npy")
    assert np.array_equal(np.load(tmp_path / "out.npy"), images.images)


@pytest.mark.parametrize("name", ["x-images-idx3-ubyte", "x-images-idx3-ubyte.gz", "x-images.idx3-ubyte"])
@pytest.mark.parametrize("shape", [(4, 3, 1), SHAPE])
def test_idx_brings_pixels_and_labels_back(tmp_path: Path, name: str, shape: tuple[int, int, int]) -> None:
    images = draw(40, shape)
    archive.unpack(pack(tmp_path, images), tmp_path / name)
    found = idx.load_set(tmp_path / name, CLASSES)
    assert found.fingerprint() == images.fingerprint()
    assert np.array_equal(idx.load(tmp_path / name).reshape(images.images.shape), images.images)


def test_idx_says_what_it_cannot_hold(tmp_path: Path) -> None:
    path = pack(tmp_path, draw(3))
    with pytest.raises(UsageError, match="named like train-images-idx3-ubyte"):
        archive.unpack(path, tmp_path / "x.idx")
    many = ImageSet(draw(1).images, np.array([256]), tuple(map(str, range(257))))
    path.unlink()
    with pytest.raises(UsageError, match="IDX holds labels up to 255, not 256"):
        archive.unpack(pack(tmp_path, many), tmp_path / "x-images-idx3-ubyte")
    assert os.listdir(tmp_path) == ["a.egm"]


@pytest.mark.parametrize("name", ["out", "out.npz", "out.npy", "x-images-idx3-ubyte.gz"])
def test_what_is_there_is_replaced_by_force_only(tmp_path: Path, name: str) -> None:
    path = pack(tmp_path, draw(20))
    archive.unpack(path, tmp_path / name)
    with pytest.raises(OutputExists, match="exists already; choose another name, or replace it with --force"):
        archive.unpack(path, tmp_path / name)
    archive.unpack(path, tmp_path / name, force=True)
    assert len(datasets.load(str(tmp_path / name))) == 20


def test_labels_that_lie_beside_idx_images_are_replaced_by_force_only(tmp_path: Path) -> None:
    path, labels = pack(tmp_path, draw(20)), tmp_path / "x-labels-idx1-ubyte"
    labels.write_text("years of work")
    with pytest.raises(OutputExists, match="x-labels-idx1-ubyte exists already; choose another name, or replace it"):
        archive.unpack(path, tmp_path / "x-images-idx3-ubyte")
    assert labels.read_text() == "years of work"
    assert sorted(os.listdir(tmp_path)) == ["a.egm", labels.name]
    archive.unpack(path, tmp_path / "x-images-idx3-ubyte", force=True)
    assert len(datasets.load(str(tmp_path / "x-images-idx3-ubyte"))) == 20


@pytest.mark.parametrize("folder", ["x-images-idx3-ubyte", "x-labels-idx1-ubyte"])
def test_idx_is_not_written_over_a_folder(tmp_path: Path, folder: str) -> None:
    path = pack(tmp_path, draw(20))
    (tmp_path / folder).mkdir()
    with pytest.raises(OutputExists, match=f"{folder} is a folder; choose another name"):
        archive.unpack(path, tmp_path / "x-images-idx3-ubyte", force=True)
    assert sorted(os.listdir(tmp_path)) == ["a.egm", folder]


def test_labels_that_cannot_be_written_leave_no_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, write = pack(tmp_path, draw(20)), to_arrays._write_idx

    def run_out_of_room(file: IO[bytes], suffix: str, shape: tuple[int, ...], arrays: Iterable[Pixels]) -> None:
        if len(shape) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(file, suffix, shape, arrays)

    monkeypatch.setattr(to_arrays, "_write_idx", run_out_of_room)
    with pytest.raises(CannotWrite, match="No space left on device"):
        archive.unpack(path, tmp_path / "x-images-idx3-ubyte")
    assert os.listdir(tmp_path) == ["a.egm"]


def test_force_does_not_delete_what_is_not_pictures(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="holds more than pictures"):
        archive.unpack(pack(tmp_path, draw(3)), tmp_path / "out", force=True)
    (tmp_path / "file").write_text("years of work")
    with pytest.raises(OutputExists, match="a file of this name exists already"):
        archive.unpack(tmp_path / "a.egm", tmp_path / "file", force=True)
    assert (tmp_path / "file").read_text() == "years of work"


@pytest.mark.parametrize("name", ["out", "out.npz", "out.npy", "x-images-idx3-ubyte"])
def test_damage_leaves_nothing_or_what_can_be_saved(tmp_path: Path, name: str) -> None:
    images = draw(150)
    path = pack(tmp_path, images)
    for block in (1, 3):
        flip(path, int(ArchiveFile(path).directory.block_offsets[block]))
    with pytest.raises(CorruptBlock, match=r"block 1 \(images 16 to 31\)"):
        archive.unpack(path, tmp_path / name)
    assert os.listdir(tmp_path) == ["a.egm"]
    done = archive.unpack(path, tmp_path / name, skip_damaged=True)
    assert done.images == 118
    assert done.damage is not None
    assert [error.number for error in done.damage.damaged_blocks] == [1, 3]
    kept = np.delete(np.arange(150), np.r_[16:32, 48:64])
    if name == "out":
        kept = kept[np.argsort(images.labels[kept], kind="stable")]
    found = datasets.load(str(tmp_path / name))
    assert isinstance(found, ImageSet)
    assert np.array_equal(found.images, images[kept].images)
    assert found.labels is None or np.array_equal(found.labels, images[kept].labels)
    assert found.names is None or found.names == images[kept].names


@pytest.mark.parametrize("section", ["class names", "labels", "names"])
def test_damaged_metadata_can_be_left_out(tmp_path: Path, section: str) -> None:
    images = draw(20)
    path = pack(tmp_path, images)
    flip(path, ArchiveFile(path).directory.sections[section][0])
    with pytest.raises(CorruptMetadata):
        archive.unpack(path, tmp_path / "out.npz")
    archive.unpack(path, tmp_path / "out.npz", skip_damaged=True)
    found = datasets.load(str(tmp_path / "out.npz"))
    assert isinstance(found, ImageSet)
    assert np.array_equal(found.images, images.images)
    assert found.names == (None if section == "names" else images.names)
    assert (found.labels is None) == (section != "names")


@pytest.mark.parametrize(
    "name", ["../a.png", "/tmp/a.png", "a/b.png", "a\\b.png", "..", ".a", "c:a", "a\0", "nul", "Com1.png"]
)
def test_a_name_that_is_no_plain_file_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(writing, "check_name", lambda name: None)
    path = pack(tmp_path, ImageSet(draw(2).images, names=("ok.png", name)))
    with pytest.raises(UnsafeName, match=r"a\.egm: .*; unpack to a \.npz file"):
        archive.unpack(path, tmp_path / "out")
    assert os.listdir(tmp_path) == ["a.egm"]


def test_class_names_never_leave_the_folder(tmp_path: Path) -> None:
    class_names = ("../x", "/tmp", "..", "a\0b", "T-shirt/Top")
    images = ImageSet(draw(5).images, np.arange(5), class_names, tuple("abcde"))
    archive.unpack(pack(tmp_path, images), tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == ["a.egm", "out"]
    assert set(folders.load(tmp_path / "out").class_names) == set(class_names)


@pytest.mark.parametrize("class_names", [("a", ""), ("a", "a")])
def test_classes_without_a_folder_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, class_names: tuple[str, ...]
) -> None:
    monkeypatch.setattr(writing, "check_class_names", lambda names: None)
    path = pack(tmp_path, ImageSet(draw(2).images, np.arange(2), class_names))
    with pytest.raises(UnsafeName):
        archive.unpack(path, tmp_path / "out")


@pytest.mark.parametrize("names", [("a.png", "a.png"), ("a.png", "a.jpg")])
def test_two_images_of_one_file_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, str]) -> None:
    monkeypatch.setattr(writing._Metadata, "_check_names", lambda *arguments: None)
    path = pack(tmp_path, ImageSet(draw(2).images, names=names))
    with pytest.raises(DuplicateName, match=r"two images would be a\.png; unpack to a \.npz file, which keeps names"):
        archive.unpack(path, tmp_path / "out")
    assert os.listdir(tmp_path) == ["a.egm"]
    archive.unpack(path, tmp_path / "out.npz")
    assert np.load(tmp_path / "out.npz")["names"].tolist() == list(names)


def test_more_or_fewer_names_than_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, names in enumerate((("a",), ("a", "b", "c"))):
        encoder = metadata.NameEncoder()
        encoder.add(names)
        section = encoder.finish()
        monkeypatch.setattr(metadata.NameEncoder, "finish", lambda self, section=section: section)
        path = tmp_path / f"{number}.egm"
        archive.pack(ImageSet(draw(2).images, names=("a", "b")), Raw((4, 3, 1)), path)
        monkeypatch.undo()
        for out in ("out", "out.npz"):
            with pytest.raises(CorruptMetadata, match=r"missing or not of|more names than the 2 images"):
                archive.unpack(path, tmp_path / out)
        assert archive.verify(path).damaged_parts.keys() == {"names"}


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    path = pack(tmp_path, draw(2))
    with pytest.raises(CannotWrite):
        archive.unpack(path, tmp_path / "no" / "x.npz")


def test_a_left_out_model_is_given(tmp_path: Path, lossy: Codec) -> None:
    archive.pack(draw(20), lossy, tmp_path / "a.egm", embed_model=False)
    archive.unpack(tmp_path / "a.egm", tmp_path / "x.npy", model=lossy.model)
    with archive.open(tmp_path / "a.egm", lossy.model) as opened:
        archive.unpack(opened, tmp_path / "y.npy")
    assert (tmp_path / "x.npy").read_bytes() == (tmp_path / "y.npy").read_bytes()


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    path = pack(tmp_path, draw(70))
    archive.unpack(path, tmp_path / "x.npy", progress=lambda done, total: told.append((done, total)))
    assert told == [(32, 70), (64, 70), (70, 70)]
