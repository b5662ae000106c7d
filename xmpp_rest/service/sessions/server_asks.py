"""What accounts of other servers ask entities there, one after the other or several at once (accounts-anywhere §7.4)."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.router import Router
from xmpp_rest.processes.group import End, Reply
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.weight import weight
from xmpp_rest.service.sessions.refused import answered_in_time, as_of_server
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.waits import Wait, Waits

MOST_BYTES = 16 << 20  # of the answers to one request
AT_ONCE = 10  # questions of one request that wait for their answers
PATIENCE = Wait(15.0)


class ServerAsks:
    """Asks by the session of the account that an iq is from. Requests that wait are counted among those of the account."""

    def __init__(self, router: Router, waits: Waits, remote: Remote) -> None:
        """Any process may ask."""
        self._router = router
        self._waits = waits
        self._remote = remote
        remote.offer(self)

    def one(self, iq: Element, wait: Wait = PATIENCE) -> Element:
        """The answer, of type result or error. Raises GatewayError: server-silent, waits-full, and those of `Router.ask`; BadXML."""
        account = _account_of(iq)
        with answered_in_time(account.domain), self._waits.holding(str(account)):
            return self._router.ask(iq, wait)[0]

    def each(self, iqs: Sequence[Element], wait: Wait = PATIENCE) -> list[Element | Exception]:
        """The answers to these, which are all of one account; or why there is none. Raises GatewayError: waits-full, client-gone."""
        if not iqs:
            return []
        account = _account_of(iqs[0])
        with answered_in_time(account.domain), self._waits.holding(str(account)):
            answers = self.all_answers(list(iqs), wait)
        return [as_of_server(answer, account.domain) if isinstance(answer, GatewayError) else answer for answer in answers]

    def _begin_all(self, reply: Reply, iqs: list[Element], wait: Wait) -> End:
        return _Several(self._router, iqs, wait.seconds, reply).begin()

    @on_leader(deferred=_begin_all)
    def all_answers(self, iqs: list[Element], wait: Wait) -> list[Element | Exception]:
        """As `each`, whose caller has counted the wait."""
        answers: OneShot[list[Element | Exception]] = OneShot()

        def give(found: list[Element | Exception]) -> None:
            answers.give(found)

        end = self._begin_all(give, iqs, wait)
        found = answers.wait(*wait)
        if found is None:
            end()
            if wait.gone():
                raise GatewayError("client-gone")
            found = answers.value
        return found or []


def _account_of(iq: Element) -> JID:
    return parse_jid(iq.attrib["from"]).bare


class _Several:
    """Questions, AT_ONCE at a time; in the leader."""

    def __init__(self, router: Router, iqs: list[Element], seconds: float, reply: Reply) -> None:
        self._router = router
        self._iqs = iqs
        self._until = time.monotonic() + seconds
        self._reply = reply
        self._answers: list[Element | Exception | None] = [None] * len(iqs)
        self._next = 0
        self._open = 0
        self._bytes = 0
        self._asking = False  # whether a thread is about to ask what may be asked
        self._is_over = False
        self._lock = threading.Lock()

    def begin(self) -> End:
        """Ask; what is returned ends it."""
        self._go_on()
        return self._end

    def _go_on(self) -> None:
        while (number := self._taken()) is not None:
            wait = Wait(max(0.0, self._until - time.monotonic()))
            try:
                self._router.begin_ask(partial(self._answered, number), self._iqs[number], wait)
            except (GatewayError, BadXML) as e:
                self._note(number, e)

    def _taken(self) -> int | None:
        """The number of the question that is to be asked by this thread; None: none is, or another thread asks already."""
        with self._lock:
            if self._is_over or self._next == len(self._iqs) or self._open >= AT_ONCE:
                self._asking = False
                return None
            self._asking = True
            self._next, self._open = self._next + 1, self._open + 1
            return self._next - 1

    def _answered(self, number: int, outcome: Any) -> None:
        self._note(number, outcome if isinstance(outcome, Exception) else self._weighed(outcome[0]))
        with self._lock:
            if self._asking:  # that thread goes on; it may be this one, with a question that could not be asked
                return
            self._asking = True
        self._go_on()

    def _weighed(self, answer: Element) -> Element | Exception:
        with self._lock:
            self._bytes += weight(answer)
            return answer if self._bytes <= MOST_BYTES else GatewayError("server-refused", "The server answers with more than can be held")

    def _note(self, number: int, answer: Element | Exception) -> None:
        with self._lock:
            self._answers[number] = answer
            self._open -= 1
            if self._is_over or self._open or self._next < len(self._iqs):
                return
            self._is_over = True
        self._give()

    def _end(self) -> None:
        with self._lock:
            if self._is_over:
                return
            self._is_over = True
        self._give()

    def _give(self) -> None:
        self._reply([answer if answer is not None else GatewayError("iq-timeout") for answer in self._answers])
