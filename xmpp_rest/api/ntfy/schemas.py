"""The schemas of ntfy's messages and errors."""

from __future__ import annotations

from collections.abc import Mapping

from xmpp_rest.api.openapi.model import STRING, Schema, array, choice, integer, record

ID: Schema = {"type": "string", "pattern": "^[0-9A-Za-z]{12}$"}
FLAG: Schema = {"type": "boolean"}
STRINGS: Schema = {"type": "object", "additionalProperties": STRING}
EITHER: Schema = {"type": ["string", "boolean"]}
PRIORITY = integer(1, 5)
ACTION = record(
    {"action": choice("view", "http", "broadcast"), "label": STRING},
    {"id": STRING, "url": STRING, "clear": FLAG, "method": STRING, "headers": STRINGS, "body": STRING, "intent": STRING, "extras": STRINGS},
)
SAID: dict[str, Schema] = {
    "title": STRING, "priority": PRIORITY, "tags": array(STRING), "click": STRING, "icon": STRING, "actions": array(ACTION),
}  # fmt: skip
SHOWN: dict[str, Schema] = {
    "message": STRING, **SAID, "attachment": record({"name": STRING, "url": STRING}), "content_type": STRING, "expires": integer(0),
}  # fmt: skip
HEAD: dict[str, Schema] = {"id": ID, "time": integer(0), "topic": STRING}
SCHEMAS: Mapping[str, Schema] = {
    "NtfyMessage": record({**HEAD, "event": {"const": "message"}}, SHOWN),
    "NtfyEvent": record({**HEAD, "event": choice("open", "keepalive", "message")}, SHOWN),
    "NtfyPublication": record(
        {"topic": STRING},
        {
            "message": STRING, **SAID, "attach": STRING, "filename": STRING, "markdown": FLAG, "delay": STRING,
            "email": STRING, "call": STRING, "cache": EITHER, "firebase": EITHER,
        },
        closed=False,
    ),
    "NtfyError": record({"code": integer(40000), "http": integer(400, 599), "error": STRING}, {"link": STRING}),
    "NtfySuccess": record({"success": {"const": True}}),
    "NtfyHealth": record({"healthy": FLAG}),
}  # fmt: skip
