"""Images that were JPEG files: their coefficients are found, cost little, and come back as libjpeg decodes them."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engram.codecs.contract import CorruptModel
from engram.codecs.jpeg import codec as module
from engram.codecs.jpeg import contexts
from engram.codecs.jpeg.codec import JpegCoefficients
from engram.codecs.jpeg.contexts import Order
from engram.codecs.jpeg.fitting import fit_jpeg
from engram.codecs.jpeg.recovery import Grid, grid_of
from engram.coding.jpeg import Form, steps_of
from engram.errors import CorruptData
from engram.images import Pixels

FORMS = {"gray": ((16, 24, 1), False), "full": ((16, 8, 3), False), "halved": ((32, 16, 3), True)}


def scenes(count: int, shape: tuple[int, int, int], seed: int = 0) -> Pixels:
    """Waves of random colours, some of them clipped, with a little noise."""
    random = np.random.default_rng(seed)
    height, width, channels = shape
    y, x = np.mgrid[:height, :width][:, None, :, :, None] / 16
    slopes, phases = random.normal(0, 2, (2, count, 1, 1, channels)), random.normal(0, 3, (count, 1, 1, channels))
    waves = 128 + 118 * np.sin(slopes[0] * y + slopes[1] * x + phases) + random.normal(0, 3, (count, *shape))
    return waves.clip(0, 255).astype(np.uint8)


def files(images: Pixels, quality: int, halved: bool) -> list[bytes]:
    found = []
    for image in images:
        buffer = io.BytesIO()
        picture = Image.fromarray(image if image.shape[2] == 3 else image[..., 0])
        picture.save(buffer, "JPEG", quality=quality, subsampling=2 if halved else 0)
        found.append(buffer.getvalue())
    return found


def opened(files: list[bytes]) -> Pixels:
    return np.stack([np.atleast_3d(np.asarray(Image.open(io.BytesIO(file)))) for file in files])


def grid(shape: tuple[int, int, int], quality: int, halved: bool) -> Grid:
    luma, chroma = steps_of(quality)
    return Grid(Form(shape, halved), np.stack([luma, chroma, chroma][: shape[2]]))


@pytest.fixture(scope="module")
def codecs() -> dict[str, JpegCoefficients]:
    made = {name: fit_jpeg(opened(files(scenes(100, shape), 75, half))) for name, (shape, half) in FORMS.items()}
    return {name: codec for name, codec in made.items() if codec is not None}


@pytest.mark.parametrize("quality", [1, 30, 49, 50, 75, 95, 100])
def test_the_steps_are_libjpegs(quality: int) -> None:
    (file,) = files(scenes(1, (8, 8, 3)), quality, False)
    tables = Image.open(io.BytesIO(file)).quantization  # type: ignore[attr-defined]
    assert [np.reshape(tables[number], (8, 8)).tolist() for number in (0, 1)] == [s.tolist() for s in steps_of(quality)]


@pytest.mark.parametrize("quality", [10, 50, 75, 90])
@pytest.mark.parametrize("form", FORMS)
def test_the_coefficients_of_files_are_found(form: str, quality: int) -> None:
    shape, halved = FORMS[form]
    images = opened(files(scenes(40, shape, quality), quality, halved))
    right = grid(shape, quality, halved)
    again = right.pixels(right.recover(images))
    assert (again == images).all((1, 2, 3)).mean() > 0.9
    found = grid_of(images)
    assert found is not None
    assert found.form == right.form
    assert np.array_equal(found.steps, right.steps)


def test_other_images_lie_on_no_grid() -> None:
    random = np.random.default_rng(0)
    assert grid_of(random.integers(0, 256, (20, 16, 16, 3), np.uint8)) is None
    assert grid_of(scenes(20, (16, 16, 1))) is None
    jpegs = opened(files(scenes(20, (32, 32, 1)), 75, False))
    assert grid_of(jpegs[:, 3:-5, 4:-4]) is None
    assert grid_of(jpegs[:, :-1]) is None
    assert grid_of(jpegs[:0]) is None
    assert fit_jpeg(jpegs[:0]) is None
    assert fit_jpeg(jpegs[:, 3:-5, 4:-4]) is None


@pytest.mark.parametrize("form", FORMS)
def test_images_take_less_than_their_files_without_headers(codecs: dict[str, JpegCoefficients], form: str) -> None:
    shape, halved = FORMS[form]
    made = files(scenes(64, shape, 5), 75, halved)
    header = len(files(np.full((1, *shape), 128, np.uint8), 75, halved)[0])
    images = opened(made)
    data = codecs[form].encode(images)
    assert np.array_equal(codecs[form].decode(data, 64), images)
    assert len(data) < sum(len(file) - header for file in made)


def test_a_block_with_some_other_images_is_corrected(codecs: dict[str, JpegCoefficients]) -> None:
    shape, halved = FORMS["halved"]
    images = opened(files(scenes(64, shape, 6), 75, halved))
    codec = codecs["halved"]
    assert codec.encode(images)[:1] in (module.CODED, module.CORRECTED)
    images[3, 5, 5] ^= 1
    images[7] = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    data = codec.encode(images)
    assert data[:1] == module.CORRECTED
    assert np.array_equal(codec.decode(data, 64), images)


def test_noise_costs_little_more_than_itself(codecs: dict[str, JpegCoefficients]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, *FORMS["full"][0]), np.uint8)
    data = codecs["full"].encode(noise)
    assert data[:1] == module.DEFLATED
    assert len(data) <= 1.01 * noise.size
    assert np.array_equal(codecs["full"].decode(data, 64), noise)


@given(st.lists(st.integers(0, 4095), max_size=50))
def test_a_symbol_and_the_bits_below_it_say_a_magnitude(magnitudes: list[int]) -> None:
    numbers = np.array(magnitudes, np.int64)
    symbols = contexts.symbols_of(numbers)
    assert ((symbols >= 0) & (symbols < contexts.ALPHABET)).all()
    for number, symbol, below in zip(magnitudes, symbols, contexts.bits_below(symbols), strict=True):
        assert (symbol == number and below == 0) if number < 16 else number >> below == 1
    signed = np.where(numbers % 3 == 0, -numbers, numbers)[None]
    bits = module._lower_bits(signed, symbols[None])
    found, used = module._with_lower_bits(symbols[None], bits + b"x")
    assert used == len(bits)
    assert np.array_equal(found, signed)


def test_contexts_go_by_doublings_and_rise() -> None:
    found = contexts.context_of(np.arange(-5, 3000))
    assert found.min() == 0
    assert found.max() == contexts.CONTEXTS - 1
    assert (np.diff(found) >= 0).all()
    assert set(found.tolist()) == set(range(contexts.CONTEXTS))


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=3), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_taps_come_before_and_differences_come_back(grids: list[tuple[int, int]], seed: int) -> None:
    order = Order(tuple(grids))
    wave_of = np.full(order.units + 1, -1)
    for number, wave in enumerate(order.waves):
        wave_of[wave] = number
    assert (wave_of[:-1] >= 0).all()
    assert (wave_of[order.taps] < wave_of[:-1, None]).all()
    coefficients = np.random.default_rng(seed).integers(-2047, 2048, (3, order.units))
    assert np.array_equal(order.coefficients(order.differences(coefficients)), coefficients)
    assert np.abs(order.differences(coefficients)).max() <= 4095


def test_blocks_that_are_none_are_refused(codecs: dict[str, JpegCoefficients]) -> None:
    codec = codecs["gray"]
    images = opened(files(scenes(2, FORMS["gray"][0]), 75, False))
    data = codec.encode(images)
    assert data[:1] == b"\0"
    size = images.size
    for bad, message in (
        (b"", "a byte of 0 to 2, and a length, not with nothing"),
        (b"\3" + data[1:], "a byte of 0 to 2, and a length, not with 03"),
        (data[:4], "a byte of 0 to 2, and a length"),
        (data[:20], "a block of 20 bytes cannot hold a stream that ends at"),
        (data[:-1], r"signs and lower bits take \d+ bytes, and there are"),
        (data + b"x", "1 bytes follow a block of 2 images"),
        (b"\1" + data[1:], f"must inflate to {size} bytes exactly"),
        (b"\1" + data[1:] + b"abc", "a block of 2 images is no zlib stream"),
        (b"\1" + data[1:] + zlib.compress(bytes(size)) + b"x", f"must inflate to {size} bytes exactly, and end there"),
        (b"\2" + zlib.compress(bytes(size + 1)), f"must inflate to {size} bytes exactly"),
    ):
        with pytest.raises(CorruptData, match=message):
            codec.decode(bad, 2)
    assert np.array_equal(codec.decode(b"\1" + data[1:] + zlib.compress(bytes(size)), 2), images)


@pytest.mark.parametrize(
    "changes",
    [{"image_shape": [16, 20, 1]}, {"halved": True}, {"halved": 0}, {"image_shape": [2048, 1024, 1]}],
)
def test_configs_that_make_no_codec_are_refused(codecs: dict[str, JpegCoefficients], changes: dict[str, Any]) -> None:
    codec = codecs["gray"]
    with pytest.raises(CorruptModel, match="are no whole blocks, or more than 1048576 values"):
        JpegCoefficients.from_config(codec.config() | changes, codec.model)
