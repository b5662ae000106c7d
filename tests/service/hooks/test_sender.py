"""What hooks say to persons, and what is told of it (hooks §3, §8)."""

from __future__ import annotations

import dataclasses
import threading
import time
from xml.etree.ElementTree import Element

import pytest

from tests.conftest import DOMAIN
from tests.link.attached import until
from tests.raising import raising
from tests.service.hooks.conftest import hook, said
from tests.service.hooks.network import ROOM, Network
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.link.outbox import Entry, Label, Progress
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.stanza import child, make, refusal
from xmpp_rest.request_notes import on_behalf_of
from xmpp_rest.service.contacts import block_lists
from xmpp_rest.service.hooks import targets

JULIET, NURSE = parse_jid(f"juliet@{DOMAIN}"), parse_jid(f"nurse@{DOMAIN}")
ROMEO = "romeo@montague.example"


def kept(gateway: Gateway, user: str) -> list[str]:
    return [item.stanza for item in gateway.driver.archive_find(user, DOMAIN, "archive")]


def test_an_account_of_the_gateway_gets_it_at_once(gateway: Gateway) -> None:
    began = time.monotonic()
    (result,) = gateway.parts.hook_sender.send(hook(str(NURSE)), said("Fire"))
    assert result.to_json() == {"to": str(NURSE), "id": result.id, "outcome": "accepted", "how": "sent"}
    (stanza,) = kept(gateway, "nurse")
    assert f"<message type='chat' id='{result.id}' from='juliet@{DOMAIN}/hooks' to='nurse@{DOMAIN}'>" in stanza
    assert "<body>Fire</body>" in stanza
    assert len(kept(gateway, "juliet")) == 1
    outcome = gateway.parts.sending.outcome(JULIET, result.id)
    assert outcome is not None
    assert outcome.state == "confirmed"
    assert time.monotonic() - began < 10


def test_others_get_it_over_the_link_and_may_refuse_for_a_while(gateway: Gateway, network: Network) -> None:
    network.refused["nobody@montague.example"] = "item-not-found"
    results = gateway.parts.hook_sender.send(hook("nobody@montague.example", ROMEO, str(NURSE)), said("Fire"))
    assert [result.error and result.error.condition for result in results] == ["item-not-found", None, None]
    assert results[0].to_json() == {
        "to": "nobody@montague.example",
        "id": results[0].id,
        "outcome": "refused",
        "error": {"type": "cancel", "condition": "item-not-found"},
    }


