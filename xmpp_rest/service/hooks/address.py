"""The address as which hooks speak that are not of an account: nobody reads what is written to it (hooks §3)."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

from xmpp_rest.link.router import NOT_MINE, Unhandled
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import is_request, refusal


class HooksAddress:
    """[hooks] address, as long as no account has this name."""

    def __init__(self, address: JID, exists: Callable[[JID], bool]) -> None:
        """`exists` tells accounts."""
        self._address = address
        self._exists = exists

    def configure(self, address: JID) -> None:
        """From now on it is this one."""
        self._address = address

    def is_nobody(self, jid: JID) -> bool:
        """Whether it is this address, with or without a resource. Raises StorageError."""
        return bool(jid.local) and jid.bare == self._address.bare and not self._exists(jid)

    def handle(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """Drop what is to this address; only an iq is answered, as its sender waits (RFC 6120 §8.2.3). Raises StorageError."""
        if not self.is_nobody(to):
            return NOT_MINE
        return refusal(stanza, stanza_error("service-unavailable")) if is_request(stanza) else None
