"""What hooks say to persons, and what is told of it (hooks §3, §8)."""

from __future__ import annotations

import time
from xml.etree.ElementTree import Element

import pytest

from tests.conftest import DOMAIN
from tests.link.fake import attach
from tests.raising import raising
from tests.service.hooks.conftest import hook, said
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.stanza import child, make, refusal
from xmpp_rest.request_notes import on_behalf_of
from xmpp_rest.service.contacts import block_lists

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


def test_others_get_it_over_the_link_and_may_refuse_for_a_while(gateway: Gateway) -> None:
    router = gateway.parts.router

    def refuse(_: str, stanza: Element) -> None:
        if stanza.get("to") == "nobody@montague.example":
            answer = refusal(stanza, stanza_error("item-not-found", "nobody is here"))
            router.resolve(answer, parse_jid(stanza.attrib["to"]), parse_jid(stanza.attrib["from"]))

    attach(router, refuse)
    results = gateway.parts.hook_sender.send(hook("nobody@montague.example", ROMEO, str(NURSE)), said("Fire"))
    assert [result.error and result.error.condition for result in results] == ["item-not-found", None, None]
    assert results[0].to_json() == {
        "to": "nobody@montague.example",
        "id": results[0].id,
        "outcome": "refused",
        "error": {"type": "cancel", "condition": "item-not-found", "text": "nobody is here"},
    }


def test_an_address_without_an_account_gets_nothing_and_keeps_nothing(gateway: Gateway, out: list[Element]) -> None:
    address = parse_jid(f"hooks@{DOMAIN}/hooks")
    (result,) = gateway.parts.hook_sender.send(hook(ROMEO, speaks_as=f"hooks@{DOMAIN}"), said("Fire"))
    assert result.error is None
    assert [stanza.get("from") for stanza in out if stanza.tag == "message"] == [str(address)]
    assert kept(gateway, "hooks") == []
    router, romeo = gateway.parts.router, parse_jid(f"{ROMEO}/garden")
    for kind in ("chat", "normal", "groupchat", "error"):
        assert router.deliver(make("message", child("body", "?"), type_=kind, from_=str(romeo), to_=str(address)), romeo, address) is None
    for presence in ("subscribe", "probe", None):
        assert router.deliver(make("presence", type_=presence, from_=str(romeo), to_=str(address)), romeo, address) is None
    answer = router.deliver(make("iq", child("{urn:xmpp:ping}ping"), type_="get", id_="1", from_=str(romeo), to_=str(address)), romeo, address)
    assert answer is not None
    assert answer.find("error/{urn:ietf:params:xml:ns:xmpp-stanzas}service-unavailable") is not None
    assert kept(gateway, "hooks") == []


def test_an_account_of_that_name_is_an_account(gateway: Gateway) -> None:
    gateway.parts.accounts.register(parse_jid(f"hooks@{DOMAIN}"), "R0m30-forever")
    (result,) = gateway.parts.hook_sender.send(hook(str(NURSE), speaks_as=f"hooks@{DOMAIN}"), said("Fire"))
    assert result.error is None
    assert len(kept(gateway, "hooks")) == 1


def test_what_the_owner_has_blocked_is_refused(gateway: Gateway, out: list[Element]) -> None:
    gateway.driver.store("juliet", DOMAIN, block_lists.STORE, block_lists.table_of([parse_jid(ROMEO)]))
    for speaks_as in (str(JULIET), f"hooks@{DOMAIN}"):
        results = gateway.parts.hook_sender.send(hook(ROMEO, str(NURSE), speaks_as=speaks_as), said("Fire"))
        assert [result.error and result.error.condition for result in results] == ["not-acceptable", None]
    assert out == []


@pytest.mark.parametrize("name", ["outbox-full", "storage-failed"])
def test_what_the_outbox_does_not_take_may_come_again(gateway: Gateway, name: str) -> None:
    attach(gateway.parts.router, raising(GatewayError(name)))
    (result,) = gateway.parts.hook_sender.send(hook(ROMEO), said("Fire"))
    assert result.error is not None
    assert result.error.type == "wait"


def test_the_request_goes_along(gateway: Gateway) -> None:
    ids: list[str] = []
    link = gateway.parts.router
    attach(link, lambda _, stanza: None)
    link._link.send_all = lambda domain, stanzas, texts, notes=(), request_ids=(): ids.extend(request_ids) or ()  # type: ignore[union-attr,method-assign]  # a link that tells
    with on_behalf_of("req-1"):
        gateway.parts.hook_sender.send(hook(ROMEO), said("Fire"))
    assert "req-1" in ids


def test_followers_send_through_the_leader(pair: tuple[Gateway, Gateway]) -> None:
    leader, follower = pair
    sent: list[Element] = []
    attach(leader.parts.router, lambda _, stanza: sent.append(stanza))
    results = follower.parts.hook_sender.send(hook(ROMEO, str(NURSE)), said("Fire"))
    assert [result.error for result in results] == [None, None]
    assert [stanza.get("id") for stanza in sent if stanza.tag == "message"] == [results[0].id]
