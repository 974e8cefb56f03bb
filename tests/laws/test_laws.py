"""The laws of codecs/contract.py, asked of every registered codec. The number in a test's name is the law's."""

import json
import pickle
import re

import numpy as np
import pytest
from codec_instances import INSTANCES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sample_networks import pictures

from engram.codecs import registry
from engram.codecs.contract import Codec, CorruptModel, DecodeOnly
from engram.errors import CorruptData, UsageError

codecs = pytest.mark.parametrize("codec", INSTANCES, indirect=True)
few = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="session")
def built() -> dict[str, Codec]:
    return {}


@pytest.fixture
def codec(request: pytest.FixtureRequest, built: dict[str, Codec]) -> Codec:
    name = request.param
    if name not in built:
        built[name] = INSTANCES[name]()
    return built[name]


def block(codec, count, seed=5):
    return pictures(count, codec.image_shape, seed).images


def again(codec):
    """The codec as an archive gives it back: through JSON text and bytes."""
    return registry.get(codec.id).from_config(json.loads(json.dumps(codec.config())), bytes(codec.model))


def test_every_registered_codec_is_asked():
    assert {make().id for make in INSTANCES.values()} == set(registry.ids())


@codecs
def test_an_id_is_a_name_that_a_header_can_hold(codec):
    assert re.fullmatch(r"[a-z0-9-]{1,32}", codec.id)
    assert registry.get(codec.id) is type(codec)


@codecs
@pytest.mark.parametrize("count", [0, 1, 2, 7, 64, 100])
def test_law_1_and_4_a_block_comes_back(codec, count):
    images = block(codec, count)
    decoded = codec.decode(codec.encode(images), count)
    assert decoded.dtype == np.uint8
    assert decoded.shape == images.shape
    assert np.array_equal(decoded, images) or not codec.lossless


@codecs
@pytest.mark.parametrize("images", ["black", "white", "noise"])
def test_law_1_of_images_unlike_any_seen(codec, images):
    shape = (3, *codec.image_shape)
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    images = {"black": np.zeros(shape, np.uint8), "white": np.full(shape, 255, np.uint8), "noise": noise}[images]
    decoded = codec.decode(codec.encode(images), 3)
    assert decoded.shape == images.shape
    assert np.array_equal(decoded, images) or not codec.lossless


@codecs
def test_law_1_a_block_may_be_a_view(codec):
    images = block(codec, 12)
    assert codec.encode(images[::-3]) == codec.encode(np.ascontiguousarray(images[::-3]))


@codecs
def test_law_2_one_image_is_that_image_of_the_block(codec):
    images = block(codec, 9)
    data = codec.encode(images)
    decoded = codec.decode(data, 9)
    for index in range(9):
        assert np.array_equal(codec.decode_one(data, 9, index), decoded[index])


@codecs
def test_law_2_many_blocks_are_the_loop_over_blocks(codec):
    blocks = [block(codec, count, seed=count) for count in (3, 0, 1, 64)]
    coded = codec.encode_many(blocks)
    assert coded == [codec.encode(images) for images in blocks]
    pairs = [(data, len(images)) for data, images in zip(coded, blocks, strict=True)]
    for found, (data, count) in zip(codec.decode_many(pairs), pairs, strict=True):
        assert found.shape == (count, *codec.image_shape)
        assert np.array_equal(found, codec.decode(data, count))
    rows = [np.array(some, np.intp) for some in ([2, 0, 2], [], [0], [63, 7])]
    triples = [(*pair, some) for pair, some in zip(pairs, rows, strict=True)]
    for found, (data, count, some) in zip(codec.decode_some(triples), triples, strict=True):
        assert np.array_equal(found, codec.decode(data, count)[some])
    assert codec.encode_many([]) == []
    assert codec.decode_many([]) == codec.decode_some([]) == []


@codecs
def test_law_3_config_and_model_make_the_codec_again(codec):
    images = block(codec, 20)
    data = codec.encode(images)
    other = again(codec)
    assert np.array_equal(other.decode(data, 20), codec.decode(data, 20))
    assert other.config() == codec.config()
    assert other.model == codec.model
    assert other.image_shape == codec.image_shape == tuple(codec.config()["image_shape"])
    if other.can_encode:
        assert other.encode(images) == data
    else:
        with pytest.raises(DecodeOnly, match="freeze the network's model file again"):
            other.encode(images)


