"""Columns as bytes: every value of every type comes back, and nothing broken does."""

from __future__ import annotations

import math
import zlib
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engram.archive import columns, table_writer
from engram.archive.columns import emit_categories, emit_chunk, parse_categories, parse_chunk
from engram.archive.errors import CorruptColumn
from engram.archive.format import ROWS_IN_CHUNK
from engram.archive.table_writer import ColumnsWriter
from engram.errors import UsageError
from engram.table import TYPES, Column, column_of, texts

any_text = st.text(st.characters(codec="utf-8"), max_size=40)
numbered = st.builds(
    "{}{}{}".format, st.sampled_from(["", "a", "9b"]), st.integers(0, 1200), st.sampled_from(["", "x"])
)
counted = st.from_regex(r"(x|y7/)?0{0,3}[0-9]{1,3}\.png", fullmatch=True)
jsons = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(st.none() | inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "integer": st.integers(-(1 << 63), (1 << 63) - 1),
    "number": st.floats(allow_nan=False) | st.just(-0.0),
    "boolean": st.booleans(),
    "category": st.sampled_from(["ape", "bee/wasp", "", "\0", "é"]),
    "text": any_text | numbered | counted,
    "json": jsons,
}


def column(kind: str, values: list[Any]) -> Column:
    """The column of a type; None is a missing value."""
    present = np.array([value is not None for value in values], bool)
    known = None if present.all() else present
    if kind == "category":
        names = tuple(dict.fromkeys(value for value in values if value is not None))
        return Column(kind, np.array([names.index(v) if v in names else 0 for v in values], np.int64), names, known)
    if kind in ("text", "json"):
        objects = np.empty(len(values), object)
        objects[:] = values
        return Column(kind, objects, (), known)
    dtype: Any = {"integer": np.int64, "number": np.float64, "boolean": np.bool_}[kind]
    return Column(kind, np.array([value or 0 for value in values], dtype), (), known)


def pieces_of(given: Column) -> list[bytes]:
    """A column's pieces, as an archive has them."""
    writer = ColumnsWriter()
    writer.add({"x": given}, len(given))
    return writer.finish()[1]


def come_back(given: Column) -> Column:
    """What is parsed of a column's pieces."""
    pieces, categories = pieces_of(given), tuple[str, ...]()
    if given.type == "category":
        categories = parse_categories(pieces.pop(0), len(given.categories))
    rows = [min(ROWS_IN_CHUNK, len(given) - start) for start in range(0, len(given), ROWS_IN_CHUNK)]
    found = [parse_chunk(piece, given.type, count, categories) for piece, count in zip(pieces, rows, strict=True)]
    assert all(each.type == given.type and each.categories == given.categories for each in found)
    values = [each.values for each in found] or [columns.empty(given.type, categories).values]
    present = [np.ones(len(each), bool) if each.present is None else each.present for each in found]
    mask = np.concatenate([*present, np.empty(0, bool)])
    return Column(given.type, np.concatenate(values), categories, None if mask.all() else mask)


def told(given: Column) -> list[Any]:
    """Its values, such that -0.0 is not 0."""
    return [
        (value, math.copysign(1, value)) if isinstance(value, float) else value
        for value in (given.value(row) for row in range(len(given)))
    ]


@pytest.mark.parametrize("kind", TYPES)
@given(data=st.data())
def test_every_value_comes_back(kind: str, data: st.DataObject) -> None:
    given = column(kind, data.draw(st.lists(st.none() | VALUES[kind], max_size=20)))
    found = come_back(given)
    assert told(found) == told(given)
    assert found.values.dtype == given.values.dtype


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("count", [0, 1, ROWS_IN_CHUNK - 1, ROWS_IN_CHUNK, ROWS_IN_CHUNK + 1])
def test_columns_of_any_length_come_back(kind: str, count: int) -> None:
    make: dict[str, Any] = {
        "integer": lambda row: row * 7919 - 10**6,
        "number": lambda row: row / 7,
        "boolean": lambda row: row % 3 == 0,
        "category": lambda row: f"c{row % 300}",
        "text": lambda row: f"{row * 7919 % 100_003}.png",
        "json": lambda row: [row, row + 1],
    }
    for values in ([make[kind](row) for row in range(count)], [None] * count):
        given = column(kind, values)
        assert told(come_back(given)) == told(given)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(cuts=st.lists(st.integers(0, 300), max_size=4))
def test_columns_that_come_in_parts_are_the_same_pieces(monkeypatch: pytest.MonkeyPatch, cuts: list[int]) -> None:
    monkeypatch.setattr(table_writer, "ROWS_IN_CHUNK", 64)
    table = {
        "path": texts([f"{row:05}.jpg" for row in range(300)]),
        "age": column("integer", [None if row % 4 else row for row in range(300)]),
        "label": column("category", ["ape", "bee"] * 150),
    }
    whole, parts = ColumnsWriter(), ColumnsWriter()
    whole.add(table, 300)
    for start, stop in pairwise(sorted([0, 300, *cuts])):
        parts.add({name: each[start:stop] for name, each in table.items()}, stop - start)
    assert parts.finish() == whole.finish()


@given(st.lists(any_text, unique=True, max_size=20))
def test_it_is_told_whether_texts_rise(values: list[str]) -> None:
    rising = sorted(values, key=str.encode)
    for some in (values, rising):
        writer = ColumnsWriter()
        for value in some:  # each a set of its own
            writer.add({"note": texts([value])}, 1)
        if some:
            [head] = writer.finish()[0]
            assert head.ordered == (some == rising)


