"""Invalid content of an account's stores (/data) harms no other account, and cannot impersonate one."""

from __future__ import annotations

import json
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from flask.testing import FlaskClient

from tests.api.commands.conftest import ADMIN, Run
from tests.conftest import DOMAIN, basic
from tests.link.fake import attach
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid

JULIET = {"user": "juliet", "host": DOMAIN}
HOST = {"host": DOMAIN}
XML = {"Content-Type": "application/xmpp+xml"}
ANY = {"action": "list", "subs": "any", "asks": "any", "users": "any", "contacts": "any"}
BOTH = {"nick": "", "groups": [], "subs": "both"}
CONTROL = "\x01"
SPOILT: list[tuple[str, Any]] = [
    *(("presence", content) for content in [[1], ["x"], {"x": 1}, [{"resource": ["x"], "stanza": "<presence/>"}]]),
    ("presence", [{"resource": "x", "stanza": 5}]),
    ("presence", [{"resource": "x", "stanza": "<presence"}]),
    ("presence", [{"resource": CONTROL, "stanza": "<presence/>"}]),
    ("presence", [{"resource": "x", "stanza": "<message/>"}]),
    ("presence", [{"resource": "x", "stanza": "<presence/>", "since": 10**400}]),
    ("presence", [{"resource": "x", "stanza": "<presence/>", "since": ["x"]}]),
    ("roster", {"x@y": {"subscription": ["both"]}}),
    ("roster", {"x@y": {"subscription": {"a": 1}, "groups": [1], "name": 5}}),
    ("roster", {"x@y": {"subscription": "both", "groups": {CONTROL: True}, "name": CONTROL}}),
    ("roster", {"__hash": [False, {"pending": {"x@y": 5, "@@": True}, "version": ["x"]}], "@@": 1}),
    ("privacy", {"default": "x", "lists": {"x": {"items": [{"action": ["deny"], "order": 1}]}}}),
    ("privacy", {"default": "x", "lists": {"x": {"items": [{"action": {"a": 1}, "order": 1}]}}}),
    ("privacy", {"default": "x", "lists": {"x": {"items": [{"action": "deny", "order": 10**400}]}}}),
    ("privacy", {"default": "x", "lists": {"x": {"items": [{"action": "deny", "order": 1, "type": ["jid"], "value": "x"}]}}}),
    ("privacy", {"default": "x", "lists": {"x": {"items": [{"action": "deny", "order": 1, "type": "group", "value": ["x"]}]}}}),
    ("privacy", {"default": ["x"], "lists": ["x"]}),
    ("privacy", {"default": CONTROL, "lists": {CONTROL: {"items": []}}}),
    ("vcard", [1]),
    ("vcard", {"name": "query", "attr": {"xmlns": "jabber:iq:roster"}}),
    ("vcard", {"name": "vCard", "attr": {"xmlns": "vcard-temp"}, "__array": [5, {"name": ["x"]}]}),
    ("private", {"storage:storage:bookmarks": {"name": 5}}),
    ("private", {"storage:storage:bookmarks": {"name": "a b"}}),
    ("motd", [1]),
    ("last", {"timestamp": 10**400, "status": ["x"]}),
]
COMMANDS: list[tuple[str, Any]] = [
    ("get_roster", JULIET), ("get_roster_count", JULIET), ("process_rosteritems", ANY), ("push_alltoall", HOST | {"group": "Verona"}),
    ("get_presence", JULIET), ("connected_users_info", {}), ("status_list", {"status": "all"}), ("user_sessions_info", JULIET),
    ("num_resources", JULIET), ("get_last", JULIET), ("announce_send_all", HOST | {"subject": "s", "body": "b"}),
    ("set_vcard", JULIET | {"name": "FN", "content": "Juliet"}), ("get_vcard", JULIET | {"name": "FN"}), ("get_offline_count", JULIET),
    ("private_get", JULIET | {"element": "storage", "ns": "storage:bookmarks"}),
    ("send_message", {"type": "chat", "from": f"nurse@{DOMAIN}", "to": f"juliet@{DOMAIN}", "subject": "", "body": "Lady"}),
]  # fmt: skip
STANZAS = [
    ("nurse", "<message to='{0}' type='chat'><body>Lady</body></message>"),
    ("nurse", "<presence to='{0}' type='subscribe'/>"),
    ("nurse", "<presence to='{0}' type='probe'/>"),
    ("nurse", "<presence/>"),
    ("nurse", "<iq type='get' to='{0}'><vCard xmlns='vcard-temp'/></iq>"),
    ("juliet", "<presence/>"),
    ("juliet", "<presence type='unavailable'/>"),
    ("juliet", "<iq type='get' to='{0}'><query xmlns='jabber:iq:roster'/></iq>"),
    ("juliet", "<iq type='get' to='{0}'><query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query></iq>"),
    ("juliet", "<iq type='get' to='{0}'><query xmlns='jabber:iq:privacy'/></iq>"),
    ("juliet", "<iq type='get' to='{0}'><query xmlns='jabber:iq:privacy'><list name='x'/></query></iq>"),
    ("juliet", "<message to='nurse@{1}' type='chat'><body>Nurse</body></message>"),
]


