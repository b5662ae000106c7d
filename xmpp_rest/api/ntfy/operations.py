"""The operations of ntfy, for its OpenAPI description (hooks §13)."""

from __future__ import annotations

from collections.abc import Iterator

from xmpp_rest.api.ntfy.schemas import SCHEMAS
from xmpp_rest.api.openapi.model import (
    AS_PROBLEM,
    JSON,
    NDJSON,
    OPEN,
    OPTIONAL,
    RETRY,
    STRING,
    TEXT,
    Answers,
    ApiAnswer,
    ApiBody,
    ApiOperation,
    Description,
    Media,
    Parameter,
    Schema,
    ref,
    refusals,
    some,
)  # fmt: skip

TEXTS = {
    400: "The topic, a parameter or the body is not valid: `code` says which.",
    401: "The credentials are wrong.",
    403: "No credentials, or they are not good for this.",
    404: "There is no such topic, or this is not offered.",
    412: "A condition of the request does not hold.",
    413: "The body is too large.",
    429: "Too many requests, or wrong credentials.",
    500: "The gateway has met an error of its own.",
    502: "All recipients refuse the message.",
    503: "Not now: the link, the storage or a limit.",
}
ERROR: dict[str, Schema] = {JSON: ref("NtfyError")}
REFUSED = refusals(TEXTS, ERROR)
REFUSED |= {status: REFUSED[status]._replace(content=ERROR | AS_PROBLEM) for status in (400, 503)}  # so for all APIs alike
GENERAL = some(REFUSED, 400, 412, 500, 503)
OF_TOPIC = some(REFUSED, 401, 403, 404, 429) | GENERAL
SENT = ApiAnswer("Sent, or to be sent: the message.", {JSON: ref("NtfyMessage")})
PUBLISHED: Answers = {200: SENT} | some(REFUSED, 413, 502) | OF_TOPIC
AT_ROOT: Answers = {**PUBLISHED, 404: PUBLISHED[404]._replace(content=ERROR | AS_PROBLEM)}
READ: Answers = {200: ApiAnswer("A line for each message.", {NDJSON: ref("NtfyEvent")})} | OF_TOPIC
HEARD: Answers = {200: ApiAnswer("Server-sent events.", {"text/event-stream": STRING})} | OF_TOPIC
MAY_READ: Answers = {200: ApiAnswer("The caller may read.", {JSON: ref("NtfySuccess")})} | OF_TOPIC
AS_HEALTH: dict[str, Schema] = {JSON: ref("NtfyHealth")}
HEALTH: Answers = some(REFUSED, 400, 412, 500) | {
    200: ApiAnswer("It can be used.", AS_HEALTH), 503: ApiAnswer("The storage does not answer.", AS_HEALTH | AS_PROBLEM, RETRY),
}  # fmt: skip
NOTHING: Answers = some(REFUSED, 404) | GENERAL

PUBLISH = "Publish a message"
TOPIC = Parameter("topic", "path", "A hook's token or name, an account of the hosted domain, or an address.", example="juliet")
ANY = Parameter("any", "path", "Anything else.", example="x/y")
AUTH = Parameter("auth", "query", "The value of the Authorization field, in base64url without padding.")
FIELDS = tuple(
    Parameter(name, "header", text)
    for name, text in {
        "Title": "The title.",
        "Priority": "1 to 5, or min, low, default, high, urgent.",
        "Tags": "Separated by commas; those with an emoji become it.",
        "Delay": "When to send it: 30m, tomorrow, 10am, or a Unix time.",
        "Click": "A link.",
        "Actions": "Up to three: view, LABEL, URL; …",
    }.items()
)
QUERY = (("message", "The text."), ("title", "The title."), ("priority", "1 to 5."))
IN_QUERY = tuple(Parameter(name, "query", text) for name, text in QUERY)
BY_GET = (TOPIC, *IN_QUERY, AUTH)
SINCE = Parameter("since", "query", "all, none, latest, an id, a Unix time, or a duration such as 10m.")
READING = (
    TOPIC, SINCE, Parameter("poll", "query", "1: what is there, and the end."),
    Parameter("scheduled", "query", "1: those too that wait for their time."), AUTH,
)  # fmt: skip
AS_TEXT = ApiBody({TEXT: Media(STRING, "Backup successful")}, required=False)
EXAMPLE = {"topic": "juliet", "title": "Backup", "message": "It is done.", "tags": ["white_check_mark"]}
AS_JSON = ApiBody({JSON: Media(ref("NtfyPublication"), EXAMPLE)})


def describe(prefix: str | None) -> Description:
    """What ntfy's clients and senders may do below this prefix, and at `/`; None: at `/` alone."""
    rows = [*_as_json("/", "Root", AT_ROOT)]
    if prefix is not None:
        rows += _below(prefix)
    if prefix:
        rows += [*_as_json(prefix, ""), *_as_json(f"{prefix}/", "Slash"), *_nothing(f"{prefix}/{{any}}", "Any", ANY)]
    return Description("ntfy", "What ntfy's clients and senders use.", rows, SCHEMAS)


def _as_json(path: str, name: str, answers: Answers = PUBLISHED) -> Iterator[ApiOperation]:
    for method in ("post", "put"):
        identifier = f"ntfyPublishAsJson{name}{method.title()}"
        yield ApiOperation(method, path, identifier, "Publish a message as JSON", answers, (), AS_JSON, OPTIONAL)


def _nothing(path: str, name: str, parameter: Parameter) -> Iterator[ApiOperation]:
    for method in ("get", "post", "put"):
        yield ApiOperation(method, path, f"ntfy{name}{method.title()}", "Not offered", NOTHING, (parameter,), security=OPEN)


def _below(prefix: str) -> list[ApiOperation]:
    of_topic = f"{prefix}/{{topic}}"
    return [
        ApiOperation("get", f"{prefix}/v1/health", "ntfyHealth", "Whether the storage answers", HEALTH, security=OPEN),
        *(
            ApiOperation(method, of_topic, f"ntfyPublish{method.title()}", PUBLISH, PUBLISHED, (TOPIC, *FIELDS, AUTH), AS_TEXT, OPTIONAL)
            for method in ("post", "put")
        ),
        *(
            ApiOperation("get", f"{of_topic}/{word}", f"ntfyGet{word.title()}", PUBLISH, PUBLISHED, BY_GET, None, OPTIONAL)
            for word in ("publish", "send", "trigger")
        ),
        ApiOperation("get", f"{of_topic}/auth", "ntfyAuth", "Whether the caller may read", MAY_READ, (TOPIC, AUTH), None, OPTIONAL),
        ApiOperation("get", f"{of_topic}/json", "ntfyReadJson", "Read messages, a line each", READ, READING, None, OPTIONAL),
        ApiOperation("get", f"{of_topic}/sse", "ntfyReadEvents", "Read messages as server-sent events", HEARD, READING, None, OPTIONAL),
        *_nothing(f"{of_topic}/raw", "Raw", TOPIC),
        *_nothing(f"{of_topic}/ws", "WebSocket", TOPIC),
    ]
