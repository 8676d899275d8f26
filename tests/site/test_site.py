"""The built documentation site, looked at in a real browser: pages render, the search finds, nothing overflows, nothing is loaded from elsewhere."""

from __future__ import annotations

import functools
import http.server
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.site import browser

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "build" / "site"
WIDTHS = (360, 1280)

if not (SITE / "index.html").exists():
    pytest.skip("the site is not built: make docs", allow_module_level=True)
PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html") if path.name != "404.html")


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves the site, and logs nothing."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(SITE))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Browser]:
    if not browser.find():
        pytest.skip(browser.MISSING)
    with browser.Browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def test_no_page_loads_anything_from_elsewhere():
    for name in PAGES:
        html = (SITE / name).read_text(encoding="utf-8")
        assert re.findall(r"<(?:script|img|iframe)[^>]+src=\"(?:https?:)?//[^\"]*|<link[^>]+(?:stylesheet|preload|preconnect)[^>]+//[^\"]*", html) == [], name


def test_every_page_renders_without_an_error_and_nothing_overflows(page: browser.Browser, address: str):
    page.faults.clear()
    overflows = []
    for name in PAGES:
        page.open(f"{address}/{name}")
        assert page.evaluate("document.querySelector('article h1').innerText.length > 3"), name
        for width in WIDTHS:
            page.resize(width, 800)
            if (found := page.evaluate("document.documentElement.scrollWidth")) > width:
                overflows.append((name, width, found))
        if folder := os.environ.get("SOS_SCREENSHOTS"):
            for width in WIDTHS:
                page.resize(width, 800)
                page.screenshot(Path(folder) / f"{name.replace('/', '-')}-{width}.png")
    assert overflows == []
    assert page.faults == []


def test_every_picture_is_there(page: browser.Browser, address: str):
    for name in ("index.html", "explanation/index.html", "how-to/reviewing.html"):
        page.open(f"{address}/{name}")
        page.until("[...document.querySelectorAll('article img')].every(each => each.complete)")
        assert page.evaluate("[...document.querySelectorAll('article img')].map(each => each.naturalWidth > 100)") == [True], name


@pytest.mark.parametrize(("words", "expected"), [("failover", "explanation/failover.html"), ("pg_basebackup", "how-to/backup.html")])
def test_the_search_finds(page: browser.Browser, address: str, words: str, expected: str):
    page.resize(1280, 900)
    page.faults.clear()
    page.open(f"{address}/index.html?q={words.replace(' ', '+')}")
    page.until(f"[...document.querySelectorAll('.md-search-result__link')].some(each => each.href.includes({expected!r}))")
    assert page.faults == []


def test_a_fault_would_be_found(page: browser.Browser, address: str):
    page.faults.clear()
    page.open(f"{address}/index.html")
    page.evaluate("console.error('wrong'); document.querySelector('article').style.width = '3000px'; setTimeout(() => undefined.x, 0); 1")
    page.until("document.documentElement.scrollWidth > 2000")
    page.open(f"{address}/start/index.html")
    assert any("wrong" in fault for fault in page.faults), page.faults
    page.faults.clear()
