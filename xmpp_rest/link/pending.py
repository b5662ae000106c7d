"""Pending iqs, with the requests that wait for their answers (RFC 6120 §8.2.3)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.namespaces import MAM, RSM
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.waits import Wait

Key = tuple[str, JID | None, JID]  # id, who must answer (None: one's own account), who asked
OnOutcome = Callable[[Element | Exception], None]
"""Gets the answer, or why there will be none."""
_RESULT = f"{{{MAM}}}result"
_MOST = f"{{{RSM}}}set/{{{RSM}}}max"
TOO_LARGE = "The archive answers with more than can be held; ask for fewer items at once"


class WaitingIq:
    """One request that waits: a thread in `wait()`, or `callback`, which is called once with the answer, or with why there is none.

    Stanzas that belong to it are in `collected` by then.
    """

    def __init__(
        self, key: Key, queryid: str | None, most: int | None, callback: OnOutcome | None, on_timeout: Callable[[], None], stream: int = 0
    ) -> None:
        """`most`: archive results that belong to it, at most; None: none do, as it asks no archive."""
        self.key = key
        self.queryid = queryid
        self.most = most or 0
        self.collecting = most is not None
        self.stream = stream
        self.collected: list[Element] = []
        self.size = 0  # bytes of memory of these, as far as it is known
        self._callback = callback
        self._on_timeout = on_timeout
        self._outcome: OneShot[Element | Exception] = OneShot()

    @property
    def is_over(self) -> bool:
        """Whether there is an answer, or will be none."""
        return self._outcome.value is not None

    def resolve(self, outcome: Element | Exception) -> None:
        """There is an answer, or there will be none; the first time counts."""
        if self._outcome.give(outcome) and self._callback is not None:
            self._callback(outcome)

    def collect(self, message: Element, size: int) -> None:
        """This belongs to it."""
        self.collected.append(message)
        self.size += size

    def time_out(self) -> None:
        """There is no answer yet, and none is waited for any more."""
        if self._outcome.value is None:
            self._on_timeout()
        self.resolve(GatewayError("iq-timeout"))

    def wait(self, wait: Wait) -> Element:
        """The iq of type result or error. Raises GatewayError: iq-timeout, client-gone, or why there will be none."""
        outcome = self._outcome.wait(*wait)
        if outcome is None:
            if wait.gone():
                raise GatewayError("client-gone")
            self._on_timeout()
            raise GatewayError("iq-timeout")
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class Pending:
    """The table of waiting requests. An answer counts if its id, its sender and its recipient are those of the request."""

    MAX_COLLECTED = 10_000  # archive results for one request
    MAX_SIZE = 64 << 20  # bytes of memory of those, where the server of a stranger sends them
    MAX_SIZES = 128 << 20  # of all requests

    def __init__(self, size: int, on_timeout: Callable[[], None] = lambda: None) -> None:
        """`on_timeout` is called for each request that has waited in vain."""
        self._size = size
        self._on_timeout = on_timeout
        self._waiting: dict[Key, WaitingIq] = {}
        self._collectors = 0
        self._sizes = 0
        self._lock = threading.Lock()

    def expect(self, iq: Element, sender: JID, to: JID | None, callback: OnOutcome | None = None, *, stream: int = 0) -> WaitingIq:
        """Announce a request before it is sent. Raises GatewayError: iq-conflict, iq-overload.

        `to` is None, or the sender's own bare address, for a query to one's own account, which may answer without `from`.
        `stream`: the number of the session's by which it goes out; 0: by none.
        """
        key = (iq.get("id", ""), None if to == sender.bare else to, sender)
        query = iq.find(f"{{{MAM}}}query")
        most = None if query is None else min(self.MAX_COLLECTED, _asked_for(query))
        waiter = WaitingIq(key, query.get("queryid") if query is not None else None, most, callback, self._on_timeout, stream)
        with self._lock:
            if key in self._waiting:
                raise GatewayError("iq-conflict")
            if len(self._waiting) >= self._size:
                raise GatewayError("iq-overload")
            self._waiting[key] = waiter
            self._collectors += waiter.collecting
        return waiter

    @property
    def count(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    def askers(self) -> frozenset[JID]:
        """Who waits for answers."""
        with self._lock:
            return frozenset(asker for _, _, asker in self._waiting)

    def forget(self, waiter: WaitingIq) -> None:
        """The request is over, answered or not."""
        with self._lock:
            if self._waiting.pop(waiter.key, None):
                self._collectors -= waiter.collecting
                self._sizes -= waiter.size

    def resolve(self, stanza: Element, sender: JID | None, to: JID) -> bool:
        """Resolve the waiter of an iq of type result or error; whether there was one."""
        own = sender is None or sender == to.bare
        waiter = self._waiting.get((stanza.get("id", ""), None if own else sender, to))
        if waiter is None:
            return False
        waiter.resolve(stanza)
        return True

    def collect(self, message: Element, sender: JID | None, to: JID, size: int = 0) -> bool:
        """Keep an archive result (XEP-0313 §4.2) for the query it belongs to; whether there was one.

        The query ends with an error where this is too much: the results alone would be a part that nobody has asked for.
        """
        if not self._collectors:  # the usual case
            return False
        result = message.find(_RESULT)
        if result is None:
            return False
        own = sender is None or sender == to.bare
        with self._lock:
            for waiter in self._waiting.values():
                fits = waiter.collecting and waiter.queryid == result.get("queryid")
                _, archive, asker = waiter.key
                if fits and asker == to and archive == (None if own else sender) and len(waiter.collected) < waiter.most:
                    if waiter.size + size > self.MAX_SIZE or self._sizes + size > self.MAX_SIZES:
                        break
                    waiter.collect(message, size)
                    self._sizes += size
                    return True
            else:
                return False
        waiter.resolve(GatewayError("iq-overload", TOO_LARGE))
        return True

    def fail_all(self, domain: str, hosted: frozenset[str], error: GatewayError) -> None:
        """End the waits of a stream that is down, except for answers of `hosted` domains."""
        with self._lock:
            waiters = [w for w in self._waiting.values() if w.key[2].domain == domain and w.key[1] and w.key[1].domain not in hosted]
        for waiter in waiters:
            waiter.resolve(error)

    def fail_stream(self, stream: int, error: GatewayError) -> None:
        """End the waits for answers by this stream of a session."""
        with self._lock:
            waiters = [waiter for waiter in self._waiting.values() if waiter.stream == stream]
        for waiter in waiters:
            waiter.resolve(error)

    def fail_everybody(self, error: GatewayError) -> None:
        """End all waits."""
        with self._lock:
            waiters = list(self._waiting.values())
        for waiter in waiters:
            waiter.resolve(error)


def _asked_for(query: Element) -> int:
    """How many archive results a query asks for (XEP-0059 §2.1)."""
    text = query.findtext(_MOST, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else Pending.MAX_COLLECTED


def jid_or_none(text: str | None) -> JID | None:
    """The address in an attribute of a server's stanza; None if it is missing or not valid."""
    try:
        return parse_jid(text) if text else None
    except InvalidJID:
        return None
