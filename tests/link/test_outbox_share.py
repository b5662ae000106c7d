"""One account fills neither the outbox nor a callback's queue for all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, TOKEN, basic
from tests.service.messages.test_batch import outgoing
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.link.errors import ShareFull
from xmpp_rest.link.journal import Journal
from xmpp_rest.link.outbox import Entry, Outbox
from xmpp_rest.threads.crew import ThreadCrew
from xmpp_rest.threads.keyed_pool import KeyedPool

FAR = "romeo@montague.example"


def entry(sender: str, lasting: bool = True) -> Entry:
    return Entry(f"<message from='{sender}/x'></message>".encode(), None, lasting=lasting, sender=sender)


@pytest.fixture
def client(make_app: Any) -> FlaskClient:
    """Of a gateway whose link is down, with room for 8 stanzas."""
    app = make_app(link_kind="component", link_secret="x", link_port="1", link_outbox_size="8")
    gateway: Gateway = app.extensions["gateway"]
    for user in ("juliet", "nurse"):
        gateway.parts.accounts.register(gateway.parts.accounts.address(user, DOMAIN), "R0m30-forever")
    client: FlaskClient = app.test_client()
    return client


def post(client: FlaskClient, user: str) -> Any:
    return client.post("/rest", json={"to": FAR, "body": "hi"}, headers=basic(user))


def test_outbox_share_of_a_batch(client: FlaskClient) -> None:
    lines = "\n".join(json.dumps({"to": FAR, "body": str(n)}) for n in range(20))
    response = client.post("/rest", data=lines, content_type="application/x-ndjson", headers=basic("juliet"))
    answers = [json.loads(line) for line in response.text.splitlines()]
    assert [answer["outcome"] for answer in answers] == ["accepted"] * 6 + ["error"] * 14
    assert {answer["code"] for answer in answers[6:]} == {503}
    assert "[link] outbox_share" in answers[-1]["error"]["text"]
    refused = post(client, "juliet")
    assert (refused.status_code, "Retry-After" in refused.headers) == (503, True)
    assert [post(client, "nurse").status_code for _ in range(3)] == [202, 202, 503], "now it is full"
    assert "outbox_share" not in post(client, "nurse").text


def test_outbox_share_does_not_bound_the_administrators_program(client: FlaskClient) -> None:
    said = {"to": FAR, "body": "hi"}
    codes = [client.post("/rest", json=said, headers={"Authorization": TOKEN}).status_code for _ in range(9)]
    assert codes == [202] * 8 + [503]


def test_full_outbox_share_does_not_delay_others(client: FlaskClient) -> None:
    """A turn of several senders, one of whom has no room left: the others go together all the same."""
    for _ in range(6):
        assert post(client, "juliet").status_code == 202
    gateway: Gateway = client.application.extensions["gateway"]

    juliet, nurse = (gateway.parts.accounts.address(user, DOMAIN) for user in ("juliet", "nurse"))
    results = gateway.parts.sending.send_many([outgoing(juliet, "a"), outgoing(nurse, "b"), outgoing(juliet, "c"), outgoing(nurse, "d")])
    assert [getattr(result, "name", result) for result in results] == ["outbox-share", None, "outbox-share", None]


def test_outbox_share_is_free_after_confirmation(tmp_path: Path) -> None:
    """Confirmed, refused, or of an iq that was written: whatever leaves the outbox leaves its sender's share."""
    outbox = Outbox(8, Journal(tmp_path / "j"), share=2)
    for _ in range(3):
        outbox.put([entry("a@b"), entry("a@b", lasting=False)])
        with pytest.raises(ShareFull) as caught:
            outbox.put([entry("c@b"), entry("a@b")])
        assert caught.value.senders == {"a@b"}
        outbox.put([entry("c@b")])
        outbox.take()
        outbox.stream_ended()  # the iq is gone, the messages come again
        outbox.put([entry("a@b")])
        outbox.take()
        outbox.confirm(outbox.mark)
        outbox.put([entry("a@b", lasting=False)])
        outbox.take()
        outbox.confirm(outbox.mark)
        outbox.stream_ended()
    outbox.put([entry("a@b"), entry("a@b")])
    outbox.close()


def test_outbox_share_counts_what_an_earlier_process_left(tmp_path: Path) -> None:
    before = Outbox(8, Journal(tmp_path / "j"), share=2)
    before.put([entry("a@b"), entry("a@b")])
    before.close()
    outbox = Outbox(8, Journal(tmp_path / "j"), share=2)
    with pytest.raises(ShareFull):
        outbox.put([entry("a@b")])
    outbox.put([entry("c@b")])
    outbox.close()


def test_queue_share_of_a_keyed_pool() -> None:
    pool = KeyedPool(ThreadCrew("test"), 1, 4, 3)
    assert [pool.submit("a", lambda: None) for _ in range(4)] == [True, True, True, False]
    assert [pool.submit("b", lambda: None) for _ in range(2)] == [True, False]
    pool.start()
    pool.stop()
