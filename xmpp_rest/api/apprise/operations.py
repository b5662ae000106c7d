"""The operations of the Apprise API, for the OpenAPI description (hooks §15)."""

from __future__ import annotations

from xmpp_rest.api.hooks.delivery_operations import AT, KEY, LIMITS, TEXTS
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

CONTENT: dict[str, Schema] = {JSON: ref("AppriseAnswer"), TEXT: STRING}
MORE = {404: "There is no hook with this token, or it is somebody else's.", 406: "It came through another Apprise API before."}
STATUSES = (400, 401, 403, 404, 406, 413, 415, 422, 424, 429, 500, 503)
FAILURES = {
    status: ApiAnswer((TEXTS | MORE)[status], CONTENT | AS_PROBLEM, LIMITS | (RETRY if status in (429, 503) else {})) for status in STATUSES
}
ANSWERS = {200: ApiAnswer("All recipients have it, or it is in the outbox.", CONTENT, LIMITS)} | FAILURES
KEY_OF_PATH = Parameter("key", "path", "The token of a hook, or its name.", example="ops")
KEY_FIELD = Parameter("X-Apprise-Config-ID", "header", "The token of a hook, or its name.")
NOTICE = record(
    {"body": STRING},
    {"title": STRING, "type": choice("info", "success", "warning", "failure"), "format": STRING, "tag": {}},
    closed=False,
)
BODY = ApiBody({JSON: Media(NOTICE, {"title": "Backup", "body": "done", "type": "success"}), FORM: Media(NOTICE, {"body": "done"})})


def operations(prefix: str | None) -> tuple[ApiOperation, ...]:
    """Those below this prefix; None: there are none."""
    if prefix is None:
        return ()
    return (
        ApiOperation(
            "post", f"{prefix}/notify", "hooksNotify", "Send a notification by a hook, as by the Apprise API",
            ANSWERS, (KEY_FIELD, KEY, AT), BODY, OPTIONAL,
        ),
        ApiOperation(
            "post", f"{prefix}/notify/{{key}}", "hooksNotifyBy", "The same with the hook in the path",
            ANSWERS, (KEY_OF_PATH, KEY, AT), BODY, OPTIONAL,
        ),
    )  # fmt: skip


SCHEMAS: dict[str, Schema] = {"AppriseAnswer": record({"error": {"type": ["string", "null"]}, "details": array(ref("HookResult"))})}
