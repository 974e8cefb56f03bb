"""The kernel in C: the streams and the pixels that NumPy gives, errors included, on any number of threads."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_networks import pictures, pixel

from engram.codecs.freeze import freeze
from engram.codecs.pixel import codec as module
from engram.codecs.pixel import kernel, threads
from engram.codecs.pixel.codec import CODED, Pixel
from engram.codecs.pixel.kernel import library
from engram.coding.rangecoder import CorruptStream, shortest_within

pytestmark = pytest.mark.skipif(library() is None, reason="the kernel was not built: there was no compiler")

SHAPES = {
    "gray": ((8, 8, 1), {}),
    "rgb": ((5, 7, 3), {}),
    "one pixel": ((1, 1, 1), {}),
    "one column": ((9, 1, 3), {}),
    "wide": ((7, 9, 1), {"hidden": (17, 100, 33), "components": 8, "radius": 4}),
    "deep": ((6, 6, 3), {"hidden": (3, 64, 2, 16), "components": 1, "edges": "zero"}),
}
MADE: dict[tuple[str, int], Pixel] = {}


def coded_by_c(name, error):
    if (name, error) not in MADE:
        shape, options = SHAPES[name]
        MADE[name, error] = freeze(pixel(shape, max_error=error, **options), pictures(40, shape))
    return MADE[name, error]


def coded_by_numpy(codec):
    plain = Pixel(codec.network, codec.step)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "library", lambda: None)
        assert plain._kernel is None
    return plain


def blocks_of(shape):
    random = np.random.default_rng(1)
    yield pictures(5, shape, seed=7).images
    yield np.zeros((3, *shape), np.uint8)
    yield np.full((3, *shape), 255, np.uint8)
    yield random.integers(0, 256, (2, *shape), np.uint8)
    yield random.integers(0, 256, (4, *shape), np.uint8) * random.integers(0, 2, (4, *shape), np.uint8)
    yield np.zeros((0, *shape), np.uint8)


@pytest.mark.parametrize("registers", [16, 32, 64])
@pytest.mark.parametrize("error", [0, 1, 63])
@pytest.mark.parametrize("name", SHAPES)
def test_streams_and_pixels_are_those_of_numpy(name, error, registers, monkeypatch):
    """Of registers as wide as the processor's at most."""
    monkeypatch.setattr(kernel, "WIDEST_REGISTERS", registers)
    codec = coded_by_c(name, error)
    plain = coded_by_numpy(codec)
    assert codec._kernel is not None
    for images in blocks_of(SHAPES[name][0]):
        symbols = codec._symbols(images)
        stream = codec._encode_coded(symbols)
        assert stream == plain._encode_coded(symbols)
        decoded = codec.decode(CODED + stream, len(images))
        assert np.array_equal(decoded, plain.decode(CODED + stream, len(images)))
        assert np.abs(decoded.astype(int) - images).max(initial=0) <= error


def outcome(codec, data, count):
    try:
        return codec.decode(data, count).tolist()
    except CorruptStream as error:
        return str(error)


@given(st.sampled_from(["gray", "rgb", "wide"]), st.sampled_from([0, 2]), st.binary(max_size=60), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_any_bytes_have_the_same_outcome(name, error, data, count):
    codec = coded_by_c(name, error)
    assert outcome(codec, CODED + data, count) == outcome(coded_by_numpy(codec), CODED + data, count)


def test_damaged_streams_have_the_same_outcome():
    codec, images = coded_by_c("gray", 2), pictures(6, (8, 8, 1), seed=3).images
    plain, stream = coded_by_numpy(codec), CODED + codec._encode_coded(codec._symbols(images))
    for cut in range(1, len(stream)):
        assert outcome(codec, stream[:cut], 6) == outcome(plain, stream[:cut], 6)
    found = set()
    for at in range(1, len(stream)):
        damaged = bytearray(stream)
        damaged[at] ^= 0xFF
        result = outcome(codec, bytes(damaged), 6)
        assert result == outcome(plain, bytes(damaged), 6)
        found.add(type(result))
    assert list in found


@pytest.mark.parametrize("cores", [1, 2, 5])
def test_threads_change_nothing(monkeypatch, cores):
    codec = coded_by_c("rgb", 0)
    blocks = [pictures(count, (5, 7, 3), seed=count).images for count in (4, 0, 1, 9, 2, 2)]
    expected = [codec.encode(block) for block in blocks]
    monkeypatch.setattr(threads, "cores", lambda: cores)
    assert codec.encode_many(blocks) == expected
    decoded = codec.decode_many([(data, len(block)) for data, block in zip(expected, blocks, strict=True)])
    assert all(np.array_equal(left, right) for left, right in zip(decoded, blocks, strict=True))
    assert codec.encode_many([]) == []


@pytest.mark.parametrize("cores", [1, 3])
def test_an_error_in_a_thread_is_raised(monkeypatch, cores):
    codec = coded_by_c("gray", 0)
    monkeypatch.setattr(threads, "cores", lambda: cores)
    with pytest.raises(CorruptStream, match=r"^a stream does not end with a byte of 0$"):
        codec.decode_many([(CODED, 1), (CODED + b"\1\0", 1), (CODED, 1)])


def test_a_codec_in_use_can_be_pickled():
    codec, images = coded_by_c("rgb", 0), pictures(3, (5, 7, 3)).images
    data = codec.encode(images)
    assert pickle.loads(pickle.dumps(codec)).encode(images) == data


def test_long_streams_of_noise_are_those_of_numpy():
    """Decisions as unlikely as can be, and many carries."""
    codec = coded_by_c("gray", 0)
    plain = coded_by_numpy(codec)
    for seed in range(10):
        noise = np.random.default_rng(seed).integers(0, 256, (50, 8, 8, 1), np.uint8)
        assert codec._encode_coded(codec._symbols(noise)) == plain._encode_coded(codec._symbols(noise))


def test_the_shortest_string_of_an_interval():
    assert shortest_within(0, 1 << 64, 8) == b""
    assert shortest_within(0x12345678, 1, 4) == bytes.fromhex("12345678")
    assert shortest_within(0x12345678, 0x1000, 4) == bytes.fromhex("123457")
    assert shortest_within(0x12345678, 0x100000, 4) == bytes.fromhex("1235")
