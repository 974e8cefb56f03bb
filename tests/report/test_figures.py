# ruff: noqa: RUF001
"""Each kind of figure, at its sizes 0 and 1 and with labels that would break it."""

import re
from io import BytesIO
from typing import get_args
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from sample_document import classifier, convolutional, dense, sample, weights

from engram.document import Block, Confusion, Flow, LineChart, Pictures, Series, Topology
from engram.layers import Crop, Dense, Network, Pad
from engram.report import confusion, flow, ink, line_chart, marks, montage, svg, topology
from engram.report.drawing import NARROW, WIDE

SVG = "{http://www.w3.org/2000/svg}"
NASTY = r"_$\frac{a}{</text><script>&amp;\x00 " + "\x00\udcff漢 \n" + "long " * 40


def texts(markup: str) -> list[str]:
    """What each text element says."""
    return ["".join(text.itertext()) for text in ElementTree.fromstring(markup).iter(f"{SVG}text")]


def chart(*series: Series, logarithmic: bool = False) -> LineChart:
    return LineChart("chart", "", "epoch", "loss", series, logarithmic)


def strokes(markup: str) -> set[str]:
    return set(re.findall(r"stroke: (#[0-9a-f]{6})", markup))


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_line_chart_names_its_axes_and_curves(width):
    curves = [
        Series(name, (1.0, 2.0, 3.0), (3.0, 2.0, 1.0), (2.5, 1.5, 0.5), (3.5, 2.5, 1.5)) for name in ("cnn", "ann")
    ]
    markup = line_chart.draw(chart(*curves), width)
    assert {"epoch", "loss", "cnn", "ann"} <= set(texts(markup))
    assert {ink.color("blue"), ink.color("vermillion")} <= strokes(markup)
    assert "stroke-dasharray" in markup
    assert markup.count("fill-opacity: 0.18") == len(curves)
    assert markup != line_chart.draw(chart(*curves[::-1]), width)


def test_a_logarithmic_axis_has_ticks_of_equal_ratio():
    series = Series("a", tuple(range(5)), (100.0, 10.0, 1.0, 0.1, 0.01))
    assert {"0.01", "0.1", "1", "10", "100"} <= set(texts(line_chart.draw(chart(series, logarithmic=True), WIDE)))
    assert "0.01" not in texts(line_chart.draw(chart(series), WIDE))


@pytest.mark.parametrize("logarithmic", [False, True])
@pytest.mark.parametrize(
    "series",
    [
        (),
        (Series("none", (), ()),),
        (Series("one", (1.0,), (2.0,)),),
        (Series("one", (1.0,), (2.0,), (1.0,), (3.0,)),),
        (Series("lost", (1.0, 2.0), (float("nan"), float("inf"))),),
        (Series("not positive", (1.0, 2.0), (-1.0, 0.0), (-2.0, -1.0), (0.0, 1.0)),),
        tuple(Series(f"curve {index}", (0.0, 1.0), (0.0, index + 1.0)) for index in range(20)),
        (Series(NASTY, (0.0, 1.0), (1.0, 2.0)), Series("_hidden", (0.0, 1.0), (1.0, 2.0))),
    ],
)
def test_a_line_chart_draws_whatever_a_run_leaves(series, logarithmic):
    for width in (WIDE, NARROW):
        said = texts(line_chart.draw(chart(*series, logarithmic=logarithmic), width))
        assert sum(text.startswith(("none", "one", "lost", "not", "curve", "_")) for text in said) == len(series)


def test_a_confusion_matrix_says_its_counts():
    counts = np.array([[90, 10, 0], [5, 1234, 7], [0, 0, 0]])
    said = texts(confusion.draw(Confusion("c", "", ("shirt", "coat", "bag"), counts), WIDE))
    assert sorted(text for text in said if text[0].isdigit()) == ["1,234", "10", "5", "7", "90"]
    assert said.count("shirt") == said.count("coat") == said.count("bag") == 2


@pytest.mark.parametrize("classes", [0, 1, 2, 40])
def test_a_confusion_matrix_may_have_any_number_of_classes(classes):
    counts = np.eye(classes, dtype=np.int64) * 3
    names = tuple(f"{index} {NASTY}" for index in range(classes))
    assert len(texts(confusion.draw(Confusion("c", "", names, counts), NARROW))) >= 2 * classes


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_topology_says_layers_shapes_and_parameters(width):
    said = " | ".join(texts(topology.draw(Topology("t", "", convolutional()), width)))
    for words in (
        "analysis | image 1 × 28 × 28 784 numbers | convolution 3 × 3, ReLU | stride 3, padding 1 · 250 parameters",
        "25 × 10 × 10 2,500 numbers | max pooling 2 × 2, stride 2 | 25 × 5 × 5 625 numbers",
        "code 10 × 2 × 2 | 40 numbers for 784 pixels, 5.1 % | synthesis | transposed convolution 3 × 3, ReLU",
        "transposed convolution 2 × 2, sigmoid | stride 2, padding 1 · 41 parameters | recovered 1 × 28 × 28",
        "11,086 parameters",
    ):
        assert words in said


def test_a_shared_matrix_is_counted_once_and_shown():
    alone, tied = (topology.draw(Topology("t", "", dense(tied)), WIDE) for tied in (False, True))
    assert "628,384 parameters" in texts(alone)
    assert "314,784 parameters" in texts(tied)
    assert "same matrix, transposed · 784 parameters" in texts(tied)
    assert ("stroke-dasharray" in alone, "stroke-dasharray" in tied) == (False, True)


