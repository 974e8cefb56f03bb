# ruff: noqa: RUF001
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from PIL import Image
from sample_document import sample

from engram import report
from engram.document import (
    Column,
    Confusion,
    Curve,
    Document,
    Failure,
    Flow,
    LineChart,
    Pictures,
    Point,
    RateChart,
    Reference,
    Section,
    Series,
    Spread,
    Strip,
    Table,
    Text,
    Topology,
    Verdict,
    Verdicts,
)
from engram.files import CannotWrite
from engram.layers import Network

HOSTILE = "</script></style><img src=x onerror=alert(1)> \" onload='x' {{ 7 * 7 }} $\\frac{ & \x00\udcff ]]>"


class Elements(HTMLParser):
    """The page's tags with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    assert report.write(sample(), folder) == folder / "report.html"
    return folder


@pytest.fixture(scope="module")
def html(folder) -> str:
    return (folder / "report.html").read_text("utf-8")


def page_of(folder: Path, *blocks, **facts) -> Elements:
    path = report.write(Document("Title", "Summary", (Section("Section", blocks),), **facts), folder)
    return Elements(path.read_text("utf-8"))


def test_every_named_block_has_its_figure_and_file(folder, html):
    named = [block for section in sample().sections for block in section.blocks if hasattr(block, "name")]
    expected = {f"{block.name}.{'png' if isinstance(block, Pictures | Strip) else 'svg'}" for block in named}
    assert {path.name for path in (folder / "figures").iterdir()} == expected
    for name in expected:
        data = (folder / "figures" / name).read_bytes()
        if name.endswith("svg"):
            assert ElementTree.fromstring(data).tag == "{http://www.w3.org/2000/svg}svg"
        else:
            Image.open(BytesIO(data)).verify()
    figures = {attributes["id"] for attributes in Elements(html).all("figure")}
    assert figures == {f"figure-{Path(name).stem}" for name in expected}


def test_every_caption_title_and_claim_is_on_the_page(html):
    text = Elements(html).text
    document = sample()
    for section in document.sections:
        assert section.title in text
        for block in section.blocks:
            assert (block.text if isinstance(block, Text) else block.caption) in text
            for verdict in block.verdicts if isinstance(block, Verdicts) else ():
                for words in (verdict.claim, verdict.source, verdict.published, verdict.measured, verdict.why):
                    assert words in text
    for name, fact in document.facts:
        assert name in text
        assert fact in text


def test_nothing_on_the_page_points_outside(html):
    for _, attributes in Elements(html).found:
        for key in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
            assert re.match("#|data:|$", attributes.get(key) or "")
        assert not re.search(r"url\((?!#)", " ".join(value or "" for value in attributes.values()))
    assert not re.search(r"@import|url\((?!#)", html)
    assert not re.search(r"https?://", html)
    policy = next(meta["content"] for meta in Elements(html).all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_the_page_has_a_language_landmarks_and_unique_ids(html):
    page = Elements(html)
    assert page.all("html") == [{"lang": "en"}]
    assert [len(page.all(tag)) for tag in ("h1", "main", "nav", "header")] == [1, 1, 1, 1]
    ids = [attributes["id"] for _, attributes in page.found if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert {link["href"].removeprefix("#") for link in page.all("a")} <= set(ids)
    assert all(image["alt"] for image in page.all("img"))
    assert len(html) < 3_000_000


def test_equal_documents_give_equal_bytes_whatever_matplotlib_is_set_to(folder, tmp_path):
    with matplotlib.rc_context(
        {"font.size": 30, "svg.hashsalt": "other", "axes.facecolor": "red", "text.usetex": True}
    ):
        before = dict(matplotlib.rcParams)
        report.write(sample(), tmp_path)
        assert dict(matplotlib.rcParams) == before
    files = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
    assert files == {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.*")}


def test_a_table_is_semantic_and_its_numbers_sort_by_value(tmp_path):
    columns = (Column("Method"), Column("Accuracy", 1, "%"))
    page = page_of(tmp_path, Table("Caption", columns, (("cnn", Spread(84.26, 0.31, 3)), ("ann", None))))
    assert [head["scope"] for head in page.all("th")] == ["col", "col", "row", "row"]
    assert page.all("td") == [
        {"class": "number", "data-value": "84.26", "title": "n = 3"},
        {"class": "none"},
    ]
    for words in ("Caption", "84.3 ± 0.3", "\N{EN DASH}", "(%)"):
        assert words in page.text


def test_a_row_that_failed_says_why_across_the_columns_that_are_left(tmp_path):
    columns = (Column("Method"), Column("Dial"), Column("Bytes", 1), Column("PSNR", 2, "dB"))
    page = page_of(tmp_path, Table("", columns, (("avif", 30, 1.5, 2.0), ("jxl", Failure("imagecodecs is missing")))))
    assert page.all("td")[-1] == {"class": "failure", "colspan": "3"}
    assert "imagecodecs is missing" in page.text
    assert [head["class"] for head in page.all("th")][:4] == ["name", "number", "number", "number"]


def test_the_rows_of_the_front_are_marked_and_the_mark_is_explained(tmp_path):
    rows = (("a", 1), ("b", 2), (3, 4))
    page = page_of(tmp_path, Table("Caption", (Column("Method"), Column("Bytes")), rows, filterable=True, front=(1, 2)))
    assert [row.get("class") for row in page.all("tr")] == [None, None, "front", "front"]
    stars = [star.get("title") for star in page.all("span") if star.get("class") == "star"]
    assert stars == [None, "on the Pareto front", "on the Pareto front"]  # the first is the caption's
    assert [box["type"] for box in page.all("input")] == ["search", "checkbox"]
    assert not page_of(tmp_path, Table("Caption", (Column("a"), Column("b")), rows)).all("input")


def test_a_strip_shows_its_first_choice_and_holds_the_others(tmp_path):
    one, two = (np.full((3, 3, 1), shade, np.uint8) for shade in (1, 2))
    strip = Strip(
        "s", "Caption", ("first", "second"), ("original", "pca"), ((one, two), (two, one)), (("9 B", "1 B"),) * 2
    )
    page = page_of(tmp_path, strip)
    assert [("hidden" in row, row["aria-label"]) for row in page.all("ul")] == [(False, "first"), (True, "second")]
    assert [image["alt"] for image in page.all("img")] == [
        "first, original", "first, pca", "second, original", "second, pca",
    ]  # fmt: skip
    assert page.text.count("9 B") == 2
    assert len(page.all("option")) == 2


def test_a_chart_of_rates_has_a_box_for_each_group_and_each_curve(tmp_path):
    points = (Point(1.0, 2.0, "dial 3", (("PSNR", "2.0 dB"),)),)
    curves = (Curve("avif", "rivals", points), Curve("ours", "engram", points), Curve("jxl", "rivals", ()))
    page = page_of(tmp_path, RateChart("r", "Caption", "bytes", "dB", curves, ("engram", "absent", "rivals")))
    boxes = [(box["data-box"], box.get("data-group"), box["value"]) for box in page.all("input")]
    assert boxes == [
        ("group", None, "0"), ("group", None, "1"), ("curve", "0", "1"), ("curve", "1", "0"), ("curve", "1", "2"),
    ]  # fmt: skip
    assert "absent" not in page.text
    told = json.loads(next(figure for figure in page.all("figure"))["data-details"])
    assert told[0] == ["avif", [["dial 3", ["PSNR", "2.0 dB"]]]]


def test_an_outcome_is_said_by_a_sign_and_by_words(tmp_path):
    outcomes = {"holds": "✓", "does not hold": "✗", "undecided": "?", "not compared": "–"}
    page = page_of(tmp_path, Verdicts("", tuple(Verdict("c", "s", "p", "m", outcome) for outcome in outcomes)))
    for outcome, sign in outcomes.items():
        assert f"{sign} {outcome}" in page.text


def test_a_warning_is_loud_and_its_absence_silent(tmp_path):
    loud, silent = page_of(tmp_path, warning="Not the real data."), page_of(tmp_path)
    assert any(attributes.get("role") == "alert" for attributes in loud.all("div"))
    assert "⚠ Not the real data. | Title" in loud.text
    assert not any(attributes.get("role") == "alert" for attributes in silent.all("div"))
    assert "⚠" not in silent.text


def test_hostile_strings_are_words_and_nothing_else(tmp_path):
    picture = np.zeros((2, 2, 1), np.uint8)
    curve = Curve(HOSTILE, HOSTILE, (Point(1.0, 2.0, HOSTILE, ((HOSTILE, HOSTILE),)),))
    document = Document(
        HOSTILE,
        HOSTILE,
        (
            Section(
                HOSTILE,
                (
                    Text(HOSTILE),
                    Table(HOSTILE, (Column(HOSTILE, unit=HOSTILE),), ((HOSTILE,), (Failure(HOSTILE),)), True, (0,)),
                    LineChart("a", HOSTILE, HOSTILE, HOSTILE, (Series(HOSTILE, (0.0,), (1.0,)),)),
                    Pictures("b", HOSTILE, (HOSTILE,), (HOSTILE,), ((picture,),)),
                    Strip("f", HOSTILE, (HOSTILE,), (HOSTILE,), ((picture,),), ((HOSTILE,),)),
                    RateChart("g", HOSTILE, HOSTILE, HOSTILE, (curve,), (), (Reference(HOSTILE, 3.0),)),
                    Confusion("c", HOSTILE, (HOSTILE,), np.ones((1, 1), np.int64)),
                    Topology("d", HOSTILE, Network(HOSTILE, (2, 2, 1), ())),
                    Flow("e", HOSTILE, ((HOSTILE,),), ()),
                    Verdicts(HOSTILE, (Verdict(HOSTILE, HOSTILE, HOSTILE, HOSTILE, "holds", HOSTILE),)),
                ),
            ),
        ),
        facts=((HOSTILE, HOSTILE),),
        warning=HOSTILE,
    )
    html = report.write(document, tmp_path).read_text("utf-8")
    page = Elements(html)
    assert [len(page.all(tag)) for tag in ("script", "style")] == [1, 1]
    assert [image["src"].split(",")[0] for image in page.all("img")] == ["data:image/png;base64"] * 2
    assert not any(key.startswith("on") for _, attributes in page.found for key in attributes)
    assert "{{ 7 * 7 }}" in page.text
    assert "\x00" not in html
    for path in (tmp_path / "figures").glob("*.svg"):
        ElementTree.parse(path)


def test_no_name_of_a_figure_takes_an_id_of_the_page(tmp_path):
    names = ("facts", "content", "section-1", "title-1")
    page = page_of(tmp_path, *(Flow(name, "", (("step",),), ()) for name in names), facts=(("a", "b"),))
    ids = [attributes["id"] for _, attributes in page.found if "id" in attributes]
    assert len(set(ids)) == len(ids)


def test_sizes_zero_are_pages_too(tmp_path):
    assert (
        "No rows"
        in page_of(
            tmp_path,
            Table("", (Column("a"),), (), filterable=True),
            Verdicts("", ()),
            Text(""),
            RateChart("r", "", "", "", ()),
            Strip("s", "", (), (), ()),
        ).text
    )
    report.write(Document("", "", ()), tmp_path)


@pytest.mark.parametrize("stranger", ["text", None, Series("a", (), ())])
def test_an_unknown_block_is_refused_before_anything_is_written(tmp_path, stranger):
    with pytest.raises(report.UnknownBlock, match=f"holds a {type(stranger).__name__}, which is no block"):
        page_of(tmp_path / "out", stranger)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match=r"file.figures: the folder could not be made \(.*\); choose another place"):
        report.write(Document("", "", ()), tmp_path / "file")


def test_a_page_that_cannot_be_replaced_stays_and_leaves_no_rest(tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(CannotWrite, match=r"report\.html: could not be written"):
        report.write(Document("", "", ()), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "figures"}


def test_a_second_report_replaces_the_first_and_leaves_other_files(tmp_path):
    (tmp_path / "results.json").write_text("{}")
    report.write(replace(sample(), sections=()), tmp_path)
    report.write(Document("Second", "", ()), tmp_path)
    assert "<h1>Second</h1>" in (tmp_path / "report.html").read_text("utf-8")
    assert (tmp_path / "results.json").read_text() == "{}"


def test_importing_the_report_imports_neither_matplotlib_nor_jinja():
    code = "import engram.report, sys; print(sorted({'matplotlib', 'jinja2', 'torch'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout == "[]\n"