def test_what_the_server_of_the_link_has_processed_another_may_refuse(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also at the domain above that of the gateway, which may be served by somebody else."""
    nobody = parse_jid(f"nobody@{DOMAIN.partition('.')[2]}")
    gateway.parts.hook_sender.configure(dataclasses.replace(gateway.parts.hook_sender._settings, wait=30.0))
    network = Network(gateway.parts.router)

    def take(stanza: Element) -> None:
        if stanza.tag == "iq":
            network.say(network.info(stanza, str(nobody)))
            return
        label = Label(stanza.attrib["from"].partition("/")[0], stanza.attrib["id"])
        gateway.parts.sending._outcomes.progress([Entry(b"", label)], Progress.CONFIRMED)
        threading.Timer(0.2, lambda: network.say(refusal(stanza, stanza_error("item-not-found")))).start()

    monkeypatch.setattr(network, "take", take)
    (result,) = gateway.parts.hook_sender.send(hook(str(nobody)), said("Fire"))
    assert result.error is not None
    assert result.error.condition == "item-not-found"


def test_an_address_without_an_account_gets_nothing_and_keeps_nothing(gateway: Gateway, network: Network) -> None:
    address = parse_jid(f"hooks@{DOMAIN}/hooks")
    (result,) = gateway.parts.hook_sender.send(hook(ROMEO, speaks_as=f"hooks@{DOMAIN}"), said("Fire"))
    assert result.error is None
    assert [stanza.get("from") for stanza in network.messages] == [str(address)]
    assert kept(gateway, "hooks") == []
    router, romeo = gateway.parts.router, parse_jid(f"{ROMEO}/garden")
    for kind in ("chat", "normal", "groupchat", "error"):
        assert router.deliver(make("message", child("body", "?"), type_=kind, from_=str(romeo), to_=str(address)), romeo, address) is None
    for presence in ("subscribe", "probe", None):
        assert router.deliver(make("presence", type_=presence, from_=str(romeo), to_=str(address)), romeo, address) is None
    answer = router.deliver(
        make("iq", child("{urn:xmpp:ping}ping"), type_="get", id_="1", from_=str(romeo), to_=str(address)), romeo, address
    )
    assert answer is not None
    assert answer.find("error/{urn:ietf:params:xml:ns:xmpp-stanzas}service-unavailable") is not None
    assert kept(gateway, "hooks") == []


def test_what_nobody_would_read_is_refused(gateway: Gateway) -> None:
    results = gateway.parts.hook_sender.send(hook(f"hooks@{DOMAIN}", str(NURSE)), said("Fire"))
    assert [result.error and result.error.condition for result in results] == ["service-unavailable", None]


def test_an_account_of_that_name_is_an_account(gateway: Gateway) -> None:
    gateway.parts.accounts.register(parse_jid(f"hooks@{DOMAIN}"), "R0m30-forever")
    (result,) = gateway.parts.hook_sender.send(hook(str(NURSE), speaks_as=f"hooks@{DOMAIN}"), said("Fire"))
    assert result.error is None
    assert len(kept(gateway, "hooks")) == 1


def test_what_the_owner_has_blocked_is_refused(gateway: Gateway, network: Network) -> None:
    gateway.driver.store("juliet", DOMAIN, block_lists.STORE, block_lists.table_of([parse_jid(ROMEO)]))
    for speaks_as in (str(JULIET), f"hooks@{DOMAIN}"):
        results = gateway.parts.hook_sender.send(hook(ROMEO, str(NURSE), speaks_as=speaks_as), said("Fire"))
        assert [result.error and result.error.condition for result in results] == ["not-acceptable", None]
    assert network.sent == []


@pytest.mark.parametrize("name", ["outbox-full", "storage-failed", "unanswered", "internal"])
def test_what_the_outbox_does_not_take_may_come_again(
    gateway: Gateway, network: Network, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "take", raising(GatewayError(name)))
    (result,) = gateway.parts.hook_sender.send(hook(ROMEO), said("Fire"))
    assert result.error is not None
    assert result.error.type == "wait"


def test_the_request_goes_along(gateway: Gateway, network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    ids: list[str] = []
    monkeypatch.setattr(network._router._link, "send_all", lambda _domain, _stanzas, _texts, _notes, request_ids: ids.extend(request_ids))
    with on_behalf_of("req-1"):
        gateway.parts.hook_sender.send(hook(ROMEO), said("Fire"))
    assert ids == ["req-1"]


def test_one_recipient_does_not_hold_up_another(gateway: Gateway, network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "PATIENCE", 0.5)
    network.silent.add("mute@montague.example")
    results = gateway.parts.hook_sender.send(hook("mute@montague.example", ROMEO), said("Fire"))
    assert [result.error for result in results] == [None, None]
    assert [stanza.get("to") for stanza in network.messages] == [ROMEO, "mute@montague.example"]


def test_followers_send_through_the_leader(pair: tuple[Gateway, Gateway]) -> None:
    leader, follower = pair
    network = Network(leader.parts.router)
    results = follower.parts.hook_sender.send(hook(ROMEO, str(NURSE)), said("Fire"))
    assert [result.error for result in results] == [None, None]
    assert [stanza.get("id") for stanza in network.messages] == [results[0].id]


def test_another_leader_goes_on(pair: tuple[Gateway, Gateway]) -> None:
    leader, follower = pair
    Network(leader.parts.router)
    network = Network(follower.parts.router)
    say = hook(f"room:{ROOM}", ROMEO, update=True)
    first = follower.parts.hook_sender.send(say, said("Down", key="k", state="1"))
    assert [(result.error, result.how) for result in first] == [(None, "sent")] * 2
    leader.stop()
    until(lambda: follower.parts.remote.group.is_leader)
    until(lambda: bool(follower.parts.router.spoken._watched))
    second = follower.parts.hook_sender.send(say, said("Up", key="k", state="2"))
    assert [(result.error, result.how) for result in second] == [(None, "corrected")] * 2
    assert list(network.rooms[ROOM].occupants) == [f"juliet@{DOMAIN}/hook-ops"]
    assert [stanza.find("{urn:xmpp:message-correct:0}replace") is not None for stanza in network.messages] == [True, True]
