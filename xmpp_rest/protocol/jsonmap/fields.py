"""The tables of the JSON mapping: each field and its place in the stanza (json-mapping §2 to §5). The words are explained in lines.py.

Columns: the field; its namespace (None: that of the parent); the element (`child` and `flag`: called as the field); what is in it.
"""

from __future__ import annotations

from xmpp_rest.protocol.jsonmap.command import COMMAND
from xmpp_rest.protocol.jsonmap.content import TextContent
from xmpp_rest.protocol.jsonmap.disco import DISCO, ITEMS
from xmpp_rest.protocol.jsonmap.forms import FORM, FORM_DATA, FULL_FORM
from xmpp_rest.protocol.jsonmap.html import HTML, URL
from xmpp_rest.protocol.jsonmap.lines import array, attr, child, flag, name, obj, own, stranger, text, value, wrapped
from xmpp_rest.protocol.jsonmap.payload import LINES as PAYLOAD_LINES
from xmpp_rest.protocol.jsonmap.payload import PAYLOAD
from xmpp_rest.protocol.jsonmap.plan import MappingLine
from xmpp_rest.protocol.jsonmap.scalars import ADDRESS, BOOLEAN, INTEGER, NUMBER
from xmpp_rest.protocol.namespaces import (
    ATTACH,
    CAPS,
    CHAT_MARKERS,
    CHAT_STATES,
    CLIENT,
    COMMANDS,
    CONFERENCE,
    CORRECT,
    DATA_FORMS,
    DELAY,
    DISCO_INFO,
    DISCO_ITEMS,
    ENCRYPTION,
    EXTDISCO,
    FALLBACK,
    FORWARD,
    GATEWAY,
    IDLE,
    JSON_MSG,
    LAST,
    MAM,
    MUC,
    NICK,
    OCCUPANT_ID,
    OOB_IQ,
    OOB_X,
    PING,
    REACTIONS,
    REFERENCE,
    REGISTER,
    REPLY,
    RSM,
    STANZA_ID,
    STATS,
    UPLOAD,
    VCARD_UPDATE,
    VERSION,
    XHTML_IM,
    XML_LANG,
)

ADDRESSING = (
    attr("to", ADDRESS),
    attr("from", ADDRESS),
    attr("id"),
)
STANZA = (
    *ADDRESSING,
    attr("type"),
    attr("lang", attribute=XML_LANG),
)
PAGE = (
    child("max", scalar=INTEGER),
    child("count", scalar=INTEGER),
    child("index", scalar=INTEGER),
    child("after"),
    child("before"),
    child("first"),
    child("last"),
)
_DELAY = value("delay", DELAY, "delay", "stamp")
_COMMON = (
    _DELAY,
    child("nick", NICK),
    obj("rsm", RSM, "set", PAGE),
)
_PAYLOAD = own("payload", JSON_MSG, "payload", PAYLOAD)
_PAYLOAD_AS_TEXT = obj("payload", JSON_MSG, "payload", PAYLOAD_LINES)
FORMS = (
    own("dataform", DATA_FORMS, "x", FULL_FORM),
    stranger("formdata", DATA_FORMS, "x", FORM_DATA),
)


def _in_forwarded() -> tuple[MappingLine, ...]:
    """The lines of a forwarded message: no kind, no hand-written fields; addresses are not prepared."""
    return (attr("to"), attr("from"), *STANZA[2:], *_COMMON, _PAYLOAD, *MESSAGE)


