"""NumPy files: load undoes save, nothing is unpickled, and each unsound file says what is wrong with it."""

from __future__ import annotations

import io
import re
import string
import tempfile
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.datasets import arrays
from engram.errors import UsageError
from engram.images import ImageSet

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)


@st.composite
def image_sets(draw: st.DrawFn) -> ImageSet:
    count = draw(st.integers(0, 4))
    shape = (count, draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.sampled_from([1, 2, 3, 4])))
    dtype = np.uint16 if shape[3] in (1, 3) and draw(st.booleans()) else np.uint8
    images = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, shape, dtype)
    class_names = tuple(draw(st.lists(TEXT, min_size=1, max_size=3)))
    label = st.integers(0, len(class_names) - 1)
    labels = draw(st.none() | st.lists(label, min_size=count, max_size=count))
    names = draw(st.none() | st.lists(TEXT, min_size=count, max_size=count))
    return ImageSet(
        images,
        None if labels is None else np.array(labels, np.int64),
        class_names,
        None if names is None else tuple(names),
    )


@given(image_sets())
def test_npz_keeps_all_that_is_known(images: ImageSet) -> None:
    with tempfile.TemporaryDirectory() as folder:
        arrays.save(Path(folder) / "a.npz", images)
        back = arrays.load(Path(folder) / "a.npz")
    assert back.fingerprint() == images.fingerprint()
    assert (back.labels is None) == (images.labels is None)
    assert (back.class_names, back.paths) == (images.class_names, images.paths)


@given(image_sets())
def test_npy_keeps_the_pixels(images: ImageSet) -> None:
    with tempfile.TemporaryDirectory() as folder:
        arrays.save(Path(folder) / "a.npy", images)
        back = arrays.load(Path(folder) / "a.npy")
        np.testing.assert_array_equal(back.images, images.images, strict=True)
    assert (back.labels, back.class_names, back.paths) == (None, (), None)


SMALL = ImageSet(
    np.arange(24, dtype=np.uint8).reshape(2, 3, 4, 1), np.array([1, 0]), ("shoe", "hat"), ("a.png", "b.png")
)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_the_same_set_gives_the_same_bytes(suffix: str, tmp_path: Path) -> None:
    arrays.save(tmp_path / f"a{suffix}", SMALL)
    arrays.save(tmp_path / f"b{suffix}", SMALL)
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_npy_is_mapped_not_read(tmp_path: Path) -> None:
    arrays.save(tmp_path / "a.npy", SMALL)
    assert isinstance(arrays.load(tmp_path / "a.npy").images, np.memmap)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_gray_images_may_lack_the_channel(suffix: str, order: Any, tmp_path: Path) -> None:
    gray = np.asarray(SMALL.images[..., 0], order=order)
    path = tmp_path / f"a{suffix}"
    np.save(path, gray) if suffix == ".npy" else np.savez(path, any_name=gray)
    np.testing.assert_array_equal(arrays.load(path).images, SMALL.images)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_16_bits_of_either_order_and_in_either_order(suffix: str, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 1 << 16, (3, 4, 5, 3), np.uint16)
    for order in ("<u2", ">u2"):
        for array in (images.astype(order), np.asfortranarray(images.astype(order))):
            path = tmp_path / f"a{suffix}"
            np.save(path, array) if suffix == ".npy" else np.savez(path, images=array)
            np.testing.assert_array_equal(arrays.load(path).images, images, strict=True)
            [piece] = arrays.stream(path).pieces(range(1, 3))
            np.testing.assert_array_equal(piece.images, images[1:3], strict=True)


def test_other_columns_are_kept(tmp_path: Path) -> None:
    columns = {"age": [3, 4], "weight": [0.5, 1.5], "good": [True, False], "said": ["a", "b"]}
    arrays.save(tmp_path / "a.npz", replace(SMALL, columns=columns))
    back = arrays.load(tmp_path / "a.npz")
    assert {name: column.array().tolist() for name, column in back.columns.items()} == columns


def test_labels_without_names_are_numbered(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=SMALL.images, labels=np.array([2, 0], np.uint8))
    loaded = arrays.load(tmp_path / "a.npz")
    assert loaded.class_names == ("0", "1", "2")
    assert loaded.labels is not None
    assert loaded.labels.dtype == np.int64


