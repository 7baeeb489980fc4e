"""The page in a real Chromium: what people do with it, and what goes wrong on the way."""

import json
import os
import re
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright

from atrous.images import read_image, read_mask
from atrous.inference.predictor import Prediction, Predictor
from atrous.server.limits import Limits
from tests.server.serving import CPU, PATIENCE, Held, colour_reader, png_of, serving, some_mask
from tests.tiny_data import LABELS, network_that_knows_colours

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: install it, or say where it is in CHROMIUM"),
]
MASK = some_mask((120, 160), seed=3)
READABLE = (
    ("--ink", "--card"),
    ("--muted", "--card"),
    ("--muted", "--ground"),
    ("--bad", "--bad-ground"),
    ("--on-accent", "--accent"),
    ("--accent", "--card"),
)
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    fake_camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *fake_camera])
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    context.set_default_timeout(PATIENCE * 1000)
    expect.set_options(timeout=PATIENCE * 1000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, client: httpx.Client) -> Iterator[Page]:
    with opened(context, client) as page:
        yield page


@contextmanager
def opened(context: BrowserContext, client: httpx.Client) -> Iterator[Page]:
    """The page of a server; a fault in its program fails the test."""
    page, faults = context.new_page(), list[str]()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(str(client.base_url))
    yield page
    assert faults == []


@pytest.fixture
def street(tmp_path: Path) -> Path:
    path = tmp_path / "street.png"
    path.write_bytes(png_of(MASK))
    return path


def finish(page: Page, *pictures: Path) -> None:
    """Choose pictures, and wait until all are done."""
    page.locator("#files").set_input_files(pictures)
    expect(page.locator("#strip li[data-state=done]")).to_have_count(len(pictures))


def colour_at(page: Page, canvas: str, x: int, y: int) -> list[int]:
    pixel: list[int] = page.evaluate(
        f"[...document.querySelector('{canvas}').getContext('2d').getImageData({x}, {y}, 1, 1).data]"
    )
    return pixel


def download(page: Page, button: str, place: Path) -> Path:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button).click()
    path = place / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def set_slider(page: Page, name: str, value: int) -> None:
    page.get_by_role("main").get_by_label(name).evaluate(
        f"e => {{ e.value = {value}; e.dispatchEvent(new Event('input')); }}"
    )


def test_a_picture_is_shown_with_its_classes_and_areas(page: Page, street: Path) -> None:
    finish(page, street)
    for index, name in enumerate(LABELS.names):
        share = f"{100 * np.mean(np.equal(MASK, index)):.1f} %"
        expect(page.locator("#classes li").filter(has_text=name)).to_contain_text(share)
    for x, y in ((3, 3), (100, 60), (159, 119)):
        assert colour_at(page, "#overlay", x, y) == [*LABELS.colors[MASK[y, x]], 255]
        assert colour_at(page, "#picture", x, y) == [*LABELS.colors[MASK[y, x]], 255]
    expect(page.get_by_role("img", name="street.png: ")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("street.png: ")


def test_a_class_that_is_unticked_is_not_shown(page: Page, street: Path) -> None:
    finish(page, street)
    y, x = (int(value) for value in np.argwhere(MASK == 1)[0])
    page.get_by_role("checkbox", name="cat").uncheck()
    page.mouse.move(0, 0)
    assert colour_at(page, "#overlay", x, y)[3] == 0
    page.get_by_role("checkbox", name="cat").check()
    page.mouse.move(0, 0)
    assert colour_at(page, "#overlay", x, y)[3] == 255
    page.get_by_role("button", name="Hide all").click()
    assert page.get_by_role("checkbox", checked=True).count() == 0
    page.get_by_role("button", name="Show all").click()
    assert page.get_by_role("checkbox", checked=True).count() == 3


def test_opacity_and_comparison_are_sliders(page: Page, street: Path) -> None:
    finish(page, street)
    set_slider(page, "Opacity", 25)
    expect(page.locator("#overlay")).to_have_css("opacity", "0.25")
    set_slider(page, "Compare", 40)
    expect(page.locator("#overlay")).to_have_css("clip-path", "inset(0px 0px 0px 40%)")
    handle, picture = page.locator("#divider").bounding_box(), page.locator("#picture").bounding_box()
    assert handle
    assert picture
    page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + 40)
    page.mouse.down()
    page.mouse.move(picture["x"] + picture["width"] * 0.75, handle["y"] + 40, steps=3)
    page.mouse.up()
    assert page.get_by_label("Compare").input_value() == "75"


