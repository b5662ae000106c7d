"""What becomes of a room's message that the recipient's server gives back?

XEP Multi-User Chat Light speaks to bare addresses with messages of type groupchat, and its users' servers are to know that. Others must
refuse them (RFC 6121 §8.5.2.1.1). What they give back goes to the full addresses that the recipient was heard from, or, where there is
none, out again as a message without a type, which every server passes on or keeps.
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

MOST = 4 * 1024 * 1024  # characters of messages that are kept until they may have come back
MOST_HEARD = 10_000  # people
MOST_RESOURCES = 8  # of one of them
_UNAVAILABLE = f"error/{{{STANZA_ERRORS}}}service-unavailable"


@dataclass
class Sent:
    """A message of a room, and which recipients may still give it back."""

    text: str
    waiting: dict[str, bool] = field(default_factory=dict)  # bare address → whether its full ones have been tried


class Returned:
    """What the rooms of one process have sent to the network lately, and where their people were heard from. Both in memory, bounded."""

    def __init__(self, send: Callable[[Element], None], domains: frozenset[str]) -> None:
        """`send` raises nothing; addresses at `domains` are the gateway's own, which give nothing back."""
        self._send = send
        self._domains = domains
        self._sent: OrderedDict[tuple[str, str], Sent] = OrderedDict()
        self._size = 0
        self._heard: OrderedDict[str, list[str]] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, message: Element) -> None:
        """A message goes out, to the bare address in its `to`."""
        to = message.get("to", "")
        if to.rpartition("@")[2] in self._domains:
            return
        key = (message.get("from", ""), message.get("id", ""))
        with self._lock:
            known = self._sent.get(key)
            if known is None or to in known.waiting:  # the sender may use an id twice
                self._forget(key)
                known = self._sent[key] = Sent(serialise(message))
                self._size += len(known.text)
            known.waiting[to] = False
            while self._size > MOST:
                self._forget(next(iter(self._sent)))

    def _forget(self, key: tuple[str, str]) -> None:
        gone = self._sent.pop(key, None)
        self._size -= len(gone.text) if gone else 0

    def heard(self, sender: JID) -> None:
        """A stanza came from this address."""
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

    def come_back(self, error: Element, sender: JID) -> None:
        """A message of type error reached a room: send again, by another way, what was not delivered."""
        if error.find(_UNAVAILABLE) is None:
            return
        key = (error.get("to", ""), error.get("id", ""))
        with self._lock:
            sent = self._sent.get(key)
            if sent is None or str(sender.bare) not in sent.waiting:
                return
            resources = self._resources(sender)
            if sent.waiting[str(sender.bare)] != bool(sender.resource) or (sender.resource and resources):
                return  # not what was sent last; or there are other resources, which heard it
            sent.waiting[str(sender.bare)] = True
            if not resources:
                self._settle(key, sent, str(sender.bare))
        for to in resources or [str(sender.bare)]:
            self._send(_again(sent.text, to, "groupchat" if resources else None))

    def _resources(self, sender: JID) -> list[str]:
        """The full addresses that the sender's account was heard from, without the one that has just proved to be gone."""
        resources = self._heard.get(str(sender.bare), [])
        if str(sender) in resources:
            resources.remove(str(sender))
        if not resources:
            self._heard.pop(str(sender.bare), None)
        return list(resources)

    def _settle(self, key: tuple[str, str], sent: Sent, recipient: str) -> None:
        del sent.waiting[recipient]
        if not sent.waiting:
            self._forget(key)


def _again(text: str, to: str, kind: str | None) -> Element:
    message = parse_stored(text)
    message.set("to", to)
    if kind is None:
        del message.attrib["type"]  # RFC 6121 §5.2.2: then it is normal
    return message
