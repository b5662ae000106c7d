"""The schemas of the values of /rest, for its OpenAPI description (JSON Schema 2020-12)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from xmpp_rest.api.openapi.model import STRING, Schema, array, choice, integer, record, ref
from xmpp_rest.protocol.jsonmap.content import TextContent
from xmpp_rest.protocol.jsonmap.fields import TABLES
from xmpp_rest.protocol.jsonmap.lines import Attribute, ChildName, Flag, One
from xmpp_rest.protocol.jsonmap.plan import MappingLine
from xmpp_rest.protocol.jsonmap.scalars import STRING as TEXT

TIME: Schema = {"type": "string", "format": "date-time"}
STANZA_ERROR = record({"type": STRING, "condition": STRING}, {"text": STRING, "by": STRING})
_STANZA_ID = record({"id": STRING, "by": STRING})
UNTYPED = ("payload",)
"""Members that are left to the page: what holds no JSON can be sent, and cannot be written as JSON again (json-mapping §2)."""
STATES = ("scheduled", "accepted", "written", "confirmed", "lost", "reflected", "delivered", "refused")


def schemas() -> dict[str, Schema]:
    """The schemas by name."""
    return _VALUES | {"Stanza": _stanza(), "Stanzas": array(ref("Stanza"))}


def _stanza() -> Schema:
    members: dict[str, Schema] = {"kind": choice("message", "presence", "iq")}
    for name, schema in (row for lines in TABLES.values() for row in _members(lines)):
        members[name] = schema if members.get(name, schema) == schema else {}
    text = "A stanza as JSON; its members are those of docs/json-mapping.md, and others are ignored where one of them says something."
    for name in UNTYPED:
        del members[name]
    return {"type": "object", "properties": members | {"error": {"type": "object"}}, "description": text}


def _members(lines: tuple[MappingLine, ...]) -> Iterator[tuple[str, Schema]]:
    return ((line.name, _schema(line)) for line in lines)


def _schema(line: MappingLine) -> Schema:
    """What can be said of a member in a few words; the mapping page says the rest."""
    match line:
        case Attribute(scalar=scalar) if scalar is TEXT:
            return STRING
        case ChildName(names=names):
            return {"type": "string", "examples": list(names)}
        case Flag():
            return {"type": "boolean"}
        case One(mapping=mapping, content=content) if mapping.startswith("value@") or content == TextContent(TEXT):
            return STRING
    return {}


CALLBACK = record(
    {
        "name": STRING, "address": array(STRING), "kinds": array(STRING), "events": array(STRING), "keep": choice("disk", "memory"),
        "dead": integer(0), "content_type": STRING, "waiting": integer(0), "retrying": integer(0),
        "dropped": integer(0),
    },
    closed=False,
)  # fmt: skip
LETTER = record(
    {
        "id": STRING, "from": STRING, "to": STRING, "since": TIME, "given_up": TIME, "attempts": integer(0), "reason": STRING,
        "request_id": STRING,
        "stanza": {"anyOf": [ref("Stanza"), {"type": "null"}]}, "xml": STRING,
    },
    closed=False,
)  # fmt: skip
PRESENCE = choice("none", "quiet", "own")
SESSION = record(
    {
        "jid": STRING, "server": STRING, "tls": STRING, "since": TIME, "used": TIME, "proven": TIME, "streams": integer(0),
        "waiting": integer(0), "presence": PRESENCE,
    },
)  # fmt: skip
LOGIN_DOMAIN = record({"domain": STRING, "failures": integer(0), "paused": integer(0), "retry_in": integer(0)})
_ERROR: dict[str, Schema] = {
    "type": STRING,
    "condition": STRING,
    "text": STRING,
    "instance_id": {"type": "string", "description": "The id of the request."},
    "context": {"type": "object", "description": "What was wrong, and what would be right."},
}
_VALUES: dict[str, Any] = {
    "RestError": record(
        {"type": {"const": "error"}, "code": {"type": "integer"}},
        {
            "error": record(_ERROR, {"code": {"type": "integer"}, "source": STRING, "by": STRING, "location": STRING}),
            "results": array(ref("RecipientResult")),
        },
        description="`error` is missing where the status says all.",
    ),
    "BatchLine": record(
        {"line": integer(1), "outcome": choice("accepted", "answered", "refused", "error")},
        {"id": STRING, "code": {"type": "integer"}, "answer": {"anyOf": [ref("Stanza"), ref("Stanzas")]}, "error": {"type": "object"}},
        description="What became of one line of a batch.",
    ),
    "ScheduledMessage": record(
        {"id": STRING, "at": TIME, "made": TIME, "to": array(STRING), "hook": {"type": ["string", "null"]}, "body": STRING},
        {"stanza": ref("Stanza")},
        description="A message that waits for its time. `stanza`: only where one message is asked for that has one recipient.",
    ),
    "ScheduledMessages": record({"count": integer(0), "scheduled": array(ref("ScheduledMessage"))}),
    "StanzaToMany": {
        "type": "object",
        "required": ["to"],
        "properties": {"to": array(STRING, minItems=1)},
        "description": "A message as Stanza has it, but for `to`: the recipients.",
    },
    "RecipientResults": record({"results": array(ref("RecipientResult"))}, description="What became of each recipient, in their order."),
    "RecipientResult": record(
        {"to": STRING, "id": STRING, "outcome": choice("accepted", "refused", "unknown")},
        {"state": choice(*STATES), "scheduled": record({"id": STRING, "at": TIME}), "error": STANZA_ERROR},
    ),
    "Due": record({"id": STRING, "at": TIME, "stanza_id": STRING}, description="What waits for its time."),
    "Outcome": record(
        {"id": STRING, "state": choice(*STATES), "since": TIME},
        {"error": STANZA_ERROR, "room": STRING, "nick": STRING, "stanza_id": {"anyOf": [_STANZA_ID, {"type": "null"}]}},
    ),
    "OwnSession": record(
        {
            "jid": STRING, "since": TIME, "archive": {"type": "boolean"}, "presence": PRESENCE, "streams": integer(0),
            "waiting": integer(0), "resumable": {"type": "boolean"},
        },
        description="`waiting`: stanzas that the server has not confirmed yet.",
    ),
    "Sessions": record({"total": integer(0), "max": integer(1), "sessions": array(SESSION), "domains": array(LOGIN_DOMAIN)}),
    "Callbacks": record({"callbacks": array(CALLBACK)}),
    "DeadLetters": record({"callback": STRING, "count": integer(0), "dead": array(LETTER)}),
    "Replay": record({}, {"ids": array(STRING, minItems=1, maxItems=1000)}),
    "Replayed": record({"callback": STRING, "replayed": array(STRING), "left": integer(0)}),
}
