"""Answers to idempotency keys are kept as long as documented, and bounded."""

from __future__ import annotations

import pytest

from tests.conftest import DOMAIN
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.messages import idempotency

JULIET = parse_jid(f"juliet@{DOMAIN}")


def test_a_request_that_a_crash_cut_off(gateway: Gateway) -> None:
    keys = gateway.parts.idempotency
    assert isinstance(keys.begin(JULIET, "k", "r"), idempotency.Claim)
    with pytest.raises(idempotency.StillRunning):
        keys.begin(JULIET, "k", "r")
    keys._lease = 0
    assert isinstance(keys.begin(JULIET, "k", "r"), idempotency.Claim)


def test_who_comes_too_late_changes_nothing(gateway: Gateway) -> None:
    keys = gateway.parts.idempotency
    keys._lease = 0
    late, early = keys.begin(JULIET, "k", "r"), keys.begin(JULIET, "k", "r")
    assert isinstance(late, idempotency.Claim)
    assert isinstance(early, idempotency.Claim)
    keys.release(late)
    keys.finish(late, idempotency.Answer(500, [], b""))
    keys.finish(early, idempotency.Answer(202, [("Stanza-Id", "x")], b"body"))
    assert keys.begin(JULIET, "k", "r") == (202, [("Stanza-Id", "x")], b"body")


def test_bounded(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "SHARDS", 1)
    monkeypatch.setattr(idempotency, "MAX_ANSWERS", 3)
    monkeypatch.setattr(idempotency, "MAX_BYTES", 100)
    keys = gateway.parts.idempotency
    keys._shards = 1

    def answer(key: str, body: bytes) -> None:
        claim = keys.begin(JULIET, key, "r")
        assert isinstance(claim, idempotency.Claim)
        keys.finish(claim, idempotency.Answer(200, [], body))

    for n in range(5):
        answer(f"{n}", b"")
    assert len(gateway.driver.load("juliet", DOMAIN, "idempotency_0") or ()) == 3
    answer("long", b"x" * 60)
    answer("longer", b"x" * 60)
    table = gateway.driver.load("juliet", DOMAIN, "idempotency_0")
    assert isinstance(table, dict)
    assert sum(len(e["body"]) for e in table.values()) <= 100