def refused(path: Path, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(str(path))}: .*{re.escape(message)}"):
        arrays.load(path)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 3, 4), np.float32),
        np.zeros((2, 3), np.uint8),
        np.zeros((2, 3, 4, 5), np.uint8),
        np.zeros((2, 3, 4, 2), np.uint16),
        np.zeros((2, 3, 4, 1, 1), np.uint8),
        np.zeros((2, 0, 4), np.uint8),
        np.zeros((), np.uint8),
    ],
    ids=lambda array: f"{array.dtype}{list(array.shape)}",
)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_arrays_that_are_no_images(array: np.ndarray, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    np.save(path, array) if suffix == ".npy" else np.savez(path, images=array)
    refused(path, arrays.NotImages, f"holds {array.dtype}{list(array.shape)}; images are uint8[n, h, w] or uint8[n, h,")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": np.zeros(2, np.float32)}, "labels are float32[2], not one integer for each of 2 images"),
        ({"labels": np.zeros(3, np.int64)}, "labels are int64[3], not one integer for each of 2 images"),
        ({"labels": np.array([0, 5])}, "labels run from 0 to 5, but there are 2 class names"),
        ({"labels": np.array([-1, 0])}, "labels run from -1 to 0, but there are 2 class names"),
        ({"names": np.array(["a"])}, "2 images need 2 paths, not 1"),
        ({"names": np.array([1, 2])}, "names are int64[2], not a list of texts"),
        ({"class_names": np.array([["a"]])}, "class_names are <U1[1, 1], not a list of texts"),
    ],
)
def test_parts_that_do_not_fit(changes: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
    parts: dict[str, Any] = {"images": SMALL.images, "labels": SMALL.labels, "class_names": np.array(["shoe", "hat"])}
    np.savez(tmp_path / "a.npz", **(parts | changes))
    refused(tmp_path / "a.npz", arrays.NotImages, message)


def test_a_huge_label_does_not_name_a_billion_classes(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=SMALL.images, labels=np.array([0, 2**40]))
    message = "label 1,099,511,627,776 without class_names; labels without names are below 65,536"
    refused(tmp_path / "a.npz", arrays.NotImages, message)


class Trap:
    """Unpickling it would be noticed."""

    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("a pickle was loaded",)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_nothing_is_unpickled(suffix: str, tmp_path: Path) -> None:
    path, array = tmp_path / f"a{suffix}", np.array([Trap()], object)
    np.save(path, array, allow_pickle=True) if suffix == ".npy" else np.savez(path, images=array)
    refused(path, arrays.NotImages, "holds Python objects, which are never unpickled; save an array of numbers")


def npy_bytes(header: str | None = None) -> bytes:
    """The bytes of a .npy, with another header text of the same length if asked."""
    file = io.BytesIO()
    np.save(file, SMALL.images)
    data = file.getvalue()
    return data if header is None else data[:10] + header.encode().ljust(117) + b"\n" + data[128:]


BROKEN_NPY = {
    "nothing": b"",
    "another format": b"\x89PNG" + bytes(200),
    "cut in the header": npy_bytes()[:50],
    "a header that never ends": npy_bytes("{'descr': '|u1',"),
    "cut in the values": npy_bytes()[:-1],
    "a byte too many": npy_bytes() + b"\0",
    "a header that is no dictionary": npy_bytes("['a']"),
    "keys of two types": npy_bytes("{'descr': '|u1', b'fortran_order': False, 'shape': (2, 3, 4, 1)}"),
    "a header of signs": b"\x93NUMPY\1\0" + (9999).to_bytes(2, "little") + b"-" * 9997 + b"1\n",
    "a header that is a program": npy_bytes("__import__('os').abort()"),
    "a negative side": npy_bytes("{'descr': '|u1', 'fortran_order': False, 'shape': (-2, -3, 4, 1)}"),
    "a large claim": npy_bytes("{'descr': '|u1', 'fortran_order': False, 'shape': (1099511627776, 1048576, 1, 1)}"),
    "empty, and a large claim": npy_bytes(
        "{'descr': '|u1', 'fortran_order': False, 'shape': (0, 4611686018427387904, 9, 1)}"
    )[:128],
    "a header of a gigabyte": b"\x93NUMPY\2\0" + (1 << 30).to_bytes(4, "little") + b"{'descr'",
    "items of no size": npy_bytes("{'descr': '<U0', 'fortran_order': False, 'shape': (1099511627776,)}")[:128],
}


@pytest.mark.parametrize("data", BROKEN_NPY.values(), ids=BROKEN_NPY)
def test_each_broken_array_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(data)
    refused(tmp_path / "a.npy", arrays.BrokenArrayFile, "not a sound .npy file (")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", data)
    refused(tmp_path / "a.npz", arrays.BrokenArrayFile, "not a sound .npz file (")


def test_a_value_that_does_not_fill_the_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(npy_bytes()[:-1])
    refused(tmp_path / "a.npy", arrays.BrokenArrayFile, "uint8[2, 3, 4, 1] does not fill the 23 bytes after the header")


def test_each_cut_of_an_npz_is_refused(tmp_path: Path) -> None:
    arrays.save(tmp_path / "whole.npz", SMALL)
    data, path = (tmp_path / "whole.npz").read_bytes(), tmp_path / "cut.npz"
    for end in range(0, len(data), 7):
        path.write_bytes(data[:end])
        refused(path, arrays.BrokenArrayFile, "not a sound .npz file (")


def test_a_zip_that_points_before_its_start_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=SMALL.images)
    data = bytearray(path.read_bytes())
    data[-6] += 1  # where the directory lies, in the zip's last 22 bytes
    path.write_bytes(data)
    refused(path, arrays.BrokenArrayFile, "not a sound .npz file (it points before its own start)")


def test_a_zip_bomb_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", npy_bytes())
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02") + 24
    data[at : at + 4] = (1 << 31).to_bytes(4, "little")  # the size that the directory declares
    path.write_bytes(data)
    refused(path, arrays.BrokenArrayFile, "images.npy declares 2,147,483,648 bytes, more than it can hold")
    data[at - 4 : at + 4] = data[at : at + 4] * 2  # and the size that it takes
    path.write_bytes(data)
    refused(path, arrays.BrokenArrayFile, "images.npy declares 2,147,483,648 bytes, more than it can hold")


def test_the_claim_of_a_header_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(BROKEN_NPY["a header of a gigabyte"])
    tracemalloc.start()
    refused(tmp_path / "a.npy", arrays.BrokenArrayFile, "a header of 1,073,741,824 bytes")
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@given(st.text(string.ascii_letters, max_size=3))
def test_a_text_that_ends_in_nul_is_not_cut(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.npz"
        with pytest.raises(UsageError, match=r"^names that end in a NUL character cannot be kept in a \.npz file$"):
            arrays.save(path, ImageSet(SMALL.images, paths=("a", text + "\0")))
        assert list(Path(folder).iterdir()) == []