@codecs
def test_law_3_a_codec_goes_to_other_processes(codec):
    images = block(codec, 5)
    assert pickle.loads(pickle.dumps(codec)).encode(images) == codec.encode(images)


@codecs
def test_another_image_shape_is_refused(codec):
    height, width, channels = codec.image_shape
    for images in (
        np.zeros((2, height + 1, width, channels), np.uint8),
        np.zeros((2, height, width, 4 - channels), np.uint8),
        np.zeros((height, width, channels), np.uint8),
        np.zeros((2, height, width, channels), np.float32),
    ):
        with pytest.raises(UsageError, match=rf"takes images of uint8\[n, {height}, {width}, {channels}\]"):
            codec.encode(images)


def decodes_or_is_refused(codec, data, count):
    try:
        decoded = codec.decode(data, count)
    except CorruptData:
        return
    assert decoded.dtype == np.uint8
    assert decoded.shape == (count, *codec.image_shape)


@codecs
def test_law_5_every_truncation_and_every_changed_byte(codec):
    data = codec.encode(block(codec, 3))
    slow = codec.id in ("pixel", "spatial")  # three images take them as long as a thousand
    stride = max(1, len(data) // (40 if slow else 150))
    for position in range(0, len(data), stride):
        decodes_or_is_refused(codec, data[:position], 3)
        for mask in (0x01, 0x80, 0xFF):
            changed = bytearray(data)
            changed[position] ^= mask
            decodes_or_is_refused(codec, bytes(changed), 3)
    for more in (b"\0", b"x", bytes(1000), b"x" * 1000):
        decodes_or_is_refused(codec, data + more, 3)
    for count in (0, 1, 2, 4, 1000):
        decodes_or_is_refused(codec, data, count)


@codecs
@given(data=st.binary(max_size=200), count=st.integers(0, 20))
@few
def test_law_5_any_bytes(codec, data, count):
    decodes_or_is_refused(codec, data, count)


@codecs
def test_law_5_every_truncation_and_changed_byte_of_a_model(codec):
    """A model with a changed byte is refused, or makes a codec that keeps law 5."""
    config, model, data = codec.config(), codec.model, codec.encode(block(codec, 2))
    for position in range(0, len(model), max(1, len(model) // 100)):
        changed = bytearray(model)
        changed[position] ^= 0x41
        for bad in (model[:position], bytes(changed), model + model[: position + 1]):
            try:
                other = type(codec).from_config(config, bad)
            except CorruptData:
                continue
            decodes_or_is_refused(other, data, 2)


def variants(value):
    """A JSON value with one thing wrong."""
    if isinstance(value, dict):
        for key in value:
            yield {other: value[other] for other in value if other != key}
            for wrong in variants(value[key]):
                yield {**value, key: wrong}
        yield {**value, "further": 1}
    elif isinstance(value, list):
        yield from (value[:-1], [*value, *value], [])
        for index, entry in enumerate(value):
            for wrong in variants(entry):
                yield [*value[:index], wrong, *value[index + 1 :]]
    else:
        yield from (None, "x", -1, 0, 1.5, 10**30, 2**31, 65535, True, False, [], {})
        if type(value) is int:
            yield from (value - 1, value + 1, float(value))


@codecs
def test_law_5_every_wrong_config(codec):
    """Refused with CorruptData before anything large is made, or a codec that keeps law 5."""
    data = codec.encode(block(codec, 2))
    for config in variants(codec.config()):
        try:
            other = type(codec).from_config(config, codec.model)
        except CorruptData:
            continue
        if np.prod(other.image_shape) < 1 << 20:
            decodes_or_is_refused(other, data, 2)


@codecs
def test_a_config_of_something_else_is_named(codec):
    with pytest.raises(CorruptModel):
        type(codec).from_config({}, codec.model)
    with pytest.raises(CorruptModel, match=r"image_shape must be \[height, width, [1-4 or]+\], not \[8, 8, 2\]"):
        type(codec).from_config({**codec.config(), "image_shape": [8, 8, 2]}, codec.model)
