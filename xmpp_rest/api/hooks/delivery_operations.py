"""The operations by which hooks are used, for the OpenAPI description (hooks §5, §12)."""

from __future__ import annotations

from collections.abc import Mapping

from xmpp_rest.api.openapi.model import (
    AS_PROBLEM,
    FORM,
    JSON,
    OPTIONAL,
    RETRY,
    STRING,
    TEXT,
    ApiAnswer,
    ApiBody,
    ApiOperation,
    Media,
    Parameter,
    Schema,
    array,
    choice,
    record,
    ref,
)  # fmt: skip

WORD = {TEXT: STRING}
GOTIFY = {JSON: ref("GotifyError")}
APPRISE = {JSON: ref("AppriseAnswer"), TEXT: STRING}
NTFY = {JSON: {"type": "object"}}
LIMITS = {"RateLimit-Policy": "The tightest limit of the hook.", "RateLimit": "What is left of it."}
REFUSED: Mapping[str, Schema] = {**AS_PROBLEM, JSON: {"type": "object"}, TEXT: STRING}
"""As the API of the format has it: Slack's a word, Gotify's, Apprise's and ntfy's an object, all others a problem document."""
TEXTS = {
    400: "The request cannot be read.",
    401: "Nothing proves that the sender may use the hook.",
    403: "The signature is wrong; or the caller, or the account of the hook, may not do this.",
    404: "There is no hook with this token; or nobody is there to get the message (Slack).",
    410: "Nobody is there any more to get the message (Slack).",
    413: "The body is larger than `[hooks] size_limit`.",
    415: "A type that hooks do not read, or a body that is compressed.",
    422: "There is nothing to say; or the name of the request came with another body before.",
    424: "Refused for good (Alertmanager, Grafana); or by one recipient at least (Apprise).",
    429: "Too many requests, or too many unknown tokens from this address.",
    500: "The gateway has met an error of its own.",
    502: "Refused for good by all recipients.",
    503: "Not now: see `Retry-After`.",
}
FAILURES = {status: ApiAnswer(text, REFUSED, LIMITS | (RETRY if status in (429, 503) else {})) for status, text in TEXTS.items()}
AS_FORMAT: dict[str, Schema] = {JSON: {"anyOf": [ref("HookResults"), {"type": "object"}]}, TEXT: STRING}
DELIVERED = ApiAnswer("One recipient at least has it, or it is in the outbox.", AS_FORMAT, LIMITS)
SCHEDULED = ApiAnswer("It waits for its time.", {JSON: ref("HookResults")}, {"Location": "What waits."} | LIMITS)
SILENT = ApiAnswer("The template of the hook says nothing.", {}, LIMITS)
ANSWERS = {200: DELIVERED, 202: SCHEDULED, 204: SILENT} | FAILURES
EXAMPLE = {"text": "Disk full"}
BODY = ApiBody({JSON: Media(ref("HookPayload"), EXAMPLE), FORM: Media({"type": "object"}, EXAMPLE), TEXT: Media(STRING, "Disk full")})
KEY = Parameter("Idempotency-Key", "header", "A name of the request, which is delivered once.")
AT = Parameter("Send-At", "header", "When the message is to be sent: `2h`, Unix seconds, ISO 8601, an HTTP date.", example="2h")
HOOK = Parameter("name", "path", "The token of the hook; or its name, where something else proves who sends.", example="ops")
PATH = Parameter("path", "path", "A format; anything else says nothing.", example="slack")
MESSAGE = Parameter("msg", "query", "What is said, of a hook that allows GET.")
PAYLOAD = Parameter("payload", "query", "Or a payload in JSON.")
OPERATIONS = (
    ApiOperation(
        "post", "/hooks/{name}", "hooksDeliver", "Send what a program says to the targets of a hook",
        ANSWERS, (HOOK, KEY, AT), BODY, OPTIONAL,
        text="The token may also be sent as Bearer, in either half of Basic, as `X-Gotify-Key` or as `?token=`.",
    ),
    *(
        ApiOperation(
            method, "/hooks/{name}/{path}", f"hooksDeliverAs{method.capitalize()}", "The same in a format, whatever the hook says",
            ANSWERS, (HOOK, PATH, KEY, AT), BODY, OPTIONAL,
        )
        for method in ("post", "put")
    ),
)  # fmt: skip
RESULT = record(
    {"to": STRING, "id": STRING, "outcome": choice("accepted", "refused")},
    {
        "how": choice("sent", "corrected", "replied"), "truncated": {"const": True}, "template_error": STRING,
        "error": record({"type": STRING, "condition": STRING}, {"text": STRING, "by": STRING}),
    },
)  # fmt: skip
SCHEMAS: dict[str, Schema] = {
    "HookPayload": {"description": "What the sender has to say: JSON of a known shape, or any other."},
    "HookResult": RESULT,
    "HookResults": record(
        {"hook": STRING, "format": STRING, "results": array(ref("HookResult"))},
        {"event": {"const": "ping"}, "scheduled": record({"id": STRING, "at": STRING})},
    ),
}