def test_the_class_beneath_the_pointer_is_named(page: Page, street: Path) -> None:
    finish(page, street)
    box = page.locator("#picture").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 100.5 / 160, box["y"] + box["height"] * 60.5 / 120)
    expect(page.locator("#tip")).to_have_text(LABELS.names[MASK[60, 100]])
    page.mouse.move(0, 0)
    expect(page.locator("#tip")).to_be_hidden()


def test_the_keyboard_reads_the_picture(page: Page, street: Path) -> None:
    finish(page, street)
    page.locator("#stage").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    x, y = int((0.5 + 1 / 40) * 160), int((0.5 + 1 / 40) * 120)
    expect(page.get_by_role("status")).to_have_text(f"{LABELS.names[MASK[y, x]]}, at {x}, {y}")


def test_the_keyboard_reaches_everything(page: Page, street: Path) -> None:
    finish(page, street)
    page.evaluate("document.activeElement.blur()")
    reached = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.type"))
    assert {"files", "camera-open", "clear", "stage", "opacity", "compare", "toggle-all", "checkbox"} <= reached
    assert {"save-mask", "save-overlay", "save-polygons"} <= reached


def test_mask_overlay_and_polygons_are_downloaded(page: Page, street: Path, tmp_path: Path) -> None:
    finish(page, street)
    mask = download(page, "Mask", tmp_path)
    assert mask.name == "street_mask.png"
    np.testing.assert_array_equal(read_mask(mask), MASK)
    page.get_by_role("checkbox", name="cat").uncheck()
    set_slider(page, "Opacity", 100)
    overlay = download(page, "Overlay", tmp_path)
    assert overlay.name == "street_overlay.png"
    np.testing.assert_array_equal(read_image(overlay), LABELS.color_table[MASK])
    polygons = json.loads(download(page, "Polygons", tmp_path).read_text())
    assert (polygons["picture"], polygons["width"], polygons["height"]) == ("street.png", 160, 120)
    areas = {index: sum(one["area"] for one in polygons["polygons"] if one["index"] == index) for index in range(3)}
    for index, area in areas.items():
        assert area == pytest.approx(
            np.count_nonzero(np.equal(MASK, index)), rel=0.1
        )  # simplified outlines cut the corners of blocks


def test_several_pictures_are_done_in_a_row_and_chosen_again(page: Page, tmp_path: Path) -> None:
    masks = [np.full((20, 30), index, np.uint8) for index in range(3)]
    paths = [tmp_path / f"{name}.png" for name in LABELS.names]
    for path, mask in zip(paths, masks, strict=True):
        path.write_bytes(png_of(mask))
    finish(page, *paths)
    for path in reversed(paths):
        page.get_by_role("button", name=f"{path.name}, done").click()
        expect(page.locator("#classes li")).to_have_count(1)
        expect(page.locator("#classes li")).to_contain_text(f"{path.stem}100.0 %")
    page.get_by_role("button", name="Remove all").click()
    expect(page.locator("#result")).to_be_hidden()
    expect(page.locator("#strip li")).to_have_count(0)


def test_pictures_can_be_dropped_and_pasted(page: Page, street: Path) -> None:
    content = list(street.read_bytes())
    transfer = f"""(() => {{ const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array({content})], "thrown.png", {{type: "image/png"}}));
        return transfer; }})()"""
    page.evaluate(f"document.dispatchEvent(new DragEvent('drop', {{dataTransfer: {transfer}, cancelable: true}}))")
    expect(page.get_by_role("button", name="thrown.png, done")).to_be_visible()
    page.evaluate(f"document.dispatchEvent(new ClipboardEvent('paste', {{clipboardData: {transfer}}}))")
    expect(page.locator("#strip li[data-state=done]")).to_have_count(2)


def test_the_camera_takes_a_picture(page: Page) -> None:
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Take the picture").click()
    expect(page.locator("#strip li[data-state=done]")).to_have_count(1)
    page.wait_for_function("document.querySelector('#video').srcObject === null")


