"""What does the answer of a callback's URL say to the sender of the stanza? The reply rules of mod_rest (spec rest-api §12)."""

from __future__ import annotations

from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.codecs import CODECS, TEXT, Codec, Misaddressed, Unreadable, media_type
from xmpp_rest.protocol.conditions import error_of_status
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.namespaces import RECEIPTS, XML_LANG
from xmpp_rest.protocol.stanza import child, is_request, make, may_be_refused, new_id, refusal, result

_REQUEST = f"{{{RECEIPTS}}}request"
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


class Reply(NamedTuple):
    """The stanza to send back, None for nothing; `unreadable` is why the body was passed over, for the log.

    `failed`: nobody looked at the stanza, as far as the status can tell; another attempt may be worth it.
    """

    stanza: Element | None
    unreadable: str = ""
    failed: bool = False


def wants_receipt(stanza: Element) -> bool:
    """Whether a message asks for a delivery receipt (XEP-0184 §5.1)."""
    asks = stanza.tag == "message" and stanza.get("type") != "error" and bool(stanza.get("id"))
    return asks and stanza.find(_REQUEST) is not None


def reply_to(stanza: Element, response: Response) -> Reply:
    """The first rule that fits; every branch is a row of the specification's table."""
    if not may_be_refused(stanza):
        return Reply(None, failed=response.status in _ABSENT)  # row 1
    if response.status in _NOTHING_TO_SAY:
        due = is_request(stanza) or wants_receipt(stanza)
        return Reply(_receipted(stanza, _empty(stanza)) if due else None)  # row 2; with an answer due, row 4
    body, unreadable = _body(stanza, response)
    if body is not None:
        return Reply(_receipted(stanza, _addressed(stanza, body)))  # row 3
    if 200 <= response.status < 300:
        return Reply(_receipted(stanza, _empty(stanza)), unreadable)  # row 4
    error = refusal(stanza, error_of_status(response.status))
    return Reply(error, unreadable, response.status in _ABSENT)  # row 5


def _body(stanza: Element, response: Response) -> tuple[Element | None, str]:
    """The stanza in the body, if it is one of the same kind; and what is wrong with it otherwise."""
    kind = media_type(response.content_type)
    codec = CODECS.get(kind)
    if not response.body or codec is None:
        return None, f"no stanza comes as {kind}" if response.body and kind else ""
    if kind == TEXT and not 200 <= response.status < 300:
        return None, ""  # an error page in plain text is no message
    try:
        reply = _read(codec, response.body)
    except Unreadable as e:
        return None, str(e)
    if reply.tag != stanza.tag:
        return None, f"a <{stanza.tag}/> cannot be answered by a <{reply.tag}/>"
    if kind == TEXT and response.language:
        reply.set(XML_LANG, response.language)
    return reply, ""


def _read(codec: Codec, body: bytes) -> Element:
    try:
        return codec.read(body)
    except Misaddressed as e:  # it goes to the sender, whatever it says
        return e.unaddressed()


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
    reply = make(stanza.tag, from_=stanza.get("to"), to_=stanza.get("from"), type_=stanza.get("type"), id_=new_id())
    if reply.get("type") == "groupchat":
        reply.set("to", str(parse_jid(stanza.attrib["from"]).bare))
    return reply


def _receipted(stanza: Element, reply: Element) -> Element:
    if wants_receipt(stanza) and reply.get("type") != "error":
        reply.append(child(f"{{{RECEIPTS}}}received", id=stanza.attrib["id"]))
    return reply
