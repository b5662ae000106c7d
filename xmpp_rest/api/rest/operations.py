"""The operations of /rest, for its OpenAPI description."""

from __future__ import annotations

from xmpp_rest.api.openapi.model import (
    AS_PROBLEM,
    FORM,
    JSON,
    NDJSON,
    STRING,
    TEXT,
    ApiAnswer,
    ApiBody,
    ApiOperation,
    Description,
    Media,
    Parameter,
    Schema,
    choice,
    integer,
    ref,
    refusals,
    some,
)  # fmt: skip
from xmpp_rest.api.rest.schemas import schemas
from xmpp_rest.protocol.codecs import CBOR, REPLY_TYPES, XMPP_XML
from xmpp_rest.protocol.path import QUERIES

ERROR: dict[str, Schema] = {JSON: ref("RestError"), XMPP_XML: STRING, "text/html": STRING}
TEXTS = {
    400: "The body, the path or a field cannot be read.",
    401: "No credentials.",
    403: "The credentials are wrong, or not good for this.",
    404: "There is nothing of this name.",
    406: "`Accept` rules out all that there is.",
    409: "The first request with this Idempotency-Key is still running, or its answer was not kept; or the room has the nick already.",
    410: "The room was destroyed.",
    412: "A condition of the request does not hold.",
    413: "The body is too large.",
    415: "The body has a type or a coding that is not known here.",
    422: "The stanza cannot be sent as it is.",
    429: "Too many wrong credentials, or more requests than the limits allow.",
    500: "There was no answer in time, or the gateway has met an error of its own.",
    502: "All of several recipients have refused; or there is no such server of rooms, or no server of the account that is to be trusted.",
    503: "Not now: the link, the server of the account, the storage, a room that is full, or a limit.",
    504: "The room has not answered, or not shown the message in time.",
}
REFUSED = refusals(TEXTS, ERROR)
REFUSED |= {status: REFUSED[status]._replace(content=ERROR | AS_PROBLEM) for status in (400, 503)}  # so for all APIs alike
UNCHANGED = {304: ApiAnswer("What `If-None-Match` names is what there is.")}
READING = some(REFUSED, 400, 401, 403, 406, 412, 429, 500, 502, 503) | UNCHANGED
SENDING = some(REFUSED, 400, 401, 403, 404, 406, 409, 412, 413, 415, 422, 429, 500, 502, 503)
ONE_OR_MORE: Schema = {"anyOf": [ref("Stanza"), ref("Stanzas")]}
REPLIES: dict[str, Schema] = {kind: ONE_OR_MORE if kind == JSON else STRING for kind in (JSON, *REPLY_TYPES)}
ACCEPTED_FIELDS = {
    "Stanza-Id": "The id of the stanza, for `/rest/outcome/{id}`.",
    "Stanza-Outcome": "After `Prefer: wait`: its state by then.",
    "Nick": "Of a message to a room elsewhere: how that calls who speaks, percent-encoded.",
}
SCHEDULED_FIELDS = {"Location": "With a time: `/rest/scheduled/{id}`."}
ACCEPTED = ApiAnswer("Accepted and kept; with a time, until then.", {JSON: ref("Due")}, ACCEPTED_FIELDS | SCHEDULED_FIELDS)
TO_MANY = ACCEPTED._replace(content={JSON: {"anyOf": [ref("Due"), ref("RecipientResults")]}})
ONE_OR_MANY: Schema = {"anyOf": [ref("Stanza"), ref("StanzaToMany")]}
WAITING = "An iq is waited for as long as `Prosody-Rest-Timeout` says, in seconds; then 500."
REPLY = ApiAnswer("The answer to the iq, what came back at once, or the message as the room shows it.", REPLIES)

MESSAGE = {"kind": "message", "type": "chat", "to": "juliet@localhost", "body": "Hello"}
AS_XML = "<message type='chat' to='juliet@localhost'><body>Hello</body></message>"
OTHER_BODIES = {
    XMPP_XML: Media(STRING, AS_XML),
    FORM: Media({"type": "object"}, MESSAGE),
    TEXT: Media(STRING, "Hello"),
    CBOR: Media({"type": "string", "contentMediaType": CBOR}),
}
LINES = Media({"type": "string", "description": "One stanza as JSON on each line."})