def test_what_is_alike_costs_next_to_nothing() -> None:
    def size(given: Column) -> int:
        return sum(map(len, pieces_of(given)))

    assert size(texts([f"cat/{row:05}.jpg" for row in range(10_000)])) < 60
    every_tenth = np.cumsum(np.random.default_rng(0).geometric(0.1, 10_000))
    assert size(texts([f"{row:06}.jpg" for row in every_tenth])) < 0.7 * 10_000
    labels = np.random.default_rng(0).integers(0, 10, 10_000)
    names = tuple("abcdefghij")
    assert size(Column("category", labels, names)) <= 0.44 * 10_000
    assert size(Column("category", np.sort(labels), names)) <= 100
    assert size(column_of(range(10_000))) < 0.1 * 10_000
    assert size(column_of([7.5] * 10_000)) < 120


@pytest.mark.parametrize("count", [0, 1, 2, 256, 257, 65_536])
def test_any_number_of_categories(count: int) -> None:
    names = tuple(f"class {number}" for number in range(count))
    numbers = np.array([0, count // 2, count - 1] if count else [], np.int64)
    found = come_back(Column("category", numbers, names))
    assert (found.values.tolist(), found.categories) == (numbers.tolist(), names)


@pytest.mark.parametrize("values", [["x" * 101], ["x" * 100] * 4])
def test_texts_have_a_limit(values: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "MOST_TEXT_BYTES", 100)
    monkeypatch.setattr(columns, "_MOST_EMITTED", 399)
    with pytest.raises(UsageError, match=r"are more than an archive holds: 100 and 399"):
        emit_chunk(texts(values))
    assert emit_chunk(texts([value[:99] for value in values]))


def test_what_is_no_text_is_refused() -> None:
    for table in ({"\udcff": texts([])}, {"label": Column("category", np.empty(0, np.int64), ("\udcff",))}):
        with pytest.raises(UsageError, match="is not text that UTF-8 can hold"):
            table_writer.check_table(table, 0)
    with pytest.raises(UsageError, match="is not text that UTF-8 can hold"):
        emit_chunk(texts(["\udcff"]))


def deflated(*parts: bytes) -> bytes:
    return zlib.compress(b"".join(parts))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"\0", "fewer texts than 2"),
        (b"\0\x05", "adds to a number that is not there"),
        (b"\0\0\0\1a\x01", "adds to a number that is not there"),
        (b"\0\0\0\x13" + b"9" * 19 + b"\x01", "adds to a number that is not there"),
        (b"\0\0\1\1a", "a text takes more than there is"),
        (b"\0\0\0\2a", "a text takes more than there is"),
        (b"\0\0\0", "a length without an end"),
        (b"\0\0\x80\x80\x80\x80\1", "a length without an end"),
        (b"\0\0\0\1\xff\0\0\0", "a text is not UTF-8"),
        (b"\0\0\0\0012\1\1", "more texts than 2"),
        (b"\0\0\0\0012", "fewer texts than 2"),
        (b"\2\0\0\0012\1", "does not say whether values are missing"),
        (b"", "does not say whether values are missing"),
        (b"\1", "ends within its mask"),
        (b"\1\xff\0\0\0012\1", "a mask goes on after its rows"),
        (b"\1\x80\0\0\0012\1", "more texts than 1"),
    ],
)
def test_broken_texts_are_refused(body: bytes, message: str) -> None:
    with pytest.raises(CorruptColumn, match=message):
        parse_chunk(deflated(body), "text", 2, ())
    if body[:1] == b"\0" and "UTF-8" not in message:
        with pytest.raises(CorruptColumn, match=message):
            parse_categories(deflated(body[1:]), 2)


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        ("category", b"\0\0", "2 bytes|1 bytes where 2 are needed"),
        ("category", b"\0\0\3", "category 3, and there are 3"),
        ("boolean", b"\0\0\0", "2 bytes where 1 are needed"),
        ("number", b"\0" + bytes(15), "15 bytes where 16 are needed"),
        ("integer", b"\0\0", "without its width and least value"),
        ("integer", b"\0\x09" + bytes(26), "without its width and least value"),
        ("integer", b"\0\1" + bytes(9), "1 bytes where 2 are needed"),
        ("json", b"\0\0\0\1[\0\0\1]", r"a value is not JSON: b'\['"),
        ("json", b"\0\0\0\3NaN\0\0\1]", "a value is not JSON: b'NaN'"),
        ("json", b"\0\0\0\xff\x7f" + b"[" * 16383 + b"\0\0\0", "a value is not JSON"),
        ("colour", b"\0", "of type 'colour', which this engram does not know"),
    ],
)
def test_broken_values_are_refused(kind: str, body: bytes, message: str) -> None:
    with pytest.raises(CorruptColumn, match=message):
        parse_chunk(deflated(body), kind, 2, ("a", "b", "c"))


def test_two_categories_of_one_name_are_refused() -> None:
    with pytest.raises(CorruptColumn, match="two categories have one name"):
        parse_categories(emit_categories(["a", "b", "a"]), 3)


@pytest.mark.parametrize("data", [b"", b"x", deflated(b"\0")[:-1], deflated(b"\0") + b"x"])
def test_a_chunk_is_one_zlib_stream(data: bytes) -> None:
    with pytest.raises(CorruptColumn, match="zlib stream"):
        parse_chunk(data, "boolean", 0, ())


def test_a_bomb_is_refused_while_it_inflates() -> None:
    with pytest.raises(CorruptColumn, match="inflates beyond the limit"):
        parse_chunk(zlib.compress(bytes(columns.MOST_CHUNK_BYTES + 1)), "text", 1, ())
    grows = b"\0\0\0\x80\x80\x40" + b"x" * (1 << 20) + b"\0\x80\x80\x40\0" * 70  # the same text of 1 MiB, 71 times
    with pytest.raises(CorruptColumn, match="longer than the limits"):
        parse_chunk(deflated(grows), "text", 71, ())
