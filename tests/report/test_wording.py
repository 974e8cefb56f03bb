import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.document import MalformedDocument, Spread
from engram.report.wording import MINUS, cell, dimensions, label, number, printable


@pytest.mark.parametrize(
    ("value", "digits", "text", "title", "sorts_by"),
    [
        (Spread(0.81249, 0.0041, 3), 3, "0.812 ± 0.004", "n = 3", 0.81249),
        (Spread(0.81249, 0.0, 1), 2, "0.81", "n = 1", 0.81249),
        (Spread(-1234.5, 0.25, 12), 1, f"{MINUS}1,234.5 ± 0.2", "n = 12", -1234.5),
        (60000, 3, "60,000", "", 60000.0),
        (np.int64(-7), 0, f"{MINUS}7", "", -7.0),
        (1.0, 3, "1.000", "", 1.0),
        (np.float32(0.5), 1, "0.5", "", 0.5),
        (-0.0001, 2, "0.00", "", -0.0001),
        ("0.5", 1, "0.5", "", None),
        (None, 2, "\N{EN DASH}", "", None),
    ],
)
def test_a_cell_is_printed_with_its_columns_digits(value, digits, text, title, sorts_by):
    printed = cell(value, digits)
    assert (printed.text, printed.title, printed.value) == (text, title, sorts_by)


def test_what_is_no_number_is_said():
    assert [number(value, 2) for value in (math.nan, math.inf, -math.inf)] == ["NaN", "∞", f"{MINUS}∞"]


def test_a_cell_of_another_kind_is_refused():
    with pytest.raises(MalformedDocument, match="a cell holds text, a number, a Spread, a Failure or None, not list"):
        cell([1], 0)


@given(st.floats(-1e9, 1e9), st.integers(0, 6))
def test_a_printed_number_is_its_value_rounded(value, digits):
    read_back = float(number(value, digits).replace(",", "").replace(MINUS, "-"))
    assert math.isclose(read_back, value, rel_tol=1e-12, abs_tol=0.5000001 * 10**-digits)


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_printable_text_can_be_written_and_keeps_its_length(text):
    found = printable(text)
    assert found.encode().decode() == found
    assert len(found) == len(text)
    assert printable(found) == found


@given(st.text(max_size=100), st.integers(1, 50))
def test_a_label_is_one_short_line(text, length):
    assert len(label(text, length)) <= length
    assert len(label(text, length).splitlines()) <= 1


def test_a_label_is_cut_visibly():
    assert label("  a long\nname ", 40) == "a long name"
    assert label("abcdef", 4) == "abc…"


def test_dimensions_are_multiplied():
    assert dimensions((10, 2, 2)) == "10 \N{MULTIPLICATION SIGN} 2 \N{MULTIPLICATION SIGN} 2"
    assert dimensions((12288,)) == "12,288"