IDEMPOTENCY = Parameter("Idempotency-Key", "header", "Sends the stanza once, however often the request is made.", example="2d1b0c7e")
PREFER = Parameter("Prefer", "header", "`wait=N`: gives the server N seconds to refuse it, a room to show it.", example="wait=5")
SEND_AT = Parameter("Send-At", "header", "When to send a message: a time, or a duration from now.", example="2h")
DELAY = Parameter("Delay", "header", "The same, where there is no `Send-At`.", example="30m")
NICK = Parameter("Nick", "header", "The nick under which to come into a room elsewhere, percent-encoded.", example="Romeo")
OPTIONS = (IDEMPOTENCY, PREFER, SEND_AT, DELAY, NICK)
OF = Parameter("of", "query", "The account; for administrators, and with the component's credentials.")
SCHEDULED_ID = Parameter("id", "path", "The id of a scheduled message.", example="sch_9mBv2xq0")
KIND = Parameter("kind", "path", "The kind of the stanza.", choice("message", "presence", "iq"), "message")
TYPE = Parameter("type", "path", "The type of the stanza; of an iq also the name of a query.", example="chat")
TO = Parameter("to", "path", "The address of the recipient.", example="juliet@localhost")
SESSION_JID = Parameter("jid", "path", "The bare address of an account of another server.", example="juliet@capulet.example")
QUERY = Parameter("query", "path", "What is asked.", choice(*sorted(QUERIES)), "ping")
FREE: Schema = {"type": "object", "additionalProperties": STRING}
ARGUMENTS = Parameter("arguments", "query", "Members of the query, such as `node` of disco.", FREE, more={"style": "form", "explode": True})
CALLBACK = Parameter("name", "path", "The NAME of a section `[callback.NAME]`.", example="bot")
IDENTIFIER = Parameter("id", "path", "A Stanza-Id.", example="b0c7c3a4-6f0e")
FROM = Parameter("from", "query", "With the component's credentials: the address that the stanza was sent from.")
STREAM = (
    Parameter("format", "query", "How stanzas are written.", choice("json", "xml", default="json")),
    Parameter("after", "query", "The id of the last event that was seen."),
    Parameter("of", "query", "With the component's credentials: the account."),
    Parameter("Last-Event-ID", "header", "The id of the last event that was seen."),
)
PAGE = (
    Parameter("max", "query", "How many at most.", integer(1, 1000, default=100)),
    Parameter("after", "query", "The id of the last one that was seen."),
)
EVENTS = ApiAnswer("The stanzas, as they come.", {"text/event-stream": STRING})
OPERATIONS = (
    ApiOperation(
        "get", "/rest", "restRedirect", "Leads to `/rest/`, which names nothing",
        {301: ApiAnswer("To `/rest/`.", {"text/html": STRING}, {"Location": "`/rest/`"})} | READING,
    ),
    ApiOperation(
        "post", "/rest", "restSend", "Send a stanza, or one on each line of `application/x-ndjson`",
        {200: REPLY._replace(content=REPLIES | {NDJSON: ref("BatchLine")}), 202: TO_MANY} | some(REFUSED, 410, 504) | SENDING, OPTIONS,
        ApiBody({JSON: Media(ONE_OR_MANY, MESSAGE), **OTHER_BODIES, NDJSON: LINES}), text=WAITING,
    ),
    ApiOperation(
        "post", "/rest/{kind}/{type}/{to}", "restSendTo", "Send a stanza whose kind, type and recipient the path names",
        {200: REPLY, 202: ACCEPTED} | some(REFUSED, 410, 504) | SENDING, (KIND, TYPE, TO, *OPTIONS),
        ApiBody({JSON: Media(ref("Stanza"), {"body": "Hello"}), **OTHER_BODIES}, required=False), text=WAITING,
    ),
    ApiOperation(
        "get", "/rest/{query}/{to}", "restQuery", "Ask a query, and wait for the answer",
        {200: REPLY} | SENDING | UNCHANGED, (QUERY, TO, ARGUMENTS), text=WAITING,
    ),
    ApiOperation("get", "/rest/echo", "restNoEcho", "Nothing: there is no body to give back", some(REFUSED, 415) | READING),
    ApiOperation(
        "post", "/rest/echo", "restEcho", "The stanza as it would be sent; nothing is",
        {200: REPLY._replace(text="The stanza.")} | SENDING, (), ApiBody({JSON: Media(ref("Stanza"), MESSAGE), **OTHER_BODIES}),
    ),
    ApiOperation(
        "get", "/rest/stream", "restStream", "The stanzas that reach the account, as server-sent events",
        {200: EVENTS} | some(REFUSED, 404, 422) | READING, STREAM,
    ),
    ApiOperation(
        "get", "/rest/outcome/{id}", "restOutcome", "What became of a stanza that the caller sent",
        {200: ApiAnswer("Its state.", {JSON: ref("Outcome")})} | some(REFUSED, 404) | READING, (IDENTIFIER, FROM),
    ),
    ApiOperation(
        "get", "/rest/scheduled", "restScheduled", "The messages that wait for their time, the next first",
        {200: ApiAnswer("A page of them.", {JSON: ref("ScheduledMessages")})} | some(REFUSED, 404, 422) | READING, (OF, *PAGE),
    ),
    ApiOperation(
        "get", "/rest/scheduled/{id}", "restScheduledMessage", "A message that waits for its time",
        {200: ApiAnswer("The message.", {JSON: ref("ScheduledMessage")})} | some(REFUSED, 404, 422) | READING, (SCHEDULED_ID, OF),
    ),
    ApiOperation(
        "delete", "/rest/scheduled/{id}", "restUnschedule", "Have a scheduled message not sent",
        {204: ApiAnswer("It will not be sent.")} | some(REFUSED, 401, 403, 404, 406, 412, 422, 429, 500, 503), (SCHEDULED_ID, OF),
    ),
    ApiOperation(
        "get", "/rest/session", "restSession", "The session of the caller, whose account is another server's",
        {200: ApiAnswer("The session, which was opened if there was none.", {JSON: ref("OwnSession")})} | some(REFUSED, 404, 502) | READING,
    ),
    ApiOperation(
        "delete", "/rest/session", "restLogOut", "End the session of the caller; its event streams end",
        {204: ApiAnswer("It has ended.")} | some(REFUSED, 401, 403, 404, 406, 412, 429, 500, 502, 503),
    ),
    ApiOperation(
        "get", "/rest/sessions", "restSessions", "All sessions at other servers; for administrators",
        {200: ApiAnswer("All of them.", {JSON: ref("Sessions")})} | READING,
    ),
    ApiOperation(
        "delete", "/rest/sessions/{jid}", "restEndSession", "End the session of an account; for administrators",
        {204: ApiAnswer("It has ended.")} | some(REFUSED, 401, 403, 404, 406, 412, 429, 500, 503), (SESSION_JID,),
    ),
    ApiOperation(
        "get", "/rest/callbacks", "restCallbacks", "The callbacks and how they are; for administrators",
        {200: ApiAnswer("All callbacks.", {JSON: ref("Callbacks")})} | READING,
    ),
    ApiOperation(
        "get", "/rest/callbacks/{name}/dead", "restDeadLetters", "What a callback did not take, oldest first; for administrators",
        {200: ApiAnswer("A page of them.", {JSON: ref("DeadLetters")})} | some(REFUSED, 404) | READING, (CALLBACK, *PAGE),
    ),
    ApiOperation(
        "post", "/rest/callbacks/{name}/replay", "restReplay", "Queue dead letters again; without a body all; for administrators",
        {200: ApiAnswer("Which were queued.", {JSON: ref("Replayed")})}
        | some(REFUSED, 400, 401, 403, 404, 406, 412, 413, 415, 429, 500, 503),
        (CALLBACK,), ApiBody({JSON: Media(ref("Replay"), {"ids": ["msg_1"]})}, required=False),
    ),
)  # fmt: skip


def describe() -> Description:
    """The API at /rest."""
    return Description("rest", "Stanzas as JSON, XML or text, compatible with Prosody's mod_rest.", OPERATIONS, schemas())
