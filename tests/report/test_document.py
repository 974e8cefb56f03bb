import math

import numpy as np
import pytest

from engram.document import (
    Column,
    Confusion,
    Curve,
    Document,
    Failure,
    Flow,
    LineChart,
    MalformedDocument,
    Pictures,
    Point,
    RateChart,
    Reference,
    Section,
    Series,
    Strip,
    Table,
    Verdict,
)
from engram.errors import UsageError

PICTURE = np.zeros((2, 3, 1), np.uint8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Table("t", (Column("a"), Column("b")), ((1,),)), r"table 't': row 0 has 1 cells under 2 columns"),
        (
            lambda: Table("t", (Column("a"), Column("b")), ((Failure("why"), 1),)),
            r"table 't': row 0 goes on after a failure",
        ),
        (lambda: Table("t", (Column("a"),), ((1, Failure("why")),)), r"row 0 has 2 cells under 1 columns"),
        (lambda: Table("t", (Column("a"),), ((1,),), front=(1,)), r"row 1 of the front is none of 1 rows"),
        (lambda: Table("t", (Column("a"),), ((1,),), front=(-1,)), r"row -1 of the front is none of 1 rows"),
        (lambda: Point(math.nan, 1.0, "p"), r"point 'p': \(nan, 1.0\) has no place in a chart; leave it out"),
        (lambda: Point(math.inf, 1.0, "p"), r"\(inf, 1.0\) has no place"),
        (lambda: Point(1.0, 1e301, "p"), r"\(1.0, 1e\+301\) has no place"),
        (lambda: Point(1.0, math.nan, "p"), r"\(1.0, nan\) has no place"),
        (lambda: Point(1.0, -math.inf, "p"), r"\(1.0, -inf\) has no place"),
        (lambda: Reference("r", math.inf), r"reference 'r': no line can be drawn at inf"),
        (
            lambda: RateChart("c", "", "", "", (Curve("a", "g", ()), Curve("a", "h", ()))),
            r"chart 'c': two curves have one name",
        ),
        (lambda: RateChart("c", "", "", "", (), ("g", "g")), r"chart 'c': two groups have one name"),
        (
            lambda: RateChart("c", "", "", "", (Curve("a", "g", (Point(0.0, 1.0, "p"),)),), logarithmic_x=True),
            r"chart 'c': point 'p' at x = 0.0 has no place on a logarithmic axis",
        ),
        (
            lambda: Strip("s", "", ("a",), ("m",), ()),
            r"strip 's': 1 choices of 1 methods, pictures for \[\]",
        ),
        (lambda: Strip("s", "", ("a",), ("m",), ((PICTURE,),), (("x", "y"),)), r"1 methods, notes for \[2\]"),
        (lambda: Strip("s", "", ("a",), ("m",), ((PICTURE / 2,),)), r"uint8\[h, w, 1 or 3\], not float64"),
        (
            lambda: Strip("s", "", ("a",), ("m", "n"), ((PICTURE, PICTURE[:1]),)),
            r"strip 's': 'a' has several shapes",
        ),
        (lambda: Series("s", (1.0,), ()), r"curve 's': 1 x for 0 y"),
        (lambda: Series("s", (1.0,), (1.0,), low=(0.0,)), r"curve 's': a band of 1 low and 0 high values around 1"),
        (lambda: Series("s", (1.0, 2.0), (1.0, 2.0), (0.0,), (2.0,)), r"a band of 1 low and 1 high values around 2"),
        (lambda: Pictures("p", "", ("a",), ("r",), ()), r"1 rows of 1 are labelled, the rows hold \[\]"),
        (lambda: Pictures("p", "", ("a",), ("r",), ((PICTURE, PICTURE),)), r"the rows hold \[2\]"),
        (
            lambda: Pictures("p", "", ("a",), ("r",), ((PICTURE / 2,),)),
            r"uint8\[h, w, 1 or 3\], not float64\[2, 3, 1\]",
        ),
        (lambda: Pictures("p", "", ("a",), ("r",), ((PICTURE[:0],),)), r"not uint8\[0, 3, 1\]"),
        (
            lambda: Confusion("c", "", ("a",), np.zeros((1, 2), int)),
            r"1 classes need counts\[1, 1\], none below 0, not \[1, 2\]",
        ),
        (lambda: Confusion("c", "", ("a",), np.array([[-1]])), r"1 classes need counts\[1, 1\], none below 0"),
        (
            lambda: Verdict("it", "", "", "", "perhaps"),
            r"claim 'it': the outcome is one of \('holds', .*, not 'perhaps'",
        ),
        (lambda: Flow("f", "", (("a",), ("a",)), ()), r"flow 'f': two steps have one name"),
        (lambda: Flow("f", "", (("a",),), (("a", "b"),)), r"flow 'f': an arrow names 'b', which is no step"),
    ],
)
def test_a_block_that_cannot_be_drawn_is_not_made(make, message):
    with pytest.raises(MalformedDocument, match=message):
        make()
    assert issubclass(MalformedDocument, UsageError)


@pytest.mark.parametrize("name", ["", "../up", "a/b", "a\\b", ".hidden", "a b", "a\n", 'a"b', "é", "a" * 101])
def test_a_figure_is_named_like_a_file(name):
    with pytest.raises(MalformedDocument, match="cannot name a figure file"):
        LineChart(name, "", "x", "y", ())


def test_two_figures_of_one_name_are_refused_whatever_their_case():
    sections = (Section("a", (LineChart("Loss", "", "x", "y", ()),)), Section("b", (Flow("loss", "", (), ()),)))
    with pytest.raises(MalformedDocument, match="two figures are named 'loss'"):
        Document("title", "", sections)


def test_what_is_lossless_is_a_point_and_a_failed_row_may_be_short():
    assert Point(1.0, math.inf, "lossless").details == ()
    Table("t", (Column("a"), Column("b"), Column("c")), ((Failure("why"),), ("a", 1, Failure("why")), ("a", 1, 2)))
