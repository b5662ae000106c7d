"""IqAsking: sends an iq of type get or set, and brings its answer to who waits for it (RFC 6120 §8.2.3)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.account_streams import AccountRoutes
from xmpp_rest.link.other_owners import OtherOwners
from xmpp_rest.link.pending import OnOutcome, Pending, WaitingIq, jid_or_none
from xmpp_rest.link.router_ports import Asker, who_asks
from xmpp_rest.processes.group import End, Reply
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.stanza import copied
from xmpp_rest.threads.timers import Timer
from xmpp_rest.threads.waits import Wait


class IqAsking:
    """Of one router, in the leader. Has no thread."""

    def __init__(
        self, domains: frozenset[str], pending: Pending, accounts: AccountRoutes, beyond: OtherOwners, remote: Remote,
        send: Callable[[Element], Element | None],
    ) -> None:  # fmt: skip
        """`domains`: all that are hosted; `accounts`: of other servers; `beyond`: where hosted domains are led by others.

        `send`: as `Router.send`.
        """
        self._domains = domains
        self._pending = pending
        self._accounts = accounts
        self._beyond = beyond
        self._remote = remote
        self._send = send
        self._asker: Asker = who_asks

    def ask_as(self, asker: Asker) -> None:
        """Send iqs from whom this names. Called while building."""
        self._asker = asker

    def begin(self, reply: Reply, iq: Element, wait: Wait) -> End:
        """As `Router.begin_ask`."""

        def settled(outcome: Element | Exception) -> None:
            self._pending.forget(waiter)
            timers.cancel(timer)
            reply(outcome if isinstance(outcome, Exception) else (outcome, waiter.collected))

        if (domain := self._beyond.sender(iq)) is not None:
            return self._beyond.begin_ask(domain, reply, iq, wait)
        timers = self._remote.timers
        iq = self._asked(iq)
        waiter = self._expect(iq, settled)
        timer = Timer(waiter.time_out)
        timers.set(timer, wait.seconds)
        sender, to = parse_jid(iq.get("from", "")), jid_or_none(iq.get("to"))
        send = partial(self._send_for, waiter, iq)
        send_elsewhere = partial(self._remote.pool.submit, send)
        if self._beyond.await_owner(iq, waiter, wait, send_elsewhere):
            pass
        elif sender.domain in self._domains and (to is None or to.domain in self._domains):
            send_elsewhere()
        else:
            send()
        return lambda: waiter.resolve(GatewayError("client-gone"))

    def ask(self, iq: Element, wait: Wait) -> tuple[Element, list[Element]]:
        """As `Router.ask`."""
        if (domain := self._beyond.sender(iq)) is not None:
            return self._beyond.router(domain).ask(iq, wait)
        iq = self._asked(iq)
        waiter = self._expect(iq)
        try:
            send = partial(self._send_for, waiter, iq)
            if self._beyond.await_owner(iq, waiter, wait, partial(self._remote.pool.submit, send)):
                return waiter.wait(wait), waiter.collected
            answer = self._send(iq)
            return answer if answer is not None else waiter.wait(wait), waiter.collected
        finally:
            self._pending.forget(waiter)

    def _send_for(self, waiter: WaitingIq, iq: Element) -> None:
        try:
            answer = self._send(iq)
        except Exception as e:  # the caller's to raise
            waiter.resolve(e)
        else:
            if answer is not None:
                waiter.resolve(answer)

    def _asked(self, iq: Element) -> Element:
        """The iq from whom it is to be from."""
        sender, to = parse_jid(iq.get("from", "")), jid_or_none(iq.get("to"))
        if sender.domain not in self._domains:
            asker = self._accounts.jid(sender)
        else:
            asker = sender if to is None else self._asker(sender, to)
        return iq if asker == sender else copied(iq, from_=str(asker))

    def _expect(self, iq: Element, callback: OnOutcome | None = None) -> WaitingIq:
        sender = parse_jid(iq.get("from", ""))
        stream = 0 if sender.domain in self._domains else self._accounts.stream(sender)
        return self._pending.expect(iq, sender, jid_or_none(iq.get("to")) or sender.bare, callback, stream=stream)
