# ruff: noqa: RUF001
"""The page in a real browser."""

from itertools import pairwise

import pytest

pytestmark = pytest.mark.browser
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP, {"width": 320, "height": 600}, {"width": 800, "height": 600}])
def test_the_page_never_scrolls_sideways(open_page, viewport):
    page = open_page(viewport)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("(scrollTo(500, 0), scrollX)") == 0


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP])
def test_every_picture_is_loaded_and_each_figure_drawn_once(open_page, viewport):
    page = open_page(viewport)
    assert page.evaluate(
        "[...document.images].length > 0 && [...document.images].every(image => image.naturalWidth > 0)"
    )
    shown = page.evaluate("""[...document.querySelectorAll('figure:has(svg)')].map(figure =>
        [...figure.querySelectorAll('.wide svg, .narrow svg')].filter(svg => svg.checkVisibility()).length)""")
    assert len(shown) == 12
    assert set(shown) == {1}


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP])
def test_no_word_of_a_figure_is_cut_off(open_page, viewport):
    page = open_page(viewport)
    cut = page.evaluate("""[...document.querySelectorAll('figure svg text')].filter(text => {
        if (!text.checkVisibility()) return false;
        const word = text.getBoundingClientRect(), frame = text.closest('svg').getBoundingClientRect();
        return word.left < frame.left - 1 || word.right > frame.right + 1
            || word.top < frame.top - 1 || word.bottom > frame.bottom + 1;
    }).map(text => text.textContent)""")
    assert cut == []


def test_headings_are_in_order(open_page):
    levels = open_page(DESKTOP).evaluate(
        "[...document.querySelectorAll('h1, h2, h3, h4')].map(heading => Number(heading.tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_dark_mode_darkens_page_and_figures(open_page):
    colors = [
        open_page(DESKTOP, color_scheme=scheme).evaluate(
            """[getComputedStyle(document.body).backgroundColor,
                getComputedStyle(document.querySelector('#figure-losses .wide path')).fill]"""
        )
        for scheme in ("light", "dark")
    ]
    assert colors == [["rgb(255, 255, 255)"] * 2, ["rgb(20, 23, 27)"] * 2]


def table(page, caption):
    return page.locator("table.data", has=page.locator("caption", has_text=caption))


def test_a_click_sorts_up_then_down_then_as_given(open_page):
    found = table(open_page(DESKTOP), "Table 3.")
    heading = found.locator("thead th").nth(3)
    cells = found.locator("tbody td:nth-child(4)")
    assert heading.get_attribute("aria-sort") is None
    for order, values in (("ascending", "70 73 81"), ("descending", "81 73 70"), (None, "81 73 70")):
        heading.get_by_role("button").click()
        assert heading.get_attribute("aria-sort") == order
        assert " ".join(cells.all_inner_texts()) == values


def test_numbers_sort_by_value_and_blanks_stay_last(open_page):
    found = table(open_page(DESKTOP), "Table 1.")
    button = found.locator("thead th").nth(3).get_by_role("button")
    cells = found.locator("tbody td:nth-child(4)")
    button.click()
    assert cells.all_inner_texts() == ["29,515", "4,422,102", "26,421,880", "–"]
    button.click()
    assert cells.all_inner_texts() == ["26,421,880", "4,422,102", "29,515", "–"]


def test_the_keyboard_sorts_and_one_column_at_a_time(open_page):
    page = open_page(DESKTOP)
    found = table(page, "Table 1.")
    name, examples = (found.locator("thead th").nth(index) for index in (0, 2))
    name.get_by_role("button").focus()
    page.keyboard.press("Enter")
    first = found.locator("tbody th").first
    assert name.get_attribute("aria-sort") == "ascending"
    assert first.inner_text() == "t10k-images-idx3-ubyte.gz"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert (name.get_attribute("aria-sort"), examples.get_attribute("aria-sort")) == (None, "ascending")
    assert first.inner_text() == "t10k-images-idx3-ubyte.gz"


def test_the_first_tab_offers_to_skip_to_the_content(open_page):
    page = open_page(DESKTOP)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left >= 0")


def test_the_contents_are_folded_on_a_phone_and_open_on_a_desktop(open_page):
    phone, desktop = open_page(PHONE), open_page(DESKTOP)
    assert not phone.get_by_role("link", name="Results").is_visible()
    assert desktop.get_by_role("link", name="Results").is_visible()
    phone.get_by_text("Contents", exact=True).click()
    phone.get_by_role("link", name="Results").click()
    assert not phone.get_by_role("link", name="Results").is_visible()
    assert phone.url.endswith("#section-6")


def test_tables_can_be_read_without_scripts(open_page):
    page = open_page(PHONE, java_script_enabled=False)
    assert page.locator("table.data button").count() == 0
    assert page.locator("table.data").first.is_visible()
