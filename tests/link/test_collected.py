"""Archive results that waiting queries hold, and how much of them (accounts-anywhere §10)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.pending import Pending, WaitingIq
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.namespaces import MAM
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.threads.waits import Wait

ROMEO = parse_jid("romeo@montague.example")
SESSION = ROMEO.at("orchard")
NOW = Wait(0.0)


def asked(pending: Pending, number: int) -> WaitingIq:
    query = make("iq", child(f"{{{MAM}}}query", queryid=f"q{number}"), id_=f"i{number}", type_="set")
    return pending.expect(query, SESSION, ROMEO)


def found(number: int) -> Element:
    return make("message", child(f"{{{MAM}}}result", queryid=f"q{number}", id="1"))


def test_a_query_ends_where_its_results_are_too_large() -> None:
    pending = Pending(10)
    first, second = asked(pending, 1), asked(pending, 2)
    piece = Pending.MAX_SIZE // 4
    assert [pending.collect(found(1), ROMEO, SESSION, piece) for _ in range(5)] == [True] * 5
    assert len(first.collected) == 4
    with pytest.raises(GatewayError, match="ask for fewer items at once") as raised:
        first.wait(NOW)
    assert raised.value.name == "iq-overload"
    pending.forget(first)
    assert not pending.collect(found(1), ROMEO, SESSION, piece)
    assert pending.collect(found(2), ROMEO, SESSION, piece)
    assert len(second.collected) == 1


def test_all_queries_together_have_a_bound_and_give_back_what_they_held() -> None:
    pending = Pending(10)
    waiters = [asked(pending, number) for number in range(3)]
    for number in range(2):
        assert pending.collect(found(number), ROMEO, SESSION, Pending.MAX_SIZE)
    assert pending.collect(found(2), ROMEO, SESSION, 1)
    with pytest.raises(GatewayError, match="iq-overload"):
        waiters[2].wait(NOW)
    for waiter in waiters:
        pending.forget(waiter)
    again = asked(pending, 2)
    assert pending.collect(found(2), ROMEO, SESSION, Pending.MAX_SIZE)
    assert len(again.collected) == 1


def test_results_of_an_own_server_have_no_size() -> None:
    pending = Pending(10)
    waiter = asked(pending, 1)
    for _ in range(Pending.MAX_COLLECTED):
        assert pending.collect(found(1), ROMEO, SESSION)
    assert not pending.collect(found(1), ROMEO, SESSION)
    assert len(waiter.collected) == Pending.MAX_COLLECTED
