"""The schemas of the values of the client API, for its OpenAPI description (JSON Schema 2020-12)."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
STRING: Schema = {"type": "string"}
TEXT: Schema = {"type": "string", "pattern": r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]*$", "description": "Text for XML."}


def record(required: dict[str, Schema], optional: dict[str, Schema] | None = None, *, closed: bool = True, **more: Any) -> Schema:
    """An object with these members; a `closed` one has no others."""
    bound = {"additionalProperties": False} if closed else {}
    return {"type": "object", "properties": required | (optional or {}), "required": list(required), **bound, **more}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def array(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


MILLISECONDS: Schema = {"type": "integer", "description": "Unix time in milliseconds.", "examples": [1689854400123]}
BARE: Schema = {"type": "string", "minLength": 1, "description": "A bare JID, normalised.", "examples": ["juliet@capulet.example"]}
ADDRESS: Schema = {"type": "string", "minLength": 1, "description": "A JID.", "examples": ["nurse@capulet.example"]}
AFFILIATION: Schema = {"enum": ["owner", "member", "none"]}
ID: Schema = {"type": "string", "minLength": 1, "examples": ["b0c7c3a4-6f0e-4a52-9a3d-0f6f5f6f4b7a"]}
XML: Schema = {"type": "string", "description": "The stanza; only if it was asked for with `Prefer: xml`."}
PROPERTIES: Schema = {"type": "object", "additionalProperties": STRING, "description": "Smack's message properties."}
MARKER = record({"type": {"enum": ["received", "displayed", "acknowledged"]}, "id": STRING})
NEW_MARKER = MARKER | {"additionalProperties": True}
SUBSCRIPTION: Schema = {"enum": ["none", "to", "from", "both"]}
ASK: Schema = {"enum": ["none", "out", "in", "both"]}
CHANGE = record({"user": BARE, "affiliation": AFFILIATION})
ROOM_TEXTS = {"name": STRING, "subject": STRING}
ROOM_MORE = {"description": STRING}
NEW_ROOM_TEXTS, NEW_ROOM_MORE = {"name": TEXT, "subject": TEXT}, {"description": TEXT}

SCHEMAS: dict[str, Schema] = {
    "Error": {"type": "string", "description": "What is wrong, in English.", "examples": ["Missing recipient JID"]},
    "Id": record({"id": ID}),
    "Message": record(
        {"from": BARE, "to": BARE, "id": ID, "body": STRING, "timestamp": MILLISECONDS},
        {"thread": STRING, "parent": STRING, "properties": PROPERTIES, "xml": XML},
        dependentRequired={"parent": ["thread"]},
    ),
    "NewMessage": record(
        {"to": ADDRESS, "body": TEXT},
        {
            "thread": {"description": "The thread that the message belongs to; what is not a string is ignored."},
            "parent": {"description": "The thread that this one came from."},
            "properties": {"description": "An object of strings: Smack's message properties."},
        },
        closed=False,
    ),
    "Room": record({"id": ID, **ROOM_TEXTS}),
    "NewRoom": record(
        NEW_ROOM_TEXTS, NEW_ROOM_MORE | {"participants": array(ADDRESS, description="Who is in the room from the start.")}, closed=False
    ),
    "RoomDetails": record(ROOM_TEXTS | {"participants": array(record({"user": BARE, "role": {"enum": ["owner", "member"]}}))}, ROOM_MORE),
    "RoomConfig": record(NEW_ROOM_TEXTS, NEW_ROOM_MORE, closed=False),
    "NewOccupant": record({"user": ADDRESS}, closed=False),
    "NewRoomMessage": {
        "type": "object",
        "properties": {"body": TEXT, "markable": {"description": "`true` asks for markers."}, "chat_marker": NEW_MARKER},
        "anyOf": [{"required": ["body"]}, {"required": ["chat_marker"]}],
    },
    "RoomMessage": record(
        {"type": {"const": "message"}, "id": ID, "from": BARE, "timestamp": MILLISECONDS},
        {"body": STRING, "markable": {"const": True}, "chat_marker": MARKER, "xml": XML},
        anyOf=[{"required": ["body"]}, {"required": ["chat_marker"]}],
    ),
    "AffiliationChange": record(
        {"type": {"const": "affiliation"}, "id": ID, "from": BARE, "timestamp": MILLISECONDS, "user": BARE, "affiliation": AFFILIATION},
        {"changes": array(CHANGE, minItems=2, description="All that changed at once, if it was more than one."), "xml": XML},
    ),
    "RoomItem": {"oneOf": [ref("RoomMessage"), ref("AffiliationChange")]},
    "Contact": record({"jid": BARE, "subscription": SUBSCRIPTION, "ask": ASK}),
    "NewContact": record({"jid": ADDRESS}, closed=False),
    "NewContactOrNone": record({}, {"jid": ADDRESS}, closed=False),
    "ContactAction": record({"action": {"enum": ["invite", "accept"]}}, closed=False),
    "ContactList": record({"to_delete": array(ADDRESS)}, closed=False),
    "NotDeleted": record({"not_deleted": array(BARE)}),
}
