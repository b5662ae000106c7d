"""Routes stanzas to callbacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.config.table import CallbackSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.journals import Journals
from xmpp_rest.link.router import NOT_MINE, Router, Unhandled
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.callbacks.dead_letters import DeadLetter, DeadLetters
from xmpp_rest.service.callbacks.queue import CallbackQueue
from xmpp_rest.service.callbacks.room_replies import Say

PAGE = 100  # dead letters that are read at a time
MAX_REPLAYED = 10_000  # dead letters, by one call


class Callbacks:
    """All callbacks. Bots have an address of their own and come before accounts; a whole domain's callback comes after them.

    Owned by the Gateway, which starts each of `own` and calls `stop()` once. what waits is kept in `journals`; `exists` tells
    accounts, `is_admin` administrators among them; `say` says something in a room on another server. `beside`: those that have other
    leaders, as their addresses are at domains with owners of their own.
    """

    def __init__(
        self,
        callbacks: Mapping[str, CallbackSettings],
        router: Router,
        dead: DeadLetters,
        journals: Journals,
        remote: Remote,
        *,
        say: Say,
        exists: Callable[[JID], bool],
        is_admin: Callable[[JID], bool],
        incidents: Incidents,
        counts: Counts,
        beside: Sequence[Callbacks] = (),
    ) -> None:
        self._exists = exists
        self._is_admin = is_admin
        self.own = {
            name: CallbackQueue(name, settings, router, say, dead, journals, remote.timers, incidents, counts)
            for name, settings in callbacks.items()
        }
        self._beside = beside
        self.queues = self.own | {name: queue for others in beside for name, queue in others.own.items()}
        """All of them, by name."""
        queues = reversed(self.queues.values())
        self._by_address = {address: q for q in queues for address in q.settings.address}
        self._remote = remote
        remote.offer(self)

    def stop(self) -> None:
        for queue in self.own.values():
            queue.stop()

    def describe_all(self) -> dict[str, dict[str, Any]]:
        """`describe` of all leaders."""
        told = self.describe()
        for others in self._beside:
            told |= others.describe()
        return told

    def replay_letters(self, callback: str, ids: Sequence[str] | None) -> list[str]:
        """`replay` by the leader that has the callback."""
        return next((others for others in self._beside if callback in others.own), self).replay(callback, ids)

    @on_leader
    def describe(self) -> dict[str, dict[str, Any]]:
        """The state of each own callback, by its name: its format, the number of waiting stanzas, and of replies that were dropped."""
        return {
            name: {
                "content_type": q.client.content_type, "waiting": q.pool.waiting, "retrying": q.pool.retrying,
                "dropped": q.room_replies.dropped,
            }
            for name, q in self.own.items()
        }  # fmt: skip

    @on_leader
    def replay(self, callback: str, ids: Sequence[str] | None) -> list[str]:
        """Queue dead letters again, those with these ids or all present ones, oldest first; the ids of those that were queued.

        Each is queued before it is removed, so it may be delivered twice. Ends where the queue is full.
        Raises StorageError; GatewayError: storage-failed, queue-full if not one found room.
        """
        queue, started = self.own[callback], time.time()
        replayed: list[str] = []
        while len(replayed) < MAX_REPLAYED:
            page = [letter for letter in queue.dead.find(queue.name, ids=ids, limit=PAGE) if letter.when < started]
            queued = _replay_page(queue, page)
            # One that has failed again in the meantime is a dead letter again, with the same id: it stays.
            queue.dead.remove(queue.name, queued, before=started)
            replayed += queued
            if len(queued) < len(page) or not page:
                if page and not replayed:
                    raise GatewayError("queue-full")
                break
        return replayed

    def handle_bot(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """Handle a stanza for the address of a bot, with or without resource."""
        queue = self._by_address.get(to.bare) if to.local else None
        return queue.enqueue(stanza, sender, to) if queue else NOT_MINE

    def may_bring(self, actor: JID, user: JID) -> bool:
        """Whether `actor` may make `user` an occupant or a subscriber of a room.

        A bot answers by itself, so that is for administrators, unless the callback's setting opens it to anyone.
        """
        bot = self._of(user)
        return bot is None or bot.settings.invited_by == "anyone" or actor.bare == user.bare or self._is_admin(actor.bare)

    def _of(self, address: JID) -> CallbackQueue | None:
        """The callback for stanzas to this address."""
        if address.local and (own := self._by_address.get(address.bare)):
            return own
        whole = self._by_address.get(JID("", address.domain, ""))
        return None if whole is None or self._exists(address.bare) else whole

    def handle_domain(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """Handle a stanza that no earlier handler accepted, for a domain with a callback; NOT_MINE for accounts and other kinds."""
        queue = self._by_address.get(JID("", to.domain, ""))
        if queue is None or not queue.accepts(stanza, to) or (to.local and self._exists(to.bare)):
            return NOT_MINE
        return queue.enqueue(stanza, sender, to)


def _replay_page(queue: CallbackQueue, letters: Sequence[DeadLetter]) -> list[str]:
    queued = []
    for letter in letters:
        if not queue.replay(letter.delivery):
            break
        queued.append(letter.delivery.id)
    return queued
