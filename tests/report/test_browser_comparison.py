"""The comparison's blocks in a real browser: what is hovered, filtered, sorted and chosen."""

import pytest

pytestmark = pytest.mark.browser
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture
def desktop(open_page):
    return open_page(DESKTOP)


def figure(page, name="rate-psnr"):
    return page.locator(f"#figure-{name}")


def point(page, curve: int, number: int):
    return figure(page).locator(f".stage svg:visible .curve[data-curve='{curve}'] .point").nth(number)


def box(page, name: str):
    return figure(page).get_by_role("checkbox", name=name, exact=True)


def shown(page) -> int:
    return page.locator("#figure-rate-psnr .stage svg:visible .curve:visible").count()


def opacity(found) -> float:
    return found.evaluate("async node => (await Promise.all(node.getAnimations().map(each => each.finished)),"
                          " Number(getComputedStyle(node).opacity))")  # fmt: skip


def test_hovering_a_point_says_its_numbers_and_fades_the_other_curves(desktop):
    tip = figure(desktop).locator(".tip")
    assert tip.is_hidden()
    point(desktop, 1, 3).hover(force=True)
    for words in ("spatial", "dial 25", "bytes an image", "25.2", "random access"):
        assert words in tip.inner_text()
    curves = figure(desktop).locator(".stage svg:visible .curve")
    lit = curves.evaluate_all("all => all.filter(each => each.matches('.lit')).map(each => each.dataset.curve)")
    assert lit == ["1"]
    assert opacity(curves.locator("xpath=self::*[@data-curve='1']")) == 1
    assert opacity(curves.locator("xpath=self::*[@data-curve='9']")) < 0.3
    desktop.mouse.move(5, 5)
    assert tip.is_hidden()
    assert opacity(curves.locator("xpath=self::*[@data-curve='9']")) == 1