class Counted(Predictor):
    """A predictor that counts the frames it is given."""

    def __init__(self) -> None:
        super().__init__(network_that_knows_colours(LABELS), LABELS, name="counted", device=CPU)
        self.frames = 0

    def predictions(self, images: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        self.frames += len(images)
        return super().predictions(images)


def go_live(page: Page) -> None:
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Segment live").click()


def test_the_camera_is_segmented_live_one_frame_after_the_other(context: BrowserContext) -> None:
    counted = Counted()
    with serving({"counted": counted}) as client, opened(context, client) as page:
        at_once, most = 0, 0

        def begins(request: Request) -> None:
            nonlocal at_once, most
            at_once += "segment" in request.url
            most = max(most, at_once)

        def ends(request: Request) -> None:
            nonlocal at_once
            at_once -= "segment" in request.url

        page.on("request", begins)
        page.on("requestfinished", ends)
        page.on("requestfailed", ends)
        go_live(page)
        expect(page.locator("#live-rate")).to_contain_text("pictures/s, 640 × 480")
        enough = counted.frames + 3
        while counted.frames < enough:
            page.wait_for_timeout(50)
        assert most == 1
        expect(page.locator("#live-picture")).to_have_attribute("aria-label", re.compile(r"^Live: \w+ [0-9.]+ %"))
        size = page.evaluate(
            "[document.querySelector('#live-overlay').width, document.querySelector('#video').videoWidth]"
        )
        assert size == [640, 640]

        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#live-overlay")).to_be_hidden()
        page.wait_for_timeout(500)
        seen = counted.frames
        page.wait_for_timeout(500)
        assert counted.frames == seen
        page.get_by_role("button", name="Segment live").click()
        expect(page.locator("#live-rate")).to_contain_text("pictures/s")
        page.keyboard.press("Escape")
        page.wait_for_function("document.querySelector('#video').srcObject === null")
        expect(page.locator("#strip li")).to_have_count(0)


def test_a_class_is_hidden_in_the_live_picture_by_the_keyboard(page: Page) -> None:
    go_live(page)
    chip = page.locator("#live-classes button").first
    chip.focus()
    page.keyboard.press("Space")
    expect(chip).to_have_attribute("aria-pressed", "false")
    expect(chip).to_be_focused()
    page.wait_for_timeout(500)
    expect(chip).to_be_focused()  # the next frames have changed its share, and not taken it away
    page.keyboard.press("Space")
    expect(chip).to_have_attribute("aria-pressed", "true")


def test_the_live_picture_stops_when_the_page_is_hidden_or_the_camera_is_gone(page: Page) -> None:
    go_live(page)
    expect(page.locator("#live-rate")).to_contain_text("pictures/s")
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange')); delete document.hidden"
    )
    expect(page.locator("#camera-problem")).to_have_text("Stopped, as this page was hidden.")
    page.get_by_role("button", name="Segment live").click()
    expect(page.locator("#camera-problem")).to_be_hidden()
    expect(page.locator("#live-rate")).to_contain_text("pictures/s")
    page.evaluate("document.querySelector('#video').srcObject.getTracks()[0].dispatchEvent(new Event('ended'))")
    expect(page.locator("#camera-problem")).to_contain_text("The camera is gone")
    expect(page.get_by_role("button", name="Segment live")).to_be_visible()


def test_the_live_picture_says_what_goes_wrong_and_waits_for_a_busy_server(page: Page, context: BrowserContext) -> None:
    busy = json.dumps({"kind": "busy", "message": "Busy."})
    context.route("**/v1/segment*", lambda route: route.fulfill(status=429, headers={"Retry-After": "7"}, body=busy))
    go_live(page)
    expect(page.locator("#live-rate")).to_have_text("The server is busy: again in 7 s")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#live-rate")).to_be_empty()
    context.unroute("**/v1/segment*")
    context.route("**/v1/segment*", lambda route: route.abort("connectionrefused"))
    page.get_by_role("button", name="Segment live").click()
    expect(page.locator("#camera-problem")).to_contain_text("The server does not answer. Is it still running?")
    context.unroute("**/v1/segment*")
    page.get_by_role("button", name="Segment live").click()
    expect(page.locator("#live-rate")).to_contain_text("pictures/s")


def test_a_camera_that_may_not_be_used_is_said_in_words(page: Page) -> None:
    refuse = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))"
    page.evaluate(f"() => {{ {refuse}; }}")
    page.get_by_role("button", name="Use the camera").click()
    expect(page.get_by_role("alert")).to_contain_text("The camera cannot be used (it was not allowed).")


def test_a_file_that_is_no_picture_is_said_in_words(page: Page, tmp_path: Path, street: Path) -> None:
    wrong = tmp_path / "letter.txt"
    wrong.write_text("Dear page")
    page.locator("#files").set_input_files([wrong])
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("letter.txt: The upload is no picture that can be read")
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()
    expect(page.locator("#result")).to_be_hidden()
    page.locator("#files").set_input_files([street])
    expect(page.locator("#strip li[data-state=done]")).to_have_count(1)
    expect(alert).to_be_hidden()


