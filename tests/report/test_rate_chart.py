"""Charts of rates: every point in the plot, names off each other, round ticks."""

import json
import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_comparison import METHODS, rates

from engram.document import Curve, Point, RateChart, Reference
from engram.document.charts import LARGEST
from engram.report import legend, rate_chart
from engram.report.drawing import NARROW, WIDE
from engram.report.labels import Box, Line, place
from engram.report.marks import OUTLINES, looks
from engram.report.scale import Scale

SVG = "{http://www.w3.org/2000/svg}"


def elements(markup: str, kind: str) -> list[ElementTree.Element]:
    """Those of a class, in the order of their curves."""
    found = [node for node in ElementTree.fromstring(markup).iter() if kind in node.get("class", "").split()]
    return sorted(found, key=lambda node: int(node.get("data-curve", "0")))


def texts(markup: str) -> list[str]:
    return ["".join(text.itertext()) for text in ElementTree.fromstring(markup).iter(f"{SVG}text")]


def places(curve: ElementTree.Element) -> list[tuple[float, float]]:
    """Where the marks of a drawn curve stand."""
    marks = [node for node in curve if node.get("class") == "point"]
    return [tuple(map(float, re.findall(r"[-.\d]+", node.get("transform")))) for node in marks]


def chart(*curves: Curve, **more) -> RateChart:
    return RateChart("chart", "caption", "bytes", "dB", curves, **more)


def curve(label: str, *points: tuple[float, float], group: str = "g", joined: bool = True) -> Curve:
    return Curve(label, group, tuple(Point(x, y, f"{label} at {x}") for x, y in points), joined)


finite = st.floats(-LARGEST, LARGEST)
positive = st.floats(1 / LARGEST, LARGEST)
heights = finite | st.just(math.inf)


@st.composite
def charts(draw) -> RateChart:
    logarithmic = draw(st.booleans())
    x = positive if logarithmic else finite
    points = draw(st.lists(st.lists(st.tuples(x, heights), max_size=4), max_size=4))
    references = tuple(Reference("r", y) for y in draw(st.lists(finite, max_size=2)))
    curves = [curve(f"curve {k}", *found, group=f"group {k % 2}") for k, found in enumerate(points)]
    return chart(*curves, references=references, logarithmic_x=logarithmic)


@given(charts(), st.sampled_from([WIDE, NARROW]), st.booleans())
def test_every_point_and_line_is_within_the_drawing(drawn, width, alone):
    markup = rate_chart.draw(drawn, width, alone)
    root = ElementTree.fromstring(markup)
    left, top, *size = map(float, root.get("viewBox").split())
    found = elements(markup, "curve")
    assert [len(places(node)) for node in found] == [len(each.points) for each in drawn.curves]
    lines = [node for node in root.iter(f"{SVG}line") if node.get("y1") == node.get("y2")]
    ends = [(float(node.get(f"x{end}")), float(node.get(f"y{end}"))) for node in lines for end in "12"]
    for x, y in [*ends, *(spot for node in found for spot in places(node))]:
        assert left <= x <= left + size[0]
        assert top <= y <= top + size[1]


@given(
    st.booleans().flatmap(
        lambda logarithmic: st.tuples(st.just(logarithmic), st.lists(positive if logarithmic else finite))
    ),
    st.integers(1, 12),
)
def test_ticks_are_on_the_axis_few_and_rising(axis, most):
    logarithmic, values = axis
    scale = Scale.around(values, 100.0, 10.0, logarithmic)
    ticks = scale.ticks(most)
    assert len(ticks) <= most
    assert ticks == sorted(set(ticks))
    assert all(10 - 1e-6 <= scale(value) <= 100 + 1e-6 for value in [*ticks, *values])


def test_ticks_are_round():
    assert Scale.around([0.13, 0.92], 0, 1).ticks(6) == [0.2, 0.4, 0.6, 0.8]
    assert Scale.around([4, 600], 0, 1, True).ticks(8) == [5, 10, 20, 50, 100, 200, 500]
    assert Scale.around([4, 600], 0, 1, True).ticks(3) == [10, 100]
    assert Scale.around([22, 28], 0, 1, True).ticks(5) == [22, 24, 26, 28]
    assert Scale.around([], 0, 1).ticks(3) == [0.0, 0.5, 1.0]


def test_equal_ratios_are_equal_distances_on_a_logarithmic_axis():
    points = [(1.0, 1.0), (10.0, 2.0), (100.0, 3.0)]
    for logarithmic in (False, True):
        (drawn,) = elements(rate_chart.draw(chart(curve("a", *points), logarithmic_x=logarithmic), WIDE), "curve")
        (x1, y1), (x2, y2), (x3, y3) = places(drawn)
        assert math.isclose(y1 - y2, y2 - y3, abs_tol=0.02)
        assert math.isclose(x2 - x1, x3 - x2, abs_tol=0.02) == logarithmic


