"""What becomes of a request to a hook, whichever API it came by: once only, within its limits, said, sent, counted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from xmpp_rest.service.hooks.delivered import Delivered, Due, Result, is_for_now
from xmpp_rest.service.hooks.formats.plain import whatever
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.hooks.once import PATIENCE, Once, OnceOnly
from xmpp_rest.service.hooks.payload import Payload
from xmpp_rest.service.hooks.said import Kind, NothingToSay, Said
from xmpp_rest.threads.waits import Wait

log = logging.getLogger("xmpp_rest.hooks")

WHENEVER = Wait(PATIENCE)
Limited = Callable[[Mapping[str, str]], None]
"""Takes the header fields that tell of the limits of the hook (hooks §18)."""


class SaysPayloads(Protocol):
    """Makes a message of a payload."""

    def say(self, hook: Hook, payload: Payload, /) -> Said: ...


class SendsSaid(Protocol):
    """Sends a message to the targets of a hook. Raises nothing."""

    def send(self, hook: Hook, said: Said, /) -> tuple[Result, ...]: ...


class SchedulesSaid(Protocol):
    """Keeps a message until its time. Raises GatewayError."""

    def schedule_said(self, hook: Hook, said: Said, at: float, /) -> Due: ...


class CountsDelivered(Protocol):
    """Notes a delivered request; its number among those of the hook."""

    def delivered(self, hook: Hook, /) -> int: ...


class CountsResults(Protocol):
    """Counts requests by hook and result, for the metrics."""

    def hook_requested(self, hook: str, result: str, /) -> None: ...


class LimitsHooks(Protocol):
    """The limits of how often a hook may be used."""

    def take(self, hook: Hook, token: str = "", /) -> HookAllowance: ...
    def look(self, hook: Hook, token: str = "", /) -> HookAllowance: ...


class HookAllowance(Protocol):
    """Whether a request is within its limits, and the header fields that tell so."""

    @property
    def allowed(self) -> bool: ...
    def fields(self) -> dict[str, str]: ...


Publish = Callable[[Hook, Payload, Delivered], object]
"""Keeps what was delivered for those who read it again."""


SendPictures = Callable[[Hook, Delivered], object]
"""Has the pictures of what was delivered follow it. Raises nothing."""


class RateExceeded(Exception):
    """More requests to a hook than its limit allows. `retry_after`: seconds until the next one is possible."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many requests; the next one is possible in {retry_after} seconds")
        self.retry_after = retry_after


def _ignored(_: Mapping[str, str]) -> None:
    """Nobody wants to know."""


