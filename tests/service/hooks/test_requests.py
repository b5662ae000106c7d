"""What becomes of a request to a hook: once only, within its limits, said, sent, counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from drivers import Driver, StorageError
from tests.conftest import OpenDriver
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.hooks.delivered import Delivered, Due, Result
from xmpp_rest.service.hooks.hook import Hook, HookTarget
from xmpp_rest.service.hooks.once import Once, OnceOnly
from xmpp_rest.service.hooks.payload import Payload
from xmpp_rest.service.hooks.requests import HookRequests, RateExceeded
from xmpp_rest.service.hooks.said import Kind, NothingToSay, Said
from xmpp_rest.service.messages.idempotency import Idempotency
from xmpp_rest.threads.waits import Wait, Waits

NURSE = parse_jid("nurse@capulet.example")
HOOK = Hook("ops", NURSE, NURSE, (HookTarget(NURSE),), 3, 1.0)
WORDS = Payload("text", "words")
SENT = (Result(str(NURSE), "1"),)
REFUSED = (Result(str(NURSE), "1", error=stanza_error("gone")),)


class Allowed(NamedTuple):
    allowed: bool

    def fields(self) -> dict[str, str]:
        return {"RateLimit": "r"} | ({} if self.allowed else {"Retry-After": "7"})


class Around:
    """All that a request goes through, which says what it has been asked."""

    def __init__(self, driver: Driver) -> None:
        self.results: tuple[Result, ...] = SENT
        self.said = Said(Kind.MESSAGE, "words")
        self.allowed = True
        self.sent = 0
        self.counted: list[tuple[str, str]] = []
        self.published: list[Delivered] = []
        self.requests = HookRequests(
            OnceOnly(Idempotency(driver, 60, "hook_once"), Waits(8)), self, self, self, self, self, self, self.publish
        )

    def take(self, hook: Hook, token: str = "") -> Allowed:
        return Allowed(self.allowed)

    def look(self, hook: Hook, token: str = "") -> Allowed:
        return Allowed(True)

    def say(self, hook: Hook, payload: Payload) -> Said:
        if payload.value == "nothing":
            raise NothingToSay("There is no text")
        return self.said

    def send(self, hook: Hook, said: Said) -> tuple[Result, ...]:
        self.sent += 1
        return self.results

    def schedule_said(self, hook: Hook, said: Said, at: float) -> Due:
        return Due("sch_1", at)

    def delivered(self, hook: Hook) -> int:
        return self.sent

    def hook_requested(self, hook: str, result: str) -> None:
        self.counted.append((hook, result))

    def publish(self, hook: Hook, payload: Payload, delivered: Delivered) -> None:
        self.published.append(delivered)


@pytest.fixture
def around(open_driver: OpenDriver, tmp_path: Path) -> Around:
    return Around(open_driver("sqlite:hooks.sqlite", tmp_path))


def test_what_is_sent_is_numbered_published_and_counted(around: Around) -> None:
    delivered = around.requests.handle(HOOK, WORDS)
    assert (delivered.results, delivered.number, delivered.hook, delivered.format) == (SENT, 1, "ops", "text")
    assert around.published == [delivered]
    assert around.counted == [("ops", "delivered")]


@pytest.mark.parametrize(
    ("kind", "results", "at", "counted"),
    [
        (Kind.SILENT, SENT, None, "silent"),
        (Kind.PING, SENT, None, "silent"),
        (Kind.MESSAGE, REFUSED, None, "refused"),
        (Kind.MESSAGE, REFUSED + SENT, None, "delivered"),
        (Kind.MESSAGE, (*REFUSED, Result("x", "2", error=stanza_error("resource-constraint"))), None, "unavailable"),
        (Kind.MESSAGE, SENT, 4e9, "scheduled"),
        (Kind.MESSAGE, SENT, 1.0, "delivered"),
    ],
)
def test_every_result_is_counted(around: Around, kind: Kind, results: tuple[Result, ...], at: float | None, counted: str) -> None:
    around.said, around.results = Said(kind, "words"), results
    delivered = around.requests.handle(HOOK, WORDS, at=at)
    assert around.counted == [("ops", counted)]
    assert (delivered.due is not None) == (counted == "scheduled")


def test_too_many_requests_send_nothing(around: Around) -> None:
    around.allowed = False
    told: list[object] = []
    with pytest.raises(RateExceeded) as raised:
        around.requests.handle(HOOK, WORDS, limited=told.append)
    assert (raised.value.retry_after, around.sent, around.counted) == (7, 0, [("ops", "limited")])
    assert told == [{"RateLimit": "r", "Retry-After": "7"}]


def _unreadable() -> Payload:
    raise ValueError("unreadable")


@pytest.mark.parametrize(
    ("payload", "error", "counted"), [(Payload("text", "nothing"), NothingToSay, "invalid"), (_unreadable, ValueError, "invalid")]
)
def test_what_cannot_be_said_may_come_again(
    around: Around, payload: Payload | Callable[[], Payload], error: type[Exception], counted: str
) -> None:
    with pytest.raises(error):
        around.requests.handle(HOOK, payload, once=Once("a"))
    assert around.counted == [("ops", counted)]
    assert not around.requests.handle(HOOK, WORDS, once=Once("a")).replayed


def test_a_repetition_sends_nothing(around: Around) -> None:
    first = around.requests.handle(HOOK, WORDS, once=Once("a", "body"))
    again = around.requests.handle(HOOK, WORDS, once=Once("a", "body"))
    assert (again.results, again.number, again.at, again.replayed) == (first.results, first.number, first.at, True)
    assert (around.sent, around.counted) == (1, [("ops", "delivered"), ("ops", "repeated")])


def test_a_hook_that_was_changed_meanwhile_is_the_same(around: Around) -> None:
    around.requests.handle(HOOK, WORDS, once=Once("a"))
    assert around.requests.handle(replace(HOOK, made=2.0), WORDS, once=Once("a")).replayed  # a file of the configuration was written


def test_a_name_is_that_of_one_hook_and_of_one_body(around: Around) -> None:
    around.requests.handle(HOOK, WORDS, once=Once("a", "body"))
    other = Hook("dev", NURSE, NURSE, (), 4, 2.0)
    assert not around.requests.handle(other, WORDS, once=Once("a", "body")).replayed
    with pytest.raises(GatewayError) as raised:
        around.requests.handle(HOOK, WORDS, once=Once("a", "other"))
    assert raised.value.name == "idempotency_reused"


@pytest.mark.parametrize(
    ("results", "whole", "replayed"), [(REFUSED, False, False), (SENT + REFUSED, False, True), (SENT + REFUSED, True, False)]
)
def test_what_was_refused_may_come_again(around: Around, results: tuple[Result, ...], whole: bool, replayed: bool) -> None:
    around.results = results
    around.requests.handle(HOOK, WORDS, once=Once("a", whole=whole))
    assert around.requests.handle(HOOK, WORDS, once=Once("a", whole=whole)).replayed == replayed


def test_a_name_is_forgotten_after_its_time(around: Around, monkeypatch: pytest.MonkeyPatch) -> None:
    around.requests.handle(HOOK, WORDS, once=Once("a", seconds=60))
    monkeypatch.setattr("xmpp_rest.service.messages.idempotency.time.time", lambda now=time.time: now() + 61)
    assert not around.requests.handle(HOOK, WORDS, once=Once("a", seconds=60)).replayed


def test_a_repetition_waits_for_the_first_request_and_then_gives_up(around: Around) -> None:
    nested: list[str] = []

    def send(hook: Hook, said: Said) -> tuple[Result, ...]:
        with pytest.raises(GatewayError) as raised:
            around.requests.handle(HOOK, WORDS, once=Once("a"), wait=Wait(0.1))
        nested.append(raised.value.name)
        return SENT

    around.send = send  # type: ignore[method-assign]
    assert not around.requests.handle(HOOK, WORDS, once=Once("a")).replayed
    assert nested == ["hook-running"]


def test_no_alert_is_lost_over_an_error_of_ours(around: Around) -> None:
    def say(hook: Hook, payload: Payload) -> Said:
        if payload.format == "github":
            raise KeyError("sender")
        return Said(Kind.MESSAGE, f"{payload.format} {hook.template}")

    around.say = say  # type: ignore[method-assign]
    delivered = around.requests.handle(replace(HOOK, template="{{ x }}"), Payload("github", {"a": 1}))
    assert (delivered.said.text, delivered.format, delivered.anybody) == ("json None", "github", True)


def test_what_was_sent_is_told_though_it_cannot_be_noted(around: Around) -> None:
    def fail(hook: Hook) -> int:
        raise StorageError("no disk")

    around.delivered = fail  # type: ignore[method-assign]
    assert around.requests.handle(HOOK, WORDS).anybody
