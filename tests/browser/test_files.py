"""Files in a real Chromium: nothing that was uploaded is ever run (files §3)."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator

import pytest

from tests.live.gateway import Gateway

from .chromium import Chromium, Page

RUN = "document.title = 'it ran'; fetch('/it-ran');"
HTML = f'<!DOCTYPE html><title>quiet</title><body onload="{RUN}"><script>{RUN}</script><img src=\'/nothing\' onerror="{RUN}">A rose'
SVG = f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="{RUN}"><script>{RUN}</script></svg>'
XHTML = f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title>quiet</title><script>{RUN}</script></head><body/></html>'
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


@pytest.fixture
def page(browser: Chromium, url: str) -> Iterator[Page]:
    page = browser.open(f"{url}/livez")
    yield page
    page.call("Page.close")


def uploaded(gateway: Gateway, name: str, kind: str, content: str | bytes) -> str:
    answer = gateway.request("POST", f"/rest/files?name={name}", content, kind, "juliet")
    assert answer.status == 201, answer.data
    url: str = answer.json()["url"]
    return f"http://127.0.0.1:{gateway.port}{url[url.index('/files/') :]}"


def show(page: Page, url: str) -> None:
    """As `page.go`, which has the page itself wait: nothing can in this one."""
    assert "errorText" not in page.call("Page.navigate", url=url)
    end = time.monotonic() + 30
    while page.js("[location.href, document.readyState]") != [url, "complete"]:
        assert time.monotonic() < end
        time.sleep(0.02)


def has_run(page: Page) -> bool:
    return page.js("document.title") == "it ran" or any(url.endswith("/it-ran") for url in page.requests())


@pytest.mark.parametrize(
    ("name", "kind", "content"),
    [
        ("x.svg", "image/svg+xml", SVG),
        ("x.xhtml", "application/xhtml+xml", XHTML),
        ("x.xml", "text/xml", XHTML),
        ("x.html", "text/html", HTML),
    ],
)
def test_what_could_have_scripts_is_saved(page: Page, gateway: Gateway, name: str, kind: str, content: str) -> None:
    answer = page.call("Page.navigate", url=uploaded(gateway, name, kind, content))
    assert answer.get("isDownload") or "ERR_ABORTED" in answer.get("errorText", "")
    assert not has_run(page)


def test_text_stays_text(page: Page, gateway: Gateway) -> None:
    show(page, uploaded(gateway, "x.txt", "text/plain", HTML))
    assert "<script>" in page.text()
    assert not has_run(page)


def test_what_is_no_picture_is_no_page(page: Page, gateway: Gateway) -> None:
    show(page, uploaded(gateway, "x.png", "image/png", HTML))
    assert not has_run(page)


def test_pictures_are_shown_here_and_in_other_pages(page: Page, gateway: Gateway) -> None:
    url = uploaded(gateway, "x.png", "image/png", PNG)
    show(page, url)
    assert page.js("document.images[0].naturalWidth") == 1
    page.go(f"http://localhost:{gateway.port}/livez")  # another origin
    page.js(f"document.body.innerHTML = `<img src='{url}'><iframe src='{uploaded(gateway, 'y.html', 'text/html', HTML)}'></iframe>`; 0")
    page.until("document.images[0].naturalWidth === 1")
    assert not has_run(page)