def test_too_large_a_file_is_said_in_words(context: BrowserContext, tmp_path: Path, street: Path) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(bytes(300_000))
    with serving(limits=Limits(upload_bytes=200_000, pixels=160 * 119)) as client, opened(context, client) as page:
        page.locator("#files").set_input_files([large])
        expect(page.get_by_role("alert")).to_contain_text("large.png: The file has 0.3 MB and the server takes 0.2 MB")
        page.locator("#files").set_input_files([street])
        expect(page.get_by_role("alert")).to_contain_text("street.png: The picture has 0.0 million pixels")


def test_a_server_that_is_gone_is_said_and_tried_again(context: BrowserContext, street: Path) -> None:
    with serving() as client, opened(context, client) as page:
        address = urlsplit(str(client.base_url))
        finish(page, street)
        context.route("**/v1/segment*", lambda route: route.abort("connectionrefused"))
        page.locator("#files").set_input_files([street])
        expect(page.get_by_role("alert")).to_contain_text("The server does not answer. Is it still running?")
        context.unroute("**/v1/segment*")
        page.get_by_role("button", name="Try again").click()
        expect(page.locator("#strip li[data-state=done]")).to_have_count(2)
        stopped = page
        client.close()
    with socket.socket() as probe:
        assert address.port
        assert probe.connect_ex(("127.0.0.1", address.port)) != 0
    assert stopped.url


def test_a_busy_server_is_waited_for(context: BrowserContext, street: Path) -> None:
    held = Held()
    with serving({"held": held}, Limits(waiting=1)) as client:
        refusals = 0

        def refuse_once(route: object) -> None:
            nonlocal refusals
            refusals += 1
            busy = json.dumps({"kind": "busy", "message": "Busy."})
            if refusals == 1:
                route.fulfill(status=429, headers={"Retry-After": "1"}, body=busy)  # type: ignore[attr-defined]
            else:
                route.continue_()  # type: ignore[attr-defined]

        held.free.release()
        context.route("**/v1/segment*", refuse_once)
        with opened(context, client) as page:
            finish(page, street)
        assert refusals == 2


def test_the_token_is_asked_for_once(context: BrowserContext, street: Path) -> None:
    with serving(token="secret") as client, opened(context, client) as page:
        expect(page.locator("#token")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("alert")).to_contain_text("This server asks for its token")
        page.reload()
        page.locator("#token").fill("wrong")
        page.keyboard.press("Enter")
        page.locator("#token").fill("secret")
        page.keyboard.press("Enter")
        finish(page, street)
        page.reload()
        finish(page, street)


def test_another_model_computes_all_pictures_again(context: BrowserContext, street: Path) -> None:
    other = LABELS.model_copy(update={"names": ("floor", "lynx", "wolf")})
    with serving({"one": colour_reader(), "two": colour_reader(other)}) as client, opened(context, client) as page:
        finish(page, street)
        page.get_by_label("Model").select_option("two")
        expect(page.locator("#classes li").filter(has_text="lynx")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_telephone_shows_everything_without_scrolling_sideways(
    browser: Browser, client: httpx.Client, street: Path, scheme: str
) -> None:
    context = browser.new_context(viewport=PHONE, color_scheme=scheme, has_touch=True, is_mobile=True)  # type: ignore[arg-type]
    with opened(context, client) as page:
        finish(page, street, street, street, street, street, street)
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        for button in page.locator("button, label.button").all():
            box = button.bounding_box()
            assert box is None or box["height"] >= 24  # what WCAG 2.2 asks of a target
        page.locator("#stage").tap()
        expect(page.locator("#tip")).to_be_visible()
    context.close()


def test_the_text_stands_out_in_light_and_dark(browser: Browser, client: httpx.Client) -> None:
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)
        with opened(context, client) as page:
            for words, ground in READABLE:
                assert contrast(page, words, ground) >= 4.5, (scheme, words, ground)
        context.close()


def contrast(page: Page, words: str, ground: str) -> float:
    """The ratio that WCAG 2.2 defines, of two colours of the page."""
    luminances = []
    for name in (words, ground):
        code = page.evaluate(f"getComputedStyle(document.documentElement).getPropertyValue('{name}').trim()")
        channels = [int(code[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
        luminances.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(luminances) + 0.05) / (min(luminances) + 0.05)


def test_nothing_is_fetched_from_elsewhere(context: BrowserContext, client: httpx.Client, street: Path) -> None:
    asked = list[str]()
    context.on("request", lambda request: asked.append(request.url))
    with opened(context, client) as page:
        finish(page, street)
    own = (str(client.base_url), "blob:", "data:")
    assert [url for url in asked if not url.startswith(own)] == []
