"""What happens to a message for a hosted account, or from one: it is archived, and goes to the open streams (RFC 6121 §8.5).

Once the recipient's archive has a message, or for another domain the outbox, it is accepted, and nothing that fails afterwards changes
that: such trouble is counted and logged, and never raised.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import NOT_MINE, Unhandled
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.accounts.accounts import Accounts
from xmpp_rest.service.messages.archive import Archive, Wanted
from xmpp_rest.service.messages.archive_policy import without_forged_ids, worth_keeping
from xmpp_rest.service.messages.archive_writer import Archiving, Letter
from xmpp_rest.service.messages.clock import Stamps
from xmpp_rest.service.streams.registry import Event, Streams

log = logging.getLogger(__name__)

LATEST = 50  # messages among which one is looked for that another process may have archived a moment ago


def _nobody_minds(owner: JID, message: Element, sender: JID, text: Callable[[Element], str]) -> None:
    """Nothing is kept for those who are offline."""


class Said(NamedTuple):
    """A message that somebody sent, also as text, and to whom."""

    sender: JID
    stanza: Element
    text: str
    to: JID


class Mailbox:
    """A router's handler for the accounts of the hosted domain.

    An account is reached whether somebody listens or not, so RFC 6121 §8.5 comes to this: chat and normal messages are kept and shown
    (§8.5.2.1.1, §8.5.2.2.1), headlines, errors and what rooms say are shown to whoever listens now. No sender learns who listens.
    """

    def __init__(self, archive: Archive, streams: Streams, accounts: Accounts, stamps: Stamps, incidents: Incidents) -> None:
        self._archive = archive
        self._archiving = Archiving(archive, streams, stamps)
        self._streams = streams
        self._accounts = accounts
        self._stamps = stamps
        self._incidents = incidents
        self._texts = _Texts()
        self.offline: Callable[[JID, Element, JID, Callable[[Element], str]], None] = _nobody_minds
        """Told of each message that reached an account, and how it is written as text."""

    @property
    def domain(self) -> str:
        """That of the accounts."""
        return self._accounts.domain

    def handle(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """Take a message or presence for an account; iqs are the entity's business. Raises StorageError: it is nowhere."""
        if not to.local or stanza.tag == "iq" or not self._accounts.exists(to):
            return NOT_MINE
        owner = to.bare
        if stanza.tag == "message":
            without_forged_ids(stanza, owner)
        text = self._take(owner, stanza, sender)
        if stanza.tag == "message":
            self._wait_for(owner, stanza, sender, text)
        return None

    def _wait_for(self, owner: JID, stanza: Element, sender: JID, text: str) -> None:
        """Keep it for whoever is offline too; the account has it already."""
        try:
            self.offline(owner, stanza, sender, lambda message: text or self._texts.of(message))
        except Exception as e:
            self._incidents.report(log, "offline-unkept", "a message to %s is not among those that wait for it: %r", owner, e)

    def sent(self, stanza: Element, sender: JID, to: JID) -> None:
        """An account sent this message: it belongs into the sender's own archive too. Raises nothing: the message is on its way."""
        if stanza.tag == "message" and sender.bare != to.bare:  # to oneself: received already
            self.all_sent([Said(sender, stanza, self._texts.of(stanza), to)])

    def all_sent(self, messages: Sequence[Said]) -> None:
        """As `sent` for several messages, with one commit."""
        mine = [said for said in messages if said.sender.local and said.sender.domain == self._accounts.domain]
        kept = [said for said in mine if worth_keeping(said.stanza)]
        archived = {id(said) for said, error in zip(kept, self._archive_sent(kept), strict=True) if error is None}
        for said in mine:
            if id(said) not in archived:
                self._streams.publish(said.sender.bare, Event("", self._stamps.next(), said.stanza, True))

    def _archive_sent(self, messages: Sequence[Said]) -> Sequence[Exception | None]:
        """What went wrong with each."""
        errors: Sequence[Exception | None]
        try:
            errors = self._archiving.take_all([Letter(m.sender.bare, m.stanza, m.text, m.to, sent=True) for m in messages])
        except Exception as e:
            errors = [e] * len(messages)
        for said, error in zip(messages, errors, strict=True):
            if error is not None:
                self._incidents.report(log, "sent-unkept", "a message of %s is sent, but not in its archive: %r", said.sender.bare, error)
        return errors

    def has(self, message: Element, text: str, sender: JID, to: JID) -> bool:
        """Whether the very same message is among the latest that the recipient, or for another domain the sender, has archived.

        Raises StorageError.
        """
        owner, partner = (to, sender) if to.domain == self.domain else (sender, to)
        if message.tag != "message" or not owner.local or owner.domain != self.domain or not worth_keeping(message):
            return False
        page = self._archive.page(owner.bare, Wanted(partner=partner.bare), LATEST, newest=True)
        return any(kept.stanza.get("id") == message.get("id") and serialise(kept.stanza) == text for kept in page.items)

    def show(self, account: JID, stanza: Element) -> None:
        """Show what the gateway itself has to say to whoever listens to the account now: the push of a roster item, say."""
        self._streams.publish(account, Event("", self._stamps.next(), stanza))

    @contextmanager
    def one_text(self, stanza: Element) -> Iterator[None]:
        """The stanza is not changed in this context: it is written as text once for all archives it goes to. Raises BadXML."""
        self._texts.stanza, self._texts.text = stanza, serialise(stanza)
        try:
            yield
        finally:
            self._texts.stanza = None

    def _take(self, owner: JID, stanza: Element, partner: JID) -> str:
        """Archive it where it is worth it, and show it; its text, where it was written as one. Raises StorageError."""
        if stanza.tag == "message" and worth_keeping(stanza):
            text = self._texts.of(stanza)
            for error in self._archiving.take_all([Letter(owner, stanza, text, partner, sent=False)]):
                if error is not None:
                    raise error
            return text
        self._streams.publish(owner, Event("", self._stamps.next(), stanza))
        return ""


class _Texts(threading.local):
    """The stanza that this thread is sending, and its text."""

    stanza: Element | None = None
    text: str = ""

    def of(self, stanza: Element) -> str:
        return self.text if stanza is self.stanza else serialise(stanza)
