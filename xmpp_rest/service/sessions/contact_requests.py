"""Who wants to be told of the presence of accounts of other servers, as far as their sessions have seen it (accounts-anywhere §7.4)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from xml.etree.ElementTree import Element

from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID

PER_ACCOUNT = 100  # requests that are remembered
MOST = 10_000  # accounts with requests


class ContactRequests:
    """Requests that have come in while a session was available. The leader knows them, as long as the session lasts."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        remote.offer(self)
        self._asking: OrderedDict[JID, dict[JID, None]] = OrderedDict()  # by account, in order of arrival
        self._lock = threading.Lock()

    def received(self, presence: Element, sender: JID, account: JID) -> None:
        """Take notice of a presence to this account (RFC 6121 §3.1.3, §3.3.3). In the leader."""
        kind = presence.get("type")
        if kind == "subscribe" and sender.bare != account.bare:
            self._add(account.bare, sender.bare)
        elif kind == "unsubscribe":
            self._drop(account.bare, sender.bare)

    def ended(self, account: JID) -> None:
        """The session of the account has ended. In the leader."""
        with self._lock:
            self._asking.pop(account.bare, None)

    @on_leader(repeatable=True)
    def of(self, account: JID) -> list[JID]:
        """Who has asked the account and got no answer by this session, as far as is known."""
        with self._lock:
            return list(self._asking.get(account.bare, ()))

    @on_leader(repeatable=True)
    def answered(self, account: JID, sender: JID) -> None:
        """The account has answered this request, if there was one."""
        self._drop(account.bare, sender.bare)

    def restore(self, account: JID, sender: JID) -> None:
        """This request has come while another process had the session. In the leader."""
        self._add(account, sender)

    def _add(self, account: JID, sender: JID) -> None:
        with self._lock:
            asking = self._asking.setdefault(account, {})
            self._asking.move_to_end(account)
            asking.pop(sender, None)
            asking[sender] = None
            while len(asking) > PER_ACCOUNT:
                del asking[next(iter(asking))]
            if len(self._asking) > MOST:
                self._asking.popitem(last=False)

    def _drop(self, account: JID, sender: JID) -> None:
        with self._lock:
            asking = self._asking.get(account)
            if asking is None:
                return
            asking.pop(sender, None)
            if not asking:
                del self._asking[account]
