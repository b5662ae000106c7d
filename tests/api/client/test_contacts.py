"""/api/contacts and /api/contacts/{jid}: status and text of every answer (client-api §7, §10)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.client.calls import JULIET, NURSE, ROMEO, Api, refused
from tests.conftest import SHARED, MakeApp, basic, register_users
from tests.link.fake import attach
from tests.raising import raising
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text

ALLOW = "OPTIONS, GET, POST, PUT, DELETE"


class Contacts(Api):
    """Requests of one user to the contacts."""

    root = "/api/contacts"

    def list(self) -> dict[str, tuple[str, str]]:
        response = self("GET")
        assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
        rows = response.get_json()
        assert all(row.keys() == {"jid", "subscription", "ask"} for row in rows)
        assert len({row["jid"] for row in rows}) == len(rows)
        return {row["jid"]: (row["subscription"], row["ask"]) for row in rows}


@pytest.fixture
def juliet(app: Flask) -> Contacts:
    return Contacts(app, JULIET)


@pytest.fixture
def nurse(app: Flask) -> Contacts:
    return Contacts(app, NURSE)


# the path from strangers to friends


def test_nobody_yet(juliet: Contacts) -> None:
    assert juliet.list() == {}


def test_adding_is_silent_and_may_be_repeated(juliet: Contacts, nurse: Contacts) -> None:
    for jid in (NURSE, "Nurse@CAPULET.example/phone", ROMEO):
        juliet.done("POST", "", {"jid": jid})
    assert juliet.list() == {NURSE: ("none", "none"), ROMEO: ("none", "none")}
    assert nurse.list() == {}


def test_adding_again_keeps_states(juliet: Contacts, nurse: Contacts) -> None:
    juliet.done("POST", "", {"jid": NURSE})
    juliet.done("PUT", f"/{NURSE}", {"action": "invite"})
    juliet.done("POST", "", {"jid": NURSE})
    nurse.done("POST", "", {"jid": JULIET})
    assert juliet.list() == {NURSE: ("none", "out")}
    assert nurse.list() == {JULIET: ("none", "in")}


def test_invite_and_accept(juliet: Contacts, nurse: Contacts) -> None:
    juliet.done("POST", "", {"jid": NURSE})
    juliet.done("PUT", f"/{NURSE}", {"action": "invite"})
    assert (juliet.list(), nurse.list()) == ({NURSE: ("none", "out")}, {JULIET: ("none", "in")})
    nurse.done("PUT", f"/{JULIET}", {"action": "accept"})
    assert (juliet.list(), nurse.list()) == ({NURSE: ("to", "none")}, {JULIET: ("from", "none")})
    nurse.done("PUT", f"/{JULIET}", {"action": "invite"})
    assert (juliet.list(), nurse.list()) == ({NURSE: ("to", "in")}, {JULIET: ("from", "out")})
    juliet.done("PUT", f"/{NURSE}", {"action": "accept"})
    assert (juliet.list(), nurse.list()) == ({NURSE: ("both", "none")}, {JULIET: ("both", "none")})


def test_invitations_that_cross(juliet: Contacts, nurse: Contacts) -> None:
    juliet.done("POST", "", {"jid": NURSE})
    juliet.done("PUT", f"/{NURSE}", {"action": "invite"})
    nurse.done("PUT", f"/{JULIET}", {"action": "invite"})
    assert (juliet.list(), nurse.list()) == ({NURSE: ("none", "both")}, {JULIET: ("none", "both")})
    nurse.done("PUT", f"/{JULIET}", {"action": "accept"})
    assert (juliet.list(), nurse.list()) == ({NURSE: ("to", "in")}, {JULIET: ("from", "out")})


@pytest.mark.parametrize("action", ["invite", "accept"])
def test_actions_may_be_repeated(juliet: Contacts, nurse: Contacts, action: str) -> None:
    juliet.done("POST", "", {"jid": NURSE})
    states = set()
    for _ in range(3):
        juliet.done("PUT", f"/{NURSE}", {"action": action})
        states.add((*juliet.list().values(), *nurse.list().values()))
    assert len(states) == 1


def test_accepting_nothing_promises_nothing(juliet: Contacts, nurse: Contacts) -> None:
    juliet.done("POST", "", {"jid": NURSE})
    juliet.done("PUT", f"/{NURSE}", {"action": "accept"})
    nurse.done("POST", "", {"jid": JULIET})
    nurse.done("PUT", f"/{JULIET}", {"action": "invite"})
    assert juliet.list() == {NURSE: ("none", "in")}


def test_removing_ends_it_on_both_sides(juliet: Contacts, nurse: Contacts) -> None:
    juliet.done("POST", "", {"jid": NURSE})
    juliet.done("PUT", f"/{NURSE}", {"action": "invite"})
    nurse.done("PUT", f"/{JULIET}", {"action": "accept"})
    juliet.done("DELETE", f"/{NURSE}")
    assert (juliet.list(), nurse.list()) == ({}, {JULIET: ("none", "none")})
    assert refused(juliet("DELETE", f"/{NURSE}")) == (404, f"Cannot remove {NURSE} contact that does not exist")


def test_a_withdrawn_invitation_leaves_no_trace(juliet: Contacts, nurse: Contacts) -> None:
    juliet.done("POST", "", {"jid": NURSE})
    juliet.done("PUT", f"/{NURSE}", {"action": "invite"})
    juliet.done("DELETE", f"/{NURSE}")
    assert (juliet.list(), nurse.list()) == ({}, {})


def test_a_request_can_be_declined(juliet: Contacts, nurse: Contacts) -> None:
    juliet.done("POST", "", {"jid": NURSE})
    juliet.done("PUT", f"/{NURSE}", {"action": "invite"})
    nurse.done("DELETE", f"/{JULIET}")
    assert (juliet.list(), nurse.list()) == ({NURSE: ("none", "none")}, {})


def test_removing_several(juliet: Contacts) -> None:
    for jid in (NURSE, ROMEO, "mercutio@verona.example"):
        juliet.done("POST", "", {"jid": jid})
    response = juliet("DELETE", "", {"to_delete": ["zorro@x.example", NURSE, f"{ROMEO}/orchard", "Abe@x.example", NURSE]})
    assert (response.status_code, response.get_json()) == (200, {"not_deleted": ["zorro@x.example", "abe@x.example"]})
    assert juliet.list() == {"mercutio@verona.example": ("none", "none")}
    assert juliet("DELETE", "", {"to_delete": []}).get_json() == {"not_deleted": []}


def test_bodies_of_delete_need_no_content_type(juliet: Contacts) -> None:
    juliet.done("POST", "", {"jid": NURSE})
    response = juliet("DELETE", "", data=f'{{"to_delete": ["{NURSE}"]}}', content_type="text/plain")
    assert response.get_json() == {"not_deleted": []}


def test_percent_encoded_and_trailing_slash(juliet: Contacts) -> None:
    juliet.done("POST", "/", {"jid": NURSE})
    juliet.done("PUT", "/nurse%40capulet.example/", {"action": "invite"})
    juliet.done("PUT", "/nurse%40capulet.example%2Fphone", {"action": "invite"})
    juliet.done("DELETE", "/NURSE%40capulet.example")
    assert juliet.list() == {}


def test_the_path_stands_in_for_the_body_and_the_body_for_the_path(juliet: Contacts) -> None:
    juliet.done("POST", f"/{ROMEO}", {})
    juliet.done("POST", f"/{ROMEO}", {"jid": NURSE})
    assert juliet.list().keys() == {ROMEO, NURSE}
    juliet.done("PUT", "", {"jid": ROMEO, "action": "invite"})
    assert juliet.list()[ROMEO] == ("none", "out")


# refusals

LONG = "x" * 1024
POSTS = [
    ("", '{"jid": "nurse@capulet.example"', 400, "Invalid request body"),
    ("", "", 400, "Invalid request body"),
    ("", '["nurse@capulet.example"]', 400, "Invalid request body"),
    ("", "{}", 400, "Missing JID"),
    ("", '{"jid": "@invalid"}', 400, "Invalid JID: @invalid"),
    ("", '{"jid": ""}', 400, "Invalid JID: "),
    ("", '{"jid": 5}', 400, "Invalid JID: 5"),
    ("", '{"jid": null}', 400, "Invalid JID: null"),
    ("", '{"jid": ["a@b"]}', 400, "Invalid JID: […]"),
    ("", '{"jid": "a b@x"}', 400, "Invalid JID: a b@x"),
    ("", '{"jid": "\\ud83d@x"}', 400, "Invalid JID: \ud83d@x"),
    ("", f'{{"jid": "{LONG}@x"}}', 400, f"Invalid JID: {LONG}@x"),
    ("", '{"jid": "__hash"}', 400, "Invalid JID: __hash"),
    ("", '{"jid": "zorro@capulet.example"}', 404, "The user zorro@capulet.example does not exist"),
    ("", '{"jid": "Zorro@Capulet.example/x"}', 404, "The user zorro@capulet.example does not exist"),
    ("/@invalid", "{}", 400, "Invalid JID: @invalid"),
]


@SHARED
@pytest.mark.parametrize(("path", "body", "status", "text"), POSTS)
def test_posts_that_are_refused(juliet: Contacts, path: str, body: str, status: int, text: str) -> None:
    assert refused(juliet("POST", path, data=body, content_type="application/json")) == (status, text)
    assert juliet.list() == {}


PUTS = [
    ("", '{"action": "invite"}', 400, "Missing JID"),
    ("", "{", 400, "Missing JID"),
    ("", '{"jid": "@invalid", "action": "x"}', 400, "Invalid JID: @invalid"),
    ("/@invalid", "{", 400, "Invalid JID: @invalid"),
    (f"/{NURSE}", "{", 400, "Invalid request body"),
    (f"/{NURSE}", "[]", 400, "Invalid request body"),
    (f"/{NURSE}", "{}", 400, "Missing action"),
    (f"/{NURSE}", '{"action": "something stupid"}', 400, "Invalid action"),
    (f"/{NURSE}", '{"action": ["invite"]}', 400, "Invalid action"),
    (f"/{NURSE}", '{"action": null}', 400, "Invalid action"),
    ("/zorro@x.example", '{"action": "x"}', 400, "Invalid action"),
    ("/zorro@x.example", '{"action": "invite"}', 404, "Given contact does not exist"),
    ("/pending", '{"action": "invite"}', 404, "Given contact does not exist"),
]


@pytest.mark.parametrize(("path", "body", "status", "text"), PUTS)
def test_puts_that_are_refused(juliet: Contacts, path: str, body: str, status: int, text: str) -> None:
    juliet.done("POST", "", {"jid": NURSE})
    assert refused(juliet("PUT", path, data=body, content_type="application/json")) == (status, text)
    assert juliet.list() == {NURSE: ("none", "none")}


DELETES = [
    ("/@invalid", "", 400, "Invalid JID: @invalid"),
    ("/zorro@x.example", "", 404, "Cannot remove zorro@x.example contact that does not exist"),
    ("/pending", "", 404, "Cannot remove pending contact that does not exist"),
    ("", "", 400, "Invalid request body"),
    ("", "[]", 400, "Invalid request body"),
    ("", "{}", 400, "Invalid list of JIDs"),
    ("", '{"to_delete": "nurse@capulet.example"}', 400, "Invalid list of JIDs"),
    ("", '{"to_delete": null}', 400, "Invalid list of JIDs"),
    ("", '{"to_delete": ["nurse@capulet.example", 5]}', 400, "Invalid list of JIDs"),
    ("", '{"to_delete": ["nurse@capulet.example", "@invalid"]}', 400, "Invalid JID: @invalid"),
]


@pytest.mark.parametrize(("path", "body", "status", "text"), DELETES)
def test_deletes_that_are_refused(juliet: Contacts, path: str, body: str, status: int, text: str) -> None:
    juliet.done("POST", "", {"jid": NURSE})
    assert refused(juliet("DELETE", path, data=body, content_type="application/json")) == (status, text)
    assert juliet.list() == {NURSE: ("none", "none")}


@pytest.mark.parametrize("jid", [NURSE, "zorro@x.example", "@invalid"])
def test_one_contact_cannot_be_asked_for(juliet: Contacts, jid: str) -> None:
    assert refused(juliet("GET", f"/{jid}")) == (404, "JID provided but not supported")


@pytest.mark.parametrize("path", ["", f"/{NURSE}"])
def test_what_holds_for_every_route(client: FlaskClient, juliet: Contacts, path: str) -> None:
    options = client.options(f"/api/contacts{path}")
    assert (options.status_code, options.headers["Allow"], options.data) == (200, ALLOW, b"")
    wrong = client.open(f"/api/contacts{path}", method="PATCH")
    assert (wrong.status_code, wrong.headers["Allow"], wrong.data) == (405, ALLOW, b"")
    for method in ("GET", "POST", "PUT", "DELETE"):
        assert client.open(f"/api/contacts{path}", method=method, json={}).status_code == 401
    assert juliet("POST", path, data="{}", content_type="text/plain").status_code == 415
    assert juliet("PUT", path, data="{}", content_type="text/plain").status_code == 415
    assert client.get(f"/api/contacts{path}", headers=juliet.headers | {"Accept": "text/html"}).status_code == 406


def test_deeper_paths_are_unknown(juliet: Contacts) -> None:
    response = juliet("GET", f"/{NURSE}/x")
    assert (response.status_code, response.data) == (404, b"")


# the link


def receive(gateway: Gateway, text: str) -> None:
    stanza = parse_text(text)
    gateway.parts.router.deliver(stanza, parse_jid(stanza.attrib["from"]), parse_jid(stanza.attrib["to"]))


def test_an_invitation_over_the_link(juliet: Contacts, gateway: Gateway, sent: list[Element]) -> None:
    juliet.done("POST", "", {"jid": ROMEO})
    juliet.done("PUT", f"/{ROMEO}", {"action": "invite"})
    assert [(s.tag, s.get("type"), s.get("from"), s.get("to")) for s in sent] == [("presence", "subscribe", JULIET, ROMEO)]
    receive(gateway, f"<presence type='subscribed' from='{ROMEO}' to='{JULIET}'/>")
    receive(gateway, f"<presence type='subscribe' from='{ROMEO}' to='{JULIET}'/>")
    assert juliet.list() == {ROMEO: ("to", "in")}
    juliet.done("PUT", f"/{ROMEO}", {"action": "accept"})
    assert sent[-1].get("type") == "subscribed"
    juliet.done("DELETE", f"/{ROMEO}")
    assert [s.get("type") for s in sent[-2:]] == ["unsubscribe", "unsubscribed"]


def test_a_stranger_on_the_network_is_listed(juliet: Contacts, gateway: Gateway, sent: list[Element]) -> None:
    receive(gateway, f"<presence type='subscribe' from='{ROMEO}' to='{JULIET}'/>")
    assert juliet.list() == {ROMEO: ("none", "in")}
    juliet.done("PUT", f"/{ROMEO}", {"action": "accept"})
    assert juliet.list() == {ROMEO: ("from", "none")}
    assert [s.get("type") for s in sent] == ["subscribed"]


def test_without_a_link_an_invitation_is_still_accepted(juliet: Contacts) -> None:
    juliet.done("POST", "", {"jid": ROMEO})
    juliet.done("PUT", f"/{ROMEO}", {"action": "invite"})
    assert juliet.list() == {ROMEO: ("none", "out")}


def test_a_full_outbox(juliet: Contacts, gateway: Gateway) -> None:
    juliet.done("POST", "", {"jid": ROMEO})
    attach(gateway.parts.router, raising(GatewayError("outbox-full")))
    response = juliet("PUT", f"/{ROMEO}", {"action": "invite"})
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert juliet.list() == {ROMEO: ("none", "none")}


# what happens elsewhere


def test_subscriptions_over_rest_are_the_same_ones(juliet: Contacts, nurse: Contacts, gateway: Gateway, client: FlaskClient) -> None:
    stream = gateway.parts.streams.open(parse_jid(JULIET))
    for user, to, kind in ((JULIET, NURSE, "subscribe"), (NURSE, JULIET, "subscribed")):
        stanza = f"<presence type='{kind}' to='{to}'/>"
        response = client.post("/rest", data=stanza, headers=basic(user) | {"Content-Type": "application/xmpp+xml"})
        assert response.status_code == 202
    assert (juliet.list(), nurse.list()) == ({NURSE: ("to", "none")}, {JULIET: ("from", "none")})
    heard = [event.stanza for event in iter(lambda: stream.next(0.05), None)]
    assert [stanza.tag for stanza in heard] == ["iq", "iq", "presence"]
    pushes = [serialise(stanza[0][0]) for stanza in heard[:2]]
    assert "ask='subscribe'" in pushes[0]
    assert "subscription='to'" in pushes[1]


def test_an_account_that_is_removed_ends_its_subscriptions(juliet: Contacts, nurse: Contacts, gateway: Gateway) -> None:
    juliet.done("POST", "", {"jid": NURSE})
    juliet.done("PUT", f"/{NURSE}", {"action": "invite"})
    nurse.done("PUT", f"/{JULIET}", {"action": "accept"})
    gateway.parts.accounts.unregister(parse_jid(JULIET))
    assert nurse.list() == {JULIET: ("none", "none")}


# generation 3


def test_the_old_generation(make_app: MakeApp) -> None:
    juliet = Contacts(register_users(make_app(client_generation="3")), JULIET)
    juliet.done("POST", "", {"jid": "zorro@capulet.example"})
    assert juliet.list() == {"zorro@capulet.example": ("none", "none")}
    for method, path, body, status in [
        ("PUT", "/zorro@capulet.example", {"action": "x"}, 501),
        ("PUT", "/tybalt@x.example", {"action": "invite"}, 404),
        ("POST", "", {"jid": "@invalid"}, 400),
        ("DELETE", "/@invalid", None, 400),
    ]:
        response = juliet(method, path, body)
        assert (response.status_code, response.data, "Content-Type" in response.headers) == (status, b"", False)
