"""What a process that does not lead sends for accounts of other servers: the leader has their sessions (accounts-anywhere §2)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.conftest import MakeApp, register_users
from tests.foreign_app import MONTAGUE, PASSWORDS, ForeignApp, login_settings, montague_folder
from tests.link.attached import until
from tests.link.c2s.fake_server import FakeServer
from xmpp_rest.errors import GatewayError, Unanswered
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.stanza import make
from xmpp_rest.service.messages.batch import OutboundMessage, OutboundMessages
from xmpp_rest.service.sessions.sending import SEND_BATCH
from xmpp_rest.threads.waits import Wait

__all__ = ["montague_folder"]

BENVOLIO = f"benvolio@{MONTAGUE}"


@pytest.fixture
def follower(make_app: MakeApp, tmp_path: Path, montague_folder: Path) -> Iterator[ForeignApp]:
    with FakeServer(montague_folder, PASSWORDS, MONTAGUE) as server:
        settings = login_settings(server) | {"sessions_confirm_timeout": "0.5", "server_data_dir": str(tmp_path / "shared")}
        apps = [make_app(**settings) for _ in range(2)]
        register_users(apps[0])
        gateways: list[Gateway] = [app.extensions["gateway"] for app in apps]
        for gateway in gateways:
            gateway.start()
        assert gateways[1].parts.remote.follows()
        yield ForeignApp(apps[1], server)
        for gateway in reversed(gateways):
            gateway.stop()


def send(app: ForeignApp, to: str = BENVOLIO, **stanza: str) -> int:
    return app.ask("POST", "/rest", json={"to": to, "body": "Hark", **stanza}).status_code


def state(app: ForeignApp, identifier: str) -> str:
    return str(app.ask("GET", f"/rest/outcome/{identifier}").get_json().get("state"))


def test_one_is_confirmed_or_refused(follower: ForeignApp) -> None:
    assert (send(follower, id="m1"), send(follower, "nobody@nowhere.example", id="m2")) == (202, 200)
    assert (state(follower, "m1"), state(follower, "m2")) == ("confirmed", "refused")
    answer = follower.ask("POST", "/rest", json={"to": BENVOLIO, "body": "Hark"}, headers={"Prefer": "wait=20"})
    assert answer.headers["Stanza-Outcome"] == "confirmed"


def test_a_batch(follower: ForeignApp) -> None:
    lines = [{"to": BENVOLIO, "body": str(n)} for n in range(100)]
    lines[3]["to"] = "nobody@nowhere.example"
    answer = follower.ask("POST", "/rest", data="\n".join(map(json.dumps, lines)), headers={"Content-Type": "application/x-ndjson"})
    outcomes = [json.loads(line)["outcome"] for line in answer.text.splitlines()]
    assert outcomes == ["accepted"] * 3 + ["refused"] + ["accepted"] * 96
    assert [message.findtext("body") for message in follower.server.received("romeo", "message")] == [str(n) for n in range(100)]


def test_a_silent_server(follower: ForeignApp) -> None:
    follower.log_in()
    with follower.server.frozen():
        assert send(follower, id="m1") == 202
        assert state(follower, "m1") == "written"
    until(lambda: state(follower, "m1") == "confirmed")


def test_an_iq(follower: ForeignApp) -> None:
    assert follower.ask("POST", "/rest", json={"kind": "iq", "type": "get", "ping": True}).status_code == 200


def test_without_a_session(follower: ForeignApp) -> None:
    """It has ended since the credentials were looked at."""
    sending = follower.gateway.parts.foreign_sending
    romeo = parse_jid(f"romeo@{MONTAGUE}/x")
    messages = [
        OutboundMessage(make("message", make("body"), from_=str(romeo), to_=BENVOLIO, id_=f"m{n}"), romeo, parse_jid(BENVOLIO))
        for n in range(2)
    ]
    with pytest.raises(GatewayError, match="session-lost"):
        sending.send(*messages[0][:3])
    assert [str(result) for result in sending.send_many(messages)] == [f"session-lost: The session at {MONTAGUE} broke off; try again"] * 2
    assert sending.send_many([]) == sending.send_batch(OutboundMessages(), Wait(1)) == []
    with pytest.raises(GatewayError, match="session-lost"):
        sending.ask(make("iq", make("x"), type_="get", from_=str(romeo), id_="i"), Wait(1))


def test_a_leader_that_ends_meanwhile(follower: ForeignApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sessions end with it: what was sent by one may be lost, and is not the gateway's fault."""
    follower.log_in()
    group = follower.gateway.parts.remote.group

    def ends(*_: object) -> NoReturn:
        raise Unanswered("link-down")

    def call(name: str, *rest: Any) -> Any:
        return ends() if name == SEND_BATCH else calls(name, *rest)

    calls = group.call
    monkeypatch.setattr(group, "call", call)
    monkeypatch.setattr(group, "begin", lambda *_: ends)
    lost = f"The session at {MONTAGUE} broke off; try again"
    answer = follower.ask("POST", "/api/messages", json={"to": BENVOLIO, "body": "Hark"})
    assert (answer.status_code, answer.get_json(), answer.headers["Retry-After"]) == (503, lost, "1")
    lines = "\n".join(json.dumps({"to": BENVOLIO, "body": str(n)}) for n in range(2))
    batch = follower.ask("POST", "/rest", data=lines, headers={"Content-Type": "application/x-ndjson"})
    assert [json.loads(line)["error"]["text"] for line in batch.text.splitlines()] == [lost] * 2


def test_what_is_no_address(follower: ForeignApp) -> None:
    romeo = parse_jid(f"romeo@{MONTAGUE}/x")
    stanza = make("message", make("body"), from_=str(romeo), to_="benvolio", id_="m")
    (result,) = follower.gateway.parts.foreign_sending.send_many([OutboundMessage(stanza, romeo, parse_jid("benvolio"))])
    assert str(result) == f"bad-recipient: 'benvolio' is not an address; did you mean benvolio@{MONTAGUE}?"
    with pytest.raises(GatewayError, match="did you mean benvolio@DOMAIN"):
        follower.gateway.parts.foreign_sending.require_sendable(make("message"), parse_jid("benvolio"))


def test_what_cannot_be_written_as_xml(follower: ForeignApp) -> None:
    follower.log_in()
    body = make("body")
    body.text = "\x00"
    romeo = parse_jid(f"romeo@{MONTAGUE}/x")
    good, bad = (
        OutboundMessage(make("message", each, from_=str(romeo), to_=BENVOLIO, id_="m"), romeo, parse_jid(BENVOLIO))
        for each in (make("body"), body)
    )
    results = follower.gateway.parts.foreign_sending.send_many([good, bad])
    assert [type(result).__name__ for result in results] == ["NoneType", "BadXML"]
