"""The page of an evaluation in a real Chromium: its sliders, its filter, and hundreds of pictures."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from atrous.evaluation.report_page import Example, write_report_page
from tests.evaluation.test_report_page import STREET, example, report_of

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: install it, or say where it is in CHROMIUM"),
]
GREY = np.full((30, 40, 3), 128, np.uint8)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """Two pictures: in the first sky is found, missed and claimed in a quarter each; the second has road alone."""
    truth, prediction = np.full((30, 40), 1, np.uint8), np.full((30, 40), 1, np.uint8)
    truth[:, :20], prediction[:, 10:30] = 0, 0
    road = np.ones((30, 40), np.uint8)
    examples = [Example("mixed", GREY, truth, prediction, "Best"), Example("<b>road</b>", GREY, road, road)]
    write_report_page(tmp_path / "report.html", report_of(STREET), title="A run", examples=examples)
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page, faults = context.new_page(), list[str]()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: faults.append(request.url) if request.url.startswith("http") else None)
    page.goto((tmp_path / "report.html").as_uri())
    yield page
    assert faults == []
    context.close()


def test_the_slider_goes_through_the_four_parts_by_keyboard_and_says_what_it_shows(page: Page) -> None:
    slider = page.get_by_role("slider", name="errors of mixed")
    slider.focus()
    page.keyboard.press("Home")
    said = [slider.get_attribute("aria-valuetext")]
    shown = [page.locator(".example").first.locator("figure:visible").get_attribute("class")]
    for _ in range(3):
        for _ in range(4):
            page.keyboard.press("ArrowRight")
        said.append(slider.get_attribute("aria-valuetext"))
        shown.append(page.locator(".example").first.locator("figure:visible").get_attribute("class"))
    assert shown == ["picture", "truth", "prediction", "errors"]
    assert said == [
        "Picture. The picture mixed",
        "Truth. True classes: sky 50%, road 50%",
        "Prediction. Predicted classes: sky 50%, road 50%",
        "Errors. Where the prediction errs: 50.0% of the pixels are wrong",
    ]


def test_half_way_one_part_fades_into_the_next(page: Page) -> None:
    slider = page.get_by_role("slider", name="errors of mixed")
    slider.fill("1.5")
    assert slider.get_attribute("aria-valuetext") == "Truth, 50% faded into Prediction"
    expect(page.locator(".example .prediction").first).to_have_css("opacity", "0.5")


def test_all_four_can_stand_side_by_side(page: Page) -> None:
    page.get_by_label("All four side by side").check()
    assert page.locator(".example").first.locator("figure:visible").count() == 4
    assert page.locator(".slider:visible").count() == 0


def test_the_filter_shows_rows_pictures_and_errors_of_one_class(page: Page) -> None:
    page.get_by_label("Class", exact=True).select_option(label="sky")
    expect(page.locator("#filtered")).to_contain_text("Only sky: 1 of the 2")
    expect(page.locator(".example:visible h3")).to_have_text(["mixed"])
    expect(page.locator(".example:visible header p")).to_contain_text("IoU of sky 33.3%")
    expect(page.locator(".classes tbody tr:visible th")).to_have_text(["sky"])
    assert all("sky" in words for words in page.locator(".flows li:visible").all_inner_texts())
    canvas = page.get_by_role("img", name="Errors of sky alone: IoU 33.3%")
    expect(canvas).to_be_visible()
    pixels = "(c) => [5, 15, 25, 35].map((x) => [...c.getContext('2d').getImageData(x, 15, 1, 1).data.slice(0, 3)])"
    missed, found, claimed, neither = canvas.evaluate(pixels)
    assert (missed, found, claimed) == ([255, 45, 60], [47, 163, 154], [240, 180, 41])
    assert max(neither) == min(neither)
    page.get_by_label("Class", exact=True).select_option(label="all")
    assert page.locator(".example:visible").count() == 2
    assert page.locator("canvas").count() == 0


def test_a_telephone_shows_everything_without_scrolling_sideways(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_five_hundred_pictures_of_noise_are_one_page_below_ten_megabytes(browser: Browser, tmp_path: Path) -> None:
    examples = [example(f"{index}.jpg", size=(48, 64), seed=index) for index in range(500)]
    path = tmp_path / "report.html"
    write_report_page(path, report_of(STREET), title="Many", examples=examples)
    assert path.stat().st_size < 10_000_000
    page = browser.new_page()
    page.goto(path.as_uri())
    expect(page.locator(".example")).to_have_count(500)
    expect(page.get_by_text(re.compile("500 of 500 pictures"))).to_be_visible()
    page.close()
