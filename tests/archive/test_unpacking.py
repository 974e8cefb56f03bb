"""unpack: an archive as .npz, .npy or IDX, whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from drawing import (
    CLASSES,
    TYPES,
    coder_of,
    draw,
    draw_rich,
    flip_block,
    flip_column,
    pack_pictures,
    picture,
    with_columns,
)

from engram import archive
from engram.archive import blocks, to_arrays
from engram.archive.errors import CorruptBlock, CorruptColumn, ManySizes, UnsafeName
from engram.codecs.contract import Codec
from engram.codecs.raw import Raw
from engram.datasets import idx
from engram.errors import UsageError
from engram.files import CannotWrite, OutputExists
from engram.images import ImageSet, Pixels
from engram.kinds import kind_of
from engram.table import Column

SHAPE = (8, 9, 3)


def pack(tmp_path: Path, images: ImageSet, block_size: int = 16) -> Path:
    archive.pack(images, Raw(images.image_shape), tmp_path / "a.egm", block_size=block_size)
    return tmp_path / "a.egm"


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BATCH_BYTES", 2 * 16 * 12)


@pytest.mark.parametrize("count", [0, 1, 40])
@pytest.mark.parametrize("shape", [(4, 3, 1), SHAPE])
def test_npz_brings_everything_back(tmp_path: Path, shape: tuple[int, int, int], count: int) -> None:
    images = draw(count, shape)
    path = pack(tmp_path, images)
    archive.unpack(path, tmp_path / "out.npz")
    found = np.load(tmp_path / "out.npz")
    assert list(found) == ["images", "labels", "class_names", "names"]
    assert np.array_equal(found["images"], images.images)
    assert np.array_equal(found["labels"], images.labels)  # type: ignore[arg-type]
    assert (tuple(found["class_names"]), tuple(found["names"])) == (CLASSES, images.paths)
    first = (tmp_path / "out.npz").read_bytes()
    archive.unpack(path, tmp_path / "out.npz", force=True)
    assert (tmp_path / "out.npz").read_bytes() == first


def test_npz_has_a_member_for_each_column(rich: Path, tmp_path: Path) -> None:
    archive.unpack(rich, tmp_path / "out.npz")
    found = np.load(tmp_path / "out.npz")
    assert list(found) == ["images", "labels", "class_names", "names", *TYPES]
    assert np.isnan(found["age"]).tolist() == [age is None for age in TYPES["age"]]
    assert found["age"][1::5].tolist() == TYPES["age"][1::5]
    for name in ("weight", "fresh", "maker", "note"):
        assert found[name].tolist() == TYPES[name]
    assert found["box"].tolist()[:3] == ["", "[1, 2]", "[2, 3]"]


@pytest.mark.parametrize("name", ["images", "labels", "class_names", "names", "a/b"])
def test_a_column_that_would_be_another_member(tmp_path: Path, name: str) -> None:
    path = pack(tmp_path, with_columns(2, **{name: [1, 2]}))
    with pytest.raises(UsageError, match=rf"out\.npz: a column called {name!r} has no place in a \.npz file"):
        archive.unpack(path, tmp_path / "out.npz")
    assert os.listdir(tmp_path) == ["a.egm"]


@pytest.mark.parametrize("notes", [["a", "b\0"], ["a\0", "b"] * 20])
def test_a_text_that_numpy_would_cut(tmp_path: Path, notes: list[str]) -> None:
    path = pack(tmp_path, with_columns(len(notes), note=notes))
    with pytest.raises(UnsafeName, match=r"a\.egm: note that end in a NUL cannot be kept in a \.npz file"):
        archive.unpack(path, tmp_path / "out.npz")


@pytest.mark.parametrize("count", [0, 1, 40])
@pytest.mark.parametrize("kind", ["gray", "rgba", "gray16"])
def test_npy_brings_the_pixels_back(tmp_path: Path, count: int, kind: str) -> None:
    pixels = np.stack([picture(4, 3, kind, seed) for seed in range(41)])[:count]
    if count:
        pack_pictures(pixels, tmp_path / "a.egm")
    else:
        archive.pack(ImageSet(pixels), coder_of((4, 3), kind), tmp_path / "a.egm")
    archive.unpack(tmp_path / "a.egm", tmp_path / "out.npy")
    found = np.load(tmp_path / "out.npy")
    assert (found.dtype, np.array_equal(found, pixels)) == (pixels.dtype, True)


@pytest.mark.parametrize("name", ["x-images-idx3-ubyte", "x-images-idx3-ubyte.gz", "x-images.idx3-ubyte"])
@pytest.mark.parametrize("shape", [(4, 3, 1), SHAPE])
def test_idx_brings_pixels_and_labels_back(tmp_path: Path, name: str, shape: tuple[int, int, int]) -> None:
    images = draw(40, shape)
    archive.unpack(pack(tmp_path, images), tmp_path / name)
    found = idx.load_set(tmp_path / name, CLASSES)
    assert found.fingerprint() == images.fingerprint()
    assert np.array_equal(idx.load(tmp_path / name).reshape(images.images.shape), images.images)


def test_idx_says_what_it_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="named like train-images-idx3-ubyte"):
        archive.unpack(pack(tmp_path, draw(3)), tmp_path / "x.idx")
    missing = Column("category", np.array([0, 0]), ("ape",), np.array([True, False]))
    many = Column("category", np.array([256]), tuple(map(str, range(257))))
    for number, (images, table, message) in enumerate(
        (
            (draw(1).images, {"label": many}, "IDX holds labels up to 255, not 256"),
            (draw(2).images, {"label": missing}, "IDX holds a label of each picture, and 1 have none"),
            (picture(4, 3, "gray16")[None], {}, "IDX holds pixels of 8 bits"),
        )
    ):
        with archive.Writer(tmp_path / f"{number}.egm", [coder_of((4, 3), kind_of(images).name)]) as writer:
            writer.add(0, images)
            writer.describe(table, len(images))
        with pytest.raises(UsageError, match=message):
            archive.unpack(tmp_path / f"{number}.egm", tmp_path / "x-images-idx3-ubyte")
    assert sorted(os.listdir(tmp_path)) == ["0.egm", "1.egm", "2.egm", "a.egm"]


@pytest.mark.parametrize("name", ["x.npz", "x.npy", "x-images-idx3-ubyte"])
def test_an_array_has_pictures_of_one_size(tmp_path: Path, name: str) -> None:
    pack_pictures([picture(3, 2), picture(2, 3)], tmp_path / "a.egm")
    with pytest.raises(ManySizes, match=rf"a\.egm has pictures of many sizes or kinds, and .*{name} holds one; unpack"):
        archive.unpack(tmp_path / "a.egm", tmp_path / name)


@pytest.mark.parametrize("name", ["x.npz", "x.npy", "x-images-idx3-ubyte"])
def test_a_view_is_unpacked_as_an_archive(rich: Path, tmp_path: Path, name: str) -> None:
    images = draw_rich()[::3]
    with archive.open(rich) as opened:
        assert archive.unpack(opened.where(fresh=True), tmp_path / name).images == 50
    if name == "x.npz":
        found = np.load(tmp_path / name)
        assert np.array_equal(found["images"], images.images)
        assert (found["names"].tolist(), found["maker"].tolist()) == (list(images.paths or ()), TYPES["maker"][::3])
    elif name == "x.npy":
        assert np.array_equal(np.load(tmp_path / name), images.images)
    else:
        assert idx.load_set(tmp_path / name, CLASSES).fingerprint() == images.fingerprint()


@pytest.mark.parametrize("name", ["out", "out.npz", "out.npy", "x-images-idx3-ubyte.gz"])
def test_what_is_there_is_replaced_by_force_only(tmp_path: Path, name: str) -> None:
    path = pack(tmp_path, draw(20))
    archive.unpack(path, tmp_path / name)
    with pytest.raises(OutputExists, match="exists already; choose another name, or replace it with --force"):
        archive.unpack(path, tmp_path / name)
    archive.unpack(path, tmp_path / name, force=True)


def test_labels_that_lie_beside_idx_images_are_replaced_by_force_only(tmp_path: Path) -> None:
    path, labels = pack(tmp_path, draw(20)), tmp_path / "x-labels-idx1-ubyte"
    labels.write_text("years of work")
    with pytest.raises(OutputExists, match="x-labels-idx1-ubyte exists already; choose another name, or replace it"):
        archive.unpack(path, tmp_path / "x-images-idx3-ubyte")
    assert labels.read_text() == "years of work"
    assert sorted(os.listdir(tmp_path)) == ["a.egm", labels.name]
    archive.unpack(path, tmp_path / "x-images-idx3-ubyte", force=True)
    assert len(idx.load_set(tmp_path / "x-images-idx3-ubyte")) == 20


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


@pytest.mark.parametrize("name", ["out.npz", "out.npy", "x-images-idx3-ubyte"])
def test_damage_leaves_nothing_or_what_can_be_saved(tmp_path: Path, name: str) -> None:
    images = draw(150)
    path = pack(tmp_path, images)
    for block in (1, 3):
        flip_block(path, block)
    with pytest.raises(CorruptBlock, match=r"block 1 \(images 16 to 31\)"):
        archive.unpack(path, tmp_path / name)
    assert os.listdir(tmp_path) == ["a.egm"]
    done = archive.unpack(path, tmp_path / name, skip_damaged=True)
    assert done.images == 118
    assert done.damage is not None
    assert [error.number for error in done.damage.damaged_blocks] == [1, 3]
    kept = images[np.delete(np.arange(150), np.r_[16:32, 48:64])]
    if name == "out.npz":
        found = np.load(tmp_path / name)
        assert np.array_equal(found["images"], kept.images)
        assert np.array_equal(found["labels"], kept.labels)  # type: ignore[arg-type]
        assert tuple(found["names"]) == kept.paths
    elif name == "out.npy":
        assert np.array_equal(np.load(tmp_path / name), kept.images)
    else:
        assert idx.load_set(tmp_path / name, CLASSES).fingerprint() == kept.fingerprint()


@pytest.mark.parametrize("column", ["path", "label", "age", "box"])
def test_damaged_columns_can_be_left_out(rich: Path, tmp_path: Path, column: str) -> None:
    path = Path(shutil.copy(rich, tmp_path / "a.egm"))
    flip_column(path, column)
    with pytest.raises(CorruptColumn):
        archive.unpack(path, tmp_path / "out.npz")
    assert os.listdir(tmp_path) == ["a.egm"]
    archive.unpack(path, tmp_path / "out.npz", skip_damaged=True)
    found = np.load(tmp_path / "out.npz")
    assert np.array_equal(found["images"], draw(150).images)
    lost = {"path": ["names"], "label": ["labels", "class_names"]}.get(column, [column])
    assert list(found) == [k for k in ("images", "labels", "class_names", "names", *TYPES) if k not in lost]


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
