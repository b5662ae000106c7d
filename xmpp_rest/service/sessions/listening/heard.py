"""What a stanza that reaches a session says: messages, copies of messages (XEP-0280), and their ids in the account's archive (XEP-0359)."""

from __future__ import annotations

import re
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.protocol.datetimes import parse_datetime
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import CARBONS, DELAY, FORWARD, MAM, STANZA_ID
from xmpp_rest.protocol.weight import weight

_RECEIVED, _SENT, _RESULT = f"{{{CARBONS}}}received", f"{{{CARBONS}}}sent", f"{{{MAM}}}result"
_FORWARDED = f"{{{FORWARD}}}forwarded/message"
_STANZA_ID, _DELAY = f"{{{STANZA_ID}}}stanza-id", f"{{{DELAY}}}delay"
_UNARCHIVED = frozenset(("groupchat", "headline", "error"))
_TELLABLE = re.compile(r"[!-~]{1,256}")  # what an event's id and the field Last-Event-ID carry unchanged


class HeardMessage(NamedTuple):
    """A message that reached the account. `id`: that of its archive, as far as the message says; "": nobody knows."""

    stanza: Element
    id: str = ""
    is_archived: bool = False
    """Whether an archive may have it."""
    when: float | None = None
    """When its server got it (Unix time), if it says so."""

    @property
    def size(self) -> int:
        """About the bytes that it takes."""
        return weight(self.stanza)


def read_heard(stanza: Element, account: JID) -> HeardMessage | None:
    """What a message that reached a session tells; None for one that tells nothing, such as a copy of what the account has sent.

    A copy counts only if it is from the account itself (XEP-0280 §11, CVE-2017-5589).
    """
    if stanza.find(_RESULT) is not None or stanza.find(_SENT) is not None:
        return None
    received = stanza.find(_RECEIVED)
    if received is None:
        return _of_message(stanza, account)
    if jid_or_none(stanza.get("from")) != account:
        return None
    copy = received.find(_FORWARDED)
    return None if copy is None else _of_message(copy, account)


def is_sent(message: Element, account: JID) -> bool:
    """Whether the account has sent this message to somebody else."""
    sender, to = jid_or_none(message.get("from")), jid_or_none(message.get("to"))
    return sender is not None and sender.bare == account and to is not None and to.bare != account


def tellable(identifier: str) -> str:
    """The id, if an event may have it; else ""."""
    return identifier if _TELLABLE.fullmatch(identifier) else ""


def _of_message(message: Element, account: JID) -> HeardMessage | None:
    if is_sent(message, account):
        return None
    if message.get("type") in _UNARCHIVED:
        return HeardMessage(message, when=_stamp(message, account))
    own = [element.get("id", "") for element in message.iterfind(_STANZA_ID) if jid_or_none(element.get("by")) == account]
    identifier = tellable(own[0]) if len(own) == 1 else ""
    is_archived = bool(identifier) or message.find("body") is not None
    return HeardMessage(message, identifier, is_archived, _stamp(message, account))


def _stamp(message: Element, account: JID) -> float | None:
    for delay in message.iterfind(_DELAY):
        by = jid_or_none(delay.get("from"))
        if by is not None and by.bare in (account, JID("", account.domain, "")):
            try:
                return parse_datetime(delay.get("stamp", ""))
            except ValueError:
                return None
    return None
