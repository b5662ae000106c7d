"""Outcomes of stanzas are correct in any order of events (decision 0009)."""

from __future__ import annotations

import threading
import time

import pytest

from xmpp_rest.link.outbox import Entry, Label, Progress
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.protocol.stanza import condition_of
from xmpp_rest.protocol.weight import weight
from xmpp_rest.service.messages.outcomes import Outcomes
from xmpp_rest.threads.waits import Wait

JULIET = parse_jid("juliet@gateway.example")
ROMEO = parse_jid("romeo@montague.example")
REFUSAL = parse_text("<message type='error' id='1' from='romeo@montague.example' to='juliet@gateway.example/x'/>")
RECEIPT = parse_text("<message id='9' from='romeo@montague.example' to='juliet@gateway.example'><received xmlns='urn:xmpp:receipts' id='1'/></message>")
ENTRY = Entry(b"", Label(str(JULIET), "1"))


@pytest.fixture
def outcomes() -> Outcomes:
    outcomes = Outcomes(Counts())
    outcomes.all_accepted([(JULIET.at("phone"), "1")])
    return outcomes


def state(outcomes: Outcomes) -> str | None:
    outcome = outcomes.get(JULIET, "1")
    return outcome.state if outcome else None


def test_from_accepted_to_delivered(outcomes: Outcomes) -> None:
    assert state(outcomes) == "accepted"
    for progress in (Progress.WRITTEN, Progress.CONFIRMED):
        outcomes.progress([ENTRY], progress)
        assert state(outcomes) == progress.value
    outcomes.observe(RECEIPT, ROMEO, JULIET)
    assert state(outcomes) == "delivered"


def test_a_refusal_stands_whatever_comes_later(outcomes: Outcomes) -> None:
    outcomes.observe(REFUSAL, ROMEO, JULIET.at("x"))
    outcomes.progress([ENTRY], Progress.CONFIRMED)
    outcome = outcomes.get(JULIET, "1")
    assert outcome is not None
    assert (outcome.state, outcome.refusal) == ("refused", REFUSAL)


def test_progress_may_come_before_the_word_that_it_was_accepted(outcomes: Outcomes) -> None:
    outcomes.progress([ENTRY], Progress.CONFIRMED)
    outcomes.all_accepted([(JULIET, "1")])
    assert state(outcomes) == "confirmed"


def test_nobody_elses_stanza(outcomes: Outcomes) -> None:
    outcomes.observe(REFUSAL, ROMEO, parse_jid("nurse@gateway.example"))
    outcomes.progress([Entry(b"", Label("nurse@gateway.example", "1")), Entry(b"", None)], Progress.CONFIRMED)
    outcomes.observe(parse_text("<iq type='error' id='1'/>"), ROMEO, JULIET)
    outcomes.observe(parse_text("<message id='1'><body/></message>"), ROMEO, JULIET)
    assert state(outcomes) == "accepted"
    assert outcomes.get(ROMEO, "1") is None


def test_waiting_ends_with_the_decision(outcomes: Outcomes) -> None:
    threading.Timer(0.05, lambda: outcomes.observe(REFUSAL, ROMEO, JULIET)).start()
    started = time.monotonic()
    outcome = outcomes.wait(JULIET, "1", Wait(50))
    assert outcome is not None
    assert outcome.refusal is REFUSAL
    assert time.monotonic() - started < 25


def test_waiting_ends_with_the_time(outcomes: Outcomes) -> None:
    outcome = outcomes.wait(JULIET, "1", Wait(0.05))
    assert outcome is not None
    assert outcome.state == "accepted"
    assert outcomes.wait(JULIET, "unknown", Wait(10)) is None


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Outcomes, "REMEMBERED", 3)
    outcomes = Outcomes(Counts())
    for n in range(5):
        outcomes.all_accepted([(JULIET, str(n))])
    assert [outcomes.get(JULIET, str(n)) is not None for n in range(5)] == [False, False, True, True, True]


def test_large_refusals_are_not_kept_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Outcomes, "WHOLE", 1)
    outcomes = Outcomes(Counts())
    why = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    refusals = [parse_text(f"<message type='error' id='{n}' from='romeo@montague.example'><body>long</body>{why}</message>") for n in range(2)]
    outcomes.all_accepted([(JULIET, str(n)) for n in range(2)])
    for refusal in refusals:
        outcomes.observe(refusal, ROMEO, JULIET)
    kept = [outcome.refusal for n in range(2) if (outcome := outcomes.get(JULIET, str(n))) and outcome.refusal is not None]
    assert [refusal.findtext("body") for refusal in kept] == [None, "long"]
    assert [(refusal.attrib, condition_of(refusal).condition) for refusal in kept] == [(r.attrib, "gone") for r in refusals]


def test_refusals_of_strangers_servers_have_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Outcomes, "WHOLE_SIZE", 500_000)
    outcomes, servant = Outcomes(Counts()), parse_jid("nurse@capulet.example")
    for identifier in ("m1", "m2"):
        outcomes.of_session({Label(str(JULIET), identifier): servant}, "")
        text = f"<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{'no ' * 10_000}</text>"
        why = f"<error type='wait'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>{text}{'<x/>' * 2000}</error>"
        error = parse_text(f"<message type='error' from='{servant}' id='{identifier}' xml:lang='en'><body/>{why}</message>")
        outcomes.bounced(Label(str(JULIET), identifier), error)
    first, second = (outcomes.get(JULIET, identifier) for identifier in ("m1", "m2"))
    assert first is not None
    assert second is not None
    assert first.refusal is not None
    assert second.refusal is error  # the latest, as it came
    assert (first.state, condition_of(first.refusal).condition, condition_of(first.refusal).type) == ("refused", "forbidden", "wait")
    assert len(condition_of(first.refusal).text) == 500
    assert first.refusal.attrib == {"from": str(servant), "id": "m1", "type": "error"}
    assert weight(first.refusal) < 3000
