"""What happens to a message for a hosted account, or from one? It is archived, and goes to the open streams (RFC 6121 §8.5)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.link.router import NOT_MINE, Unhandled
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.accounts import Accounts
from xmpp_rest.service.archive import Archive
from xmpp_rest.service.archiving import Archiving, Letter
from xmpp_rest.service.keeping import without_forged_ids, worth_keeping
from xmpp_rest.service.stamps import Stamps
from xmpp_rest.service.streams import Event, Streams


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

    def __init__(self, archive: Archive, streams: Streams, accounts: Accounts, stamps: Stamps) -> None:
        self._archiving = Archiving(archive, streams, stamps)
        self._streams = streams
        self._accounts = accounts
        self._stamps = stamps
        self._texts = _Texts()
        self.offline: Callable[[JID, Element, JID, Callable[[Element], str]], None] = _nobody_minds
        """Told of each message that reached an account, and how it is written as text."""

    def handle(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """Take a message or presence for an account; iqs are the entity's business."""
        if not to.local or stanza.tag == "iq" or not self._accounts.exists(to):
            return NOT_MINE
        owner = to.bare
        if stanza.tag == "message":
            without_forged_ids(stanza, owner)
        text = self._take(owner, stanza, sender)
        if stanza.tag == "message":
            self.offline(owner, stanza, sender, lambda message: text or self._texts.of(message))
        return None

    def sent(self, stanza: Element, sender: JID, to: JID) -> None:
        """An account sent this message: it belongs into the sender's own archive, too. Raises StorageError."""
        hosted = sender.local and sender.domain == self._accounts.domain
        if stanza.tag == "message" and hosted and sender.bare != to.bare:  # to oneself: received already
            self._take(sender.bare, stanza, to, sent=True)

    def all_sent(self, messages: Sequence[Said]) -> list[Exception | None]:
        """As `sent` for messages to other domains; what went wrong with each."""
        mine = [said for said in messages if said.sender.local and said.sender.domain == self._accounts.domain]
        kept = [said for said in mine if worth_keeping(said.stanza)]
        letters = {id(said): Letter(said.sender.bare, said.stanza, said.text, said.to, sent=True) for said in kept}
        errors = dict(zip(letters, self._archiving.take_all(list(letters.values())), strict=True))
        for said in mine:
            if id(said) not in letters:
                self._streams.publish(said.sender.bare, Event("", self._stamps.next(), said.stanza, True))
        return [errors.get(id(said)) for said in messages]

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

    def _take(self, owner: JID, stanza: Element, partner: JID, *, sent: bool = False) -> str:
        """Archive it where it is worth it, and show it; its text, where it was written as one."""
        if stanza.tag == "message" and worth_keeping(stanza):
            text = self._texts.of(stanza)
            for error in self._archiving.take_all([Letter(owner, stanza, text, partner, sent=sent)]):
                if error is not None:
                    raise error
            return text
        self._streams.publish(owner, Event("", self._stamps.next(), stanza, sent))
        return ""


class _Texts(threading.local):
    """The stanza that this thread is sending, and its text."""

    stanza: Element | None = None
    text: str = ""

    def of(self, stanza: Element) -> str:
        return self.text if stanza is self.stanza else serialise(stanza)
