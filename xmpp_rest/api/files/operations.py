"""The operations of files, for their OpenAPI description."""

from __future__ import annotations

from xmpp_rest.api.files.public_operations import OPERATIONS as PUBLIC_OPERATIONS
from xmpp_rest.api.openapi.model import (
    AS_PROBLEM,
    JSON,
    STRING,
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

TEXTS = {
    400: "The body broke off, or is not the form that it says; or a field of the request cannot be read.",
    401: "No credentials.",
    403: "The credentials are wrong, or not good for this; `[files] access` does not let the sender in; or no room does.",
    404: "There is no such file, or it is somebody else's; or no such room.",
    406: "`Accept` rules out all that there is.",
    409: "The first request with this Idempotency-Key is still running; or a room has somebody of this nick.",
    410: "The room was destroyed.",
    412: "A condition of the request does not hold.",
    413: "The file is too large: `max_size`.",
    415: "The body has a coding that is not known here.",
    422: "A parameter is unknown or wrong, which `detail` names; the file is empty, or there are two.",
    429: "Too many wrong credentials, more requests than the limits allow, or more bytes than one may have stored.",
    500: "The gateway has met an error of its own.",
    501: "No upload service was found.",
    502: "The upload service, the server of the account or of the room, or that of `url` has refused or failed.",
    503: "Not now: the storage, a limit, or a room that is full.",
    504: "The upload service, the room or the server of `url` does not answer.",
    507: "There is no room for the file.",
}
REFUSED = refusals(TEXTS, AS_PROBLEM)
READING = some(REFUSED, 400, 401, 403, 404, 406, 412, 422, 429, 500, 503)
TIME: Schema = {"type": "string", "format": "date-time"}
TIME_OR_NULL: Schema = {"anyOf": [TIME, {"type": "null"}]}
SHA256: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
KIND = choice("chat", "groupchat", "normal")
OF = Parameter("of", "query", "The account; for administrators, and with the component's credentials.")
FILE_ID = Parameter("id", "path", "The id of a file.", example="Yl5oH0rQm3s1c2UeXo9xSw")
PARAMETERS = (
    Parameter("to", "query", "Who gets the file: people and rooms; may be repeated.", array(STRING, maxItems=100), ["juliet@localhost"]),
    Parameter("caption", "query", "A text, sent as a message of its own before the file."),
    Parameter("name", "query", "The name of the file.", example="rose.png"),
    Parameter("type", "query", "Of the messages. Without it rooms get `groupchat`, all others `chat`.", KIND),
    Parameter("expire", "query", "Seconds until the file goes, at most `[files] expire`.", integer(1)),
    Parameter("nick", "query", "The nick in rooms."),
    Parameter("width", "query", "Of a picture or film, for clients.", integer(1)),
    Parameter("height", "query", "Of a picture or film, for clients.", integer(1)),
    Parameter("url", "query", "Where the file is fetched, in place of a body; needs `[files] fetch`."),
    Parameter("from", "query", "Who sends it, as the credentials allow."),
    OF,
    Parameter("Content-Disposition", "header", "The name of the file.", example='attachment; filename="rose.png"'),
    Parameter("Nick", "header", "The nick in rooms, as percent-encoded UTF-8."),
    Parameter("Prefer", "header", "`wait=N`: gives the servers of the recipients N seconds to refuse the messages.", example="wait=5"),
    Parameter("Idempotency-Key", "header", "Sends the file once, however often the request is made.", example="2d1b0c7e"),
)  # fmt: skip
BINARY: Schema = {"description": "The file as it is, of any media type."}
FORM_SCHEMA: Schema = {
    "type": "object",
    "description": "A part with a file name is the file; the others are parameters.",
    "additionalProperties": STRING,
}
ERROR = record({"type": STRING, "condition": STRING}, {"text": STRING, "by": STRING})
STANZA_ID_OR_NULL: Schema = {"anyOf": [record({"id": STRING, "by": STRING}), {"type": "null"}]}
MESSAGE = record(
    {"to": STRING, "type": KIND, "id": STRING, "outcome": choice("accepted", "refused", "error", "reflected")},
    {"caption_id": STRING, "code": {"type": "integer"}, "error": ERROR, "stanza_id": STANZA_ID_OR_NULL},
)  # fmt: skip
SENT: dict[str, Schema] = {
    "url": STRING, "id": {"type": ["string", "null"]}, "name": STRING, "size": integer(1), "media_type": STRING, "sha-256": SHA256,
    "expires": TIME_OR_NULL, "messages": array(MESSAGE),
}  # fmt: skip
STORED: dict[str, Schema] = {
    "id": STRING, "url": STRING, "name": STRING, "size": integer(0), "media_type": STRING, "sha-256": SHA256, "created": TIME,
    "expires": TIME_OR_NULL,
}  # fmt: skip
LISTED = {"files": array(ref("StoredFile")), "used": integer(0), "quota": integer(0)}
MADE = ApiAnswer("It is stored, and sent to those whose outcome says so.", {JSON: ref("SentFile")}, {"Location": "The URL of the file."})
OWN_OPERATIONS = (
    ApiOperation(
        "get", "/rest/files", "filesList", "One's own files, the newest first, and how much is used",
        {200: ApiAnswer("At most 1000 of them.", {JSON: ref("StoredFiles")})}
        | READING, (OF,),
    ),
    ApiOperation(
        "post", "/rest/files", "filesSend", "Store a file, and send it to people and rooms",
        {201: MADE} | REFUSED, PARAMETERS,
        ApiBody({"application/octet-stream": Media(BINARY), "multipart/form-data": Media(FORM_SCHEMA)}, required=False),
    ),
    ApiOperation(
        "get", "/rest/files/{id}", "filesRead", "One of one's own files",
        {200: ApiAnswer("The file.", {JSON: ref("StoredFile")})} | READING, (FILE_ID, OF),
    ),
    ApiOperation(
        "delete", "/rest/files/{id}", "filesRemove", "Remove a file at once",
        {204: ApiAnswer("It is gone.")} | READING, (FILE_ID, OF),
    ),
)  # fmt: skip
SCHEMAS = {"SentFile": record(SENT), "StoredFile": record(STORED), "StoredFiles": record(LISTED)}


def describe() -> Description:
    """The API at /rest/files."""
    about = "Files that are sent by one request, and the upload service."
    return Description("files", about, (*OWN_OPERATIONS, *PUBLIC_OPERATIONS), SCHEMAS)
