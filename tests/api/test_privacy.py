"""An account's default privacy list holds in both directions (XEP-0016; commands-api §12)."""

from __future__ import annotations

import json
from xml.etree.ElementTree import Element

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.stanzas import JULIET, NURSE, ROMEO, condition, post, receive
from tests.conftest import DOMAIN, MakeApp, basic
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.messages.outcomes import Outcome

NS = "jabber:iq:privacy"


def privacy(client: FlaskClient, inner: str, kind: str = "set", user: str = JULIET) -> Element:
    answer = post(client, f"<iq type='{kind}'><query xmlns='{NS}'>{inner}</query></iq>", user)
    assert answer is not None
    return answer


def deny(client: FlaskClient, items: str) -> None:
    """Make these items the default list of juliet."""
    for inner in (f"<list name='a'>{items}</list>", "<default name='a'/>"):
        assert privacy(client, inner).get("type") == "result"


def item(value: str, *ways: str, kind: str = "jid") -> str:
    return f"<item type='{kind}' value='{value}' action='deny' order='1'>{''.join(f'<{way}/>' for way in ways)}</item>"


def archived(gateway: Gateway, user: str = "juliet") -> int:
    return gateway.driver.archive_count(user, DOMAIN, "archive")


# what comes in


def test_messages_of_a_denied_sender(client: FlaskClient, gateway: Gateway) -> None:
    listening = gateway.parts.streams.open(parse_jid(JULIET))
    deny(client, item(NURSE, "message") + "<item action='allow' order='2'/>")
    listening.next(0.05)  # the push
    assert condition(post(client, f"<message to='{JULIET}'><body>Madam!</body></message>", NURSE)) == "service-unavailable"
    assert condition(receive(gateway, f"<message from='{NURSE}/a' to='{JULIET}/b'><body>Madam!</body></message>")) == "service-unavailable"
    assert (archived(gateway), listening.next(0.05)) == (0, None)
    assert receive(gateway, f"<message from='{ROMEO}' to='{JULIET}'><body>Ay me</body></message>") is None
    assert archived(gateway) == 1


def test_an_error_is_not_answered(client: FlaskClient, gateway: Gateway) -> None:
    deny(client, item(ROMEO))
    error = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    listening = gateway.parts.streams.open(parse_jid(JULIET))
    assert receive(gateway, f"<message type='error' from='{ROMEO}' to='{JULIET}'>{error}</message>") is None
    assert listening.next(0.05) is None


@pytest.mark.parametrize("ways", [("iq",), ()])
def test_iqs_of_a_denied_sender(client: FlaskClient, gateway: Gateway, ways: tuple[str, ...]) -> None:
    vcard = f"<iq type='get' id='v' from='{ROMEO}/o' to='{JULIET}'><vCard xmlns='vcard-temp'/></iq>"
    before = receive(gateway, vcard)
    deny(client, item(ROMEO, *ways))
    assert before is not None
    assert before.get("type") == "result"
    assert condition(receive(gateway, vcard)) == "service-unavailable"


def test_presence_of_a_denied_sender(client: FlaskClient, gateway: Gateway) -> None:
    deny(client, item("montague.example", "presence-in"))
    listening = gateway.parts.streams.open(parse_jid(JULIET))
    assert receive(gateway, f"<presence from='{ROMEO}/o' to='{JULIET}'/>") is None
    assert listening.next(0.05) is None
    receive(gateway, f"<presence type='subscribe' from='{ROMEO}' to='{JULIET}'/>")  # is not a notification
    heard = listening.next(0.05)
    assert heard
    assert heard.stanza.get("type") == "subscribe"


def test_nobody_asks_who_is_denied_everything(client: FlaskClient, gateway: Gateway) -> None:
    deny(client, item(ROMEO))
    assert receive(gateway, f"<presence type='subscribe' from='{ROMEO}' to='{JULIET}'/>") is None
    assert gateway.parts.contacts.all(parse_jid(JULIET)) == []


def test_what_the_roster_says_counts(client: FlaskClient, gateway: Gateway) -> None:
    deny(client, item("none", "message", kind="subscription"))
    message = f"<message from='{ROMEO}' to='{JULIET}'><body>Ay me</body></message>"
    assert condition(receive(gateway, message)) == "service-unavailable"
    contact = {"localuser": "juliet", "localhost": DOMAIN, "user": "romeo", "host": "montague.example", "nick": "", "subs": "both"}
    done = client.post("/api/add_rosteritem", json=contact | {"groups": ["Enemies"]}, headers=basic(f"admin@{DOMAIN}"))
    assert done.status_code == 200
    assert receive(gateway, message) is None
    deny(client, item("Enemies", kind="group"))
    assert condition(receive(gateway, message)) == "service-unavailable"


