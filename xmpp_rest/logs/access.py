"""The access line: one for each answer (operations §4.3)."""

from __future__ import annotations

import logging
import time
from functools import partial
from json.encoder import encode_basestring_ascii as in_json
from typing import Any

from xmpp_rest.answered import Answered
from xmpp_rest.logs.events import EventRecord
from xmpp_rest.logs.handler import BufferedHandler
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
        api, method, path, status, _, lasted, _, bytes_in, bytes_out, account, address, agent, request_id, hook = self._answer
        return (
            f" method={quoted(method)} path={quoted(path)} status={status} seconds={lasted:.6f} api={api}"
            f" account={'null' if account is None else quoted(account)} address={quoted(address)} bytes_in={bytes_in} bytes_out={bytes_out}"
            f" user_agent={quoted(agent[:AGENT])} request_id={request_id if request_id.isalnum() else text_of(request_id)}"
            f"{hook and f' hook={hook}'}"
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


class KeptAccessRecord(AccessRecord):
    """One for our own handler, whose formatters read no more than this: a third of the time."""

    name, levelno, msg, args = log.name, logging.INFO, "request", ()

    def __init__(self, answer: Answered, created: float) -> None:
        """As of the other."""
        self._answer, self.created, self.msecs = answer, created, created % 1 * 1000


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
        if status < self._least or not log.isEnabledFor(logging.WARNING if status >= 500 else logging.INFO):
            return
        handlers = logging.root.handlers
        if status < 500 and len(handlers) == 1 and isinstance(handler := handlers[0], BufferedHandler):  # all goes there, and nowhere else
            handler.keep(partial(KeptAccessRecord, answer, time.time()))
        else:
            log.handle(AccessRecord(answer, time.time()))
