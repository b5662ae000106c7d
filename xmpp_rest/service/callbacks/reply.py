"""Replies from the answers of a callback's URL, by the rules of mod_rest (rest-api §12)."""

from __future__ import annotations

from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.codecs import CODECS, TEXT, BadStanzaAddress, StanzaCodec, UnreadableStanza, media_type
from xmpp_rest.protocol.conditions import StanzaError, error_of_status
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.namespaces import MUC_USER, PUBSUB_EVENT, RECEIPTS, XML_LANG
from xmpp_rest.protocol.stanza import child, is_request, make, may_be_refused, new_id, refusal, result

_REQUEST = f"{{{RECEIPTS}}}request"
_ANNOUNCED = (f"{{{MUC_USER}}}x", f"{{{PUBSUB_EVENT}}}event")  # XEP-0045: of a room to its occupants; XEP-0060, and ejabberd's subscribers
_NOTHING_TO_SAY = (202, 204)
_ABSENT = frozenset((429, 502, 503, 504))  # the service behind the URL did not take the stanza: it may later (RFC 9110 §15.6, RFC 6585 §4)


class Response(NamedTuple):
    """What the URL answered."""

    status: int
    content_type: str | None
    language: str | None  # Content-Language
    body: bytes
    retry_after: str | None = None
    accept: str | None = None
    unreadable: str = ""  # why there is no body, though one came


class Reply(NamedTuple):
    """The stanza to send back, None for nothing; `unreadable` is why the body was passed over, for the log.

    `failed`: nobody looked at the stanza, as far as the status can tell; another attempt may be worth it. `empty`: the stanza says
    nothing and is not due.
    """

    stanza: Element | None
    unreadable: str = ""
    failed: bool = False
    empty: bool = False


def wants_receipt(stanza: Element) -> bool:
    """Whether a message asks for a delivery receipt (XEP-0184 §5.1, §5.3: not in a room)."""
    asks = stanza.tag == "message" and stanza.get("type") not in ("error", "groupchat") and bool(stanza.get("id"))
    return asks and stanza.find(_REQUEST) is not None


def is_announcement(stanza: Element) -> bool:
    """Whether a room or a node tells it to many, none of whom is asked for anything.

    Nothing is answered by itself: an empty reply would come back as the next announcement, and a room removes who sends it errors.
    """
    if stanza.tag == "iq":
        return False
    return stanza.get("type") == "groupchat" or any(stanza.find(tag) is not None for tag in _ANNOUNCED)


def error_for(stanza: Element, error: StanzaError) -> Element | None:
    """The error that tells the sender of a stanza; None where nobody is to be told."""
    return refusal(stanza, error) if may_be_refused(stanza) and not is_announcement(stanza) else None


def reply_to(stanza: Element, response: Response) -> Reply:
    """The first rule that fits; every branch is a row of the specification's table."""
    if not may_be_refused(stanza):
        return Reply(None, failed=response.status in _ABSENT)  # row 1
    due = is_request(stanza) or wants_receipt(stanza)
    if response.status in _NOTHING_TO_SAY:
        return Reply(_receipted(stanza, _empty(stanza)) if due else None)  # row 2; with an answer due, row 4
    body, unreadable = _body(stanza, response)
    if body is not None:
        reply = _addressed(stanza, body)
        unwanted = reply.get("type") == "error" and is_announcement(stanza)
        return Reply(None if unwanted else _receipted(stanza, reply))  # row 3
    if 200 <= response.status < 300:
        silent = not due and (is_announcement(stanza) or _says_nothing(stanza))
        return Reply(None if silent else _receipted(stanza, _empty(stanza)), unreadable, empty=not due)  # row 4
    return Reply(error_for(stanza, error_of_status(response.status)), unreadable, response.status in _ABSENT)  # row 5


def _says_nothing(stanza: Element) -> bool:
    """Whether a message has no text: a chat state, a receipt, an empty reply. Two callbacks would answer each other's forever."""
    return stanza.tag == "message" and stanza.find("body") is None


def _body(stanza: Element, response: Response) -> tuple[Element | None, str]:
    """The stanza in the body, if it is one of the same kind; and what is wrong with it otherwise."""
    if response.unreadable:
        return None, response.unreadable
    kind = media_type(response.content_type)
    codec = CODECS.get(kind)
    if not response.body or codec is None:
        return None, f"no stanza comes as {kind}" if response.body and kind else ""
    if kind == TEXT and not 200 <= response.status < 300:
        return None, ""  # an error page in plain text is not a message
    try:
        reply = _read_stanza(codec, response.body)
    except UnreadableStanza as e:
        return None, str(e)
    if reply.tag != stanza.tag:
        return None, f"a <{stanza.tag}/> cannot be answered by a <{reply.tag}/>"
    if kind == TEXT and response.language:
        reply.set(XML_LANG, response.language)
    return reply, ""


def _read_stanza(codec: StanzaCodec, body: bytes) -> Element:
    try:
        return codec.read(body)
    except BadStanzaAddress as e:  # it goes to the sender, whatever it says
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
