"""Does an account's default privacy list let this stanza pass? (XEP-0016)

Asked where stanzas come to an account, and where it sends them.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.link.router import NOT_MINE, Unhandled
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.privacy import IQ, MESSAGE, OTHER, PRESENCE_IN, PRESENCE_OUT, Item, Peer, allows
from xmpp_rest.protocol.stanza import is_answer, may_be_refused, refusal
from xmpp_rest.service.privacy import PrivacyLists
from xmpp_rest.service.roster import Roster

_NOTIFICATIONS = (None, "unavailable")  # what presence-in and presence-out are about (XEP-0016 §2.10, §2.11)


class Guard:
    """A router's handler for what comes to accounts of `domain`, before anybody else, and a judge of what they send."""

    def __init__(self, domain: str, lists: PrivacyLists, roster: Roster) -> None:
        self._domain = domain
        self._lists = lists
        self._roster = roster

    def handle(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """Refuse what the recipient's list denies; NOT_MINE for all else."""
        if is_answer(stanza) or self._passes(to.bare, sender, _way_in(stanza)):
            return NOT_MINE
        if stanza.tag == "presence" or not may_be_refused(stanza):  # XEP-0016 §2.14
            return None
        return refusal(stanza, stanza_error("service-unavailable"))

    def refuse(self, stanza: Element, sender: JID, to: JID) -> Element | None:
        """The error for a stanza that the sender's list denies; None for one that may go. Raises StorageError."""
        if is_answer(stanza) or self._passes(sender.bare, to, _way_out(stanza)):
            return None
        error = stanza_error("not-acceptable", f"a privacy list of {sender.bare} denies this")
        return refusal(stanza, error) if may_be_refused(stanza) else None

    def may_go(self, presence: Element, account: JID, to: JID) -> bool:
        """Whether the account's list lets this presence go to `to`. Raises StorageError."""
        return self._passes(account.bare, to, _way_out(presence))

    def watches(self, account: JID) -> bool:
        """Whether a list counts for the account. Raises StorageError."""
        return bool(account.local) and account.domain == self._domain and bool(self._lists.counting(account.bare))

    def _passes(self, account: JID, other: JID, way: str) -> bool:
        """What an account says to itself always does."""
        if not self.watches(account) or other.bare == account:
            return True
        items = self._lists.counting(account)
        return allows(items, self._peer(account, other, items), way)

    def _peer(self, account: JID, other: JID, items: tuple[Item, ...]) -> Peer:
        """With what the roster says, where an item asks for that."""
        asked = any(item.kind in ("group", "subscription") for item in items)
        contact = self._roster.contact(account, other) if asked else None
        return Peer(other, contact.state.subscription, contact.groups) if contact else Peer(other)


def _way_in(stanza: Element) -> str:
    if stanza.tag != "presence":
        return MESSAGE if stanza.tag == "message" else IQ
    if stanza.get("type") == "probe":  # the answer would be the account's presence
        return PRESENCE_OUT
    return PRESENCE_IN if stanza.get("type") in _NOTIFICATIONS else OTHER


def _way_out(stanza: Element) -> str:
    return PRESENCE_OUT if stanza.tag == "presence" and stanza.get("type") in _NOTIFICATIONS else OTHER
