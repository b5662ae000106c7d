"""The operations of Gotify's API, for the OpenAPI description (hooks §14)."""

from __future__ import annotations

from xmpp_rest.api.hooks.delivery_operations import AT, KEY, LIMITS, TEXTS
from xmpp_rest.api.openapi.model import (
    AS_PROBLEM,
    FORM,
    JSON,
    OPEN,
    OPTIONAL,
    RETRY,
    STRING,
    ApiAnswer,
    ApiBody,
    ApiOperation,
    Media,
    Parameter,
    Schema,
    integer,
    record,
    ref,
)  # fmt: skip

STATUSES = (400, 401, 403, 413, 415, 422, 429, 500, 502, 503)
FAILURES = {
    status: ApiAnswer(TEXTS[status], {JSON: ref("GotifyError")} | AS_PROBLEM, LIMITS | (RETRY if status in (429, 503) else {}))
    for status in STATUSES
}
NOT_OFFERED = {404: ApiAnswer("Messages are not read here.", {JSON: ref("GotifyError")})}
TOKEN = Parameter("token", "query", "The token of a hook; or as `X-Gotify-Key`, or as Bearer.")
MEMBERS: dict[str, Schema] = {"title": STRING, "priority": {"type": ["integer", "string"]}, "extras": {"type": "object"}}
MESSAGE = record({"message": STRING}, MEMBERS, closed=False)
BODY = ApiBody({JSON: Media(MESSAGE, {"title": "Backup", "message": "done", "priority": 5}), FORM: Media(MESSAGE, {"message": "done"})})
SENT = ApiAnswer("One recipient at least has it, or it is in the outbox.", {JSON: ref("GotifyMessage")}, LIMITS)
FOR_VERSION = {500: ApiAnswer("The gateway has met an error of its own.", {JSON: ref("GotifyError")}), 503: FAILURES[503]}


def operations(prefix: str | None) -> tuple[ApiOperation, ...]:
    """Those below this prefix; None: there are none."""
    if prefix is None:
        return ()
    return (
        ApiOperation(
            "post", f"{prefix}/message", "hooksGotifySend", "Send a message by a hook, as to Gotify",
            {200: SENT} | FAILURES, (TOKEN, KEY, AT), BODY, OPTIONAL,
        ),
        ApiOperation(
            "get", f"{prefix}/version", "hooksGotifyVersion", "Which version this is, as of Gotify",
            {200: ApiAnswer("The version.", {JSON: ref("GotifyVersion")})} | FOR_VERSION, security=OPEN,
        ),
    )  # fmt: skip


SCHEMAS: dict[str, Schema] = {
    "GotifyError": record({"error": STRING, "errorCode": {"type": "integer"}, "errorDescription": STRING}),
    "GotifyMessage": record(
        {"id": integer(0), "appid": integer(0), "message": STRING, "title": STRING, "priority": {"type": "integer"}, "date": STRING},
        {"extras": {"type": "object"}},
    ),
    "GotifyVersion": record({"version": STRING, "commit": STRING, "buildDate": STRING}),
}
