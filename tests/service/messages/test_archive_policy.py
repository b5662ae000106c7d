"""What an archive keeps, and so what a stream that resumes tells, is what Prosody's mod_mam keeps (service/messages/archive_policy.py)."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from drivers.files.indexes import Indexes
from tests.conftest import DOMAIN, TOKEN, MakeApp, basic, register_users
from tests.raising import raising
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid

NURSE = f"nurse@{DOMAIN}"
DELAY = "<delay xmlns='urn:xmpp:delay' stamp='2020-01-01T00:00:00Z' from='juliet@elsewhere.example'/>"
FORWARDED = "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='a@b'><body>hi</body></message></forwarded>"
STATE = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
CASES = [  # what is in the message, and whether it is kept
    ("<body>hi</body>", True),
    (f"<body>hi</body>{DELAY}", True),
    (f"<body>hi</body>{STATE}{DELAY}<foo xmlns='x:y'/>", True),
    (f"<body>hi</body>{FORWARDED}", True),
    ("<subject>hi</subject>", True),
    ("<received xmlns='urn:xmpp:receipts' id='m1'/>", True),
    ("<request xmlns='urn:xmpp:receipts'/>", True),
    (f"<received xmlns='urn:xmpp:receipts' id='m1'/>{DELAY}", True),
    ("<displayed xmlns='urn:xmpp:chat-markers:0' id='m1'/>", True),
    ("<acknowledged xmlns='urn:xmpp:chat-markers:0' id='m1'/>", True),
    ("<x xmlns='jabber:x:conference' jid='room@conference.example'/>", True),
    ("<x xmlns='http://jabber.org/protocol/muc#user'><invite from='a@b'/></x>", True),
    ("<encryption xmlns='urn:xmpp:eme:0' namespace='eu.siacs.conversations.axolotl'/>", True),
    ("<propose xmlns='urn:xmpp:jingle-message:0' id='c'/>", True),
    ("<foo xmlns='x:y'/><store xmlns='urn:xmpp:hints'/>", True),
    *((inside, False) for inside in [STATE, f"{STATE}{DELAY}", "", "<foo xmlns='x:y'/>"]),
    ("<x xmlns='http://jabber.org/protocol/muc#user'/>", False),
    ("<body>hi</body><no-store xmlns='urn:xmpp:hints'/>", False),
    ("<received xmlns='urn:xmpp:receipts' id='m1'/><no-permanent-store xmlns='urn:xmpp:hints'/>", False),
    (f"<received xmlns='urn:xmpp:carbons:2'>{FORWARDED}</received>", False),
    (f"<body>hi</body><sent xmlns='urn:xmpp:carbons:2'>{FORWARDED}</sent>", False),
    (f"<body>hi</body><result xmlns='urn:xmpp:mam:2' id='1'>{FORWARDED}</result>", False),
]


def count(gateway: Gateway, user: str) -> int:
    return len(list(gateway.driver.archive_find(user, DOMAIN, "archive")))


@pytest.mark.parametrize("kind", ["chat", "normal"])
@pytest.mark.parametrize(("inside", "kept"), CASES)
def test_what_is_kept_is_told_on_resume(client: FlaskClient, gateway: Gateway, inside: str, kept: bool, kind: str) -> None:
    """Nobody listens while it comes: to whom it is sent finds it later, and so does who sent it."""
    first = f"<message to='{NURSE}' type='chat'><body>first</body></message>"
    xml = f"<message to='{NURSE}' type='{kind}' id='m'>{inside}</message>"
    for message in (first, xml):
        response = client.post("/rest", data=message, content_type="application/xmpp+xml", headers=basic("juliet"))
        assert response.status_code == 202
    assert (count(gateway, "nurse"), count(gateway, "juliet")) == (1 + kept, 1 + kept)
    last = next(iter(gateway.driver.archive_find("nurse", DOMAIN, "archive"))).id
    event = gateway.parts.streams.open(parse_jid(NURSE), after=last).next(0)
    assert (event is not None and event.stanza.get("id") == "m") is kept


@pytest.mark.parametrize("kind", ["headline", "groupchat", "error"])
def test_other_types_are_not_kept(client: FlaskClient, gateway: Gateway, kind: str) -> None:
    xml = f"<message to='{NURSE}' type='{kind}'><body>hi</body></message>"
    client.post("/rest", data=xml, content_type="application/xmpp+xml", headers=basic("juliet"))
    assert count(gateway, "nurse") == 0


@pytest.mark.parametrize("kind", ["flatfile", "jsonfile"])
def test_archiving_in_files_reads_nothing_of_the_archive(make_app: MakeApp, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it is."""
    app = register_users(make_app(storage_url=f"{kind}:files"))
    client, gateway = app.test_client(), app.extensions["gateway"]
    juliet, message = basic(f"juliet@{DOMAIN}"), {"to": NURSE, "body": "Anon, good nurse!"}
    assert client.post("/api/messages", headers=juliet, json=message).status_code == 200  # until then there is no archive
    with monkeypatch.context() as patched:
        for reading in ("rows", "opened"):
            patched.setattr(Indexes, reading, raising(AssertionError("the archive was read")))
        with pytest.raises(AssertionError):
            gateway.driver.archive_count("juliet", DOMAIN, "archive")
        assert client.post("/api/messages", headers=juliet, json=message).status_code == 200
        rest = {"kind": "message", "type": "chat", "from": f"juliet@{DOMAIN}", **message}
        assert client.post("/rest", headers={"Authorization": TOKEN}, json=rest).status_code == 202
    for owner in ("juliet", "nurse"):
        assert gateway.driver.archive_count(owner, DOMAIN, "archive") == 3
