"""When a message to a room of another owner counts as handled: an iq behind it tells, and is asked again where it was not answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from xml.etree.ElementTree import Element

import pytest

from tests.link.attached import until
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.router import Router
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import refusal, result
from xmpp_rest.service.messages import passed_outcomes
from xmpp_rest.service.messages.outcomes import Outcomes
from xmpp_rest.service.messages.passed_outcomes import PassedOutcomes
from xmpp_rest.threads.timers import Timers
from xmpp_rest.threads.waits import Wait

ROOMS, JULIET = "conference.capulet.example", JID("juliet", "capulet.example", "")


class Asked:
    """The router, as far as it is used: iqs, and who waits for their answers."""

    def __init__(self, *errors: GatewayError) -> None:
        self.waiting: list[tuple[Element, Callable[[Any], object]]] = []
        self.errors = [*errors]

    def begin_ask(self, reply: Callable[[Any], object], iq: Element, _wait: Wait) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.waiting.append((iq, reply))

    def answer(self, outcome: Exception | None = None) -> None:
        iq, reply = self.waiting.pop(0)
        reply(outcome if outcome is not None else (result(iq), []))

    def refuse(self) -> None:
        iq, reply = self.waiting.pop(0)
        reply((refusal(iq, stanza_error("internal-server-error")), []))


def states(outcomes: Outcomes, *identifiers: str) -> list[str]:
    return [found.state if (found := outcomes.get(JULIET, each)) is not None else "" for each in identifiers]


def test_a_question_that_was_not_answered_is_asked_again_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passed_outcomes, "AGAIN", 0.01)
    asked, outcomes, timers = Asked(GatewayError("iq-overload")), Outcomes(Counts()), Timers()
    passed = PassedOutcomes(cast(Router, asked), outcomes, JID("", "capulet.example", ""), timers)
    outcomes.all_accepted([(JULIET, "m1"), (JULIET, "m2")])
    passed.passed(ROOMS, JULIET, "m1")  # too many wait
    until(lambda: len(asked.waiting) == 1)
    passed.passed(ROOMS, JULIET, "m2")
    assert len(asked.waiting) == 1  # one at a time
    asked.answer(GatewayError("iq-timeout"))
    until(lambda: len(asked.waiting) == 1)
    asked.refuse()  # what was asked could not be handled
    assert states(outcomes, "m1", "m2") == ["accepted", "accepted"]
    until(lambda: len(asked.waiting) == 1)
    asked.answer()
    assert states(outcomes, "m1", "m2") == ["confirmed", "confirmed"]
    assert asked.waiting == []
    timers.stop()
