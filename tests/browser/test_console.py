"""/console/ in a real Chromium: every row of operations §6.4, by accessible names, with the browser's own console free of errors."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.live.gateway import PASSWORD, Gateway
from tests.live.xmppserver import GATEWAY

from .chromium import CTRL, SHIFT, Chromium, Page

JULIET, NURSE = f"juliet@{GATEWAY}", f"nurse@{GATEWAY}"
TOKEN = "sessionStorage.getItem('token')"
LINES = "[...document.querySelectorAll('#events p')].map((line) => line.lastElementChild.textContent)"


@pytest.fixture
def page(browser: Chromium, url: str) -> Iterator[Page]:
    page = browser.open(f"{url}/console/")
    yield page
    page.call("Page.close")


def log_in(page: Page, address: str = JULIET, password: str = PASSWORD) -> None:
    page.fill("textbox", "Address", address)
    page.fill("textbox", "Password", password)
    page.click("button", "Log in")


@pytest.fixture
def inside(page: Page) -> Page:
    """Logged in as juliet, and connected."""
    log_in(page)
    page.wait_text("#state", "Connected")
    return page


def say(gateway: Gateway, body: str, to: str = JULIET, sender: str = "nurse") -> None:
    assert gateway.post_json({"to": to, "body": body}, sender).status == 202


def soon_revoked(gateway: Gateway, fields: dict[str, str]) -> bool:
    """Whether a token is good no more; the page does not wait for that."""
    end = time.monotonic() + 10
    while (status := gateway.http.request("GET", "/api/contacts", headers=fields).status) != 401 and time.monotonic() < end:
        time.sleep(0.05)
    return status == 401


def send(page: Page, to: str, text: str) -> None:
    page.fill("textbox", "To", to)
    page.fill("textbox", "Message", text)
    page.click("button", "Send")


def test_log_in_and_out(page: Page, gateway: Gateway, url: str) -> None:
    assert page.focused() == "textbox Address"
    log_in(page, password="wrong")
    page.wait_text("[role=alert]", "password is wrong")
    assert page.js("[address.value, password.value, sessionStorage.length]") == [JULIET, "", 0]
    assert page.focused() == "textbox Password"
    page.picture("wrong-password")
    page.type(PASSWORD)
    page.press("Enter")
    page.wait_text("#jid", f"Logged in as {JULIET}")
    assert page.focused() == "textbox To"
    page.wait_text("#state", "Connected")
    token = page.js(TOKEN)
    assert page.js("[Object.keys(sessionStorage), localStorage.length, document.cookie, password.value]") == [["token"], 0, "", ""]
    fields = {"Authorization": f"Bearer {token}"}
    assert gateway.http.request("GET", "/api/contacts", headers=fields).status == 200

    page.click("button", "Log out")
    page.until("!login.hidden")
    assert page.js("[sessionStorage.length, work.hidden, document.querySelector('#events').childElementCount]")[:2] == [0, True]
    assert soon_revoked(gateway, fields)
    assert page.text("[role=alert]") == ""
    assert page.focused() == "textbox Address"
    errors = [text for text in page.complaints() if "400" not in text]  # the wrong password, which Chromium reports itself
    assert errors == []
    assert {asked.partition("/console")[0] for asked in page.requests() if not asked.startswith(url)} == set()


def test_a_token_in_place_of_the_password(page: Page, gateway: Gateway) -> None:
    made = gateway.post_json({"jid": JULIET, "ttl": 600, "scopes": "sasl_auth"}, "admin", "/api/oauth_issue_token")
    token = made.json()["token"]
    page.click("button", "Use a token")
    assert page.focused() == "textbox Token"
    page.type("wrong")
    page.press("Enter")
    page.wait_text("[role=alert]", "Credentials not accepted")
    page.fill("textbox", "Token", "tok\u20acn")
    page.press("Enter")
    page.wait_text("[role=alert]", "A token has no blanks")
    page.fill("textbox", "Token", token)
    page.click("button", "Log in")
    page.wait_text("#jid", f"Logged in as {JULIET}")
    page.wait_text("#state", "Connected")
    page.call("Page.reload")
    page.wait_text("#state", "Connected")  # the tab kept it
    gateway.post_json({"token": token}, "admin", "/api/oauth_revoke_token")
    send(page, NURSE, "Art thou there?")
    page.wait_text("[role=alert]", "You have been logged out")
    assert page.js("[login.hidden, sessionStorage.length]") == [False, 0]


def test_events_arrive_and_markup_is_text(inside: Page, gateway: Gateway) -> None:
    evil = "<img src=x onerror=\"reports.push('run')\"><b>bold</b> & <script>reports.push('run')</script>"
    say(gateway, evil)
    inside.until(f"{LINES}.length")
    assert inside.js(LINES) == [evil]
    assert inside.js("document.querySelector('#events b').textContent") == NURSE
    assert inside.js("document.querySelectorAll('#events img, #events script').length") == 0
    assert inside.find("log", "Events")
    inside.picture("events")
    assert inside.complaints() == []
    assert inside.unnamed() == []
    inside.click("button", "Log out")
    inside.until("!login.hidden")
    assert inside.js("events.textContent + rooms.textContent + contacts.textContent") == ""  # the next one here does not find them


def test_a_text_cannot_look_like_lines_of_the_page(inside: Page, gateway: Gateway) -> None:
    say(gateway, f"first\n12:00:00 admin@{GATEWAY} second")
    say(gateway, "\u202ereversed and left open")
    inside.until(f"{LINES}.length === 2")
    text = "document.querySelector('#events span').firstChild"
    starts = f"(() => {{ const r = document.createRange(); r.selectNodeContents({text}); return [...r.getClientRects()].map((line) => line.left); }})()"
    begin = inside.js("document.querySelector('#events time').getBoundingClientRect().left")
    assert begin + 12 < min(inside.js(starts))
    assert set(
        inside.js("[...document.querySelectorAll('#events b, #events span')].map((part) => getComputedStyle(part).unicodeBidi)")
    ) == {"plaintext"}


@pytest.mark.parametrize("answer", ["503", "429", "401"])
def test_a_token_is_kept_while_the_gateway_is_busy(inside: Page, answer: str) -> None:
    kept = inside.js(TOKEN)
    fake = f"fetch = async () => new Response('null', {{ status: {answer} }});"
    inside.call("Page.addScriptToEvaluateOnNewDocument", source=fake)
    inside.call("Page.reload")
    inside.wait_text("[role=alert]", f"status {answer}")
    assert inside.js(TOKEN) == (None if answer == "401" else kept)


def test_at_most_500_lines_are_kept(inside: Page, gateway: Gateway) -> None:
    lines = "".join(json.dumps({"to": JULIET, "body": f"line {n}"}) + "\n" for n in range(510))
    assert gateway.request("POST", "/rest", lines, "application/x-ndjson", "nurse").status == 200
    inside.wait_text("#events p:last-child", "line 509")
    assert inside.js(LINES) == [f"line {n}" for n in range(10, 510)]


def test_a_broken_stream_is_resumed_without_loss_or_repetition(inside: Page, gateway: Gateway) -> None:
    for round_ in range(2):  # the first one breaks off before any event has come
        gateway.post_json({"user": "juliet", "host": GATEWAY}, "admin", "/api/kick_user")
        inside.wait_text("#state", "Reconnecting")
        say(gateway, f"while away {round_}")
        inside.wait_text("#state", "Connected")
        say(gateway, f"back {round_}")
        inside.wait_text("#events p:last-child", f"back {round_}")
    assert inside.js(LINES) == ["while away 0", "back 0", "while away 1", "back 1"]
    assert inside.complaints() == []


def test_send_and_its_outcome(inside: Page, gateway: Gateway) -> None:
    send(inside, NURSE, "Hie you to church")
    inside.wait_text("#outcome", "confirmed")
    assert inside.js("[to.value, message.value]") == [NURSE, ""]
    assert inside.find("status", "Outcome")
    send(inside, f"nobody@{GATEWAY}", "Hello?")
    inside.wait_text("#outcome", "refused: service unavailable")
    assert inside.js("message.value") == "Hello?"
    send(inside, "nobody", "Hello?")
    inside.wait_text("#outcome", f"did you mean nobody@{GATEWAY}?")
    assert inside.js("message.value") == "Hello?"
    inside.picture("refused")
    send(inside, JULIET, "to myself")
    inside.wait_text("#events", "to myself")


@pytest.mark.parametrize("status", [404, 429, 503])
def test_an_outcome_that_the_gateway_cannot_tell_is_not_made_up(inside: Page, status: int) -> None:
    refused = f"new Response('null', {{ status: {status} }})"
    fake = f"const real = fetch; let asked = 0; fetch = (path, how) => path.includes('outcome') && ++asked ? {refused} : real(path, how);"
    inside.js(f"{fake} window.times = () => asked")
    send(inside, NURSE, "Wilt thou be gone?")
    inside.until(f"times() > {status != 404:d} && document.getElementById('outcome').textContent.startsWith('accepted')")
    assert inside.js("message.value") == ""


def test_an_answer_that_is_lost_is_said_to_be(inside: Page) -> None:
    inside.js("{ const real = fetch; fetch = (path, how) => path === '../rest' ? Promise.reject(new TypeError()) : real(path, how); }")
    send(inside, NURSE, "Wilt thou be gone?")
    inside.wait_text("#outcome", "cannot be reached. It may have taken the message")
    assert inside.js("message.value") == "Wilt thou be gone?"


def test_a_receipt_is_a_delivery(inside: Page, gateway: Gateway) -> None:
    send(inside, NURSE, "Say that you have it")
    inside.wait_text("#outcome", "confirmed")
    page = gateway.request("GET", f"/api/messages/{JULIET}?limit=1", user="nurse").json()
    receipt = f"<message type='chat' to='{JULIET}'><received xmlns='urn:xmpp:receipts' id='{page[0]['id']}'/></message>"
    gateway.send(receipt, "nurse")
    inside.wait_text("#outcome", "delivered")


def test_rooms_and_contacts_fill_the_field(inside: Page) -> None:
    inside.until("document.querySelectorAll('#rooms button, #contacts button').length === 2")
    assert inside.find("list", "Rooms")
    assert inside.find("list", "Contacts")
    inside.click("button", NURSE)
    assert inside.js("to.value") == NURSE
    assert inside.focused() == "textbox Message"
    inside.click("button", f"Garden garden@muclight.{GATEWAY}")
    assert inside.js("to.value") == f"garden@muclight.{GATEWAY}"
    inside.type("What says he of our marriage?")
    inside.press("Enter", CTRL)
    inside.wait_text("#outcome", "confirmed")
    inside.wait_text("#events", "What says he of our marriage?")  # a room tells its members, the sender too
    inside.picture("rooms")
    assert inside.complaints() == []


def test_by_keyboard_alone(page: Page, gateway: Gateway) -> None:
    order = [page.focused()]
    for _ in range(3):
        page.press("Tab")
        order.append(page.focused())
    assert order == ["textbox Address", "textbox Password", "button Log in", "button Use a token"]
    for _ in range(3):
        page.press("Tab", SHIFT)
    page.type(JULIET)
    page.press("Tab")
    page.type(PASSWORD)
    page.press("Enter")
    page.wait_text("#state", "Connected")
    page.until("document.querySelectorAll('#rooms button, #contacts button').length === 2")
    assert page.focused() == "textbox To"
    page.type(NURSE)
    page.press("Tab")
    page.type("first line")
    page.press("Enter")
    page.type("second line")
    page.press("Enter", CTRL)
    page.wait_text("#outcome", "confirmed")
    assert gateway.request("GET", f"/api/messages/{JULIET}?limit=1", user="nurse").json()[0]["body"] == "first line\nsecond line"
    order = []
    for _ in range(4):
        page.press("Tab")
        order.append(page.focused())
        assert page.js("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert order == ["button Send", f"button Garden garden@muclight.{GATEWAY}", f"button {NURSE}", "button Refresh rooms and contacts"]
    for _ in range(5):
        page.press("Tab", SHIFT)
    assert page.focused() == "textbox To"
    page.press("Tab", SHIFT)
    assert page.focused() == "log Events"
    page.press("Tab", SHIFT)
    assert page.focused() == "button Log out"
    page.press(" ")
    page.until("!login.hidden")
    assert page.complaints() == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_narrow_window(browser: Chromium, url: str, gateway: Gateway, dark: bool) -> None:
    page = browser.open(f"{url}/console/", width=360, height=740, dark=dark)
    assert not page.is_too_wide()
    page.picture(f"narrow-{dark}-login")
    log_in(page)
    page.wait_text("#state", "Connected")
    say(gateway, "x" * 300)
    page.until(f"{LINES}.length")
    send(page, f"{'y' * 300}@{GATEWAY}", "z" * 300)
    page.wait_text("#outcome", "refused")
    assert not page.is_too_wide()
    background, ink = page.js("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
    assert (sum(rgb(background)) < sum(rgb(ink))) == dark
    page.picture(f"narrow-{dark}")
    page.call("Page.close")


def rgb(colour: str) -> list[int]:
    return [int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