class HookRequests:
    """Handles requests to hooks."""

    def __init__(
        self, once: OnceOnly, limits: LimitsHooks, sayings: SaysPayloads, sender: SendsSaid, scheduled: SchedulesSaid,
        hooks: CountsDelivered, counts: CountsResults, publish: Publish = lambda hook, payload, delivered: None,
        send_pictures: SendPictures = lambda hook, delivered: None,
    ) -> None:  # fmt: skip
        self._once = once
        self._limits = limits
        self._sayings = sayings
        self._sender = sender
        self._scheduled = scheduled
        self._hooks = hooks
        self._counts = counts
        self._publish = publish
        self._send_pictures = send_pictures

    def handle(
        self, hook: Hook, payload: Payload | Callable[[], Payload], *, once: Once | None = None, at: float | None = None,
        limited: Limited = _ignored, wait: Wait = WHENEVER, token: str = "", empty: Payload | None = None,
    ) -> Delivered:  # fmt: skip
        """Deliver a request, or have it delivered at a time (Unix time); a repetition is answered with what became of the first one.

        `payload`: what it brings, or what reads that, which is called within the limits, and may raise anything. `limited` is given the
        header fields that tell of the limits, whatever is raised afterwards. `wait`: for the first request, where this is a repetition.
        `token`: the name of the bucket of the OAuth token that it came with, "" for another proof. `empty`: what is said where `payload`
        says nothing.
        Raises NothingToSay, RateExceeded, GatewayError, StorageError; then nothing was sent.
        """
        if once is None:
            return self._handle(hook, payload, empty, at, limited, token)
        begun = self._once.begin(hook, once, wait)
        if isinstance(begun, Delivered):
            limited(self._limits.look(hook, token).fields())
            self.count(hook, "repeated")
            return begun
        try:
            delivered = self._handle(hook, payload, empty, at, limited, token)
        except BaseException:
            self._once.release(begun)
            raise
        self._once.settle(begun, once, delivered)
        return delivered

    def count(self, hook: Hook, result: str) -> None:
        """Count a request by its result: one of metrics.families.HOOK_RESULTS."""
        self._counts.hook_requested(hook.name, result)

    def look(self, hook: Hook, token: str = "") -> dict[str, str]:
        """The header fields that tell of the limits of the hook, for an answer to a request that costs nothing."""
        return self._limits.look(hook, token).fields()

    def _handle(
        self, hook: Hook, payload: Payload | Callable[[], Payload], empty: Payload | None, at: float | None, limited: Limited, token: str,
    ) -> Delivered:  # fmt: skip
        result = "failed"
        try:
            self._require_allowed(hook, limited, token)
            result = "invalid"
            read = payload if isinstance(payload, Payload) else payload()
            result = "failed"
            try:
                delivered = self._deliver(hook, read, at)
            except NothingToSay:
                if empty is None:
                    raise
                delivered = self._deliver(hook, empty, at)
            result = _result_of(delivered)
        except RateExceeded:
            result = "limited"
            raise
        except NothingToSay:
            result = "invalid"
            raise
        finally:
            self.count(hook, result)
        return delivered

    def _require_allowed(self, hook: Hook, limited: Limited, token: str) -> None:
        allowance = self._limits.take(hook, token)
        fields = allowance.fields()
        limited(fields)
        if not allowance.allowed:
            raise RateExceeded(int(fields.get("Retry-After", "1")))

    def _deliver(self, hook: Hook, payload: Payload, at: float | None) -> Delivered:
        said = self._say(hook, payload)
        now = time.time()
        delivered = Delivered(hook.name, payload.format, said, (), 0, now)
        if said.kind is not Kind.MESSAGE:
            return delivered
        if at is not None and at > now:
            delivered = replace(delivered, due=self._scheduled.schedule_said(hook, said, at))
        else:
            delivered = replace(delivered, results=self._sender.send(hook, said))
            if not delivered.anybody:
                return delivered
            self._send_pictures(hook, delivered)
        return self._noted(hook, payload, delivered)

    def _say(self, hook: Hook, payload: Payload) -> Said:
        """What the request says; where reading its format fails, as it is: no alert is lost over an error of ours. Raises NothingToSay."""
        try:
            return self._sayings.say(hook, payload)
        except NothingToSay:
            raise
        except Exception:
            log.exception("a request to the hook %s cannot be read as %s, and is shown as it is", hook.name, payload.format)
            return self._sayings.say(replace(hook, template=None), replace(payload, format=whatever(payload.value)))

    def _noted(self, hook: Hook, payload: Payload, delivered: Delivered) -> Delivered:
        """With its number, and kept for those who read it again. The message is on its way: what fails now is logged alone."""
        try:
            delivered = replace(delivered, number=self._hooks.delivered(hook))
            self._publish(hook, payload, delivered)
        except Exception:
            log.exception("a request to the hook %s was delivered, but could not be noted", hook.name)
        return delivered


def _result_of(delivered: Delivered) -> str:
    if delivered.due is not None:
        return "scheduled"
    if delivered.said.kind is not Kind.MESSAGE:
        return "silent"
    if delivered.anybody:
        return "delivered"
    return "unavailable" if is_for_now(delivered.results) else "refused"
