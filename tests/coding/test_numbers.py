import lzma

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.coding import numbers
from engram.coding.numbers import CorruptNumbers


@given(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=50))
def test_numbers_come_back(values):
    array = np.array(values, np.int32)
    assert numbers.unpack(numbers.pack(array), len(array)).tolist() == values


def test_small_numbers_take_about_their_entropy():
    weights = np.rint(np.random.default_rng(0).normal(0, 5, 20000)).astype(np.int32)
    counts = np.unique(weights, return_counts=True)[1]
    entropy_bytes = -(counts * np.log2(counts / 20000)).sum() / 8
    assert len(numbers.pack(weights)) < 1.06 * entropy_bytes


@pytest.mark.parametrize("count", [0, 2, 4])
def test_another_count_is_refused(count):
    with pytest.raises(CorruptNumbers, match=f"must hold {count} numbers exactly"):
        numbers.unpack(numbers.pack(np.arange(3, dtype=np.int32)), count)


def test_every_truncation_and_an_extension_are_refused():
    data = numbers.pack(np.arange(-50, 50, dtype=np.int32))
    for end in range(len(data)):
        with pytest.raises(CorruptNumbers):
            numbers.unpack(data[:end], 100)
    with pytest.raises(CorruptNumbers, match="and end there"):
        numbers.unpack(data + b"x", 100)


def test_a_changed_byte_is_refused_or_gives_as_many_numbers():
    data = numbers.pack(np.arange(-50, 50, dtype=np.int32))
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 0x55
        try:
            assert len(numbers.unpack(bytes(changed), 100)) == 100
        except CorruptNumbers:
            continue


def test_a_bomb_is_not_inflated():
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
    bomb = lzma.compress(bytes(1 << 24), lzma.FORMAT_RAW, filters=filters)
    with pytest.raises(CorruptNumbers, match="must hold 10 numbers exactly"):
        numbers.unpack(bomb, 10)


def test_what_is_no_stream_is_refused():
    with pytest.raises(CorruptNumbers, match=r"^3 numbers are not an LZMA2 stream"):
        numbers.unpack(b"\x03\x03\x03\x03", 3)
