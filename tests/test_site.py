"""The site is built without a warning, and a reader's browser fetches nothing from elsewhere."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.slow


class Resources(HTMLParser):
    """What a browser fetches for a page, and what it can follow within the site."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.fetched, self.followed = list[str](), list[str]()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "link" and given.get("rel") not in ("canonical", "next", "prev"):
            self.fetched.append(given["href"])
        if "src" in given:
            self.fetched.append(given["src"])
        if tag == "a" and "href" in given:
            self.followed.append(given["href"])


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server of these files."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    run = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert run.returncode == 0, run.stderr
    assert "WARNING" not in run.stderr
    return folder


def test_every_document_becomes_a_page(site: Path) -> None:
    documents = [path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")]
    missing = [str(page) for page in documents if not (site / page).is_file()]
    assert missing == []
    assert "The DeepLab family" in (site / "index.html").read_text(encoding="utf-8")


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    fetched = {resource for page in site.rglob("*.html") for resource in Resources(page).fetched}
    assert fetched
    assert [resource for resource in fetched if "//" in resource] == []


def test_every_link_within_the_site_leads_somewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        if page.name == "404.html":  # is shown in place of any page, so it has links from the root
            continue
        paths = [link.partition("#")[0] for link in Resources(page).followed if "//" not in link]
        assert [path for path in paths if path and not (page.parent / path).exists()] == []


def test_code_that_no_test_runs_is_still_shown_as_code(site: Path) -> None:
    assert "```" not in (site / "container.html").read_text(encoding="utf-8")
    assert "no-run" not in (site / "container.html").read_text(encoding="utf-8")


def test_the_programming_interface_is_described(site: Path) -> None:
    page = (site / "api" / "atrous.html").read_text(encoding="utf-8")
    assert "Read a checkpoint and make it predict." in page
    assert "CheckpointError" in page


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: install it, or say where it is in CHROMIUM")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it_without_the_network_and_finds_words(site: Path, scheme: str) -> None:
    with served(site) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(color_scheme=scheme, viewport={"width": 390, "height": 844})  # type: ignore[arg-type]
        page.set_default_timeout(120_000)
        asked, faults = list[str](), list[str]()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(address)
        wider = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        page.locator("label[for=__search]").first.click()
        page.locator("input[name=query]").press_sequentially("permutohedral")
        page.locator(".md-search-result__link").first.wait_for()
        browser.close()
    assert not wider
    assert faults == []
    assert [url for url in asked if not url.startswith((address, "blob:", "data:"))] == []