def test_a_classifier_ends_in_scores_and_has_no_code():
    said = " | ".join(texts(topology.draw(Topology("t", "", classifier()), NARROW)))
    assert "scores 10 units" in said
    assert not re.search("code|analysis|synthesis", said)


def test_a_padded_colour_network_and_one_without_layers_are_drawn():
    padded = Network("a", (5, 6, 3), (Pad(8, 8), Crop(5, 6)), ())
    said = texts(topology.draw(Topology("t", "", padded), WIDE))
    assert {"pad to 8 × 8", "crop to 5 × 6"} <= set(said)
    assert any(
        "image 3 × 5 × 6" in text
        for text in texts(topology.draw(Topology("t", "", Network(NASTY, (5, 6, 3), ())), WIDE))
    )


def test_code_of_a_colour_image_is_measured_against_all_its_values():
    network = Network(
        "a", (1, 2, 3), (Dense(weights(6, 3), weights(3), "none"),), (Dense(weights(3, 6), weights(6), "none"),)
    )
    assert "3 numbers for 6 values, 50.0 %" in texts(topology.draw(Topology("t", "", network), WIDE))


def test_a_flow_runs_across_a_wide_page_and_down_a_narrow_one():
    steps = Flow("f", "", (("one",), ("two", "three"), ("four",)), (("one", "two"), ("one", "three"), ("two", "four")))
    for width, axis in ((WIDE, "x"), (NARROW - 100, "y")):
        root = ElementTree.fromstring(flow.draw(steps, width))
        one, two, three, four = [float(box.get(axis)) for box in root.iter(f"{SVG}rect") if box.get("rx")]
        assert one < two == three < four
        assert len(list(root.iter(f"{SVG}path"))) == 3
        assert texts(flow.draw(steps, width)) == ["one", "two", "three", "four"]


@pytest.mark.parametrize("columns", [(), ((),), (("a",),), ((NASTY,), tuple("bcdefg"))])
def test_a_flow_may_have_any_number_of_steps(columns):
    for width in (WIDE, NARROW):
        boxes = [
            box for box in ElementTree.fromstring(flow.draw(Flow("f", "", columns, ()), width)).iter() if box.get("rx")
        ]
        assert len(boxes) == sum(map(len, columns))


def test_a_picture_keeps_its_pixels():
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    assert (np.asarray(Image.open(BytesIO(montage.png(picture)))) == picture).all()
    assert (np.asarray(Image.open(BytesIO(montage.png(picture[:, :, :1])))) == picture[:, :, 0]).all()


def test_a_montage_holds_every_picture_enlarged_without_smoothing():
    light, dark = (np.full((28, 28, 1), shade, np.uint8) for shade in (201, 57))
    grid = Pictures("p", "", ("a", "b"), ("r",), ((light, dark),))
    found = np.asarray(Image.open(BytesIO(montage.montage(grid))))[:, :, 0]
    assert montage.enlargement(grid) == 4
    assert np.count_nonzero(found == 57) >= 112 * 112
    assert np.count_nonzero(found == 201) >= 112 * 112


@pytest.mark.parametrize("grid", [Pictures("p", "", (), (), ()), Pictures("p", "", (), (NASTY,), ((),))])
def test_a_montage_may_be_empty(grid):
    assert Image.open(BytesIO(montage.montage(grid))).size > (0, 0)


def test_inline_figures_take_the_pages_colours_and_keep_their_ids_apart():
    file = line_chart.draw(chart(Series("#0072b2 id", (0.0, 1.0), (1.0, 2.0))), WIDE)
    page = svg.inline(file, "one", 'say "what"')
    root = ElementTree.fromstring(page)
    ids = {node.get("id") for node in root.iter()} - {None}
    assert ids
    assert all(name.startswith("one-") for name in ids)
    assert {node.get("href", "#").removeprefix("#") for node in root.iter()} - {""} <= ids
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= ids
    assert not re.search(r": #[0-9a-f]{6}|<style", page)
    assert "var(--blue)" in page
    assert "#0072b2 id" in "".join(root.itertext())  # a label is no colour
    assert (root.get("role"), root.get("aria-label"), root.get("width")) == ("img", 'say "what"', str(WIDE))


def test_no_two_inks_are_mistaken_for_each_other():
    assert len({colors.light for colors in ink.INKS.values()}) == len(ink.INKS)
    assert len({colors.dark for colors in ink.INKS.values()}) == len(ink.INKS)


def contrast(first: str, second: str) -> float:
    """WCAG 2 contrast ratio of two #rrggbb."""

    def luminance(color: str) -> float:
        channels = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_words_stand_out_from_the_paper(mode):
    colors = {name: getattr(pair, mode) for name, pair in ink.INKS.items()}
    for paper in ("paper", "raised"):
        assert contrast(colors["ink"], colors[paper]) > 7
        assert contrast(colors["muted"], colors[paper]) > 4.5
        assert all(contrast(value, colors[paper]) > 4.5 for name, value in colors.items() if name.endswith("-words"))
    assert contrast(colors["blue"], colors["paper"]) > 4.5  # links


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_curves_of_the_first_groups_stand_out_from_the_paper(mode):
    paper = getattr(ink.INKS["paper"], mode)
    assert min(contrast(getattr(ink.INKS[hue], mode), paper) for hue in marks.HUES[:5]) > 3


def test_the_sample_holds_every_kind_of_block():
    found = {type(block).__name__ for section in sample().sections for block in section.blocks}
    assert found == {kind.__name__ for kind in get_args(Block)}
