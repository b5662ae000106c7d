"""Replies from the answers of a callback's URL, by the rules of mod_rest (rest-api §12)."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.codecs import CODECS, TEXT, BadStanzaAddress, StanzaCodec, UnreadableStanza, media_type
from xmpp_rest.protocol.conditions import StanzaError, error_of_status, prosody_phrase
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.namespaces import MUC_USER, PUBSUB_EVENT, RECEIPTS, XML_LANG
from xmpp_rest.protocol.stanza import child, is_request, make, may_be_refused, new_id, refusal, result
from xmpp_rest.service.callbacks.http_client import CallbackAnswer

_REQUEST = f"{{{RECEIPTS}}}request"
_ANNOUNCED = (f"{{{MUC_USER}}}x", f"{{{PUBSUB_EVENT}}}event")  # XEP-0045: of a room to its occupants; XEP-0060, and ejabberd's subscribers
_NOTHING_TO_SAY = (202, 204)
MAX_DATE = 64  # characters of a date that are looked at
# the service behind the URL did not accept the stanza, but may later (RFC 9110 §15.6, RFC 6585 §4)
_ABSENT = frozenset((429, 502, 503, 504))


class Reply(NamedTuple):
    """What follows from one attempt: the stanza to send back, None for nothing.

    `failed`: why the URL did not take the stanza, "" if it did. `again`: whether another attempt may be worth it, but not before
    `retry_after` seconds. `blame`: it is the stanza that is wrong, so that its sender alone is to know. `empty`: the reply says nothing
    and is not due; it can be left out. `unreadable`: why the body was passed over, for the log.
    """

    stanza: Element | None
    failed: str = ""
    again: bool = False
    retry_after: float = 0.0
    blame: bool = False
    empty: bool = False
    unreadable: str = ""


def wants_receipt(stanza: Element) -> bool:
    """Whether a message asks for a delivery receipt (XEP-0184 §5.1, §5.3: not in a room)."""
    asks = stanza.tag == "message" and stanza.get("type") not in ("error", "groupchat") and bool(stanza.get("id"))
    return asks and stanza.find(_REQUEST) is not None


def is_announcement(stanza: Element) -> bool:
    """Whether a room or a node sends it to many recipients, who are not expected to answer.

    No answer is made up: an empty reply would come back as the next announcement, and rooms remove an occupant that sends errors.
    """
    if stanza.tag == "iq":
        return False
    return stanza.get("type") == "groupchat" or any(stanza.find(tag) is not None for tag in _ANNOUNCED)


def error_for(stanza: Element, error: StanzaError) -> Element | None:
    """The error for the sender of a stanza; None if there must be none."""
    return refusal(stanza, error) if may_be_refused(stanza) and not is_announcement(stanza) else None


def reply_to(stanza: Element, answer: CallbackAnswer) -> Reply:
    """The reply by the first rule that matches; every branch is a row of the specification's table."""
    if not may_be_refused(stanza):
        return _without_body(answer, None)  # row 1
    due = is_request(stanza) or wants_receipt(stanza)
    if answer.status in _NOTHING_TO_SAY:
        return Reply(_receipted(stanza, _empty(stanza)) if due else None)  # row 2; with an answer due, row 4
    body, unreadable = _body(stanza, answer)
    if body is not None:
        reply = _addressed(stanza, body)
        unwanted = reply.get("type") == "error" and is_announcement(stanza)
        return Reply(None if unwanted else _receipted(stanza, reply))  # row 3
    if 200 <= answer.status < 300:
        silent = not due and (is_announcement(stanza) or _says_nothing(stanza))
        return Reply(None if silent else _receipted(stanza, _empty(stanza)), unreadable=unreadable, empty=not due)  # row 4
    return _without_body(answer, error_for(stanza, error_of_status(answer.status)), unreadable)  # row 5


def _without_body(answer: CallbackAnswer, stanza: Element | None, unreadable: str = "") -> Reply:
    """The reply by the status alone: if nobody looked at the stanza, as far as it can tell, another attempt may be worth it."""
    if answer.status not in _ABSENT:
        return Reply(stanza, unreadable=unreadable)
    reason = f"{answer.status} {prosody_phrase(answer.status)}"
    return Reply(stanza, reason, again=True, retry_after=retry_after(answer.retry_after), unreadable=unreadable)


def retry_after(field: str | None) -> float:
    """The seconds that a Retry-After field asks to wait, as a number or as a date (RFC 9110 §10.2.3); 0 for none, or for nonsense."""
    text = (field or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text[:MAX_DATE]).timestamp() - time.time())
    except (ValueError, OverflowError, TypeError, IndexError):  # whatever the parser of e-mail makes of it
        return 0.0


def _says_nothing(stanza: Element) -> bool:
    """Whether a message has no text: a chat state, a receipt, an empty reply. Two callbacks would answer each other's forever."""
    return stanza.tag == "message" and stanza.find("body") is None


def _body(stanza: Element, answer: CallbackAnswer) -> tuple[Element | None, str]:
    """The stanza in the body, if it is one of the same kind; otherwise what is wrong with it."""
    if answer.unreadable:
        return None, answer.unreadable
    kind = media_type(answer.content_type)
    codec = CODECS.get(kind)
    if not answer.body or codec is None:
        return None, f"no stanza comes as {kind}" if answer.body and kind else ""
    if kind == TEXT and not 200 <= answer.status < 300:
        return None, ""  # an error page in plain text is not a message
    try:
        reply = _read_stanza(codec, answer.body)
    except UnreadableStanza as e:
        return None, str(e)
    if reply.tag != stanza.tag:
        return None, f"a <{stanza.tag}/> cannot be answered by a <{reply.tag}/>"
    if kind == TEXT and answer.language:
        reply.set(XML_LANG, answer.language)
    return reply, ""


def _read_stanza(codec: StanzaCodec, body: bytes) -> Element:
    try:
        return codec.read(body)
    except BadStanzaAddress as e:  # it is sent to the sender in any case
        return e.without_addresses()


def _addressed(stanza: Element, body: Element) -> Element:
    reply = make(stanza.tag, *body, from_=stanza.get("to"), to_=stanza.get("from"), type_=body.get("type"), id_=body.get("id"))
    if lang := body.get(XML_LANG):
        reply.set(XML_LANG, lang)
    if reply.get("type") == "groupchat":
        reply.set("to", str(parse_jid(stanza.attrib["from"]).bare))
    if stanza.get("type") is None and reply.find("error") is not None:
        reply.set("type", "error")
    if reply.get("type") == "error":
        _copy_id(stanza, reply)
    elif reply.tag == "iq":
        _copy_id(stanza, reply)
        reply.set("type", "result")
    elif not reply.get("id"):
        reply.set("id", new_id())
    return reply


def _copy_id(stanza: Element, reply: Element) -> None:
    reply.attrib.pop("id", None)
    if identifier := stanza.get("id"):
        reply.set("id", identifier)


def _empty(stanza: Element) -> Element:
    if stanza.tag == "iq":
        return result(stanza)
    return make(stanza.tag, from_=stanza.get("to"), to_=stanza.get("from"), type_=stanza.get("type"), id_=new_id())


def _receipted(stanza: Element, reply: Element) -> Element:
    if wants_receipt(stanza) and reply.get("type") != "error":
        reply.append(child(f"{{{RECEIPTS}}}received", id=stanza.attrib["id"]))
    return reply
