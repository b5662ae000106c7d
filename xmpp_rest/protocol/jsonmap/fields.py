"""The tables of the JSON mapping: each field and its place in the stanza (json-mapping §2 to §5). The words are explained in lines.py.

Columns: the field; its namespace (None: that of the parent); the element (`child` and `flag`: called as the field); what is in it.
"""

from __future__ import annotations

from xmpp_rest.protocol import namespaces as ns
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

ADDRESSING = (attr("to", ADDRESS), attr("from", ADDRESS), attr("id"))
STANZA = (*ADDRESSING, attr("type"), attr("lang", attribute=ns.XML_LANG))
PAGE = (
    *(child(field, scalar=INTEGER) for field in ("max", "count", "index")),
    *(child(field) for field in ("after", "before", "first", "last")),
)
_DELAY = value("delay", ns.DELAY, "delay", "stamp")
_COMMON = (_DELAY, child("nick", ns.NICK), obj("rsm", ns.RSM, "set", PAGE))
_PAYLOAD = own("payload", ns.JSON_MSG, "payload", PAYLOAD)
_PAYLOAD_AS_TEXT = obj("payload", ns.JSON_MSG, "payload", PAYLOAD_LINES)
FORMS = (own("dataform", ns.DATA_FORMS, "x", FULL_FORM), stranger("formdata", ns.DATA_FORMS, "x", FORM_DATA))


def _in_forwarded() -> tuple[MappingLine, ...]:
    """The lines of a forwarded message: no kind, no hand-written fields; addresses are not prepared."""
    return (attr("to"), attr("from"), *STANZA[2:], *_COMMON, _PAYLOAD, *MESSAGE)


_FORWARDED = (_DELAY, obj("message", ns.CLIENT, "message", _in_forwarded))
_INVITE = (attr("jid"), attr("reason"), attr("password"), attr("thread"), attr("continue", BOOLEAN))
MESSAGE = (
    child("body"),
    child("subject"),
    obj("thread", None, "thread", (text("id"), attr("parent")), shorthand="id"),
    name("state", ns.CHAT_STATES, ("active", "inactive", "gone", "composing", "paused")),
    obj("oob", ns.OOB_X, "x", (child("url"), child("desc"))),
    obj("invite", ns.CONFERENCE, "x", _INVITE),
    value("replace", ns.CORRECT, "replace", "id"),
    value("attach_to", ns.ATTACH, "attach-to", "id"),
    value("encryption", ns.ENCRYPTION, "encryption", "namespace"),
    flag("fallback", ns.FALLBACK),
    flag("markable", ns.CHAT_MARKERS),
    value("displayed", ns.CHAT_MARKERS, "displayed", "id"),
    value("occupant_id", ns.OCCUPANT_ID, "occupant-id", "id"),
    array("stanza_ids", ns.STANZA_ID, "stanza-id", (attr("id"), attr("by"))),
    obj("reactions", ns.REACTIONS, "reactions", (attr("id"), array("reactions", None, "reaction", TextContent()))),
    obj("reference", ns.REFERENCE, "reference", (attr("type"), attr("uri"), attr("begin", INTEGER), attr("end", INTEGER))),
    obj("reply", ns.REPLY, "reply", (attr("id"), attr("to"))),
    obj("forwarded", ns.FORWARD, "forwarded", _FORWARDED),
    obj("archive", ns.MAM, "result", (attr("id"), attr("queryid"), obj("forward", ns.FORWARD, "forwarded", _FORWARDED))),
)
MESSAGE_OWN = (own("html", ns.XHTML_IM, "html", HTML), own("oob_url", ns.OOB_X, "x", URL))
_HISTORY = (attr("maxchars", INTEGER), attr("maxstanzas", INTEGER), attr("seconds", INTEGER), attr("since"))
PRESENCE = (
    child("show"),
    child("status"),
    child("priority", scalar=INTEGER),
    obj("caps", ns.CAPS, "c", (attr("hash"), attr("node"), attr("ver"), attr("ext"))),
    value("idle_since", ns.IDLE, "idle", "since"),
    obj("vcard_update", ns.VCARD_UPDATE, "x", (child("photo"),)),
    obj("muc", ns.MUC, "x", (obj("history", None, "history", _HISTORY),)),
)
_SERVICE = (
    *(attr(field) for field in ("type", "host", "transport", "username", "password", "name", "expires")),
    attr("port", INTEGER),
    attr("restricted", BOOLEAN),
)
_TEXTS = (
    "username", "password", "instructions", "nick", "name", "first", "last", "email", "address", "city",
    "state", "zip", "phone", "url", "date", "misc", "text", "key",
)  # fmt: skip
_REGISTRATION = (
    flag("registered"),
    flag("remove"),
    *(child(field) for field in _TEXTS),
)
_SLOT = (
    obj("put", None, "put", (attr("url"), array("headers", None, "header", (attr("name"), text("value"))))),
    obj("get", None, "get", (attr("url"),)),
)
IQ = (
    flag("ping", ns.PING),
    obj("version", ns.VERSION, "query", (child("name"), child("version"), child("os"))),
    obj("lastactivity", ns.LAST, "query", (attr("seconds", INTEGER), text("status"))),
    obj("oob", ns.OOB_IQ, "query", (child("url"), child("desc"))),
    wrapped("stats", ns.STATS, "query", "stat", (attr("name"), attr("unit"), attr("value", NUMBER))),
    obj("gateway", ns.GATEWAY, "query", (child("prompt"), child("jid"), child("desc"))),
    obj("register", ns.REGISTER, "query", _REGISTRATION),
    obj("extdisco", ns.EXTDISCO, "services", (attr("type"), array("services", None, "service", _SERVICE))),
    obj("upload_request", ns.UPLOAD, "request", (attr("filename"), attr("size", INTEGER), attr("content-type"))),
    obj("upload_slot", ns.UPLOAD, "slot", _SLOT),
    obj("archive", ns.MAM, "query", (attr("queryid"), obj("form", ns.DATA_FORMS, "x", FORM), obj("page", ns.RSM, "set", PAGE))),
    obj("result", ns.MAM, "fin", (obj("page", ns.RSM, "set", PAGE),)),
)
IQ_OWN = (
    own("disco", ns.DISCO_INFO, "query", DISCO),
    own("items", ns.DISCO_ITEMS, "query", ITEMS),
    own("command", ns.COMMANDS, "command", COMMAND),
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