# what goes out


def test_messages_to_the_denied(client: FlaskClient, gateway: Gateway, sent: list[Element]) -> None:
    message = f"<message to='{ROMEO}'><body>Ay me</body></message>"
    deny(client, item(ROMEO, "message"))
    assert post(client, message) is None  # only what comes in is denied
    deny(client, item(ROMEO))
    assert condition(post(client, message)) == "not-acceptable"
    assert condition(post(client, f"<message to='{NURSE}'><body>Nurse!</body></message>")) == ""
    assert (len(sent), archived(gateway)) == (1, 2)


def test_a_batch_to_the_denied(client: FlaskClient, sent: list[Element]) -> None:
    deny(client, item(ROMEO))
    lines = [{"kind": "message", "to": to, "body": "Ay me"} for to in (ROMEO, "paris@verona.example", ROMEO)]
    headers = basic(JULIET) | {"Content-Type": "application/x-ndjson"}
    response = client.post("/rest", data="\n".join(map(json.dumps, lines)), headers=headers)
    assert response.status_code == 200
    assert response.get_data(as_text=True).count("not-acceptable") == 2
    assert [stanza.get("to") for stanza in sent] == ["paris@verona.example"]


def test_iqs_to_the_denied(client: FlaskClient, sent: list[Element]) -> None:
    deny(client, item("montague.example"))
    assert condition(post(client, "<iq type='get' to='montague.example'><ping xmlns='urn:xmpp:ping'/></iq>")) == "not-acceptable"
    assert sent == []


def test_presence_does_not_reach_the_denied(client: FlaskClient, gateway: Gateway, sent: list[Element]) -> None:
    for name in ("romeo", "benvolio"):
        contact = {"localuser": "juliet", "localhost": DOMAIN, "user": name, "host": "montague.example", "nick": "", "subs": "from"}
        client.post("/api/add_rosteritem", json=contact | {"groups": []}, headers=basic(f"admin@{DOMAIN}"))
    deny(client, item(ROMEO, "presence-out"))
    assert post(client, "<presence/>") is None
    assert [stanza.get("to") for stanza in sent] == ["benvolio@montague.example"]
    assert condition(post(client, f"<presence to='{ROMEO}'/>")) == "not-acceptable"
    assert receive(gateway, f"<presence type='probe' from='{ROMEO}' to='{JULIET}'/>") is None
    assert len(sent) == 1
    receive(gateway, f"<presence type='probe' from='benvolio@montague.example' to='{JULIET}'/>")
    assert len(sent) == 2


def test_the_client_api(client: FlaskClient, sent: list[Element]) -> None:
    deny(client, item(ROMEO))
    client.post("/api/contacts", json={"jid": ROMEO}, headers=basic(JULIET))
    invited = client.put(f"/api/contacts/{ROMEO}", json={"action": "invite"}, headers=basic(JULIET))
    assert invited.status_code == 403
    assert client.post("/api/messages", json={"to": ROMEO, "body": "Ay me"}, headers=basic(JULIET)).status_code == 200
    assert sent == []


# the lists


def test_lists_by_iq(client: FlaskClient) -> None:
    assert len(privacy(client, "", "get")[0]) == 0
    assert condition(privacy(client, "<list name='a'/>", "get")) == "item-not-found"
    deny(client, item(ROMEO, "message"))
    (names,) = privacy(client, "", "get")
    assert [(e.tag, e.get("name")) for e in names] == [(f"{{{NS}}}default", "a"), (f"{{{NS}}}list", "a")]
    (rule,) = privacy(client, "<list name='a'/>", "get")[0][0]
    assert (rule.get("value"), rule[0].tag) == (ROMEO, f"{{{NS}}}message")
    assert condition(privacy(client, "<list name='a'/>")) == "conflict"
    assert privacy(client, "<default/>").get("type") == "result"
    assert privacy(client, "<list name='a'/>").get("type") == "result"
    assert len(privacy(client, "", "get")[0]) == 0
    assert len(privacy(client, "", "get", NURSE)[0]) == 0


