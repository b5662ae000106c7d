"""The access line: one for each answer (operations §4.3)."""

from __future__ import annotations

import logging

from xmpp_rest.answered import Answered
from xmpp_rest.logs.events import say

log = logging.getLogger("xmpp_rest.access")

PATH, AGENT = 512, 200  # characters at most
LEAST = {"all": 0, "errors": 400, "off": 1000}
"""`[server] access_log` → the lowest status that is logged."""


class AccessLog:
    """An observer of answers, which writes a line for each. The query is left out: it may hold secrets."""

    def __init__(self, which: str) -> None:
        """`which`: a key of LEAST."""
        self._least = LEAST[which]

    def configure(self, which: str) -> None:
        """Log these from now on."""
        self._least = LEAST[which]

    def answered(self, answer: Answered) -> None:
        """An answer is finished."""
        status = answer.status
        if status < self._least:
            return
        say(
            log, logging.WARNING if status >= 500 else logging.INFO, "request",
            method=answer.method, path=answer.path[:PATH], status=status, seconds=answer.lasted, api=answer.api, account=answer.account,
            address=answer.address, bytes_in=answer.bytes_in, bytes_out=answer.bytes_out, user_agent=answer.user_agent[:AGENT],
            request_id=answer.request_id,
        )  # fmt: skip