def spoil(client: FlaskClient, store: str, content: Any) -> None:
    """This is written into a store of Juliet's; by an administrator, as some are closed to her."""
    fields = basic(f"admin@{DOMAIN}") | {"Content-Type": "application/json"}
    answer = client.put(f"/data/{DOMAIN}/juliet/{store}", data=json.dumps(content), headers=fields)
    assert answer.status_code == 201, answer.data


def probe(gateway: Gateway) -> None:
    """Romeo asks for juliet's presence."""
    stanza = Element("presence", {"type": "probe", "from": "romeo@montague.example/orchard", "to": f"juliet@{DOMAIN}"})
    gateway.parts.sending.receive(stanza, parse_jid(stanza.attrib["from"]), parse_jid(stanza.attrib["to"]))


@pytest.mark.parametrize(("store", "content"), SPOILT, ids=[f"{n}-{store}" for n, (store, _) in enumerate(SPOILT)])
def test_nobody_suffers(run: Run, client: FlaskClient, store: str, content: Any) -> None:
    run("add_rosteritem", {"localuser": "nurse", "localhost": DOMAIN, "user": "juliet", "host": DOMAIN, **BOTH})
    for path, args in COMMANDS:
        spoil(client, store, content)
        answer = run(path, args)
        assert answer.status < 500, (path, answer)
    for user, stanza in STANZAS:
        spoil(client, store, content)
        sent = client.post("/rest", data=stanza.format(f"juliet@{DOMAIN}", DOMAIN), headers=basic(user) | XML)
        assert sent.status_code in (200, 202), (stanza, sent.data)


@pytest.mark.parametrize(
    "said",
    [
        f"<presence from='admin@{DOMAIN}/x'><status>forged</status></presence>",
        "<presence from='romeo@montague.example/x'><status>forged</status></presence>",
        "<presence><status>forged</status></presence>",
    ],
)
def test_presence_is_in_nobody_elses_name(run: Run, client: FlaskClient, gateway: Gateway, said: str) -> None:
    run("add_rosteritem", {"localuser": "juliet", "localhost": DOMAIN, "user": "romeo", "host": "montague.example", **BOTH})
    out: list[Element] = []
    attach(gateway.parts.router, lambda _, stanza: out.append(stanza), lambda _, stanzas, _texts: out.extend(stanzas))
    spoil(client, "presence", [{"resource": "phone", "stanza": said, "since": 1}])
    probe(gateway)
    (presence,) = (stanza for stanza in out if stanza.findtext("status") == "forged")
    assert parse_jid(presence.attrib["from"]) == parse_jid(f"juliet@{DOMAIN}/phone")
    assert run("connected_users", {}, ADMIN).body == [f"juliet@{DOMAIN}/phone"]


@pytest.mark.parametrize("kind", ["subscribed", "unsubscribed", "unavailable", "error"])
def test_what_is_no_available_presence_is_not_sent(client: FlaskClient, gateway: Gateway, run: Run, kind: str) -> None:
    run("add_rosteritem", {"localuser": "juliet", "localhost": DOMAIN, "user": "romeo", "host": "montague.example", **BOTH})
    out: list[Element] = []
    attach(gateway.parts.router, lambda _, stanza: out.append(stanza), lambda _, stanzas, _texts: out.extend(stanzas))
    spoil(client, "presence", [{"resource": "phone", "stanza": f"<presence type='{kind}' from='admin@{DOMAIN}'/>", "since": 1}])
    probe(gateway)
    assert [(stanza.get("type"), stanza.get("from")) for stanza in out] == [("unavailable", f"juliet@{DOMAIN}")]
