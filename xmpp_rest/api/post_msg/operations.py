"""The operations of post_msg, for its OpenAPI description."""

from __future__ import annotations

from xmpp_rest.api.openapi.model import (
    AS_PROBLEM,
    FORM,
    JSON,
    STRING,
    TEXT,
    ApiAnswer,
    ApiBody,
    ApiOperation,
    Description,
    Media,
    Parameter,
    choice,
    record,
    refusals,
)  # fmt: skip
from xmpp_rest.api.post_msg.reading import TYPES

TEXTS = {
    400: "The body cannot be read.",
    401: "No credentials, or wrong ones.",
    403: "The credentials are not good for this, or the room does not let the sender in.",
    404: "There is no such room.",
    409: "The nick is taken in the room, or the room does not allow it.",
    410: "The room was destroyed.",
    413: "The body is too large.",
    415: "The body has a type or a coding that is not known here.",
    422: "There is no recipient, or it is not an address, or there is nothing to send.",
    429: "Too many wrong credentials, or too many messages.",
    500: "The gateway has met an error of its own.",
    502: "The recipient refuses the message.",
    503: "Not now: the link, the storage, the room or a limit.",
    504: "The room does not answer.",
}
DUE = record({"id": STRING, "at": STRING, "stanza_id": STRING})
SENT = ApiAnswer("Accepted and kept.", {}, {"Stanza-Id": "The id of the stanza, for `/rest/outcome/{id}`."})
LATER = ApiAnswer("It waits for its time.", {JSON: DUE}, {"Stanza-Id": "The id of the stanza.", "Location": "What waits."})
ANSWERS = {201: SENT, 202: LATER} | refusals(TEXTS, AS_PROBLEM)
MESSAGE = record({}, {"to": STRING, "type": choice(*TYPES), "body": STRING, "subject": STRING, "html": STRING}, closed=False)
EXAMPLE = {"to": "juliet@localhost", "body": "Hello"}
BODY = ApiBody({JSON: Media(MESSAGE, EXAMPLE), TEXT: Media(STRING, "Hello"), FORM: Media(MESSAGE, EXAMPLE)})
AT = Parameter("Send-At", "header", "When it is to be sent: `2h`, a Unix time, ISO 8601.", example="2h")
TO = Parameter("to", "path", "The recipient; without an `@` an account of the hosted domain.", example="juliet@localhost")


def describe(prefix: str | None) -> Description:
    """What post_msg does below this prefix; None: nothing."""
    operations = []
    if prefix:
        operations.append(ApiOperation("post", prefix, "post_msgSend", "Send a message to whom its body names", ANSWERS, (AT,), BODY))
    if prefix is not None:
        operations.append(ApiOperation("post", f"{prefix}/{{to}}", "post_msgSendTo", "Send a message", ANSWERS, (TO, AT), BODY))
    return Description("post_msg", "Messages as Prosody's mod_post_msg takes them.", operations, {})