_FORWARDED = (
    _DELAY,
    obj("message", CLIENT, "message", _in_forwarded),
)
MESSAGE = (
    child("body"),
    child("subject"),
    obj("thread", None, "thread", (text("id"), attr("parent")), shorthand="id"),
    name("state", CHAT_STATES, ("active", "inactive", "gone", "composing", "paused")),
    obj("oob", OOB_X, "x", (child("url"), child("desc"))),
    obj(
        "invite",
        CONFERENCE,
        "x",
        (attr("jid"), attr("reason"), attr("password"), attr("thread"), attr("continue", BOOLEAN)),
    ),
    value("replace", CORRECT, "replace", "id"),
    value("attach_to", ATTACH, "attach-to", "id"),
    value("encryption", ENCRYPTION, "encryption", "namespace"),
    flag("fallback", FALLBACK),
    flag("markable", CHAT_MARKERS),
    value("displayed", CHAT_MARKERS, "displayed", "id"),
    value("occupant_id", OCCUPANT_ID, "occupant-id", "id"),
    array("stanza_ids", STANZA_ID, "stanza-id", (attr("id"), attr("by"))),
    obj("reactions", REACTIONS, "reactions", (attr("id"), array("reactions", None, "reaction", TextContent()))),
    obj("reference", REFERENCE, "reference", (attr("type"), attr("uri"), attr("begin", INTEGER), attr("end", INTEGER))),
    obj("reply", REPLY, "reply", (attr("id"), attr("to"))),
    obj("forwarded", FORWARD, "forwarded", _FORWARDED),
    obj("archive", MAM, "result", (attr("id"), attr("queryid"), obj("forward", FORWARD, "forwarded", _FORWARDED))),
)
MESSAGE_OWN = (
    own("html", XHTML_IM, "html", HTML),
    own("oob_url", OOB_X, "x", URL),
)
PRESENCE = (
    child("show"),
    child("status"),
    child("priority", scalar=INTEGER),
    obj("caps", CAPS, "c", (attr("hash"), attr("node"), attr("ver"), attr("ext"))),
    value("idle_since", IDLE, "idle", "since"),
    obj("vcard_update", VCARD_UPDATE, "x", (child("photo"),)),
    obj(
        "muc",
        MUC,
        "x",
        (
            obj(
                "history",
                None,
                "history",
                (attr("maxchars", INTEGER), attr("maxstanzas", INTEGER), attr("seconds", INTEGER), attr("since")),
            ),
        ),
    ),
)
_SERVICE = (
    attr("type"),
    attr("host"),
    attr("transport"),
    attr("username"),
    attr("password"),
    attr("name"),
    attr("expires"),
    attr("port", INTEGER),
    attr("restricted", BOOLEAN),
)
_REGISTRATION = (
    flag("registered"),
    flag("remove"),
    child("username"),
    child("password"),
    child("instructions"),
    child("nick"),
    child("name"),
    child("first"),
    child("last"),
    child("email"),
    child("address"),
    child("city"),
    child("state"),
    child("zip"),
    child("phone"),
    child("url"),
    child("date"),
    child("misc"),
    child("text"),
    child("key"),
)
IQ = (
    flag("ping", PING),
    obj("version", VERSION, "query", (child("name"), child("version"), child("os"))),
    obj("lastactivity", LAST, "query", (attr("seconds", INTEGER), text("status"))),
    obj("oob", OOB_IQ, "query", (child("url"), child("desc"))),
    wrapped("stats", STATS, "query", "stat", (attr("name"), attr("unit"), attr("value", NUMBER))),
    obj("gateway", GATEWAY, "query", (child("prompt"), child("jid"), child("desc"))),
    obj("register", REGISTER, "query", _REGISTRATION),
    obj("extdisco", EXTDISCO, "services", (attr("type"), array("services", None, "service", _SERVICE))),
    obj("upload_request", UPLOAD, "request", (attr("filename"), attr("size", INTEGER), attr("content-type"))),
    obj(
        "upload_slot",
        UPLOAD,
        "slot",
        (
            obj("put", None, "put", (attr("url"), array("headers", None, "header", (attr("name"), text("value"))))),
            obj("get", None, "get", (attr("url"),)),
        ),
    ),
    obj("archive", MAM, "query", (attr("queryid"), obj("form", DATA_FORMS, "x", FORM), obj("page", RSM, "set", PAGE))),
    obj("result", MAM, "fin", (obj("page", RSM, "set", PAGE),)),
)
IQ_OWN = (
    own("disco", DISCO_INFO, "query", DISCO),
    own("items", DISCO_ITEMS, "query", ITEMS),
    own("command", COMMANDS, "command", COMMAND),
)

_PAYLOADS: dict[str, tuple[tuple[MappingLine, ...], tuple[MappingLine, ...]]] = {
    "message": (MESSAGE, MESSAGE_OWN),
    "presence": (PRESENCE, ()),
    "iq": (IQ, IQ_OWN),
}
TABLES: dict[str, tuple[MappingLine, ...]] = {
    kind: (*STANZA, *_COMMON, _PAYLOAD, *FORMS, *lines, *hand_written) for kind, (lines, hand_written) in _PAYLOADS.items()
}
ERROR_TABLES: dict[str, tuple[MappingLine, ...]] = {  # the lines that are read from a stanza of type error (json-mapping §7)
    kind: (*STANZA, *_COMMON, _PAYLOAD_AS_TEXT, *lines) for kind, (lines, _) in _PAYLOADS.items()
}
