"""The access line: one for each answer (operations §4.3)."""

from __future__ import annotations

import logging
import time
from functools import partial
from json.encoder import encode_basestring_ascii as in_json
from typing import Any

from xmpp_rest.answered import Answered
from xmpp_rest.logs.events import EventRecord
from xmpp_rest.logs.handler import sole_handler
from xmpp_rest.logs.lines import quoted, text_of

log = logging.getLogger("xmpp_rest.access")

HOOK = '"hook"'
AGENT = 200  # characters at most
LEAST = {"all": 0, "errors": 400, "off": 1000}
"""`[server] access_log` → the lowest status that is logged."""


class AccessRecord(EventRecord):
    """The record of one answer."""

    def __init__(self, answer: Answered, created: float) -> None:
        """`created`: when it was finished."""
        super().__init__(log, logging.WARNING if answer.status >= 500 else logging.INFO, "request", created)
        self._answer = answer

    @property
    def fields(self) -> dict[str, Any]:
        a = self._answer
        return {
            "method": a.method, "path": a.path, "status": a.status, "seconds": a.lasted, "api": a.api, "account": a.account,
            "address": a.address, "bytes_in": a.bytes_in, "bytes_out": a.bytes_out, "user_agent": a.user_agent[:AGENT],
            "request_id": a.request_id, **({"hook": a.hook} if a.hook else {}),
        }  # fmt: skip

    @property
    def pairs(self) -> str:
        """The same as text; one by one it takes twice as long."""
        a = self._answer
        account = "null" if a.account is None else quoted(a.account)
        return (
            f" method={quoted(a.method)} path={quoted(a.path)} status={a.status} seconds={a.lasted:.6f} api={a.api}"
            f" account={account} address={quoted(a.address)} bytes_in={a.bytes_in} bytes_out={a.bytes_out}"
            f" user_agent={quoted(a.user_agent[:AGENT])} request_id={text_of(a.request_id)}{a.hook and f' hook={a.hook}'}"
        )

    @property
    def members(self) -> str:
        """The same for JSON."""
        a = self._answer
        account = "null" if a.account is None else in_json(a.account)
        return (
            f'"request_id": {in_json(a.request_id)}, "event": "request", "method": {in_json(a.method)}, "path": {in_json(a.path)}, '
            f'"status": {a.status}, "seconds": {a.lasted:.6f}, "api": "{a.api}", "account": {account}, "address": {in_json(a.address)}, '
            f'"bytes_in": {a.bytes_in}, "bytes_out": {a.bytes_out}, "user_agent": {in_json(a.user_agent[:AGENT])}'
            f"{a.hook and f', {HOOK}: {in_json(a.hook)}'}"
        )


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
        if answer.status < self._least or not log.isEnabledFor(logging.WARNING if answer.status >= 500 else logging.INFO):
            return
        record = partial(AccessRecord, answer, time.time())
        if answer.status < 500 and (handler := sole_handler()) is not None:
            handler.keep(record)
        else:
            log.handle(record())
