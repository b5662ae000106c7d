"""Bounced messages of MUC Light rooms: sends a message again, by another way, after the recipient's server has returned it.

XEP Multi-User Chat Light sends messages of type groupchat to bare addresses, which a server without MUC Light must refuse
(RFC 6121 §8.5.2.1.1). A refused message is sent to the full addresses that stanzas of the recipient came from, or, if there are none,
to the bare address as a message without a type, which every server delivers or stores.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import STANZA_ERRORS
from xmpp_rest.protocol.parse import parse_stored

MOST = 4 * 1024 * 1024  # characters of sent messages that are kept
MOST_HEARD = 10_000  # accounts
MOST_RESOURCES = 8  # of one account
_UNAVAILABLE = f"error/{{{STANZA_ERRORS}}}service-unavailable"


@dataclass
class RoomMessage:
    """A message of a room, and the recipients whose servers may still return it."""

    text: str
    waiting: dict[str, bool] = field(default_factory=dict)  # bare address → whether its full addresses have been tried


class Bounces:
    """The latest messages of the rooms to other servers, and the full addresses of their users. Both in memory, bounded."""

    def __init__(self, send: Callable[[Element], None], domains: frozenset[str]) -> None:
        """`send` raises nothing; addresses at `domains` are the gateway's own, whose messages do not bounce."""
        self._send = send
        self._domains = domains
        self._sent: OrderedDict[tuple[str, str], RoomMessage] = OrderedDict()
        self._size = 0
        self._heard: OrderedDict[str, list[str]] = OrderedDict()
        self._lock = threading.Lock()

    def record(self, message: Element) -> None:
        """Record a message that is about to be sent to the bare address in its `to`."""
        to = message.get("to", "")
        if to.rpartition("@")[2] in self._domains:
            return
        key = (message.get("from", ""), message.get("id", ""))
        with self._lock:
            known = self._sent.get(key)
            if known is None or to in known.waiting:  # the sender may use an id twice
                self._forget(key)
                known = self._sent[key] = RoomMessage(serialise(message))
                self._size += len(known.text)
            known.waiting[to] = False
            while self._size > MOST:
                self._forget(next(iter(self._sent)))

    def _forget(self, key: tuple[str, str]) -> None:
        gone = self._sent.pop(key, None)
        self._size -= len(gone.text) if gone else 0

    def record_address(self, sender: JID) -> None:
        """Record the full address of a stanza that came in."""
        if not sender.resource or sender.domain in self._domains:
            return
        with self._lock:
            resources = self._heard.setdefault(str(sender.bare), [])
            self._heard.move_to_end(str(sender.bare))
            if str(sender) in resources:
                resources.remove(str(sender))
            resources.append(str(sender))
            del resources[:-MOST_RESOURCES]
            while len(self._heard) > MOST_HEARD:
                self._heard.popitem(last=False)

    def handle_error(self, error: Element, sender: JID) -> None:
        """Handle an error message to a room: send the message that was not delivered again, by another way."""
        if error.find(_UNAVAILABLE) is None:
            return
        key = (error.get("to", ""), error.get("id", ""))
        with self._lock:
            sent = self._sent.get(key)
            if sent is None or str(sender.bare) not in sent.waiting:
                return
            resources = self._resources(sender)
            if sent.waiting[str(sender.bare)] != bool(sender.resource) or (sender.resource and resources):
                return  # not the latest attempt; or it reached other resources
            sent.waiting[str(sender.bare)] = True
            if not resources:
                del sent.waiting[str(sender.bare)]
                if not sent.waiting:
                    self._forget(key)
        for to in resources or [str(sender.bare)]:
            self._send(_copy(sent.text, to, "groupchat" if resources else None))

    def _resources(self, sender: JID) -> list[str]:
        """The known full addresses of the sender's account, without the one that has just returned the message."""
        resources = self._heard.get(str(sender.bare), [])
        if str(sender) in resources:
            resources.remove(str(sender))
        if not resources:
            self._heard.pop(str(sender.bare), None)
        return list(resources)


def _copy(text: str, to: str, kind: str | None) -> Element:
    message = parse_stored(text)
    message.set("to", to)
    if kind is None:
        del message.attrib["type"]  # RFC 6121 §5.2.2: then it is normal
    return message