def test_a_line_between_its_points_is_hovered_too(desktop):
    figure(desktop).locator(".stage").scroll_into_view_if_needed()
    first, second = (point(desktop, 25, number).bounding_box() for number in (3, 4))
    desktop.mouse.move((first["x"] + second["x"]) / 2 + 4, (first["y"] + second["y"]) / 2 + 4)
    assert "JPEG 2000, one file each" in figure(desktop).locator(".tip").inner_text()


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP])
def test_what_a_point_says_is_never_cut_off(open_page, viewport):
    page = open_page(viewport)
    figure(page).locator(".stage").scroll_into_view_if_needed()
    for curve, number in ((9, 0), (8, 0), (17, 7), (0, 5), (4, 1), (29, 0)):
        point(page, curve, number).focus()
        left, top, right, bottom = (
            figure(page)
            .locator(".tip")
            .evaluate(
                "tip => { const box = tip.getBoundingClientRect(); return [box.left, box.top, box.right, box.bottom]; }"
            )
        )
        assert 0 <= left < right <= viewport["width"]
        assert 0 <= top < bottom <= viewport["height"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_tap_reads_a_point_and_a_tap_beside_closes_it(open_page):
    page = open_page(PHONE, has_touch=True)
    tip = figure(page).locator(".tip")
    point(page, 9, 0).tap(force=True)
    assert "LDA" in tip.inner_text()
    corner = figure(page).locator(".stage svg:visible").bounding_box()
    page.touchscreen.tap(corner["x"] + corner["width"] - 20, corner["y"] + corner["height"] - 70)
    assert tip.is_hidden()


def test_the_arrow_keys_go_along_a_curve_and_between_curves(desktop):
    tip = figure(desktop).locator(".tip")
    figure(desktop).get_by_text("Choose curves").focus()
    desktop.keyboard.press("Tab")
    for key, words in (
        (None, ("pixel", "dial 39")),
        ("ArrowRight", ("pixel", "dial 70")),
        ("ArrowLeft", ("pixel", "dial 39")),
        ("ArrowLeft", ("pixel", "dial 39")),
        ("End", ("pixel", "∞, lossless")),
        ("Home", ("pixel", "dial 39")),
        ("ArrowDown", ("spatial", "dial 41")),
        ("ArrowUp", ("pixel", "dial 39")),
        ("ArrowUp", ("JPEG-LS near atlas", "dial 120")),
    ):
        if key:
            desktop.keyboard.press(key)
        for word in words:
            assert word in tip.inner_text()
    label = desktop.evaluate("document.activeElement.getAttribute('aria-label')")
    assert label.startswith("JPEG-LS near atlas: dial 120; bytes an image 120.0; ")
    desktop.keyboard.press("Escape")
    assert tip.is_hidden()


def test_one_point_of_a_chart_is_a_stop_of_the_tab_key(desktop):
    stops = (
        figure(desktop)
        .locator(".stage svg:visible .point")
        .evaluate_all("all => all.filter(each => each.tabIndex === 0).length")
    )
    assert stops == 1


def test_boxes_hide_and_show_groups_and_curves(desktop):
    status = figure(desktop).get_by_role("status")
    assert (shown(desktop), status.inner_text()) == (40, "40 of 40 curves shown")
    box(desktop, "engram").uncheck()
    assert (shown(desktop), status.inner_text()) == (35, "35 of 40 curves shown")
    figure(desktop).get_by_text("Choose curves").click()
    assert not box(desktop, "spatial").is_checked()
    box(desktop, "spatial").check()
    assert shown(desktop) == 36
    assert box(desktop, "engram").evaluate("box => [box.checked, box.indeterminate]") == [True, True]
    assert figure(desktop).locator(".stage svg:visible .curve[data-curve='1']").is_visible()
    assert figure(desktop).locator(".stage svg:visible .name[data-curve='0']").is_hidden()
    figure(desktop).get_by_role("button", name="None").click()
    assert (shown(desktop), status.inner_text()) == (0, "0 of 40 curves shown")
    figure(desktop).get_by_role("button", name="All").click()
    assert (shown(desktop), status.inner_text()) == (40, "40 of 40 curves shown")
    assert figure(desktop, "rate-accuracy").get_by_role("status").inner_text() == "40 of 40 curves shown"


def test_the_keyboard_hides_a_group_and_lights_it_while_it_has_the_focus(desktop):
    box(desktop, "engram").focus()
    lit = figure(desktop).locator(".stage svg:visible .curve.lit")
    assert lit.count() == 5
    desktop.keyboard.press("Space")
    assert shown(desktop) == 35
    assert figure(desktop).locator(".stage svg.dimmed").count() == 0  # what is hidden dims nothing


def test_a_name_without_room_appears_when_there_is_some(desktop):
    names = figure(desktop).locator(".stage svg:visible .name")
    seen = "all => all.filter(each => each.checkVisibility({ visibilityProperty: true })).map(each => each.textContent)"
    before = names.evaluate_all(seen)
    assert "sparse autoencoder" not in before
    for group in ("classical, random access", "classical, one atlas", "the paper's"):
        box(desktop, group).uncheck()
    after = names.evaluate_all(seen)
    assert len(after) == shown(desktop) == 14
    boxes = [name.bounding_box() for name in names.all() if name.is_visible()]
    assert not any(
        a["x"] < b["x"] + b["width"] and b["x"] < a["x"] + a["width"]
        and a["y"] + 3 < b["y"] + b["height"] - 3 and b["y"] + 3 < a["y"] + a["height"] - 3
        for place, a in enumerate(boxes) for b in boxes[:place]
    )  # fmt: skip
    figure(desktop).get_by_text("Choose curves").click()
    figure(desktop).get_by_role("button", name="All").click()
    assert names.evaluate_all(seen) == before


def test_a_hidden_curve_is_not_hovered(desktop):
    spot = point(desktop, 9, 0)
    figure(desktop).locator(".stage").scroll_into_view_if_needed()
    box(desktop, "named by the paper").uncheck()
    place = figure(desktop).locator(".stage svg:visible").bounding_box()
    x, y = (float(each) for each in spot.get_attribute("transform")[10:-1].split())
    desktop.mouse.move(place["x"] + x, place["y"] + y)
    assert figure(desktop).locator(".tip").is_hidden()


def table(page):
    return page.locator("table.data", has=page.locator("caption", has_text="Table 4."))


def names(page) -> list[str]:
    return [name.rstrip(" ★") for name in table(page).locator("tbody tr:visible > :first-child").all_inner_texts()]


def test_words_narrow_the_rows(desktop):
    filters = desktop.get_by_role("search", name="Table 4.")
    every = len(names(desktop))
    filters.get_by_role("searchbox").fill("atlas WEBP")
    assert names(desktop) == ["WebP atlas"] * 8
    assert filters.get_by_role("status").inner_text() == f"8 of {every} rows"
    filters.get_by_role("checkbox").check()
    assert set(names(desktop)) <= {"WebP atlas"}
    filters.get_by_role("searchbox").fill("")
    front = table(desktop).locator("tbody tr.front").count()
    assert 0 < len(names(desktop)) == front < every
    filters.get_by_role("checkbox").uncheck()
    assert len(names(desktop)) == every


def test_what_is_narrowed_sorts_and_what_failed_stays_last(desktop):
    desktop.get_by_role("search", name="Table 4.").get_by_role("searchbox").fill("isomap")
    button = table(desktop).locator("thead th").nth(5).get_by_role("button")
    cells = table(desktop).locator("tbody tr:visible > :last-child")
    for _ in range(2):
        button.click()
        assert cells.last.inner_text() == "the neighbourhood graph of the images is not connected"
    assert names(desktop) == ["Isomap"] * 3
    assert table(desktop).locator("tbody tr:visible td:nth-child(6)").all_inner_texts() == ["16.00", "14.90"]


def test_names_and_headings_stay_in_sight_on_a_phone(open_page):
    page = open_page(PHONE)
    region = page.get_by_role("region", name="Table 4.")
    region.scroll_into_view_if_needed()
    region.evaluate("region => region.scrollTo(500, 1500)")
    left, top = region.evaluate("region => [region.getBoundingClientRect().left, region.getBoundingClientRect().top]")
    heading = table(page).locator("thead th").first.bounding_box()
    assert (round(heading["x"]), round(heading["y"])) == (round(left), round(top))
    assert round(table(page).locator("tbody th").nth(40).bounding_box()["x"]) == round(left)
    failed = table(page).locator(".failure span").first
    assert failed.bounding_box()["x"] > left + 100
    assert page.evaluate("scrollX") == 0


def strip(page):
    return figure(page, "equal-bytes")


def pictures(page) -> list[str]:
    return strip(page).locator("img:visible").evaluate_all("all => all.map(image => image.alt)")


def test_a_strip_changes_its_image_by_list_by_buttons_and_by_keys(desktop):
    select = strip(desktop).get_by_role("combobox", name="Image")
    assert pictures(desktop)[0] == "image 3, T-shirt, original"
    assert len(pictures(desktop)) == 12
    select.select_option("image 71, Coat")
    assert pictures(desktop)[1] == "image 71, Coat, pixel"
    strip(desktop).get_by_role("button", name="next image").click()
    assert pictures(desktop)[0] == "image 88, Sandal, original"
    assert strip(desktop).get_by_role("status").inner_text() == "image 88, Sandal"
    select.focus()
    desktop.keyboard.press("Home")
    assert pictures(desktop)[0] == "image 3, T-shirt, original"
    strip(desktop).get_by_role("button", name="previous image").focus()
    desktop.keyboard.press("Enter")
    assert pictures(desktop)[0] == "image 326, Ankle boot, original"
    assert select.input_value() == "image 326, Ankle boot"


def test_pictures_are_enlarged_without_smoothing(desktop):
    image = strip(desktop).locator("img:visible").first
    assert image.evaluate("image => [image.naturalWidth, image.width, getComputedStyle(image).imageRendering]") == [
        28, 112, "pixelated",
    ]  # fmt: skip


def test_without_scripts_charts_tables_and_first_pictures_are_there(open_page):
    page = open_page(PHONE, java_script_enabled=False)
    assert pictures(page)[0] == "image 3, T-shirt, original"
    assert len(pictures(page)) == 12
    assert not strip(page).get_by_role("combobox").is_visible()
    assert shown(page) == 40
    assert box(page, "engram").is_disabled()
    assert page.get_by_role("searchbox").count() == 0
    assert table(page).is_visible()


def test_words_of_the_controls_stand_out_in_the_dark(open_page):
    page = open_page(DESKTOP, color_scheme="dark")
    point(page, 1, 0).focus()
    low = page.evaluate("""() => {
        const shade = (color) => {
            const [red, green, blue] = color.match(/[\\d.]+/g).map(Number).map(each => each / 255)
                .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
            return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        };
        const paper = shade(getComputedStyle(document.body).backgroundColor);
        const words = document.querySelectorAll('.chip span, .state, .boxes summary, .boxes legend, .tip *, '
            + '.choice b, .choice span, select, .failure, .star');
        return [...words].filter(each => (shade(getComputedStyle(each).color) + 0.05) / (paper + 0.05) < 4.5)
            .map(each => each.outerHTML);
    }""")
    assert low == []


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP])
def test_controls_are_large_enough_to_touch(open_page, viewport):
    page = open_page(viewport, has_touch=True, is_mobile=True)
    figure(page).get_by_text("Choose curves").click()
    small = page.locator(".chip:visible, figure button:visible, figure select, .sieve input[type=search]").evaluate_all(
        "all => all.filter(each => each.getBoundingClientRect().height < 40).map(each => each.outerHTML)"
    )
    assert small == []
