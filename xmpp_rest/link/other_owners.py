"""OtherOwners: the hosted domains that have owners of their own, as the router of one owner sees them (many-machines §11)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.pending import WaitingIq
from xmpp_rest.link.router_ports import Crossing
from xmpp_rest.link.spoken import Spoken
from xmpp_rest.processes.group import End, Reply
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.request_notes import current_id
from xmpp_rest.threads.pool import CompletingPool
from xmpp_rest.threads.timers import Timers
from xmpp_rest.threads.waits import Wait

if TYPE_CHECKING:
    from xmpp_rest.link.awaited_owners import AwaitedOwners

log = logging.getLogger("xmpp_rest.link")


_LATER: ContextVar[bool] = ContextVar("later", default=False)  # whether what the storage does not keep now may be kept later


@contextmanager
def keeping_later() -> Iterator[None]:
    """What is passed on in this context, and not kept now as the storage fails, counts as passed on: what it came of
    is not removed until it is kept (`Crossing.pass_on_later`).
    """
    before = _LATER.set(True)
    try:
        yield
    finally:
        _LATER.reset(before)


class PeerRouter(Protocol):
    """The router of another owner, as any process has it; calls of it run there."""

    def send(self, stanza: Element) -> Element | None: ...
    def ask(self, iq: Element, wait: Wait) -> tuple[Element, list[Element]]: ...


class OtherOwners:
    """None of them, where one owner has all domains."""

    def __init__(
        self, domains: frozenset[str], crossing: Crossing | None, spoken: Spoken, pool: CompletingPool, timers: Timers
    ) -> None:
        """`domains`: theirs; `crossing`: the way to them, if there are any; `spoken` is told what is passed on."""
        self.domains = domains
        self._crossing = crossing
        self._spoken = spoken
        self._pool = pool
        self._awaited = _awaited(crossing, timers) if crossing is not None else None
        self._routers: Mapping[str, PeerRouter] = {}

    def are(self, routers: Mapping[str, PeerRouter]) -> None:
        """These send what is from their domains. Called while building."""
        self._routers = routers

    def router(self, domain: str) -> PeerRouter:
        """The one that sends what is from this domain."""
        return self._routers[domain]

    def sender(self, iq: Element) -> str | None:
        """The domain of who sends this, if it is one of these."""
        domain = parse_jid(iq.get("from", "")).domain if self.domains else ""
        return domain if domain in self.domains else None

    def send_from(self, domain: str, stanzas: Sequence[Element]) -> Sequence[int]:
        """Have the owner of the domain send these, which are from there; nothing is in a journal here. Raises as `Router.send`."""
        for stanza in stanzas:
            self._routers[domain].send(stanza)
        return ()

    def pass_on(self, domain: str, stanzas: Sequence[Element], text: Callable[[Element], str] = serialise) -> None:
        """Keep these for the owner of the domain. Raises BadXML; GatewayError: storage-failed, link-down, outbox-full, outbox-share."""
        self._pass_on(domain, stanzas, text)

    def answer(self, domain: str, stanza: Element) -> None:
        """As `pass_on`, of what answers a stanza that this owner has passed on: however much waits."""
        self._pass_on(domain, (stanza,), serialise, is_answer=True)

    def _pass_on(self, domain: str, stanzas: Sequence[Element], text: Callable[[Element], str], *, is_answer: bool = False) -> None:
        if self._crossing is None:
            raise GatewayError("link-down")
        request_id = current_id() or ""
        texts, request_ids = [text(stanza) for stanza in stanzas], [request_id] * len(stanzas)
        try:
            self._crossing.pass_on(domain, texts, request_ids, is_answer=is_answer)
        except GatewayError as e:
            if e.name != "storage-failed" or not _LATER.get():
                raise
            self._crossing.pass_on_later(domain, texts, request_ids)
        self._spoken.sent(stanzas)

    def pass_on_together(self, domain: str, stanzas: Sequence[Element], text: Callable[[Element], str]) -> Exception | None:
        """As `pass_on`; why none of them is kept: alone some of them may be, unless that `concerns_all`."""
        try:
            self.pass_on(domain, stanzas, text)
        except Exception as e:
            log.info("%d stanzas for %s cannot be passed on together: %s", len(stanzas), domain, e)
            return e
        return None

    def await_owner(self, iq: Element, waiter: WaitingIq, wait: Wait, send: Callable[[], None]) -> bool:
        """Whether this is for a domain of theirs that nobody owns now: then `send` is called once that is over, or `waiter` fails."""
        if self._crossing is None or self._awaited is None or "to" not in iq.attrib:
            return False
        domain = parse_jid(iq.attrib["to"]).domain
        if domain not in self.domains or self._crossing.is_owned(domain):
            return False
        self._awaited.add(domain, waiter, wait.seconds, send)
        return True

    def begin_ask(self, domain: str, reply: Reply, iq: Element, wait: Wait) -> End:
        """As `Router.begin_ask`, of an iq that is from there."""
        self._pool.submit(partial(_ask, self._routers[domain], reply, iq, wait))
        return _nothing


def _awaited(crossing: Crossing, timers: Timers) -> AwaitedOwners:
    from xmpp_rest.link.awaited_owners import AwaitedOwners  # not loaded where one owner has all domains

    return AwaitedOwners(crossing.is_owned, timers)


def _ask(router: PeerRouter, reply: Reply, iq: Element, wait: Wait) -> None:
    try:
        outcome: Any = router.ask(iq, wait)
    except Exception as e:  # the caller's to raise
        outcome = e
    reply(outcome)


def _nothing() -> None:
    """The other owner ends the wait."""
