"""The upload service over XMPP (files §4.1)."""

from __future__ import annotations

import re
import time
from xml.etree.ElementTree import Element

import pytest
from flask.testing import FlaskClient

from tests.api.files.slots import JULIET, asked, condition, request, slot
from tests.conftest import DOMAIN, MakeApp, basic, register_users
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.namespaces import DISCO_INFO, DISCO_ITEMS, UPLOAD

INFO, ITEMS = f"<query xmlns='{DISCO_INFO}'/>", f"<query xmlns='{DISCO_ITEMS}'/>"
STRANGER = "mercutio@verona.example/x"


def features(answer: Element) -> set[str]:
    return {feature.get("var", "") for feature in answer.iter(f"{{{DISCO_INFO}}}feature")}


def identities(answer: Element) -> set[tuple[str, str]]:
    return {(each.get("category", ""), each.get("type", "")) for each in answer.iter(f"{{{DISCO_INFO}}}identity")}


def test_those_that_may_upload_see_it_and_others_do_not(gateway: Gateway) -> None:
    seen, unseen = asked(gateway, INFO), asked(gateway, INFO, STRANGER)
    assert features(seen) - features(unseen) == {UPLOAD}
    assert identities(seen) == {*identities(unseen), ("store", "file")}
    assert len(identities(unseen)) == 1
    form = seen.find(".//{jabber:x:data}x")
    assert form is not None
    values = {f.get("var"): f.findtext("{jabber:x:data}value") for f in form}
    assert values == {"FORM_TYPE": UPLOAD, "max-file-size": "104857600"}
    assert unseen.find(".//{jabber:x:data}x") is None
    assert UPLOAD not in features(asked(gateway, INFO, to=JULIET))
    assert condition(asked(gateway, f"<query xmlns='{DISCO_INFO}' node='x'/>")) == ("cancel", "item-not-found")


def test_a_slot(gateway: Gateway) -> None:
    answer = asked(gateway, request(5, "a b.png"))
    put, get = answer.find(f".//{{{UPLOAD}}}put"), answer.find(f".//{{{UPLOAD}}}get")
    assert put is not None
    assert get is not None
    assert put.get("url") == get.get("url")
    assert re.fullmatch(r"http://127\.0\.0\.1:8080/files/[A-Za-z0-9_-]{22,}/a%20b\.png", put.get("url", ""))
    assert [(h.get("name"), bool(re.fullmatch(r"Bearer [!-~]+", h.text or ""))) for h in put] == [("Authorization", True)]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (request(5).replace(" filename='rose.png'", ""), ("modify", "bad-request")),
        (request(5, ""), ("modify", "bad-request")),
        (request(5, " "), ("modify", "bad-request")),
        (request("").replace(" size=''", ""), ("modify", "bad-request")),
        (request(""), ("modify", "bad-request")),
        (request(0), ("modify", "bad-request")),
        (request(-1), ("modify", "bad-request")),
        (request("5.0"), ("modify", "bad-request")),
        (request("\u0665"), ("modify", "bad-request")),
        (request("9" * 40), ("modify", "not-acceptable")),
        (request("9" * 5000), ("modify", "not-acceptable")),
        (request(104857601), ("modify", "not-acceptable")),
    ],
)
def test_requests_that_are_refused(gateway: Gateway, payload: str, expected: tuple[str, str]) -> None:
    answer = asked(gateway, payload)
    assert condition(answer) == expected
    if expected[1] == "not-acceptable":
        assert answer.findtext(f".//{{{UPLOAD}}}file-too-large/{{{UPLOAD}}}max-file-size") == "104857600"
    assert gateway.parts.files.used(parse_jid(JULIET)) == 0


@pytest.mark.parametrize(("name", "expected"), [("x" * 5000 + ".png", "x" * 251 + ".png"), (" .hidden", "hidden"), ("..", "file")])
def test_names_that_are_made_harmless(gateway: Gateway, name: str, expected: str) -> None:
    assert slot(gateway, 5, name).path.endswith(f"/{expected}")


def test_strangers_get_no_slot(gateway: Gateway) -> None:
    assert condition(asked(gateway, request(5), STRANGER)) == ("auth", "forbidden")
    assert condition(asked(gateway, request(5), f"nobody@{DOMAIN}/x")) == ("auth", "forbidden")
    assert condition(asked(gateway, request(""), STRANGER)) == ("auth", "forbidden")
    assert condition(asked(gateway, request(5), kind="set")) == ("cancel", "service-unavailable")
    assert condition(asked(gateway, request(5), to=f"conference.{DOMAIN}")) == ("cancel", "service-unavailable")