@pytest.mark.parametrize(
    ("kind", "inner", "expected"),
    [
        ("set", "", "bad-request"),
        ("set", "<default/><active/>", "bad-request"),
        ("set", "<default name='b'/>", "item-not-found"),
        ("set", "<list name='b'/>", "item-not-found"),
        ("set", "<list><item action='deny' order='1'/></list>", "not-acceptable"),
        ("set", "<list name='b'><item action='deny' order='x'/></list>", "bad-request"),
        ("set", "<active name='b'/>", "feature-not-implemented"),
        ("set", "<active/>", ""),
        ("get", "<list name='a'/><list name='b'/>", "bad-request"),
        ("get", "<default/>", "bad-request"),
    ],
)
def test_answers(client: FlaskClient, kind: str, inner: str, expected: str) -> None:
    answer = privacy(client, inner, kind)
    assert (answer.get("type"), condition(answer) if expected else "") == ("error" if expected else "result", expected)


def test_nobody_else_asks(gateway: Gateway, client: FlaskClient) -> None:
    deny(client, item("paris@verona.example"))
    for kind in ("get", "set"):
        answer = receive(gateway, f"<iq type='{kind}' id='p' from='{ROMEO}' to='{JULIET}'><query xmlns='{NS}'><default/></query></iq>")
        assert condition(answer) == "service-unavailable"
    assert gateway.driver.load("juliet", DOMAIN, "privacy")


def test_open_streams_are_told(client: FlaskClient, gateway: Gateway) -> None:
    listening = gateway.parts.streams.open(parse_jid(JULIET))
    deny(client, item(ROMEO))
    heard = [event.stanza for event in iter(lambda: listening.next(0.05), None)]
    assert [(stanza.tag, stanza[0][0].get("name"), len(stanza[0][0])) for stanza in heard] == [("iq", "a", 0)]


def test_discovery_names_it(client: FlaskClient) -> None:
    answer = post(client, f"<iq type='get' to='{DOMAIN}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
    assert answer is not None
    assert NS in {feature.get("var") for feature in answer[0]}


# privacy_set

QUERY = f"<query xmlns='{NS}'>"


@pytest.mark.parametrize(
    ("query", "result"),
    [
        (f"{QUERY}<list name='b'>{item(ROMEO)}</list></query>", 0),
        (f"{QUERY}<default/></query>", 0),
        (f"{QUERY}<default name='nothing'/></query>", 1),
        (f"{QUERY}<active name='b'/></query>", 1),
        (f"{QUERY}<list name='b'><item action='x' order='1'/></list></query>", 1),
        *((query, 1) for query in [QUERY, "", "<query xmlns='jabber:iq:roster'/>", f"{QUERY}</query>"]),
    ],
)
def test_the_command(client: FlaskClient, query: str, result: int) -> None:
    args = {"user": "juliet", "host": DOMAIN, "xmlquery": query}
    answer = client.post("/api/privacy_set", json=args, headers=basic(f"admin@{DOMAIN}"))
    assert (answer.status_code, answer.get_json()) == (200, result)


def test_a_list_set_by_command_holds(client: FlaskClient, gateway: Gateway) -> None:
    for inner in (f"<list name='b'>{item(ROMEO)}</list>", "<default name='b'/>"):
        args = {"user": "juliet", "host": DOMAIN, "xmlquery": f"{QUERY}{inner}</query>"}
        assert client.post("/api/privacy_set", json=args, headers=basic(f"admin@{DOMAIN}")).get_json() == 0
    assert condition(receive(gateway, f"<message from='{ROMEO}' to='{JULIET}'><body>Ay me</body></message>")) == "service-unavailable"
    gateway.parts.accounts.unregister(parse_jid(JULIET))
    assert gateway.driver.load("juliet", DOMAIN, "privacy") is None


def test_callbacks_are_nobodys_account(make_app: MakeApp) -> None:
    app: Flask = make_app()
    gateway: Gateway = app.extensions["gateway"]
    assert not gateway.parts.guard.watches(parse_jid(DOMAIN))
    assert not gateway.parts.guard.watches(parse_jid(ROMEO))


def test_the_outcome_of_what_was_denied(client: FlaskClient, gateway: Gateway) -> None:
    deny(client, item(ROMEO))
    post(client, f"<message id='m1' to='{ROMEO}'><body>Ay me</body></message>")
    outcome = gateway.parts.sending.outcome(parse_jid(JULIET), "m1")
    assert isinstance(outcome, Outcome)
    assert condition(outcome.refusal) == "not-acceptable"
