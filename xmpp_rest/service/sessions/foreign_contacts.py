"""Contacts of accounts of other servers: their rosters there (accounts-anywhere §7.4, client-api §7)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import condition_of, make, new_id
from xmpp_rest.service.contacts.contact import Contact
from xmpp_rest.service.contacts.presence import with_id
from xmpp_rest.service.contacts.subscriptions import Side
from xmpp_rest.service.sessions.contact_requests import ContactRequests
from xmpp_rest.service.sessions.refused import server_refused
from xmpp_rest.service.sessions.server_asks import ServerAsks
from xmpp_rest.service.sessions.server_roster import read_roster, roster_get, roster_set
from xmpp_rest.threads.waits import Wait

SendOne = Callable[[Element, JID, JID], Element | None]
"""(stanza, sender, recipient): sends it by the session; returns when the server has it, with the error if it was refused by then."""
_ANSWERS = ("subscribed", "unsubscribed")
SECONDS = 30.0  # that removing several contacts may take, however many there are
_NOT_THERE = "item-not-found"  # COMPAT Prosody: of an item that is to be removed


class ForeignContacts:
    """Reads and changes rosters at other servers. Methods raise GatewayError: server-refused, waits-full, session-lost, iq-timeout …"""

    def __init__(self, asks: ServerAsks, send: SendOne, requests: ContactRequests, clock: Callable[[], float] = time.monotonic) -> None:
        """Any process may ask."""
        self._asks = asks
        self._send = send
        self._requests = requests
        self._clock = clock

    def all(self, owner: JID) -> list[Contact]:
        """Every contact, and every address whose request the session has seen."""
        return list(self._known_to(owner).values())

    def known(self, jid: JID) -> bool:
        """Whether the address may exist: nobody can say that it does not."""
        return True

    def get(self, owner: JID, jid: JID) -> Contact | None:
        """The contact; None if there is none, and no request was seen."""
        return self._known_to(owner).get(jid.bare)

    def add(self, owner: JID, jid: JID) -> None:
        """Make a roster item; one that is there keeps its name and groups. Raises GatewayError: bad-contact."""
        if jid.bare == owner.bare:
            raise GatewayError("bad-contact")
        if jid.bare not in self._roster(owner):
            self._done(self._asks.one(roster_set(owner, jid)), "The server has not added the contact")

    def ask(self, owner: JID, jid: JID, stanza: Element) -> None:
        """Send a presence of type subscribe, subscribed, unsubscribe or unsubscribed to a contact.

        Returns when the server has it; that it could not be delivered is told to nobody, as with servers that say so later.
        """
        self._send(with_id(stanza, from_=str(owner.bare), to_=str(jid.bare)), owner.bare, jid.bare)
        if stanza.get("type") in _ANSWERS:
            self._requests.answered(owner, jid)

    def approve_unseen(self, owner: JID, jid: JID) -> bool:
        """Approve the request of somebody who is not in the roster, and of whom the session has not heard; False: there was none.

        Only what the server makes of it shows whether there was one: it tells of requests when they come, some servers hide a contact
        who has asked (COMPAT ejabberd), and others keep an approval for a request to come (RFC 6121 §3.4), which is taken back.
        """
        if jid.bare == owner.bare:
            return False
        self.ask(owner, jid, make("presence", type_="subscribed"))
        contact = self._roster(owner).get(jid.bare)
        if contact is None or contact.state.from_ is Side.YES:
            return contact is not None
        self._asks.one(roster_set(owner, jid, remove=True))
        return False

    def remove_each(self, owner: JID, jids: Sequence[JID]) -> list[bool]:
        """End both subscriptions with each of these, and remove it; False for what is not a contact.

        Raises server-silent as well where all of it takes longer than SECONDS: then some may be removed.
        """
        until = self._clock() + SECONDS
        contacts = self._known_to(owner) if jids else {}
        found = [contacts.pop(jid.bare, None) for jid in jids]
        for contact in found:
            if contact is not None and contact.state.from_ is Side.ASKED:
                if self._clock() >= until:
                    raise GatewayError("server-silent")
                self.ask(owner, contact.jid, make("presence", type_="unsubscribed", id_=new_id()))
        listed = [roster_set(owner, contact.jid, remove=True) for contact in found if contact is not None and contact.listed]
        answers = iter(self._asks.each(listed, Wait(max(0.0, until - self._clock()))))
        return [contact is not None and (not contact.listed or self._is_removed(next(answers))) for contact in found]

    def _is_removed(self, answer: Element | Exception) -> bool:
        if isinstance(answer, Exception):
            raise answer
        if answer.get("type") == "error" and condition_of(answer).condition == _NOT_THERE:  # another client was faster
            return False
        self._done(answer, "The server has not removed the contact")
        return True

    def _known_to(self, owner: JID) -> dict[JID, Contact]:
        """The roster, and requests that were seen."""
        contacts = self._roster(owner)
        for jid in self._requests.of(owner):
            contact = contacts.get(jid) or Contact(jid, listed=False)
            if contact.state.from_ is Side.NONE:
                contacts[jid] = replace(contact, state=contact.state._replace(from_=Side.ASKED))
        return contacts

    def _roster(self, owner: JID) -> dict[JID, Contact]:
        answer = self._asks.one(roster_get(owner))
        self._done(answer, "The server does not give the roster")
        return read_roster(answer)

    def _done(self, answer: Element, what: str) -> None:
        if answer.get("type") != "result":
            raise server_refused(condition_of(answer), what, answer.get("from", ""))