@pytest.mark.parametrize(
    ("access", "sender", "may"),
    [
        ("all", STRANGER, True),
        ("verona.example", STRANGER, True),
        ("*@verona.example", STRANGER, True),
        ("verona.example", "x@sub.verona.example", False),
        ("mercutio@verona.example, account", STRANGER, True),
        ("tybalt@verona.example", STRANGER, False),
        ("tybalt@verona.example", f"{JULIET}/x", False),
        ("callback", f"{JULIET}/x", False),
        ("callback", f"bot@{DOMAIN}/x", True),
        ("account", f"bot@{DOMAIN}/x", True),  # which is not an account
        ("callback", f"admin@{DOMAIN}/x", True),
    ],
)
def test_who_may_upload(make_app: MakeApp, access: str, sender: str, may: bool) -> None:
    bot = {"callback_bot_url": "http://127.0.0.1:9/", "callback_bot_address": f"bot@{DOMAIN}"}
    app = register_users(make_app(files_access=access, **bot))
    gateway: Gateway = app.extensions["gateway"]
    gateway.prepare()
    assert (asked(gateway, request(5), sender).get("type") == "result") is may
    assert (UPLOAD in features(asked(gateway, INFO, sender))) is may


def test_slots_of_one_are_bounded(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(100):
        slot(gateway, 1)
    assert condition(asked(gateway, request(1), f"{JULIET}/other")) == ("wait", "resource-constraint")
    slot(gateway, 1, sender=f"nurse@{DOMAIN}/x")
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 301)
    slot(gateway, 1)
    assert gateway.parts.files.used(parse_jid(JULIET)) == 1


def test_slots_of_all_are_bounded(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xmpp_rest.service.files.quotas.MOST_SLOTS_IN_ALL", 2)
    slot(gateway, 1)
    slot(gateway, 1, sender=f"nurse@{DOMAIN}/x")
    assert condition(asked(gateway, request(1))) == ("wait", "resource-constraint")


def test_files_of_one_are_bounded(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xmpp_rest.service.files.quotas.MOST_FILES", 2)
    slot(gateway, 1)
    slot(gateway, 1)
    assert condition(asked(gateway, request(1))) == ("wait", "resource-constraint")
    slot(gateway, 1, sender=f"nurse@{DOMAIN}/x")


def test_open_slots_are_known_after_a_restart(gateway: Gateway, make_app: MakeApp) -> None:
    path, fields = slot(gateway, 10)
    slot(gateway, 20)
    again: Gateway = make_app(server_data_dir=str(gateway.data_dir), storage_url="sqlite:other.sqlite").extensions["gateway"]
    assert again.parts.files.used(parse_jid(JULIET)) == 30
    client = make_app(server_data_dir=str(gateway.data_dir), storage_url="sqlite:other.sqlite").test_client()
    assert client.put(path, data=b"0123456789", headers=fields).status_code == 201


def test_accounts_ask_over_http(client: FlaskClient, gateway: Gateway) -> None:
    who = basic(JULIET)
    answer = client.get(
        f"/rest/upload_request/{DOMAIN}?filename=rose.png&size=4&content-type=image/png", headers=who | {"Accept": "application/json"}
    )
    assert answer.status_code == 200, answer.text
    put = answer.get_json()["upload_slot"]["put"]
    assert put["url"].endswith("/rose.png")
    (field,) = put["headers"]
    path = put["url"][put["url"].index("/files/") :]
    sent = client.put(path, data=b"rose", headers={field["name"]: field["value"], "Content-Type": "image/png"})
    assert sent.status_code == 201
    assert client.get(path).data == b"rose"


def test_a_domain_of_its_own(make_app: MakeApp) -> None:
    upload = f"upload.{DOMAIN}"
    gateway: Gateway = register_users(make_app(files_domain=upload)).extensions["gateway"]
    seen = asked(gateway, INFO, to=upload)
    assert UPLOAD in features(seen)
    assert ("store", "file") in identities(seen)
    assert UPLOAD not in features(asked(gateway, INFO, STRANGER, to=upload))
    assert UPLOAD not in features(asked(gateway, INFO))
    assert upload in {item.get("jid") for item in asked(gateway, ITEMS).iter(f"{{{DISCO_ITEMS}}}item")}
    assert asked(gateway, request(5), to=upload).get("type") == "result"
    assert condition(asked(gateway, request(5))) == ("cancel", "service-unavailable")


def test_without_a_service(make_app: MakeApp) -> None:
    gateway: Gateway = register_users(make_app(files_domain="")).extensions["gateway"]
    assert UPLOAD not in features(asked(gateway, INFO))
    assert condition(asked(gateway, request(5))) == ("cancel", "service-unavailable")


def test_a_slot_of_the_longest_names_can_be_used(make_app: MakeApp) -> None:
    """The token has to fit into a header field, however long addresses are."""
    app = make_app(files_access="all")
    gateway: Gateway = app.extensions["gateway"]
    sender = f"{chr(0x20AC) * 341}@{'.'.join(['x' * 60] * 4)}.example/{'r' * 1000}"
    path, fields = slot(gateway, 4, "\U0001f339" * 2000, "application/" + "x" * 240, sender)
    assert len(fields["Authorization"]) < 4096
    assert len(path) < 2048
    assert app.test_client().put(path, data=b"rose", headers=fields).status_code == 201
    assert app.test_client().get(path).data == b"rose"
