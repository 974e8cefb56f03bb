"""picture-files: JPEG files by their coefficients, and any others as they are, in one block."""

from __future__ import annotations

import tracemalloc
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from sample_networks import pictures

from engram.codecs.contract import CorruptModel
from engram.codecs.picture_files import PictureFiles
from engram.coding import scans
from engram.datasets.pictures import encode_picture
from engram.errors import CorruptData
from engram.kinds import KINDS

SIZE = (21, 26)
SHAPES = ((21, 26, 3), (8, 8, 3), (1, 1, 3), (20, 17, 3))
few = settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])


def jpeg(image: np.ndarray, **how: Any) -> bytes:
    file = BytesIO()
    Image.fromarray(image).save(file, "JPEG", **how)
    return file.getvalue()


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    """Of several sizes and makes, and one of another format."""
    found = []
    for number, shape in enumerate(SHAPES * 4):
        image = pictures(1, shape, seed=number).images[0]
        found.append(jpeg(image, quality=75, progressive=number % 4 == 1, optimize=number % 3 == 0))
    return [*found[:9], encode_picture(pictures(1, SHAPES[0], seed=9).images[0], ".png", 100), *found[9:]]


@pytest.fixture(scope="module")
def codec(files: list[bytes]) -> PictureFiles:
    codec = PictureFiles.learn(KINDS["rgb"], SIZE, files * 20, 10_000)
    assert codec.model
    return codec


def test_files_come_back_byte_for_byte(codec: PictureFiles, files: list[bytes]) -> None:
    for some in (files, files[:1], files[9:10], files[::-1], []):
        assert codec.files(codec.encode(some), len(some)) == some


def test_some_of_a_block(codec: PictureFiles, files: list[bytes]) -> None:
    data, rows = codec.encode(files), np.array([16, 9, 0, 9])
    assert codec.files(data, len(files), rows) == [files[row] for row in rows]
    whole = codec.decode(data, len(files))
    [some] = codec.decode_some([(data, len(files), rows)])
    assert np.array_equal(some, whole[rows])
    assert all(np.array_equal(codec.decode_one(data, len(files), row), whole[row]) for row in (0, 9, 16))


def test_pixels_are_those_of_the_file_at_the_top_left(codec: PictureFiles, files: list[bytes]) -> None:
    for pixels, file in zip(codec.decode(codec.encode(files), len(files)), files, strict=True):
        with Image.open(BytesIO(file)) as picture:
            own = np.asarray(picture)
        assert np.array_equal(pixels[: own.shape[0], : own.shape[1]], own)
        assert not pixels[own.shape[0] :].any()
        assert not pixels[:, own.shape[1] :].any()


def test_a_file_with_a_step_of_0_is_stored_as_it_is(codec: PictureFiles, files: list[bytes]) -> None:
    at = files[1].index(b"\xff\xdb") + 20
    odd = files[1][:at] + b"\0" + files[1][at + 1 :]
    data = codec.encode([files[0], odd])
    assert codec.files(data, 2) == [files[0], odd]
    assert codec.not_rebuilt(data, 2).tolist() == [1]


def test_a_model_makes_them_smaller(codec: PictureFiles, files: list[bytes]) -> None:
    plain = PictureFiles(KINDS["rgb"], SIZE)
    assert len(codec.encode(files)) < 0.8 * len(plain.encode(files))


def test_equal_skeletons_cost_next_to_nothing(codec: PictureFiles) -> None:
    one = jpeg(pictures(1, (*SIZE, 3)).images[0], quality=75)
    block = codec.encode([one] * 64)
    assert len(block) < 64 * len(one) / 5


def test_long_skeletons_of_their_own_are_not_held_on_to() -> None:
    codec, image = PictureFiles(KINDS["rgb"], SIZE), pictures(1, (*SIZE, 3)).images[0]
    size, count = 60_000, 200

    def coded(number: int) -> None:
        file = jpeg(image, comment=number.to_bytes(4) + bytes(size))
        assert codec.files(codec.encode([file]), 1) == [file]

    coded(0)
    tracemalloc.start()
    for number in range(1, count):
        coded(number)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < size * count / 10


def test_another_kind_or_size_has_the_same_model(codec: PictureFiles) -> None:
    gray = codec.at(KINDS["gray"], (5, 5))
    assert gray.model == codec.model
    file = jpeg(pictures(1, (5, 5, 1)).images[0, ..., 0])
    assert gray.files(gray.encode([file]), 1) == [file]


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (encode_picture(np.zeros((4, 4, 1), np.uint8), ".png", 100), "no rgb picture"),
        (encode_picture(np.zeros((4, 27, 3), np.uint8), ".png", 100), "pixels are more than it may have"),
        (encode_picture(np.zeros((26, 21, 3), np.uint8), ".png", 100), "larger one than it may be"),
        (b"no picture", "cannot be read as a picture"),
    ],
)
def test_a_file_that_is_no_such_picture(codec: PictureFiles, file: bytes, message: str) -> None:
    data = codec.encode([file])
    assert codec.files(data, 1) == [file]
    with pytest.raises(CorruptData, match=message):
        codec.decode(data, 1)


@few
@given(at=st.integers(0, 10**6), byte=st.integers(0, 255), cut=st.booleans(), count=st.integers(0, 40))
def test_changed_blocks_end_in_files_or_in_an_error_of_ours(
    codec: PictureFiles, files: list[bytes], at: int, byte: int, cut: bool, count: int
) -> None:
    data = bytearray(codec.encode(files))
    data[at % len(data)] = byte
    some = bytes(data[: at % len(data)] if cut else data)
    try:
        assert len(codec.files(some, count)) == count
        codec.decode(some, count)
    except CorruptData:
        pass


@few
@given(at=st.integers(0, 10**6), byte=st.integers(0, 255), cut=st.booleans())
def test_changed_models_are_models_or_refused(codec: PictureFiles, at: int, byte: int, cut: bool) -> None:
    model = bytearray(codec.model)
    model[at % len(model)] = byte
    try:
        other = PictureFiles.from_config(codec.config(), bytes(model[: at % len(model)] if cut else model))
        other.files(codec.encode([]), 0)
    except CorruptModel:
        pass


def test_a_block_that_claims_a_large_file_takes_no_room_for_it(codec: PictureFiles, files: list[bytes]) -> None:
    parts = scans.parse(files[0])
    large = PictureFiles(KINDS["rgb"], (9000, 9000), codec.skeletons, codec.coefficients)
    claim = large.encode([scans.emit(parts.skeleton, parts.size, parts.loose, parts.coefficients)])
    small = PictureFiles(KINDS["rgb"], (8, 8), codec.skeletons, codec.coefficients)
    with pytest.raises(CorruptData, match="more than it may have"):
        small.files(claim, 1)


@pytest.mark.parametrize(
    "config",
    [
        {"image_shape": [8, 8, 3], "kind": "gray"},
        {"image_shape": [8, 8, 5], "kind": "rgb"},
        {"image_shape": [8, 8, 3], "kind": ["rgb"]},
        {"image_shape": [8, 8, 3]},
        {"image_shape": [8, 8, 3], "kind": "rgb", "more": 1},
    ],
)
def test_configs_that_are_none(config: dict[str, Any]) -> None:
    with pytest.raises(CorruptModel):
        PictureFiles.from_config(config, b"")
