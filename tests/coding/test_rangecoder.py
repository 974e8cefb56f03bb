import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engram.coding import tables
from engram.coding.rangecoder import ContextCoder, CorruptStream, RangeCoder, longest_words


@st.composite
def blocks(draw):
    """(tables of levels, symbols[units, n]), likely and unlikely symbols alike, tables as skew as can be."""
    units, count = draw(st.integers(1, 5)), draw(st.integers(0, 30))
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    levels, rows = [], []
    for _ in range(units):
        size = draw(st.sampled_from([1, 2, 3, 17, 300]))
        levels.append((random.integers(0, 256, size) * random.integers(0, 2, size)).astype(np.uint8))
        weights = tables.weights_of(levels[-1])
        likely = random.choice(size, count, p=weights / 2**24)
        rows.append(likely if draw(st.booleans()) else random.integers(0, size, count))
    return levels, np.array(rows, np.int32).reshape(units, count)


def final_interval(weights, symbols):
    """[low, high) in units of 2^-bits: the encoder in Python's whole numbers."""
    low, width, bits = 0, 2**64 - 1, 64
    for table, row in zip(weights, symbols, strict=True):
        for symbol in row if len(table) > 1 else ():
            part = width >> 24
            low += part * int(table[:symbol].sum())
            width = part * int(table[symbol])
            if width < 1 << 32:
                low, width, bits = low << 32, width << 32, bits + 32
    return low, low + width, bits


@given(blocks())
def test_symbols_come_back(block):
    levels, symbols = block
    coder = RangeCoder([tables.weights_of(unit) for unit in levels])
    assert (coder.decode(coder.encode(symbols), symbols.shape[1]) == symbols).all()


@given(blocks())
def test_a_stream_is_the_shortest_string_in_the_final_interval(block):
    levels, symbols = block
    weights = [tables.weights_of(unit) for unit in levels]
    stream = RangeCoder(weights).encode(symbols)
    low, high, bits = final_interval(weights, symbols)
    assert low <= int.from_bytes(stream, "big") << (bits - 8 * len(stream)) < high
    if stream:
        step = 1 << (bits - 8 * (len(stream) - 1))
        assert -(-low // step) * step >= high, "a shorter string would do"


def test_a_stream_costs_a_third_of_a_byte_beyond_its_information():
    random = np.random.default_rng(0)
    levels = np.rint(255 * np.exp(-np.square(np.arange(-6, 7)) / 8)).astype(np.uint8)
    weights = tables.weights_of(levels)
    coder = RangeCoder([weights] * 8)
    extra = []
    for _ in range(200):
        symbols = random.choice(13, (8, 16), p=weights / 2**24).astype(np.int32)
        extra.append(len(coder.encode(symbols)) - tables.bits_of(weights)[symbols].sum() / 8)
    assert max(extra) < 1.01
    assert np.mean(extra) < 0.4


def test_a_certain_block_and_an_empty_block_are_no_bytes():
    one, two = tables.weights_of(np.zeros(1, np.uint8)), tables.weights_of(np.zeros(2, np.uint8))
    assert RangeCoder([one, one]).encode(np.zeros((2, 64), np.int32)) == b""
    assert RangeCoder([one, two]).encode(np.zeros((2, 0), np.int32)) == b""
    assert RangeCoder([two]).encode(np.zeros((1, 64), np.int32)) == b"", "the first symbols' interval starts at 0"
    assert RangeCoder([one, two]).decode(b"", 0).shape == (2, 0)


def test_what_cannot_be_a_stream_is_refused():
    coder = RangeCoder([tables.weights_of(np.zeros(3, np.uint8))] * 2)
    with pytest.raises(CorruptStream, match=r"^3 bytes are no stream of 2 x 4 symbols$"):
        coder.decode(b"ab\0", 4)
    longest = 4 * longest_words(8)
    coder.decode(b"\1" * longest, 4)
    with pytest.raises(CorruptStream, match=f"^{longest + 1} bytes are no stream"):
        coder.decode(b"\1" * (longest + 1), 4)
    with pytest.raises(CorruptStream, match=r"^a stream of 2 x 4 symbols leaves the coder's range$"):
        coder.decode(b"\xff" * 8, 4)


@given(st.binary(max_size=60), st.integers(0, 9))
@settings(max_examples=300)
def test_any_bytes_are_refused_or_give_symbols_of_the_alphabets(data, count):
    levels = [np.array([0, 255, 3], np.uint8), np.array([4], np.uint8), np.arange(40).astype(np.uint8)]
    coder = RangeCoder([tables.weights_of(unit) for unit in levels])
    try:
        symbols = coder.decode(data, count)
    except CorruptStream:
        return
    assert symbols.shape == (3, count)
    assert (symbols >= 0).all()
    assert (symbols < np.array([[3], [1], [40]])).all()


def test_the_longest_stream_fits_its_bound():
    rare = tables.weights_of(np.array([255, *[0] * 300], np.uint8))
    coder = RangeCoder([rare])
    symbols = np.full((1, 1000), 200, np.int32)
    stream = coder.encode(symbols)
    assert len(stream) > 1000 * (24 - math.log2(rare[200])) / 8 - 1
    assert len(stream) <= 4 * longest_words(1000)
    assert (coder.decode(stream, 1000) == symbols).all()


@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_symbols_by_their_contexts_come_back_in_any_portions(seed, count):
    random = np.random.default_rng(seed)
    weights = np.stack([tables.weights_of(random.integers(0, 256, 5).astype(np.uint8)) for _ in range(3)])
    contexts, symbols = random.integers(0, 3, count), random.integers(0, 5, count).astype(np.int32)
    coder = pickle.loads(pickle.dumps(ContextCoder(weights)))
    data = coder.encode(symbols, contexts)
    reader, cut = coder.reader(data, count), random.integers(0, count + 1)
    found = [reader.read(part) for part in (contexts[:cut], contexts[cut:])]
    assert np.array_equal(np.concatenate(found), symbols)
    if count:  # the same as one table after the other
        assert RangeCoder([weights[context] for context in contexts]).encode(symbols[:, None]) == data


def test_a_stream_too_long_for_its_contexts_is_refused():
    coder = ContextCoder(np.stack([tables.weights_of(np.array([1, 2], np.uint8))]))
    with pytest.raises(CorruptStream, match=r"^13 bytes are no stream of 1 symbols$"):
        coder.reader(b"x" * 13, 1)
    with pytest.raises(CorruptStream, match=r"^a stream leaves the coder's range within 1 symbols$"):
        coder.reader(b"\xff" * 8, 1).read(np.zeros(1, int))
