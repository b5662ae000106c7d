"""What becomes of a session whose connection broke: resumed, bound again, or ended (accounts-anywhere §5.6, §5.7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from xmpp_rest.config.login_tables import LoginSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.c2s.credentials import ScramKeys
from xmpp_rest.link.c2s.failures import STALE_KEYS, WRONG_PASSWORD, LoginFailed
from xmpp_rest.link.c2s.opened_stream import OpenedStream, Resumption
from xmpp_rest.protocol.jid import JID
from xmpp_rest.threads.backoff import Backoff

ENDS = {
    "conflict": "another login has taken its place",
    "not-authorized": "the server does not accept the account any more",
    "stanza-too-big": "the server sent a stanza of more than [sessions] stanza_size_limit bytes",
    "bad-xml": "the server sent something that is not a stanza",
    "unanswered": "the server does not answer",
    "broken": "the connection broke, and nothing waits for another one",
    "lost": "the connection broke, and could not be made again",
}
"""Reasons for which a session ends by itself."""
FINAL = {WRONG_PASSWORD: "not-authorized", "account-disabled": "not-authorized", STALE_KEYS: "lost"}
"""Name of a LoginFailed → reason: the keys are of no use any more."""
FATAL = frozenset(("conflict", "not-authorized", "stanza-too-big", "bad-xml", "unanswered"))
"""Reasons of a LinkDown after which there is no other attempt: a resumed stream would begin with what ended this one."""
FIRST = 1.0  # seconds until the first attempt, at most, and the unit of the pauses after it
STEADY = 30.0  # seconds after which a stream counts as good
FLAPS = 5  # streams in a row that were not, after which what is sent is what ends them


class LogInAgain(Protocol):
    """Makes another connection for a session, by its keys, in another thread; bounded together with all other logins."""

    def __call__(
        self,
        account: JID,
        login: LoginSettings,
        keys: ScramKeys,
        resumption: Resumption | None,
        done: Callable[[OpenedStream | Exception], None],
    ) -> None:
        """Log in, resuming if that is given, and call `done` once, from any thread: with a LoginFailed, or a GatewayError of back-off."""


class Attempts:
    """When the next attempt is made, and whether there is one."""

    def __init__(self) -> None:
        self._backoff = Backoff()
        self._flaps = 0
        self._up_since: float | None = None
        self.down_since = 0.0

    def opened(self, now: float) -> None:
        self._up_since = now

    def broke(self, now: float) -> bool:
        """The connection broke; whether another one may be any better."""
        self.down_since = now
        if self._up_since is None or now - self._up_since > STEADY:
            self._flaps = 0
            self._backoff.reset()
        self._flaps += 1
        return self._flaps <= FLAPS

    def pause(self, longest: float, failure: Exception | None = None) -> float:
        """Seconds until the next attempt, after this failure of one."""
        asked = (failure.given_retry_after or 0.0) if isinstance(failure, GatewayError) else 0.0
        backoff = Backoff() if failure is not None and is_held_up(failure) else self._backoff
        return max(asked, backoff.next(FIRST, longest))


def is_held_up(failure: Exception) -> bool:
    """Whether as many other sessions log in as may at once, which says nothing of the server: the next attempt comes soon."""
    return isinstance(failure, GatewayError) and failure.name == "sessions-full"


def why_final(failure: Exception) -> str:
    """The reason for which a session ends whose login failed so; "": there is another attempt."""
    return FINAL.get(failure.name, "") if isinstance(failure, LoginFailed) else ""
