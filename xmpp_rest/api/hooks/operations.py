"""The operations of /hooks, for its OpenAPI description (hooks §4)."""

from __future__ import annotations

from xmpp_rest.api.apprise import operations as apprise
from xmpp_rest.api.gotify import operations as gotify
from xmpp_rest.api.hooks import delivery_operations as delivery
from xmpp_rest.api.openapi.model import (
    AS_PROBLEM,
    JSON,
    STRING,
    TEXT,
    ApiAnswer,
    ApiBody,
    ApiOperation,
    Description,
    Media,
    Parameter,
    Schema,
    array,
    choice,
    integer,
    record,
    ref,
    refusals,
    some,
)  # fmt: skip
from xmpp_rest.config.hook_readers import FORMATS, MAX_TARGETS, MAX_TEMPLATE

TEXTS = {
    400: "The body is not JSON, or no object; or a field of the request cannot be read.",
    401: "No good credentials.",
    403: "Not for this caller: `member` names the member that only administrators may set, if that is why.",
    404: "There is no such hook, or it is somebody else's.",
    406: "`Accept` rules out all that there is.",
    409: "The name is taken, or the hook is one of the configuration.",
    412: "A condition of the request does not hold.",
    413: "The body is too large.",
    415: "The body is not `application/json`, or has a coding that is not known here.",
    422: "A member has a wrong value, or is unknown: `member` names it.",
    429: "Too many wrong credentials.",
    500: "The gateway has met an error of its own.",
    503: "Not now: see `Retry-After`.",
}
REFUSED = refusals(TEXTS, delivery.REFUSED)
FOR_ALL = some(REFUSED, 400, 401, 403, 406, 412, 429, 500, 503)
OF_ONE = FOR_ALL | some(REFUSED, 404)
WRITING = some(REFUSED, 409, 413, 415, 422)
ABOUT = "Incoming hooks: URLs by which other programs send messages, also those written for Gotify and the Apprise API."
ETAG = {"ETag": "The entity tag of what can be set."}
TIME: Schema = {"type": "string", "format": "date-time"}
OR_NULL: Schema = {"type": "null"}
TARGETS = array(STRING, minItems=1, maxItems=MAX_TARGETS)
FORMAT = choice("auto", *FORMATS)
TEMPLATE: Schema = {"type": ["string", "null"], "maxLength": MAX_TEMPLATE}
RATE: Schema = {"type": ["integer", "null"], "minimum": 1, "maximum": 6000}
FLAG: Schema = {"type": "boolean"}
SETTABLE: dict[str, Schema] = {
    "owner": STRING, "from": STRING, "targets": TARGETS, "format": FORMAT, "template": TEMPLATE, "nick": STRING, "update": FLAG,
    "rate": RATE, "secret": {"type": ["string", "null"], "minLength": 8, "maxLength": 256}, "get": FLAG,
    "expires": {"anyOf": [TIME, OR_NULL]},
}  # fmt: skip
SHOWN: dict[str, Schema] = {
    "name": STRING, "owner": STRING, "from": STRING, "targets": TARGETS, "format": FORMAT, "template": TEMPLATE, "nick": STRING,
    "update": FLAG, "rate": RATE, "signed": FLAG, "get": FLAG, "expires": {"anyOf": [TIME, OR_NULL]}, "made": TIME,
    "used": {"anyOf": [TIME, OR_NULL]}, "deliveries": integer(0), "source": choice("account", "configuration"),
}  # fmt: skip
WITH_TOKEN: dict[str, Schema] = {"token": {"type": "string", "pattern": "^hk_[0-9A-Za-z]{27}$"}, "url": STRING}
IGNORED: dict[str, Schema] = {name: {} for name in ("made", "used", "deliveries", "source", "signed")}
EXAMPLE = {"name": "ops", "targets": ["room:ops@conference.localhost"], "format": "alertmanager"}
NEW = ApiBody({JSON: Media(record({"name": STRING}, SETTABLE | IGNORED), EXAMPLE)})
REPLACED = ApiBody({JSON: Media(record({}, {"name": STRING} | SETTABLE | IGNORED), {"targets": ["juliet@localhost"], "nick": "Alerts"})})
NAME = Parameter("name", "path", "The name of the hook.", example="ops")
OWNER = Parameter("owner", "query", "Only the hooks of this account; for administrators.", example="juliet@localhost")
IF_MATCH = Parameter("If-Match", "header", "The entity tag that the hook must still have.")
MADE = ApiAnswer("It was made. The token is shown here only.", {JSON: ref("NewHook")}, {"Location": "Where the hook is managed."})
OR_SENT: dict[str, Schema] = {JSON: {"anyOf": [ref("Hook"), ref("HookResults"), {"type": "object"}]}, TEXT: STRING}
"""With the token of a hook any request is a delivery."""
ONE = ApiAnswer("The hook.", OR_SENT, ETAG)
REPLACEMENT = ApiAnswer("The hook as it is now.", OR_SENT)
RENEWED = ApiAnswer(
    "The token. It is shown here only.", {JSON: {"anyOf": [record(WITH_TOKEN), ref("HookResults"), {"type": "object"}]}, TEXT: STRING}
)
TESTED = {
    200: ApiAnswer("Accepted by one recipient at least.", delivery.AS_FORMAT),
    502: ApiAnswer("Every recipient has refused it; `results` has why.", AS_PROBLEM),
    503: ApiAnswer("Every recipient has refused it for now, or see `detail`.", AS_PROBLEM, REFUSED[503].fields),
}
OPERATIONS = (
    ApiOperation(
        "get", "/hooks", "hooksList", "The hooks of the account, by name; to administrators those of all",
        {200: ApiAnswer("The hooks.", {JSON: record({"count": integer(0), "hooks": array(ref("Hook"))})})} | FOR_ALL, (OWNER,),
    ),
    ApiOperation("post", "/hooks", "hooksMake", "Make a hook", {201: MADE} | FOR_ALL | WRITING, body=NEW),
    ApiOperation(
        "get", "/hooks/{name}", "hooksRead", "One hook",
        delivery.ANSWERS | {200: ONE, 304: ApiAnswer("As before.")} | OF_ONE, (NAME, delivery.MESSAGE, delivery.PAYLOAD),
        text="With the token of a hook that allows GET, what is in the query is sent.",
    ),
    ApiOperation(
        "put", "/hooks/{name}", "hooksReplace", "Replace a hook, or make it",
        delivery.ANSWERS | {200: REPLACEMENT, 201: MADE} | OF_ONE | WRITING, (NAME, IF_MATCH), REPLACED,
        text="Its token stays, and its secret unless the body has one. What cannot be set is ignored: the answer of GET can be sent back.",
    ),
    ApiOperation(
        "delete", "/hooks/{name}", "hooksRemove", "Remove a hook",
        {204: ApiAnswer("It is gone, and its token is no longer good.")} | OF_ONE | some(REFUSED, 409), (NAME, IF_MATCH),
    ),
    ApiOperation(
        "post", "/hooks/{name}/token", "hooksRenew", "A new token; the old one is no longer good",
        delivery.ANSWERS | {200: RENEWED} | OF_ONE | some(REFUSED, 409, 413, 415), (NAME,),
    ),
    ApiOperation(
        "post", "/hooks/{name}/test", "hooksTest", "Send a test message through the hook",
        delivery.ANSWERS | OF_ONE | some(REFUSED, 413, 415) | TESTED, (NAME,),
    ),
)  # fmt: skip
SCHEMAS = {"Hook": record(SHOWN), "NewHook": record(SHOWN | WITH_TOKEN)}


def describe(gotify_prefix: str | None, apprise_prefix: str | None) -> Description:
    """The APIs at /hooks, and of Gotify and Apprise below these prefixes; None: one is not served."""
    operations = (*OPERATIONS, *delivery.OPERATIONS, *gotify.operations(gotify_prefix), *apprise.operations(apprise_prefix))
    schemas = SCHEMAS | delivery.SCHEMAS | gotify.SCHEMAS | apprise.SCHEMAS
    return Description("hooks", ABOUT, operations, schemas)
