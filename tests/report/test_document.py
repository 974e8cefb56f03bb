import numpy as np
import pytest

from engram.document import (
    Column,
    Confusion,
    Document,
    Flow,
    LineChart,
    MalformedDocument,
    Pictures,
    Section,
    Series,
    Table,
    Verdict,
)
from engram.errors import UsageError

PICTURE = np.zeros((2, 3, 1), np.uint8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Table("t", (Column("a"), Column("b")), ((1,),)), r"table 't': row 0 has 1 cells under 2 columns"),
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
