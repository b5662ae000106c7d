"""`/` and `/docs/` in a real Chromium: free of errors and reports, and a request is tried out."""

from __future__ import annotations

import pytest

from tests.live.gateway import PASSWORD, Gateway
from tests.live.xmppserver import GATEWAY

from .chromium import Chromium, Page


def show(page: Page, tag: str) -> None:
    """Open a group of operations: they are closed at first. (Of 150 operations and more Swagger UI makes what is to be seen.)"""
    page.until(f"document.getElementById('operations-tag-{tag}')")
    page.js(f"document.getElementById('operations-tag-{tag}').click()")
    page.until(f"document.querySelector('#operations-tag-{tag}').parentElement.querySelector('.opblock')")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_landing_page(browser: Chromium, url: str, dark: bool) -> None:
    page = browser.open(f"{url}/", width=360, height=700, dark=dark)
    assert not page.is_too_wide()
    assert f"{url}/rest" in page.text("code")
    page.picture(f"landing-{dark}")
    page.click("link", "docs")
    page.until("location.pathname === '/docs/'")
    assert page.complaints() == []
    page.call("Page.close")


def test_the_landing_page_in_a_wide_window(browser: Chromium, url: str) -> None:
    page = browser.open(f"{url}/")
    page.picture("landing-wide")
    assert page.js("getComputedStyle(document.querySelector('main')).maxWidth") == "736px"
    page.call("Page.close")


def test_the_apis_are_shown_in_a_narrow_dark_window(browser: Chromium, url: str) -> None:
    page = browser.open(f"{url}/docs/", width=360, height=700, dark=True)
    show(page, "client")
    assert page.js("[document.querySelectorAll('h1').length, document.querySelectorAll('main').length]") == [1, 1]
    assert not page.is_too_wide()
    page.js("document.querySelector('.opblock-summary-control').click()")
    page.until("document.querySelector('.try-out__btn')")
    page.js("document.querySelector('.try-out__btn').click()")
    page.until("document.querySelector('.execute')")
    page.js("document.querySelector('.btn.authorize').click()")
    page.until("document.querySelector('.close-modal[aria-label]')")
    assert not page.is_too_wide()
    assert page.unnamed() == []
    assert page.js("document.documentElement.className") == "dark-mode"
    page.picture("docs")
    assert page.complaints() == []
    assert [asked for asked in page.requests() if not asked.startswith((url, "data:"))] == []
    page.call("Page.close")


def test_a_request_is_tried_out(browser: Chromium, url: str, gateway: Gateway) -> None:
    page = browser.open(f"{url}/docs/")
    show(page, "client")
    page.js("document.querySelector('.btn.authorize').click()")
    page.until("document.querySelector('.auth-container input')")
    labels = page.text(".modal-ux").lower()
    assert "basic" in labels
    assert "bearer" in labels
    page.picture("authorize")
    name, password = (f"document.querySelector('.auth-container input[{kind}]')" for kind in ("type=text", "type=password"))
    for field, text in ((name, f"juliet@{GATEWAY}"), (password, PASSWORD)):
        page.js(f"{field}.focus()")
        page.type(text)
    page.js("document.querySelector('.auth-btn-wrapper .authorize').click()")
    page.js("document.querySelector('.auth-btn-wrapper .btn-done').click()")
    named = "block.textContent.replaceAll('\u200b', '').includes('/api/contacts')"  # paths may be broken at each slash
    contacts = f"[...document.querySelectorAll('.opblock-get')].find((block) => {named})"
    page.until(contacts)
    page.js(f"{contacts}.querySelector('.opblock-summary-control').click()")
    page.until(f"{contacts}.querySelector('.try-out__btn')")
    page.js(f"{contacts}.querySelector('.try-out__btn').click()")
    page.until(f"{contacts}.querySelector('.execute')")
    page.js(f"{contacts}.querySelector('.execute').click()")
    page.until(f"{contacts}.querySelector('.live-responses-table .response .response-col_status')?.textContent.startsWith('200')")
    assert f"nurse@{GATEWAY}" in page.js(f"{contacts}.querySelector('.live-responses-table').textContent")
    page.js(f"{contacts}.querySelector('.live-responses-table').scrollIntoView()")
    page.picture("tried")
    assert page.complaints() == []
    page.call("Page.close")
