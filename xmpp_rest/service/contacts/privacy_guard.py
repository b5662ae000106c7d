"""The privacy guard: applies an account's block list (XEP-0191) and its default privacy list (XEP-0016) to stanzas.

It is asked for stanzas to an account, and for those that it sends.
"""

from __future__ import annotations

from collections.abc import Collection
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.link.router import NOT_MINE, Unhandled
from xmpp_rest.protocol.conditions import StanzaError, stanza_error
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import BLOCKING_ERRORS, MUC_USER
from xmpp_rest.protocol.privacy import IQ, MESSAGE, OTHER, PRESENCE_IN, PRESENCE_OUT, Peer, PrivacyItem, allows
from xmpp_rest.protocol.stanza import child, is_answer, may_be_refused, refusal
from xmpp_rest.service.contacts.block_lists import BlockLists
from xmpp_rest.service.contacts.privacy import PrivacyLists
from xmpp_rest.service.contacts.roster import Roster

_NOTIFICATIONS = (None, "unavailable")  # the types of presence-in and presence-out (XEP-0016 §2.10, §2.11)


class Guard:
    """The first handler for stanzas to accounts of `domain`, and the check of those that they send."""

    def __init__(self, domain: str, lists: PrivacyLists, blocks: BlockLists, roster: Roster) -> None:
        self._domain = domain
        self._lists = lists
        self._blocks = blocks
        self._roster = roster

    def handle(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """Refuse stanzas that the recipient's lists deny; NOT_MINE for all others."""
        if self.blocks(to.bare, sender):  # not even answers: XEP-0191 §3.3
            return _refusal_by_recipient(stanza)
        if stanza.tag == "message" and self._invites(stanza, to.bare):
            return None
        return NOT_MINE if is_answer(stanza) or self._passes(to.bare, sender, _way_in(stanza)) else _refusal_by_recipient(stanza)

    def refuse(self, stanza: Element, sender: JID, to: JID) -> Element | None:
        """The error for a stanza that the sender's lists deny; None if it may be sent.

        Raises StorageError, and GatewayError, blocked, for an error or result, which no error answers.
        """
        if self.blocks(sender.bare, to):
            return _blocked(stanza, sender, to)
        if is_answer(stanza) or self._passes(sender.bare, to, _way_out(stanza)):
            return None
        error = stanza_error("not-acceptable", f"a privacy list of {sender.bare} denies this")
        return refusal(stanza, error) if may_be_refused(stanza) else None

    def may_go(self, presence: Element, account: JID, to: JID) -> bool:
        """Whether the account's lists allow this presence to `to`. Raises StorageError."""
        return not self.blocks(account.bare, to) and self._passes(account.bare, to, _way_out(presence))

    def blocks(self, account: JID, other: JID) -> bool:
        """Whether a hosted account (a bare address) has blocked `other`; False for anybody else's. Raises StorageError."""
        return self._hosts(account) and self._blocks.blocks(account, other)

    def watches(self, account: JID) -> bool:
        """Whether the account has a list in force. Raises StorageError."""
        return self._hosts(account) and bool(self._blocks.of(account.bare) or self._lists.counting(account.bare))

    def prepare(self, accounts: Collection[JID]) -> None:
        """Many stanzas for these accounts follow: read their lists together. Raises StorageError."""
        self._blocks.prepare(accounts)
        self._lists.prepare(accounts)

    def lists_changed(self, account: JID) -> None:
        """The store of the account's block list or privacy lists was written: no process goes by the old lists."""
        if jid_or_none(str(account)) is not None:  # other programs may write invalid names to the storage
            self._lists.changed(account)
            self._blocks.changed(account)

    def _hosts(self, account: JID) -> bool:
        return bool(account.local) and account.domain == self._domain

    def _invites(self, message: Element, account: JID) -> bool:
        """Whether a room forwards an invitation of a user whom the account has blocked (XEP-0045 §7.8.2)."""
        invitation = message.find(f"{{{MUC_USER}}}x/{{{MUC_USER}}}invite")
        inviter = jid_or_none(invitation.get("from")) if invitation is not None else None
        return inviter is not None and self.blocks(account, inviter)

    def _passes(self, account: JID, other: JID, way: str) -> bool:
        """Whether the lists allow this; always for stanzas of an account to itself."""
        items = self._lists.counting(account) if self._hosts(account) else ()
        if not items or other.bare == account:
            return True
        return allows(items, self._peer(account, other, items), way)

    def _peer(self, account: JID, other: JID, items: tuple[PrivacyItem, ...]) -> Peer:
        """The peer, with its roster entry if an item needs it."""
        asked = any(item.kind in ("group", "subscription") for item in items)
        contact = self._roster.contact(account, other) if asked else None
        return Peer(other, contact.state.subscription, contact.groups) if contact else Peer(other)


def _refusal_by_recipient(stanza: Element) -> Element | None:
    if stanza.tag == "presence" or not may_be_refused(stanza):  # XEP-0016 §2.14, XEP-0191 §3.3
        return None
    return refusal(stanza, stanza_error("service-unavailable"))


def _blocked(stanza: Element, sender: JID, to: JID) -> Element:
    text = f"{sender.bare} has blocked {to}"
    if not may_be_refused(stanza):
        raise GatewayError("blocked", text)
    answer = refusal(stanza, StanzaError("cancel", "not-acceptable", text))
    answer[-1].append(child(f"{{{BLOCKING_ERRORS}}}blocked"))
    return answer


def _way_in(stanza: Element) -> str:
    if stanza.tag != "presence":
        return MESSAGE if stanza.tag == "message" else IQ
    if stanza.get("type") == "probe":  # the answer would be the account's presence
        return PRESENCE_OUT
    return PRESENCE_IN if stanza.get("type") in _NOTIFICATIONS else OTHER


def _way_out(stanza: Element) -> str:
    return PRESENCE_OUT if stanza.tag == "presence" and stanza.get("type") in _NOTIFICATIONS else OTHER
