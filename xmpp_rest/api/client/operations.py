"""The operations of the client API, for the OpenAPI description of all APIs: the table of openapioperations.py, with what is beside it."""

from __future__ import annotations

import re
from typing import Any

from xmpp_rest.api.client.openapi import COMMON, OF_BODIES, OF_GENERATION_3, OF_SERVERS, PARAMETERS
from xmpp_rest.api.client.openapioperations import OPERATIONS
from xmpp_rest.api.client.openapioperations import Operation as ClientOperation
from xmpp_rest.api.client.openapischemas import SCHEMAS
from xmpp_rest.api.openapi.model import (
    AS_PROBLEM,
    JSON,
    RETRY,
    STRING,
    ApiAnswer,
    ApiBody,
    ApiOperation,
    Description,
    Media,
    Parameter,
    Schema,
    ref,
)
from xmpp_rest.config.table import ClientSettings

EXAMPLES: dict[str, Any] = {
    "NewMessage": {"to": "nurse@localhost", "body": "Hello"},
    "NewRoom": {"name": "Garden", "subject": "Roses", "participants": ["nurse@localhost"]},
    "RoomConfig": {"name": "Garden", "subject": "Lilies"},
    "NewOccupant": {"user": "nurse@localhost"},
    "NewRoomMessage": {"body": "Hello"},
    "NewContact": {"jid": "nurse@localhost"},
    "NewContactOrNone": {"jid": "nurse@localhost"},
    "ContactAction": {"action": "invite"},
    "ContactList": {"to_delete": ["nurse@localhost"]},
}
IN_PATH = {"with": "nurse@localhost", "id": "garden", "user": "nurse@localhost", "jid": "nurse@localhost"}
WORDS = {"messages": "Messages", "rooms": "Rooms", "contacts": "Contacts", "users": "Users", "config": "Config", "sse": "Events"}
ACTS = {
    ("get", "/messages"): "List", ("get", "/messages/{with}"): "With",
    ("post", "/messages"): "Send", ("post", "/messages/{with}"): "SendTo",
    ("get", "/sse"): "",
    ("get", "/rooms"): "List", ("get", "/rooms/{id}"): "Show",
    ("post", "/rooms"): "Make", ("post", "/rooms/{id}"): "MakeAt",
    ("put", "/rooms"): "MakeNamed", ("put", "/rooms/{id}"): "MakeNamedAt",
    ("put", "/rooms/{id}/config"): "Change",
    ("post", "/rooms/{id}/users"): "Add", ("post", "/rooms/{id}/users/{user}"): "AddAt",
    ("delete", "/rooms/{id}/users"): "RemoveAll", ("delete", "/rooms/{id}/users/{user}"): "Remove",
    ("get", "/rooms/{id}/messages"): "List", ("post", "/rooms/{id}/messages"): "Send",
    ("get", "/contacts"): "List", ("get", "/contacts/{jid}"): "Show",
    ("post", "/contacts"): "Add", ("post", "/contacts/{jid}"): "AddAt",
    ("put", "/contacts"): "Change", ("put", "/contacts/{jid}"): "ChangeAt",
    ("delete", "/contacts"): "RemoveSeveral", ("delete", "/contacts/{jid}"): "Remove",
}  # fmt: skip
"""Method and path → the last word of the operation's name."""
BODILESS = frozenset({401, 406, 412, 415})
UNNAMED = {
    403: "The caller's token does not let do this, or a web page of another origin has caused it.",
    412: "A condition of the request does not hold.",
    500: "The gateway has met an error of its own.",
}


def describe(settings: ClientSettings) -> Description:
    """The client API, at its prefix and of its generation."""
    shared = _Shared(settings.generation)
    operations = [_operation(row, settings, shared) for row in OPERATIONS]
    return Description("client", "Messages, rooms and contacts of a user, compatible with MongooseIM.", operations, SCHEMAS)


class _Shared:
    """Refusals of one generation, the same object for the same words."""

    def __init__(self, generation: int) -> None:
        self._old = generation == 3
        self._made: dict[tuple[int, str], ApiAnswer] = {}

    def refusal(self, status: int, text: str) -> ApiAnswer:
        body: dict[str, Schema] = {"text/plain": STRING} if self._old else {JSON: ref("Error")}
        content = {} if status in BODILESS else body | (AS_PROBLEM if status in (400, 503) else {})
        made = ApiAnswer(text, content, RETRY if status in (429, 503) else {})
        return self._made.setdefault((status, text), made)


def _operation(row: ClientOperation, settings: ClientSettings, shared: _Shared) -> ApiOperation:
    first = [WORDS[part] for part in row.path.split("/") if part in WORDS]
    body = ApiBody({JSON: Media(ref(row.body), EXAMPLES[row.body])}) if row.body else None
    return ApiOperation(
        row.method,
        settings.prefix + row.path,
        f"client{''.join(first)}{ACTS[row.method, row.path]}",
        row.summary,
        _answers(row, settings.generation, shared),
        _parameters(row),
        body,
    )


def _parameters(row: ClientOperation) -> list[Parameter]:
    rows = [_parameter(name, "path") for name in re.findall(r"\{(\w+)\}", row.path)]
    rows += [_parameter(name, "query") for name in row.query]
    rows += [_parameter("Last-Event-ID", "header")] if "resume" in row.query else []
    return rows + ([_parameter("Prefer", "header")] if "limit" in row.query else [])


def _parameter(name: str, place: str) -> Parameter:
    said = PARAMETERS[name]
    return Parameter(name, place, said["description"], said.get("schema", STRING), IN_PATH.get(name) if place == "path" else None)


def _answers(row: ClientOperation, generation: int, shared: _Shared) -> dict[int, ApiAnswer]:
    old = generation == 3
    created = 200 if old and row.method == "post" else 201
    done = {
        (created if status == 201 else status): ApiAnswer("Done.", {} if schema is None else {JSON: schema})
        for status, schema in row.answers.items()
    }
    if row.path == "/sse":
        done[200] = ApiAnswer("A stream of events.", {"text/event-stream": STRING})
    texts = {400: "The request is wrong.", **OF_SERVERS, **UNNAMED, **row.refusals, **COMMON, **(OF_BODIES if row.body else {})}
    if old:
        texts |= OF_GENERATION_3.get((row.method, row.path), {})
    unchanged = {304: ApiAnswer("What `If-None-Match` names is what there is.")} if row.method == "get" else {}
    return done | unchanged | {status: shared.refusal(status, text) for status, text in texts.items()}