def test_what_is_infinite_stands_above_all_and_is_joined_to_nothing():
    points = [(1.0, 5.0), (2.0, 6.0), (3.0, math.inf), (4.0, 90.0), (5.0, 91.0)]
    markup = rate_chart.draw(chart(curve("a", *points)), WIDE)
    (drawn,) = elements(markup, "curve")
    y = [spot[1] for spot in places(drawn)]
    assert y[2] < min(y[:2] + y[3:]) - 15
    lines = [node.get("d") for node in drawn if node.get("class") == "line"]
    assert [line.count("L") for line in lines] == [1, 1]
    assert "\N{INFINITY}" in texts(markup)
    assert "\N{INFINITY}" not in texts(rate_chart.draw(chart(curve("a", *points[:2])), WIDE))


def test_points_that_are_not_joined_have_no_line():
    scattered = curve("tried", (1.0, 1.0), (2.0, 2.0), joined=False)
    assert not elements(rate_chart.draw(chart(scattered), WIDE), "line")
    assert elements(rate_chart.draw(chart(curve("front", (1.0, 1.0), (2.0, 2.0))), WIDE), "line")


def test_groups_have_colours_and_curves_have_marks():
    found = looks(rates(False))
    assert len({(look.hue, look.outline, look.hollow) for look in found}) == len(METHODS) == 40
    hues = dict(zip((group for group, *_ in METHODS.values()), (look.hue for look in found), strict=True))
    assert len(set(hues.values())) == len(hues) == 5
    assert len({look.dashes for look in found}) >= 4  # told apart without colours


def test_a_group_keeps_its_colour_in_a_chart_that_lacks_others():
    order = ("first", "second", "third")
    alone = looks(chart(curve("a", group="third"), groups=order))
    among = looks(chart(curve("b", group="first"), curve("a", group="third"), groups=order))
    assert alone[0].hue == among[1].hue != among[0].hue
    assert looks(chart(curve("a", group="third")))[0].hue == among[0].hue


def test_forty_curves_stay_legible():
    for width in (WIDE, NARROW):
        markup = rate_chart.draw(rates(False), width)
        names = [node for node in elements(markup, "name") if "spare" not in node.get("class").split()]
        rooms = [Box(*map(float, node.get("data-rooms").split()[:4])) for node in names]
        assert len(names) >= 12
        assert not any(a.meets(b) for k, a in enumerate(rooms) for b in rooms[:k])
        assert all(node.get("visibility") == "hidden" for node in elements(markup, "spare"))
        assert len(elements(markup, "curve")) == 40


def test_the_first_curve_keeps_its_name_where_two_would_meet():
    crowd = [curve(f"method {k}", (5.0, k % 2 + k / 50)) for k in range(30)]
    names = elements(rate_chart.draw(chart(*crowd), NARROW), "name")
    spare = ["spare" in node.get("class") for node in names]
    assert not spare[0]
    assert sum(spare) > 15


pixel = st.tuples(st.floats(0, 300), st.floats(0, 200))


@given(st.lists(st.tuples(st.floats(0, 120), st.lists(pixel, max_size=5)), max_size=12))
def test_names_stay_in_the_frame_and_off_each_other(drawn):
    frame = Box(0, 0, 300, 200)
    found = place([Line(width, marks, [marks]) for width, marks in drawn], frame)
    assert len(found) == len(drawn)
    kept = [each.rooms[0].box for each in found if each and not each.spare]
    assert all(room.box.inside(frame) for each in found if each for room in each.rooms)
    assert not any(a.meets(b) for k, a in enumerate(kept) for b in kept[:k])
    assert all(each is None for each, (_, marks) in zip(found, drawn, strict=True) if not marks)


def test_a_lonely_name_stands_right_of_its_last_mark():
    (found,) = place([Line(40, [(10, 50), (100, 60)])], Box(0, 0, 300, 200))
    assert (found.rooms[0].anchor, found.rooms[0].box.left, found.spare) == ("start", 108, False)


def test_references_and_groups_are_named_in_the_file():
    drawn = chart(curve("a", (1.0, 80.0), group="ours"), references=(Reference("on the originals", 93.0),))
    assert {"on the originals", "ours", "bytes", "dB"} <= set(texts(rate_chart.draw(drawn, WIDE)))
    assert "ours" not in texts(rate_chart.draw(drawn, WIDE, alone=False))


def test_details_are_what_the_points_say():
    found = json.loads(rate_chart.details(rates(True)))
    label, points = found[0]
    assert (label, points[0][0], points[0][1]) == ("pixel", "dial 39", ["bytes an image", "38.8"])
    assert [len(points) for _, points in found] == [len(curve.points) for curve in rates(True).curves]


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("curves", [(), (curve("none"),), (curve("one", (5.0, 2.0)),), (curve("up", (1.0, math.inf)),)])
def test_sizes_zero_and_one_are_charts(curves, width):
    drawn = chart(*curves, logarithmic_x=True)
    assert len(elements(rate_chart.draw(drawn, width), "curve")) == len(curves)
    assert [len(group.curves) for group in legend.entries(drawn)] == [1] * len(curves)


def test_there_is_a_mark_for_each_curve_of_a_large_group():
    many = looks(chart(*(curve(str(k)) for k in range(2 * len(OUTLINES)))))
    assert len({(look.outline, look.hollow) for look in many}) == 14
