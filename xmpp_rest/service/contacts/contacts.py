"""Contacts of accounts: subscriptions, probes and presence broadcasts (RFC 6121 §3, §4).

A change is stored before it is sent: the answer may arrive while the request is still being sent.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from xml.etree.ElementTree import Element

from drivers import StorageError
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.router import NOT_MINE, Router, Unhandled
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import ROSTER
from xmpp_rest.protocol.stanza import child, make, new_id
from xmpp_rest.service.accounts.accounts import Accounts
from xmpp_rest.service.contacts.contact import Contact, as_item, item_of, received, sent
from xmpp_rest.service.contacts.presence import Presences, with_id
from xmpp_rest.service.contacts.roster import Edit, Roster, RosterChange
from xmpp_rest.service.contacts.subscriptions import KINDS, OUTBOUND, STRANGER, Side, SubscriptionState

log = logging.getLogger("xmpp_rest.link")

Push = Callable[[JID, Element], None]
"""(account, iq of type set): tell the account's open streams that an item of the roster changed (RFC 6121 §2.1.6)."""
_BROADCAST = (None, "unavailable")


class Contacts:
    """The contacts of the hosted accounts, and a handler for the router: presence, before the mailbox."""

    def __init__(
        self,
        roster: Roster,
        presences: Presences,
        router: Router,
        accounts: Accounts,
        *,
        bots: frozenset[JID],
        push: Push,
        is_listening: Callable[[JID], bool],
    ) -> None:
        """`bots`: hosted addresses that are not accounts, and may be contacts.

        `is_listening`: whether anybody listens to the account; saves the pushes of many changes where nobody does.
        """
        self._roster = roster
        self._presences = presences
        self._router = router
        self._accounts = accounts
        self._bots = bots
        self._push = push
        self._is_listening = is_listening

    # -- requests of accounts

    def all(self, owner: JID) -> list[Contact]:
        """Every contact, and every address with a pending request. Raises StorageError."""
        return self._roster.contacts(owner)

    def items(self, owner: JID) -> tuple[int, list[Contact]]:
        """Version and items of the roster proper. Raises StorageError."""
        return self._roster.items(owner)

    def get(self, owner: JID, jid: JID) -> Contact | None:
        """The contact; None if there is none. Raises StorageError."""
        return self._roster.contact(owner, jid)

    def known(self, jid: JID) -> bool:
        """Whether the address may exist: at a hosted domain there must be an account or a bot."""
        return jid.domain not in self._router.domains or jid.bare in self._bots or self._accounts.exists(jid)

    def add(self, owner: JID, jid: JID, name: str | None = None, groups: tuple[str, ...] | None = None) -> None:
        """Make a roster item, or change name and groups of the existing one; None keeps them. Nothing is sent to the contact.

        Raises GatewayError: bad-contact, roster-full; StorageError.
        """

        def edit(old: Contact | None) -> Contact:
            contact = replace(old, listed=True) if old else Contact(jid.bare)
            contact = contact if name is None else replace(contact, name=name)
            return contact if groups is None else replace(contact, groups=tuple(sorted(set(groups))))

        self._pushed(owner, self._roster.change(owner, jid, edit))

    def put(self, owner: JID, jid: JID, contact: Contact | None) -> None:
        """Replace the contact `jid` (None: remove it). Nothing is sent to the contact.

        Raises GatewayError: bad-contact, roster-full; StorageError.
        """
        self._pushed(owner, self._roster.change(owner, jid, lambda _: contact))

    def put_all(self, owner: JID, contacts: Iterable[Contact]) -> None:
        """As `put` for each of them, atomically with one write. Raises as `put`."""
        changes = self._roster.change_all(owner, {contact.jid: _always(contact) for contact in contacts})
        if self._is_listening(owner):  # asked after the write: later listeners read the new roster
            for change in changes:
                self._pushed(owner, change)

    def remove(self, owner: JID, jid: JID) -> bool:
        """End both subscriptions and remove the contact; False if there was none.

        Raises GatewayError: outbox-full (then all is as it was), bad-contact; StorageError.
        """
        if self._roster.contact(owner, jid) is None:  # the usual case of an unknown address, at the cost of one read
            return False
        change = self._roster.change(owner, jid, lambda _: None)
        if change.before is None:
            return False
        state = change.before.state
        ends = {"unsubscribe": state.to, "unsubscribed": state.from_}
        for kind in (kind for kind, side in ends.items() if side is not Side.NONE):  # RFC 6121 §2.5.2
            self._send(owner, jid, make("presence", type_=kind), change)
        self._show_change(owner, jid, state, STRANGER)
        self._pushed(owner, change)
        return True

    def approve_unseen(self, owner: JID, jid: JID) -> bool:
        """There is no request that `get` does not know."""
        return False

    def remove_each(self, owner: JID, jids: Sequence[JID]) -> list[bool]:
        """As `remove` for each of these."""
        return [self.remove(owner, jid) for jid in jids]

    def account_removed(self, account: JID) -> None:
        """End every subscription of an account that is about to be removed. Contacts that cannot be notified are skipped."""
        for contact in self._roster.contacts(account):
            try:
                self.remove(account, contact.jid)
            except GatewayError as e:
                log.warning("%s cannot be told that %s is gone: %s", contact.jid, account, e)

    def ask(self, owner: JID, jid: JID, stanza: Element, *, approve: bool = False) -> None:
        """Send a presence of type subscribe, subscribed, unsubscribe or unsubscribed to a contact (RFC 6121 A.2).

        `approve`: `subscribed` where nothing was asked approves in advance (§3.4).
        Raises GatewayError: blocked, outbox-full (then all is as it was), bad-contact, roster-full; StorageError.
        """
        kind = stanza.attrib["type"]
        if not self._presences.may_go(stanza, owner, jid):
            raise GatewayError("blocked")
        change = self._roster.change(owner, jid, lambda old: sent(old, jid.bare, kind, approve))
        before, after = _states(change)
        if before != after or OUTBOUND[kind].always:
            self._send(owner, jid, stanza, change)
        try:
            self._show_change(owner, jid, before, after)
        except (GatewayError, StorageError) as e:  # the stanza has been sent
            log.warning("%s does not see the change in presence of %s: %s", jid, owner, e)
        self._pushed(owner, change)

    def outgoing(self, stanza: Element, sender: JID, to: JID) -> bool:
        """Handle a subscription stanza that an account sends through an API; False for any other stanza. Raises as `ask`."""
        mine = stanza.tag == "presence" and stanza.get("type") in KINDS and stanza.get("to") is not None
        if not mine or not self._accounts.exists(sender):
            return False
        self.ask(sender.bare, to, stanza, approve=True)
        return True

    # -- stanzas to accounts

    def handle(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """Handle subscriptions, probes, and broadcasts of accounts; NOT_MINE for stanzas that the account itself should see."""
        if stanza.tag != "presence" or not to.local or not self._accounts.exists(to):
            return NOT_MINE
        kind = stanza.get("type")
        if kind == "probe":
            self._probed(sender, to.bare)
            return None
        if kind in KINDS:
            return NOT_MINE if self._received(stanza, sender.bare, to.bare) else None
        if kind in _BROADCAST and stanza.get("to") is None and sender.bare == to:
            self._broadcast(stanza, sender)
        return NOT_MINE

    def _received(self, stanza: Element, sender: JID, to: JID) -> bool:
        """Apply a subscription stanza (RFC 6121 A.3); whether the account should see the stanza."""
        try:
            change = self._roster.change(to, sender, lambda old: received(old, sender, stanza))
        except GatewayError as e:  # too many requests of strangers: this one is dropped
            log.warning("a request of %s to %s is dropped: %s", sender, to, e)
            return False
        before, after = _states(change)
        approved = stanza.get("type") == "subscribe" and after.from_ is Side.YES  # already, or in advance: RFC 6121 §3.1.3
        if approved:
            self._reply(to, sender, "subscribed")
            self._presences.show(to, sender)
        else:
            self._show_change(to, sender, before, after)
        self._pushed(to, change)
        return before != after and not approved

    def _probed(self, sender: JID, account: JID) -> None:
        """Answer a probe: those who may see the presence get it, others get no answer (RFC 6121 §4.3.2)."""
        contact = self._roster.contact(account, sender)
        if sender.bare != account and (contact is None or contact.state.from_ is not Side.YES):
            self._reply(account, sender, "unsubscribed")
        elif not self._presences.show(account, sender):
            self._reply(account, sender, "unavailable")

    def _reply(self, account: JID, to: JID, kind: str) -> None:
        """Send a reply. It is not returned, as a hosted sender's own contacts have to process it too."""
        self._router.send(make("presence", from_=str(account), to_=str(to), type_=kind, id_=new_id()))

    # -- stanzas from accounts

    def _broadcast(self, stanza: Element, sender: JID) -> None:
        """Send an account's presence to those who may see it; on coming online, also theirs to it (RFC 6121 §4.2.2, §4.4.2, §4.5.2)."""
        first = stanza.get("type") is None and not self._presences.of(sender.bare)
        self._presences.said(sender, stanza)
        audience = self._roster.audience(sender.bare)
        self._presences.broadcast(stanza, audience.told)
        if first:
            self._presences.broadcast(make("presence", from_=str(sender), type_="probe"), audience.watched)

    def _show_change(self, owner: JID, jid: JID, before: SubscriptionState, after: SubscriptionState) -> None:
        """Send the presence, or unavailable, to a contact that may now see it, or not any more (RFC 6121 §3.1.5, §3.2.1)."""
        if before.from_ is not Side.YES and after.from_ is Side.YES:
            self._presences.show(owner, jid.bare)
        elif before.from_ is Side.YES and after.from_ is not Side.YES:
            self._presences.hide(owner, jid.bare)

    def _send(self, owner: JID, jid: JID, stanza: Element, change: RosterChange) -> None:
        """Send a stanza from bare to bare address (RFC 6121 §3.1.2). If that fails, the change is undone."""
        try:
            self._router.send(with_id(stanza, from_=str(owner), to_=str(jid.bare)))
        except Exception:
            self._roster.change(owner, jid, lambda _: change.before)
            raise

    def _pushed(self, owner: JID, change: RosterChange) -> None:
        before, after = as_item(change.before), as_item(change.after)
        if before != after:
            gone = before or after
            item = item_of(after) if after else child(f"{{{ROSTER}}}item", jid=str(gone and gone.jid), subscription="remove")
            query = make(f"{{{ROSTER}}}query", item, ver=str(change.version))
            self._push(owner, make("iq", query, type_="set", id_=new_id(), to_=str(owner)))


def _always(contact: Contact) -> Edit:
    return lambda _: contact


def _states(change: RosterChange) -> tuple[SubscriptionState, SubscriptionState]:
    return change.before.state if change.before else STRANGER, change.after.state if change.after else STRANGER
