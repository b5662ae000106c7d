"""Notes credentials that were refused, by a line of the log and to those that count them. Never the password, token or field."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from xmpp_rest.auth.caller import Denial, DenialReason
from xmpp_rest.logs.events import say
from xmpp_rest.request_notes import CURRENT, OTHER

log = logging.getLogger("xmpp_rest.auth")

PASSWORD, UNKNOWN, TOKEN, BANNED, THROTTLED, MALFORMED, ELSEWHERE = REASONS = (
    "password", "unknown-account", "token", "banned", "throttled", "malformed", "elsewhere",
)  # fmt: skip
"""Why credentials are refused (operations §4.4)."""
NAME = 256  # characters of an account at most: a client may send any


class RefusedCredentials(NamedTuple):
    """Credentials that were refused. `account`: as it was named; None: nobody was."""

    api: str
    reason: str
    account: str | None
    address: str


class Refusals:
    """Writes the line, and tells observers, which do not wait."""

    def __init__(self, *observers: Callable[[RefusedCredentials], None]) -> None:
        self._observers = observers

    def refuse(self, denial: Denial, reason: str, account: str | None, address: str) -> Denial:
        """The denial, which is noted."""
        self.note(THROTTLED if denial.reason is DenialReason.THROTTLED else reason, account, address)
        return denial

    def note(self, reason: str, account: str | None, address: str) -> None:
        """Credentials for this account, from this address, are refused."""
        notes = CURRENT.get()
        refusal = RefusedCredentials(notes.api if notes else OTHER, reason, None if account is None else account[:NAME], address)
        request_id = {"request_id": notes.request_id} if notes else {}
        say(
            log, logging.WARNING, "refused",
            account=refusal.account, address=address or None, api=refusal.api, reason=reason, **request_id,
        )  # fmt: skip
        for observer in self._observers:
            observer(refusal)
