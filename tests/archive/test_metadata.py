from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.archive import metadata
from engram.archive.errors import CorruptMetadata
from engram.errors import UsageError


def name_section(*records: bytes) -> bytes:
    return zlib.compress(b"".join(records))


def emit_names(names: list[str]) -> bytes:
    encoder = metadata.NameEncoder()
    encoder.add(names)
    return encoder.finish()


any_name = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)
numbered = st.builds(
    "{}{}{}".format, st.sampled_from(["", "a", "9b"]), st.integers(0, 1200), st.sampled_from(["", "x"])
)


@given(st.lists(st.one_of(any_name, numbered, st.from_regex(r"0{0,3}[0-9]{1,3}\.png", fullmatch=True))))
def test_names_come_back(names: list[str]) -> None:
    assert list(metadata.parse_names(emit_names(names), len(names))) == names


def test_names_added_in_parts_are_the_same_section() -> None:
    names = [f"{index:05}.jpg" for index in range(3000)]
    encoder = metadata.NameEncoder()
    encoder.add(names[:1000])
    encoder.add([])
    encoder.add(names[1000:])
    assert encoder.finish() == emit_names(names)


def test_many_names_come_back() -> None:
    names = [f"picture {index * 7919 % 100_003}.png" for index in range(30_000)]
    assert list(metadata.parse_names(emit_names(names), len(names))) == names


def test_counted_names_cost_next_to_nothing() -> None:
    assert len(emit_names([f"{index:05}.jpg" for index in range(10_000)])) < 50
    every_tenth = np.cumsum(np.random.default_rng(0).geometric(0.1, 10_000))
    assert len(emit_names([f"{index:06}.jpg" for index in every_tenth])) < 0.7 * 10_000


@pytest.mark.parametrize("classes", [1, 2, 10, 256, 257, 65_536])
@pytest.mark.parametrize("count", [0, 1, 1000])
def test_labels_come_back(classes: int, count: int) -> None:
    labels = np.random.default_rng(0).integers(0, classes, count)
    labels[: min(count, 1)] = classes - 1
    found = metadata.parse_labels(metadata.emit_labels(labels, classes), count, classes)
    assert found.dtype == np.int64
    assert found.tolist() == labels.tolist()


def test_ten_classes_cost_less_than_half_a_byte() -> None:
    labels = np.random.default_rng(0).integers(0, 10, 10_000)
    assert len(metadata.emit_labels(labels, 10)) <= 0.44 * 10_000
    assert len(metadata.emit_labels(np.sort(labels), 10)) <= 100


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=5))
def test_class_names_come_back(names: list[str]) -> None:
    assert metadata.parse_class_names(metadata.emit_class_names(names)) == tuple(names)


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(UsageError, match="up to 65,536 classes in 16,777,216 bytes, not 65,537 in"):
        metadata.emit_class_names([""] * 65_537)
    with pytest.raises(UsageError, match="not 1 in 16,777,217"):
        metadata.emit_class_names(["x" * ((1 << 24) - 3)])
    with pytest.raises(UsageError, match="1 to 255 bytes of UTF-8, not 0"):
        emit_names([""])
    with pytest.raises(UsageError, match="1 to 255 bytes of UTF-8, not 256"):
        emit_names(["é" * 128])
    with pytest.raises(UsageError, match="not text that UTF-8 can hold; rename the file"):
        emit_names(["\udcff"])


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (name_section(), "name of image 0 is missing"),
        (name_section(b"\x05"), "name of image 0 is missing"),  # a step where there is no number before
        (name_section(b"\0\1\1a"), "name of image 0 is missing"),  # more of the name before than it has
        (name_section(b"\0\0\2a"), "name of image 0 is missing"),  # a record that ends within
        (name_section(b"\0\0"), "name of image 0 is missing"),
        (name_section(b"\0\0\0"), "not of 1 to 255 bytes"),
        (name_section(b"\0\0\1a", b"\0\1\xff" + b"b" * 255), "name of image 1 is missing or not of 1 to 255 bytes"),
        (name_section(b"\0\0\1\xff"), "not UTF-8"),
        (name_section(b"\0\0\0012", b"\1", b"\1"), "more names than the 2 images"),
        (name_section(b"\0\0\0012", b"\1")[:-1], "end within their zlib stream"),
        (name_section(b"\0\0\0012", b"\1") + b"x", "go on after their zlib stream"),
        (b"no zlib stream", "are not a zlib stream"),
    ],
)
def test_broken_names_are_refused(section: bytes, message: str) -> None:
    with pytest.raises(CorruptMetadata, match=message):
        list(metadata.parse_names(section, 2))


@pytest.mark.parametrize(
    ("labels", "count", "message"),
    [
        (b"\0\1", 3, "3 labels need 3 bytes, there are 2"),
        (b"\0\1\0\0", 3, "labels inflate to more than 3 bytes"),
        (b"\0\3\0", 3, "label 3 of image 1, but there are 3 classes"),
        (b"", 2**60, "1,152,921,504,606,846,976 labels cannot be held by 8 compressed bytes"),
    ],
)
def test_broken_labels_are_refused(labels: bytes, count: int, message: str) -> None:
    with pytest.raises(CorruptMetadata, match=message):
        metadata.parse_labels(zlib.compress(labels), count, 3)


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"[1]", b'["a",null]', b"\xff", b"[" * 9999, b'["a"'])
def test_broken_class_names_are_refused(text: bytes) -> None:
    with pytest.raises(CorruptMetadata, match="not a JSON list of 1 to 65,536 texts"):
        metadata.parse_class_names(zlib.compress(text))


def test_a_bomb_is_refused_while_it_inflates() -> None:
    with pytest.raises(CorruptMetadata, match="class names inflate to more than 16,777,216 bytes"):
        metadata.parse_class_names(zlib.compress(bytes(1 << 25)))
