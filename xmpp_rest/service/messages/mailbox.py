"""The mailbox of hosted accounts: archives messages to and from them, and publishes them to the open streams (RFC 6121 §8.5).

A message is accepted once it is in the recipient's archive, or in the outbox for another domain; later failures are counted and logged,
but not raised.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import NOT_MINE, Unhandled
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.accounts.accounts import Accounts
from xmpp_rest.service.messages.archive import Archive, ArchiveFilter
from xmpp_rest.service.messages.archive_policy import is_archivable, without_forged_ids
from xmpp_rest.service.messages.archive_queue import QueuedMessage
from xmpp_rest.service.messages.archive_writer import ArchiveWrite, ArchiveWriter
from xmpp_rest.service.messages.archived_by_journal import SentArchive
from xmpp_rest.service.messages.clock import MonotonicClock
from xmpp_rest.service.messages.offline import Offline
from xmpp_rest.service.streams.registry import Event, Streams

log = logging.getLogger("xmpp_rest.link")

LATEST = 50  # latest messages that are searched for one that another process may have just archived
_DEFERRED: ContextVar[tuple[frozenset[int], list[ArchiveWrite]] | None] = ContextVar("deferred", default=None)
"""The stanzas (by `id`) that are archived with others, and those that are waiting for it."""
_SERIALISED: ContextVar[tuple[Element, str] | None] = ContextVar("serialised", default=None)  # what is being sent here, with its text


class SentMessage(NamedTuple):
    """A message that was sent, also as text, with its sender and recipient."""

    sender: JID
    stanza: Element
    text: str
    to: JID


class Mailbox:
    """A handler for the router: messages and presence to the accounts of the hosted domain.

    An account is reachable with or without listeners, so RFC 6121 §8.5 means: chat and normal messages are archived and published
    (§8.5.2.1.1, §8.5.2.2.1); headlines, errors and groupchat are only published. Senders do not learn whether anybody listens.
    """

    def __init__(
        self,
        archive: Archive,
        queue: SentArchive,
        streams: Streams,
        accounts: Accounts,
        clock: MonotonicClock,
        offline: Offline,
        incidents: Incidents,
        is_nobody: Callable[[JID], bool] = lambda _: False,
    ) -> None:
        """`is_nobody`: tells addresses that send without being an account, and so have no archive."""
        self._archive = archive
        self._queue = queue
        self._archive_writer = ArchiveWriter(archive, streams, clock, queue.settle)
        self._streams = streams
        self._accounts = accounts
        self._clock = clock
        self._incidents = incidents
        self._offline = offline
        self._is_nobody = is_nobody

    @property
    def domain(self) -> str:
        """The domain of the accounts."""
        return self._accounts.domain

    def handle(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """Accept a message or presence for an account; iqs are left to other handlers. Raises StorageError if it was not accepted."""
        if not to.local or stanza.tag == "iq" or not self._accounts.exists(to):
            return NOT_MINE
        owner = to.bare
        if stanza.tag == "message":
            without_forged_ids(stanza, owner)
        deferred = _DEFERRED.get()
        if deferred is not None and id(stanza) in deferred[0] and stanza.tag == "message" and is_archivable(stanza):
            deferred[1].append(ArchiveWrite(owner, stanza, _text_of(stanza), sender, sent=False, when=self._clock.fixed))
            return None
        text = self._accept(owner, stanza, sender)
        if stanza.tag == "message":
            self._store_offline(owner, stanza, sender, text)
        return None

    @contextmanager
    def together(self, stanzas: Sequence[Element]) -> Iterator[dict[int, Exception]]:
        """Archive those of these stanzas that are handled in this context, with one commit at its end.

        Afterwards the dictionary has the errors of those that were not accepted after all, by `id`.
        """
        failed: dict[int, Exception] = {}
        waiting: list[ArchiveWrite] = []
        before = _DEFERRED.set((frozenset(map(id, stanzas)), waiting))
        try:
            yield failed
        finally:
            _DEFERRED.reset(before)
            failed |= self._archive_deferred(waiting)

    def _archive_deferred(self, waiting: Sequence[ArchiveWrite]) -> dict[int, Exception]:
        errors = self._archive_writer.write_all(waiting)
        kept = [write for write, refused in zip(waiting, errors, strict=True) if refused is None]
        try:
            unkept = self._offline.store_all([(write.owner, write.stanza, write.item) for write in kept])
        except Exception as e:
            unkept = {write.owner: e for write in kept}
        for owner, error in unkept.items():
            self._incidents.report(log, "offline-unkept", "a message to %s is not among its offline messages: %r", owner, error)
        return {id(write.stanza): refused for write, refused in zip(waiting, errors, strict=True) if refused is not None}

    def _store_offline(self, owner: JID, stanza: Element, sender: JID, text: str) -> None:
        """Store it as an offline message; the account has it in its archive already."""
        try:
            self._offline.store(owner, stanza, sender, lambda message: text or _text_of(message))
        except Exception as e:
            self._incidents.report(log, "offline-unkept", "a message to %s is not among its offline messages: %r", owner, e)

    def sent(self, stanza: Element, sender: JID, to: JID) -> None:
        """Archive a message for the account that sent it. Raises nothing, as the message has been sent."""
        if stanza.tag == "message" and sender.bare != to.bare:  # to itself: received already
            self.all_sent([SentMessage(sender, stanza, _text_of(stanza), to)])

    def send_out(self, messages: Sequence[SentMessage], send: Callable[[Sequence[Any]], Sequence[int]]) -> None:
        """Have `send` accept messages for other domains, and archive them for their senders. Raises what `send` raises.

        `send` gets a note for each, or None, and returns the numbers under which it has the notes on disk: then the messages are archived
        behind this call, from these notes after a crash. If it returns nothing, they are archived when this returns.
        """
        kept = {n: self._write_of(m) for n, m in enumerate(messages) if self._is_mine(m) and is_archivable(m.stanza)}
        if not kept or not self._queue.has_room(len(kept)):
            send([None] * len(messages))
            self.all_sent(messages)
            return
        with self._streams.orders({write.owner for write in kept.values()}):
            for write in kept.values():
                write.set_time(self._clock)
            numbers = send([self._queue.note_of(kept[n].owner, kept[n].item) if n in kept else None for n in range(len(messages))])
            if numbers:
                self._queue.put([QueuedMessage(write.owner, write.item, numbers[n]) for n, write in kept.items()])
                for write in kept.values():
                    self._streams.publish(write.owner, write.event())
        self.all_sent([m for n, m in enumerate(messages) if n not in kept] if numbers else messages)

    def _is_mine(self, message: SentMessage) -> bool:
        sender = message.sender
        return bool(sender.local) and sender.domain == self._accounts.domain and not self._is_nobody(sender)

    @staticmethod
    def _write_of(message: SentMessage) -> ArchiveWrite:
        return ArchiveWrite(message.sender.bare, message.stanza, message.text, message.to, sent=True)

    def all_sent(self, messages: Sequence[SentMessage]) -> None:
        """As `sent` for several messages, with one commit."""
        mine = [said for said in messages if self._is_mine(said)]
        kept = [said for said in mine if is_archivable(said.stanza)]
        archived = {id(said) for said, error in zip(kept, self._archive_sent(kept), strict=True) if error is None}
        for said in mine:
            if id(said) not in archived:
                self._streams.publish(said.sender.bare, Event("", self._clock.next(), said.stanza, True))

    def _archive_sent(self, messages: Sequence[SentMessage]) -> Sequence[Exception | None]:
        """The error of each, or None."""
        errors: Sequence[Exception | None]
        try:
            errors = self._archive_writer.write_all([self._write_of(m) for m in messages])
        except Exception as e:
            errors = [e] * len(messages)
        for said, error in zip(messages, errors, strict=True):
            if error is not None:
                self._incidents.report(log, "sent-unkept", "a message of %s is sent, but not in its archive: %r", said.sender.bare, error)
        return errors

    def has(self, message: Element, text: str, sender: JID, to: JID) -> bool:
        """Whether the same message is among the latest in the archive of the recipient, or for another domain the sender.

        Raises StorageError.
        """
        owner, partner = (to, sender) if to.domain == self.domain else (sender, to)
        if message.tag != "message" or not owner.local or owner.domain != self.domain or not is_archivable(message):
            return False
        page = self._archive.page(owner.bare, ArchiveFilter(partner=partner.bare), LATEST, newest=True)
        return any(kept.stanza.get("id") == message.get("id") and serialise(kept.stanza) == text for kept in page.items)

    def show(self, account: JID, stanza: Element) -> None:
        """Publish a stanza of the gateway itself to the listeners of the account, such as a roster push."""
        self._streams.publish(account, Event("", self._clock.next(), stanza))

    @staticmethod
    @contextmanager
    def one_text(stanza: Element) -> Iterator[None]:
        """Serialise the stanza once for all archives. It must not be changed in this context. Raises BadXML."""
        before = _SERIALISED.set((stanza, serialise(stanza)))
        try:
            yield
        finally:
            _SERIALISED.reset(before)

    def _accept(self, owner: JID, stanza: Element, partner: JID) -> str:
        """Archive a stanza if the policy says so, and publish it; its text, if it was serialised. Raises StorageError."""
        if stanza.tag == "message" and is_archivable(stanza):
            text = _text_of(stanza)
            for error in self._archive_writer.write_all([ArchiveWrite(owner, stanza, text, partner, sent=False, when=self._clock.fixed)]):
                if error is not None:
                    raise error
            return text
        self._streams.publish(owner, Event("", self._clock.next(), stanza))
        return ""


def _text_of(stanza: Element) -> str:
    serialised = _SERIALISED.get()
    return serialised[1] if serialised is not None and serialised[0] is stanza else serialise(stanza)
