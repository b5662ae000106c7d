"""The check for empty stanzas: whether an object makes a stanza with any content, unlike those of other programs (Slack, Alertmanager).

The mapping ignores unknown members (json-mapping §1). An object of only such members makes an empty stanza, and the client would take
the answer for success.
"""

from __future__ import annotations

import difflib
from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jsonmap.fields import TABLES
from xmpp_rest.protocol.jsonmap.kinds import KNOWN
from xmpp_rest.protocol.jsonmap.plan import MappingPlan, Object
from xmpp_rest.protocol.namespaces import CHAT_STATES

MAX_NAMED = 8  # unknown members named in the sentence
NEAR = 0.75  # difflib's ratio: `boby` is near `body`, `status` is not near `state`
MAX_NAME = 40  # characters of each name
_ABOUT = frozenset(
    (
        "kind", "type", "to", "from", "id", "lang", "delay", "nick", "rsm", "thread",
        "encryption", "fallback", "markable", "occupant_id", "stanza_ids", "replace", "attach_to", "reply", "error",
    )
)  # fmt: skip
"""Members that describe the content, but are not content themselves."""
_ACTS = frozenset(("unavailable", "subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe"))
"""Types of presence that need no content if `kind` is given: other programs use these names for `type`, but not such a `kind`."""
_STATES = tuple(f"{{{CHAT_STATES}}}{state}" for state in ("active", "inactive", "gone", "composing", "paused"))
_MEANT = {  # names that other programs use for a field of a message
    **dict.fromkeys(("text", "message", "msg", "content", "contents", "description", "markdown", "html_body", "payload_text"), "body"),
    **dict.fromkeys(("title", "summary", "topic"), "subject"),
    **dict.fromkeys(("recipient", "recipients", "target", "channel", "jid"), "to"),
    **dict.fromkeys(("sender", "username"), "from"),
}
_PLANS = {kind: MappingPlan(lines) for kind, lines in TABLES.items()}


def why_empty(stanza: Element, obj: Object) -> str:
    """The reason why the message or presence `stanza`, made of `obj`, has no content; "" if it has some.

    Never an iq: one without a child is refused anyway (RFC 6120 §8.2.3).
    """
    kind = stanza.tag
    if kind == "iq" or _says_an_error(stanza, obj):
        return ""
    known = KNOWN[kind]
    strangers = [name for name in obj if name not in known]
    if not strangers:
        return _of_another_type(kind, obj)
    if any(_says(kind, name, obj[name]) for name in obj if name in known and name not in _ABOUT):
        return ""
    if obj.get("kind") == "presence" and stanza.get("type") in _ACTS:
        return ""
    return f"nothing in this object is said to anybody: a {kind} has no {_listed(strangers, known)}"


def _says_an_error(stanza: Element, obj: Object) -> bool:
    """Whether the object has an error, in one of the two forms of json-mapping §7; a text alone is content as in any other message."""
    return stanza.get("type") == "error" and (isinstance(obj.get("error"), dict) or "error_code" in obj)


def _says(kind: str, name: str, value: Any) -> bool:
    """Whether this member by itself makes an element that is not empty, or whose presence is its meaning."""
    if name == "join":
        return value is True
    if name == "payload" and isinstance(value, dict) and not value.keys() & {"data", "datatype"}:
        return False  # the mapping would write null for the missing data
    scratch = Element(kind)
    _PLANS[kind].write(scratch, {name: value})
    if any(c.text or c.attrib or len(c) or c.tag in _STATES for c in scratch):
        return True
    return kind == "presence" and len(scratch) > 0 and _is_mark(value)


def _is_mark(value: Any) -> bool:
    """Whether this value stands for an empty element."""
    return value is True or value == {}


def _of_another_type(kind: str, obj: Object) -> str:
    """The sentence for known members whose values are all of the wrong type, and so make nothing or an empty element; else ""."""
    said = [name for name in obj if name not in _ABOUT]
    if kind == "presence" and ("kind" in obj or "join" in obj):
        return ""  # an empty presence is valid
    if not said or any(isinstance(obj[name], str) or _is_mark(obj[name]) or _says(kind, name, obj[name]) for name in said):
        return ""
    return f"nothing in this object is said to anybody: {said[0]!r} has a value of another type; a text is written as a string"


def _listed(strangers: list[Any], known: frozenset[str]) -> str:
    more = f" and {len(strangers) - MAX_NAMED} more" if len(strangers) > MAX_NAMED else ""
    return ", ".join(_named(str(name), known) for name in strangers[:MAX_NAMED]) + more


def _named(name: str, known: frozenset[str]) -> str:
    near = _MEANT.get(name.lower()) or next(iter(difflib.get_close_matches(name[:MAX_NAME], sorted(known), 1, NEAR)), "")
    return f"{name[:MAX_NAME]!r} (write {near!r})" if near and near != name else f"{name[:MAX_NAME]!r}"
