import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engram.coding.decisions import Decoder, Encoder
from engram.coding.rangecoder import CorruptStream, RangeCoder, longest_words


@st.composite
def decisions(draw):
    """(bits, weights): likely and unlikely ones, weights as skew as can be."""
    count, seed = draw(st.integers(0, 200)), draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    weights = np.floor(2.0 ** random.uniform(0, 24, count)).clip(1, 2**24 - 1)
    weights = np.where(random.random(count) < 0.5, weights, 2**24 - weights)
    bits = random.random(count) < (weights / 2**24 if draw(st.booleans()) else 0.5)
    return bits.astype(np.int32), weights


def encoded(bits, weights, cuts=()):
    encoder = Encoder()
    for part, chances in zip(np.split(bits, cuts), np.split(weights, cuts), strict=True):
        encoder.encode(part, chances)
    return encoder.finish()


@given(decisions(), st.lists(st.integers(0, 200), max_size=3).map(sorted))
@settings(max_examples=100)
def test_decisions_come_back_in_any_grouping(coded, cuts):
    bits, weights = coded
    data = encoded(bits, weights)
    assert encoded(bits, weights, cuts) == data
    decoder = Decoder(data)
    found = [decoder.decode(part) for part in np.split(weights, cuts)]
    assert all(part.dtype == np.int32 for part in found)
    assert np.array_equal(np.concatenate(found), bits)


@given(decisions())
@settings(max_examples=60)
def test_a_stream_is_as_short_as_its_information(coded):
    bits, weights = coded
    ideal = -np.log2(np.where(bits, weights, 2**24 - weights) / 2**24).sum() / 8
    data = encoded(bits, weights)
    assert len(data) <= ideal + 1.1 + len(bits) / 1000
    assert len(data) <= 4 * longest_words(len(bits))


def test_no_decisions_are_no_bytes():
    none = np.zeros(0)
    assert encoded(none.astype(np.int32), none) == b""
    assert Decoder(b"").decode(none).tolist() == []
    assert Decoder(b"abc").decode(none).tolist() == []


@given(st.lists(st.integers(1, 2**24 - 1), max_size=9), st.integers(0, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=100)
def test_a_decision_is_a_symbol_of_a_table_of_two(chosen, count, seed):
    """The coder of `rangecoder` with the table 2^24 - w, w writes the same bytes, and reads them."""
    bits = np.random.default_rng(seed).integers(0, 2, (len(chosen), count)).astype(np.int32)
    weights = np.repeat(np.array(chosen, np.float64), count)
    coder = RangeCoder([np.array([2**24 - w, w]) for w in chosen])
    data = encoded(bits.ravel(), weights)
    assert data == coder.encode(bits)
    assert np.array_equal(coder.decode(data, count).ravel(), Decoder(data).decode(weights))


@given(st.binary(max_size=30), decisions())
@settings(max_examples=100)
def test_any_bytes_decode_or_are_refused(data, coded):
    _, weights = coded
    try:
        bits = Decoder(data).decode(weights)
    except CorruptStream:
        return
    assert len(bits) == len(weights)
    assert set(bits.tolist()) <= {0, 1}


def test_bytes_that_no_encoder_ends_with_are_refused():
    with pytest.raises(CorruptStream, match=r"^a stream does not end with a byte of 0$"):
        Decoder(b"\1\0")
    with pytest.raises(CorruptStream, match=r"^a stream of decisions leaves the coder's range$"):
        Decoder(b"\xff" * 8).decode(np.full(100, 2.0**23))


def test_beyond_its_end_a_stream_is_zeros():
    """Four hundred decisions of one bit, of which an encoder writes down as many as are not 0."""
    weights, bits = np.full(400, 2.0**23), np.zeros(400, np.int32)
    assert encoded(bits, weights) == b""
    assert not Decoder(b"").decode(weights).any()
    bits[3] = 1
    data = encoded(bits, weights)
    assert len(data) < 8
    assert np.array_equal(Decoder(data).decode(weights), bits)
