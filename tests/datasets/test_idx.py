"""IDX: parse and emit are inverses, load and save too, and each broken file has its own error."""

from __future__ import annotations

import gzip
import re
import struct
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from engram.datasets import idx
from engram.datasets.arrays import NotImages
from engram.datasets.deflate import BrokenGzip, TrailingBytes
from engram.errors import CorruptData, UsageError
from engram.images import ImageSet

ANY_ARRAY = arrays(np.uint8, array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5))
SMALL = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
ZIPPED = gzip.compress(idx.emit(SMALL), mtime=0)


def packed(*sides: int) -> bytes:
    """A header that declares these sides."""
    return struct.pack(f">HBB{len(sides)}I", 0, 8, len(sides), *sides)


@given(ANY_ARRAY)
def test_parse_undoes_emit(array: np.ndarray) -> None:
    back = idx.parse(idx.emit(array))
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, array)


@given(ANY_ARRAY, st.sampled_from(["a.idx", "a.idx.gz"]))
def test_load_undoes_save(array: np.ndarray, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        idx.save(path, array)
        assert path.read_bytes().startswith(b"\x1f\x8b" if name.endswith(".gz") else b"\0\0\x08")
        np.testing.assert_array_equal(idx.load(path), array, strict=True)


def test_the_bytes_are_those_of_the_format() -> None:
    assert idx.emit(np.array([[7, 8, 9]], np.uint8)) == bytes.fromhex("0000 08 02 00000001 00000003 070809")


def test_whether_a_file_is_gzipped_is_seen_from_its_content(tmp_path: Path) -> None:
    (tmp_path / "plain.gz").write_bytes(idx.emit(SMALL))
    (tmp_path / "zipped").write_bytes(ZIPPED)
    np.testing.assert_array_equal(idx.load(tmp_path / "plain.gz"), SMALL)
    np.testing.assert_array_equal(idx.load(tmp_path / "zipped"), SMALL)


def test_the_same_array_gives_the_same_gzipped_bytes(tmp_path: Path) -> None:
    idx.save(tmp_path / "a.gz", SMALL)
    idx.save(tmp_path / "b.gz", SMALL)
    data = (tmp_path / "a.gz").read_bytes()
    assert data == (tmp_path / "b.gz").read_bytes()
    assert data[3:8] == bytes(5)  # no file name, no time


@pytest.mark.parametrize(
    "array", [np.zeros((2, 2), np.int64), np.zeros((), np.uint8), np.zeros((1, 1, 1, 1, 1), np.uint8)]
)
def test_what_idx_cannot_hold(array: np.ndarray) -> None:
    message = f"IDX holds unsigned bytes in 1 to 4 dimensions, not {array.dtype}{list(array.shape)}"
    with pytest.raises(UsageError, match=re.escape(message)):
        idx.emit(array)


BROKEN = {
    "nothing": (b"", idx.WrongMagic, "starts with nothing, not with 00 00 08 and 1 to 4 dimensions"),
    "three bytes": (b"\0\0\x08", idx.WrongMagic, "starts with 00 00 08, not with"),
    "a picture": (b"\x89PNG....", idx.WrongMagic, "starts with 89 50 4e 47, not with"),
    "no dimension": (b"\0\0\x08\0", idx.WrongMagic, "starts with 00 00 08 00, not with"),
    "five dimensions": (b"\0\0\x08\x05" + bytes(30), idx.WrongMagic, "starts with 00 00 08 05, not with"),
    "a type of nobody": (b"\0\0\x0a\x01" + bytes(4), idx.WrongMagic, "type code 0x0a is none of IDX's"),
    "floats": (b"\0\0\x0d\x01" + bytes(4), idx.UnsupportedType, "holds float32 values; only unsigned bytes (0x08)"),
    "a cut header": (packed(2, 3, 4)[:9], idx.Truncated, "ends within the header, after 9 of 16 bytes"),
    "cut values": (idx.emit(SMALL)[:-1], idx.Truncated, "[2, 3, 4] needs 24 bytes after the header, there are 23"),
    "a byte too many": (idx.emit(SMALL) + b"\0", TrailingBytes, "bytes left over after the 24 of [2, 3, 4]"),
    "a large claim": (packed(1 << 31, 1 << 29), idx.Truncated, "[2147483648, 536870912] declares more values than"),
    "empty, and a large claim": (
        packed(0, 1 << 31, 1 << 31, 1 << 31),
        idx.Truncated,
        "[0, 2147483648, 2147483648, 2147483648] declares more values than any file holds",
    ),
    "a terabyte": (packed(1 << 20, 1 << 20), idx.Truncated, "needs 1,099,511,627,776 bytes after the header, there"),
}


@pytest.mark.parametrize(("data", "error", "message"), BROKEN.values(), ids=BROKEN)
def test_each_broken_file_has_its_error(data: bytes, error: type[Exception], message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=f"^here: .*{re.escape(message)}"):
        idx.parse(data, "here")
    path = tmp_path / "a.idx"
    path.write_bytes(data)
    with pytest.raises(error, match=f"^{re.escape(str(path))}: .*{re.escape(message)}"):
        idx.load(path)


BROKEN_GZIP = {
    "damaged": (ZIPPED[:10] + b"\xff\xff\xff" + ZIPPED[13:], BrokenGzip, "the gzip data is damaged (Error -3"),
    "a wrong checksum": (ZIPPED[:-8] + bytes(8), BrokenGzip, "the gzip data is damaged (Error -3"),
    "cut at the start": (ZIPPED[:12], BrokenGzip, "the gzip data is cut after 1 bytes"),
    "cut in the checksum": (ZIPPED[:-1], BrokenGzip, "the gzip data is cut after 40 bytes"),
    "more after it": (ZIPPED + b"more", TrailingBytes, "4 bytes left over after the gzip data"),
    "a byte too many": (
        gzip.compress(idx.emit(SMALL) + b"\0"),
        TrailingBytes,
        "bytes left over after the 24 of [2, 3, 4]",
    ),
    "a byte too few": (gzip.compress(idx.emit(SMALL)[:-1]), idx.Truncated, "[2, 3, 4] needs 24 bytes after the header"),
    "an empty stream": (gzip.compress(b""), idx.WrongMagic, "starts with nothing"),
    "a large claim": (
        gzip.compress(packed(1 << 29, 1 << 29) + bytes(100)),
        idx.Truncated,
        "needs 288,230,376,151,711,756 bytes, more than",
    ),
}


@pytest.mark.parametrize(("data", "error", "message"), BROKEN_GZIP.values(), ids=BROKEN_GZIP)
def test_each_broken_gzip_has_its_error(data: bytes, error: type[Exception], message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(data)
    with pytest.raises(error, match=f"^{re.escape(str(path))}: .*{re.escape(message)}"):
        idx.load(path)


def test_a_gzip_bomb_is_not_inflated_beyond_its_header(tmp_path: Path) -> None:
    bomb = gzip.compress(packed(100) + bytes(64 << 20), 9)
    path = tmp_path / "bomb.gz"
    path.write_bytes(bomb)
    tracemalloc.start()
    with pytest.raises(TrailingBytes, match=r"bytes left over after the 100 of \[100\]"):
        idx.load(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@given(st.binary(max_size=64))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    try:
        array = idx.parse(data)
    except (CorruptData, idx.UnsupportedType):
        return
    assert idx.emit(array) == data


GRAY = ImageSet(SMALL[..., np.newaxis], np.array([1, 0]), ("shoe", "hat"))
RGB = ImageSet(np.arange(36, dtype=np.uint8).reshape(1, 3, 4, 3), np.array([1]), ("shoe", "hat"))


@pytest.mark.parametrize("name", ["t-images-idx3-ubyte", "t-images-idx3-ubyte.gz", "t-images.idx3-ubyte"])
@pytest.mark.parametrize("images", [GRAY, RGB, GRAY[:1], GRAY[:0]], ids=["gray", "rgb", "one", "none"])
def test_a_set_comes_back_with_its_labels(images: ImageSet, name: str, tmp_path: Path) -> None:
    idx.save_set(tmp_path / name, images)
    beside = tmp_path / name.replace("images", "labels").replace("idx3", "idx1")
    assert idx.find_labels(tmp_path / name) == beside
    back = idx.load_set(tmp_path / name, images.class_names)
    assert back.fingerprint() == images.fingerprint()
    assert back.class_names == images.class_names


def test_labels_are_found_gzipped_or_plain(tmp_path: Path) -> None:
    idx.save(tmp_path / "t-images-idx3-ubyte.gz", SMALL)
    idx.save(tmp_path / "t-labels-idx1-ubyte", np.array([2, 0], np.uint8))
    loaded = idx.load_set(tmp_path / "t-images-idx3-ubyte.gz")
    assert loaded.labels is not None
    assert loaded.labels.tolist() == [2, 0]
    assert loaded.class_names == ("0", "1", "2")


@pytest.mark.parametrize("name", ["t-images-idx3-ubyte", "anything.idx"])
def test_a_set_without_labels(name: str, tmp_path: Path) -> None:
    idx.save_set(tmp_path / name, ImageSet(SMALL[..., np.newaxis]))
    assert idx.find_labels(tmp_path / name) is None
    assert idx.load_set(tmp_path / name).labels is None
    assert len(list(tmp_path.iterdir())) == 1


def test_labels_without_images_have_no_class(tmp_path: Path) -> None:
    idx.save_set(tmp_path / "t-images-idx3-ubyte", GRAY[:0])
    assert idx.load_set(tmp_path / "t-images-idx3-ubyte").class_names == ()


def test_labels_that_do_not_match(tmp_path: Path) -> None:
    idx.save(tmp_path / "t-images-idx3-ubyte", SMALL)
    idx.save(tmp_path / "t-labels-idx1-ubyte", np.array([0, 1, 2], np.uint8))
    message = r"t-labels-idx1-ubyte: labels \[3\] do not match the 2 images of .*t-images-idx3-ubyte$"
    with pytest.raises(idx.LabelsDoNotMatch, match=message):
        idx.load_set(tmp_path / "t-images-idx3-ubyte")


def test_a_label_out_of_range(tmp_path: Path) -> None:
    idx.save(tmp_path / "t-images-idx3-ubyte", SMALL)
    idx.save(tmp_path / "t-labels-idx1-ubyte", np.array([0, 7], np.uint8))
    with pytest.raises(idx.LabelOutOfRange, match=r"idx1-ubyte: label 7 of image 1, but there are 2 classes$"):
        idx.load_set(tmp_path / "t-images-idx3-ubyte", ("shoe", "hat"))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3, np.uint8), "holds 3 labels, not images; give the images file beside it"),
        (np.zeros((3, 4), np.uint8), "holds uint8[3, 4]; images are uint8[n, h, w] or"),
        (np.zeros((3, 4, 4, 5), np.uint8), "holds uint8[3, 4, 4, 5]; images are"),
        (np.zeros((3, 0, 4), np.uint8), "holds uint8[3, 0, 4]; images are"),
    ],
)
def test_arrays_that_are_no_images(array: np.ndarray, message: str, tmp_path: Path) -> None:
    idx.save(tmp_path / "a.idx", array)
    with pytest.raises(NotImages, match=re.escape(f"{tmp_path / 'a.idx'}: {message}")):
        idx.load_set(tmp_path / "a.idx")


def test_labels_need_a_name_to_go_to(tmp_path: Path) -> None:
    message = r"a\.idx: to keep labels beside it, an IDX file is named like train-images-idx3-ubyte\.gz$"
    with pytest.raises(UsageError, match=message):
        idx.save_set(tmp_path / "a.idx", GRAY)
    assert list(tmp_path.iterdir()) == []


def test_labels_beyond_a_byte(tmp_path: Path) -> None:
    many = ImageSet(SMALL[..., np.newaxis], np.array([0, 256]), tuple(map(str, range(257))))
    with pytest.raises(UsageError, match=r"idx3-ubyte: IDX holds labels up to 255, not 256$"):
        idx.save_set(tmp_path / "t-images-idx3-ubyte", many)
    assert list(tmp_path.iterdir()) == []
