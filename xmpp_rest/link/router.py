"""Routes a stanza to a waiting request, to a service of a hosted domain, or out on the link."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.account_streams import AccountRoutes
from xmpp_rest.link.errors import concerns_all
from xmpp_rest.link.iq_asking import IqAsking
from xmpp_rest.link.occupancy import Occupancy
from xmpp_rest.link.other_owners import OtherOwners
from xmpp_rest.link.pending import Pending, jid_or_none
from xmpp_rest.link.router_ports import Asker, Crossing, Link, Observer, OnLink, Preparer, Sent, Together, each_alone
from xmpp_rest.link.spoken import Spoken
from xmpp_rest.processes.group import End, Reply
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.held_back import HeldBack, Way, way_of
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.namespaces import MUC_USER
from xmpp_rest.protocol.stanza import is_answer, is_request, may_be_refused, refusal
from xmpp_rest.threads.afterwards import Afterwards
from xmpp_rest.threads.waits import Wait

log = logging.getLogger("xmpp_rest.link")

MANY = 10  # recipients for whom it is worth while to read what is known of them together
_OF_ROOM = f"{{{MUC_USER}}}x"


class Unhandled(Enum):
    """What a handler returns for a stanza that is not its business."""

    NOT_MINE = "not mine"


NOT_MINE = Unhandled.NOT_MINE
Handler = Callable[[Element, JID, JID], Element | Unhandled | None]
"""(stanza, sender, recipient) → an answer for the sender, None if it was taken, or NOT_MINE. Must not block."""


class Router:
    """Calls the handlers that services subscribed, in their order. Holds no stanzas and has no thread."""

    def __init__(
        self,
        domains: frozenset[str],
        pending: Pending,
        remote: Remote,
        link: Link | None = None,
        rooms: frozenset[str] = frozenset(),
        observers: Sequence[Observer] = (),
        incidents: Incidents | None = None,
        own: frozenset[str] | None = None,
        crossing: Crossing | None = None,
    ) -> None:
        """`link`: None: there are no other domains. `rooms`: those of the hosted domains that are services of rooms.

        `observers` take notice of every stanza for a hosted domain, before anybody handles it.
        `own`: those of the hosted domains that have this leader; None: all. `crossing`: the way to the others.
        """
        self.domains = domains
        self._own = domains if own is None else own
        self.occupancy = Occupancy(hosted=domains)
        self.spoken = Spoken()
        self.beyond = OtherOwners(domains - self._own, crossing, self.spoken, remote.pool, remote.timers)
        """Where hosted domains are led by others."""
        self.afterwards = Afterwards()  # what may answer a stanza waits until its sender's archive has it
        self._rooms = rooms
        self._pending = pending
        self._incidents = incidents or Incidents()
        self.accounts = AccountRoutes(pending, self.occupancy, self.spoken, self._incidents)
        """Those of other servers."""
        self._handlers: dict[str, list[Handler]] = {domain: [] for domain in self._own}
        self._together: Together = each_alone
        self._preparers: list[tuple[str, Preparer]] = []
        self._observers = list(observers)
        self._on_link: list[OnLink] = []
        self._link = link
        self._remote = remote
        self._asking = IqAsking(domains, pending, self.accounts, self.beyond, remote, self.send)
        remote.offer(self)

    def subscribe(self, domain: str, handler: Handler) -> None:
        """Ask `handler` about each stanza for an address at `domain`, after those that subscribed before. Called while building."""
        self._handlers[domain].append(handler)

    def is_own(self, domain: str) -> bool:
        """Whether this domain is hosted, and has this leader: what is sent there is delivered at once."""
        return domain in self._own

    def prepare_with(self, domain: str, preparer: Preparer) -> None:
        """Call this before many stanzas are delivered to accounts at `domain`. Called while building."""
        self._preparers.append((domain, preparer))

    def accept_together(self, together: Together) -> None:
        """Deliver many stanzas in this context. Called while building."""
        self._together = together

    def observe(self, observer: Observer) -> None:
        """Let `observer` take notice as well, after those before it. Called while building."""
        self._observers.append(observer)

    def on_link(self, listener: OnLink) -> None:
        """Call `listener` when a stream has come up or ended, in the order of subscription. Called while building."""
        self._on_link.append(listener)

    def ask_as(self, asker: Asker) -> None:
        """Have requests that wait for an answer sent from whom this names. Called while building."""
        self._asking.ask_as(asker)

    @property
    def has_link(self) -> bool:
        """Whether there is a link that `send_out` can use."""
        return self._link is not None

    def stream(self, domain: str) -> int:
        """The number of the stream of a hosted domain that is up; 0: none is. In the leader."""
        return 0 if self._link is None else self._link.stream(domain)

    def stream_of(self, sender: JID) -> int:
        """The number of the stream by which this address sends to other domains: of its hosted domain, or of its session; 0: none is up."""
        return self.stream(sender.domain) if sender.domain in self.domains else self.accounts.stream(sender)

    def require_size(self, data: bytes) -> None:
        """Raise GatewayError, stanza-too-big, for a stanza that is too large for the link."""
        if self._link is not None:
            self._link.require_size(data)

    def send_bound(self, stanza: Element, text: str, request_id: str, stream: int) -> None:
        """Send a stanza, which its sender keeps, on this stream; it is dropped with it.

        Raises GatewayError: link-down or session-lost if that stream is not up any more, outbox-full, outbox-share.
        """
        sender = parse_jid(stanza.attrib["from"])
        if sender.domain not in self.domains:
            self.accounts.send(stanza, sender, stream)
            return
        if self._link is None:
            raise GatewayError("link-down")
        self._link.send_bound(sender.domain, stanza, text, request_id, stream)
        self.spoken.sent((stanza,))

    def send_out(
        self, domain: str, stanzas: Sequence[Element], texts: Sequence[str], notes: Sequence[Any] = (), request_ids: Sequence[str] = ()
    ) -> Sequence[int]:
        """Send messages of hosted entities at `domain`, all of them for other domains: all or none. Raises as `send`.

        `texts`: each of them as `serialise` writes it; `notes`: what is to be kept with each in the journal, None for nothing;
        `request_ids`: of the requests that send them.
        Returns their numbers in the journal; none, if it does not keep them.
        """
        if domain in self.beyond.domains:
            return self.beyond.send_from(domain, stanzas)
        if self._link is None:
            raise GatewayError("link-down")
        numbers = self._link.send_all(domain, stanzas, texts, notes, request_ids)
        self.spoken.sent(stanzas)
        return numbers

    def restored(self, text: str) -> bool:
        """Whether the process that had the link before had its outbox take this stanza, and did not know it to have arrived."""
        return self._link is not None and self._link.restored(text)

    @on_leader
    def send(self, stanza: Element) -> Element | None:
        """Send a stanza with a prepared `from`, of a hosted entity, or by its session of an account elsewhere; without `to` it is for
        the sender's own account.

        The answer if there is one at once: from a hosted recipient, or `remote-server-not-found` without a link. None: it was
        delivered, or waits to be written. Raises BadXML and GatewayError: outbox-full, link-down, session-lost.
        """
        sender = parse_jid(stanza.get("from", ""))
        if sender.domain not in self.domains:
            self.accounts.send(stanza, sender)
            return None
        if sender.domain in self.beyond.domains:
            return self.beyond.router(sender.domain).send(stanza)
        to = parse_jid(stanza.attrib["to"]) if "to" in stanza.attrib else sender.bare
        if to.domain in self.beyond.domains:
            self.beyond.pass_on(to.domain, (stanza,))
            return None
        if to.domain in self.domains:
            answer = None if self.resolve(stanza, sender, to) else self.deliver(stanza, sender, to)
            if answer is None:
                self.spoken.sent((stanza,))
            return answer
        if self._link is None:
            text = f"{to.domain} cannot be reached: the gateway has no link to the XMPP network"
            return refusal(stanza, stanza_error("remote-server-not-found", text)) if may_be_refused(stanza) else None
        with self.occupancy.sending((stanza,)):
            self._link.send(sender.domain, stanza)
        self.spoken.sent((stanza,))
        return None

    def send_each(self, stanzas: Sequence[Element], text: Callable[[Element], str] = serialise) -> list[Sent]:
        """As `send` for each of them, with one wait for the disk; the result or exception of each. Called in the leader.

        Those for one recipient stay in order. `text`: as `serialise`, if there is a faster way for these.
        """
        self._prepare(stanzas)
        results: list[Sent] = [None] * len(stanzas)
        out: dict[str, list[int]] = {}  # by the domain of the sender
        passed: dict[str, list[int]] = {}  # by the domain of the recipient, which has another leader
        with self._together(stanzas if len(stanzas) > 1 else ()) as failed:
            for n, stanza in enumerate(stanzas):
                sender, to = jid_or_none(stanza.get("from")), jid_or_none(stanza.get("to"))
                if self._link and sender and to and sender.domain in self._own and to.domain not in self.domains:
                    out.setdefault(sender.domain, []).append(n)
                elif sender and to and sender.domain in self._own and to.domain in self.beyond.domains and stanza.tag != "iq":
                    passed.setdefault(to.domain, []).append(n)
                else:
                    results[n] = self._result(stanza)
        if failed:
            results = [failed.get(id(stanza), result) for stanza, result in zip(stanzas, results, strict=True)]
        for domain, numbers in out.items():
            if (error := self._send_together(domain, [stanzas[n] for n in numbers], text)) is not None:
                for n in numbers:
                    results[n] = error.again() if concerns_all(error) else self._result(stanzas[n])
        for domain, numbers in passed.items():
            if (error := self.beyond.pass_on_together(domain, [stanzas[n] for n in numbers], text)) is not None:
                for n in numbers:
                    results[n] = error.again() if concerns_all(error) else self._result(stanzas[n])
        return results

    def receive_together(self, stanzas: Sequence[Element], held: set[Way]) -> list[Sent]:
        """Deliver, in order, what other owners have passed on to this one; the answer or exception of each. Called in the leader.

        `held`: the ways on which something has failed; what follows there is HeldBack. Those that fail here are added.
        """
        self._prepare(stanzas)
        with self._together(stanzas if len(stanzas) > 1 else ()) as failed:
            received = [self._received(stanza, held) for stanza in stanzas]
        held.update(way_of(stanza) for stanza in stanzas if id(stanza) in failed)
        return [failed.get(id(stanza), result) for stanza, result in zip(stanzas, received, strict=True)]

    def _received(self, stanza: Element, held: set[Way]) -> Sent:
        if held and way_of(stanza) in held:
            return HeldBack()
        try:
            sender, to = parse_jid(stanza.get("from", "")), parse_jid(stanza.get("to", ""))
            return None if self.resolve(stanza, sender, to) else self.deliver(stanza, sender, to)
        except Exception as e:
            held.add(way_of(stanza))
            return e

    def _prepare(self, stanzas: Sequence[Element]) -> None:
        recipients = {to.bare for stanza in stanzas if (to := jid_or_none(stanza.get("to"))) and to.local}
        for domain, prepare in self._preparers:
            if len(accounts := [to for to in recipients if to.domain == domain]) >= MANY:
                try:
                    prepare(accounts)
                except Exception as e:  # each of them is read alone
                    log.info("the recipients of a stanza could not be read together: %s", e)

    def _send_together(self, domain: str, stanzas: Sequence[Element], text: Callable[[Element], str]) -> Exception | None:
        """Send these to other domains, if all are taken; why they are not."""
        try:
            with self.occupancy.sending(stanzas):
                self.send_out(domain, stanzas, [text(stanza) for stanza in stanzas])
        except Exception as e:  # none is sent: alone some of them may be, and each of the others says what is wrong with it
            return e
        return None

    def _result(self, stanza: Element) -> Sent:
        try:
            return self.send(stanza)
        except Exception as e:
            return e

    def deliver(self, stanza: Element, sender: JID, to: JID) -> Element | None:
        """Deliver a stanza that `resolve` left to its recipient at a hosted domain; the answer if there is one at once."""
        answer = self._handled(stanza, sender, to)
        unwanted = answer is not None and answer.get("type") == "error" and self.is_of_room(stanza, sender, to)
        return None if unwanted else answer

    def is_of_room(self, stanza: Element, sender: JID, to: JID) -> bool:
        """Whether a message or presence comes from a room, or may: nobody must answer that by an error, as rooms remove who does."""
        if stanza.tag == "iq" or to.domain in self._rooms:  # a room is not an occupant
            return False
        if sender.domain in self.domains:
            return sender.domain in self._rooms
        says_so = stanza.get("type") == "groupchat" or stanza.find(_OF_ROOM) is not None  # after a restart too
        return says_so or self.occupancy.is_room(sender.bare)

    def is_error_due(self, stanza: Element, sender: JID, to: JID) -> bool:
        """Whether the sender of an undeliverable stanza gets an error (RFC 6120 §8.3.1); of presence only for requests and joins."""
        if not may_be_refused(stanza) or self.is_of_room(stanza, sender, to):
            return False
        kind = stanza.get("type")
        if stanza.tag == "presence":
            return kind == "subscribe" or (kind is None and to.domain in self._rooms and bool(to.resource))
        return stanza.tag == "message" or is_request(stanza)

    def _handled(self, stanza: Element, sender: JID, to: JID) -> Element | None:
        for handler in self._handlers[to.domain]:
            answer = handler(stanza, sender, to)
            if not isinstance(answer, Unhandled):
                return answer
        # RFC 6121 §8.5: no such recipient. Presence is dropped, errors and results are never answered.
        if stanza.tag == "presence" or not may_be_refused(stanza):
            return None
        return refusal(stanza, stanza_error("service-unavailable"))

    def resolve(self, stanza: Element, sender: JID | None, to: JID, size: int = 0) -> bool:
        """Pass a stanza for a hosted domain, or a session, to the observers; whether a waiting request took it.

        That is the answer to its iq, or an archive result that belongs to it. `size`: bytes of memory, of what strangers' servers send.
        """
        self.occupancy.observe(stanza, sender, to)
        for observer in self._observers:
            try:
                observer(stanza, sender, to)
            except Exception:  # the other observers and the handlers still get the stanza
                self._incidents.report(log, "observer", "a stanza to %s was not noticed", to, level=logging.ERROR, trace=True)
        if is_answer(stanza):
            return self._pending.resolve(stanza, sender, to)
        return stanza.tag == "message" and self._pending.collect(stanza, sender, to, size)

    def begin_ask(self, reply: Reply, iq: Element, wait: Wait) -> End:
        """As `ask`, without waiting; in the leader. `reply` gets what `ask` returns, or raises; what is returned ends the wait.

        If a hosted entity answers, which may be slow, another thread sends the iq.
        """
        return self._asking.begin(reply, iq, wait)

    @on_leader(deferred=begin_ask)
    def ask(self, iq: Element, wait: Wait) -> tuple[Element, list[Element]]:
        """Send an iq of type get or set and wait for its answer: the iq of type result or error, and archive results that came before it.

        Raises GatewayError: iq-timeout, iq-conflict, iq-overload, client-gone, link-down, outbox-full; and BadXML.
        """
        return self._asking.ask(iq, wait)

    def link_changed(self, domain: str, online: bool) -> None:
        """The stream of `domain` has come up, or has ended: then the waits for answers that it would have brought end."""
        if not online:
            self._pending.fail_all(domain, self.domains, GatewayError("link-lost"))
        for listener in self._on_link:
            try:
                listener(domain, online)
            except Exception:  # the stream goes on
                self._incidents.report(log, "link-listener", "a change of the stream of %s was not noticed", domain, trace=True)

    def stop_waiting(self) -> None:
        """End all waits, as the gateway stops."""
        self._pending.fail_everybody(GatewayError("link-lost", "The gateway is stopping, and no answer had arrived"))
