"""The operations of /data, for its OpenAPI description."""

from __future__ import annotations

from xmpp_rest.api.data.formats import FORMATS
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
    record,
    ref,
    refusals,
    some,
)  # fmt: skip

LUA = "text/x-lua"
TEXTS = {
    400: "The body or a field cannot be read, or the value cannot be kept.",
    401: "No good credentials.",
    403: "The caller may not do this here.",
    404: "The store is empty, or the path names none.",
    409: "The account keeps this elsewhere.",
    412: "A condition of the request does not hold; nothing was changed.",
    413: "The body is too large, or more than may be kept.",
    415: "The body has a coding that is not known here.",
    416: "None of the items is there.",
    429: "Too many wrong credentials.",
    500: "The storage failed: see `Debug`; or the gateway has met an error of its own.",
    503: "Not now: see `Retry-After`.",
}
REFUSED = refusals(TEXTS, AS_PROBLEM)
COMMON = some(REFUSED, 400, 401, 403, 404, 412, 429, 500, 503)
TAG_FIELD = {"ETag": "The entity tag."}
AS_VALUE: dict[str, Schema] = {JSON: {}, LUA: STRING}
READ = {
    200: ApiAnswer("The value.", AS_VALUE, TAG_FIELD),
    206: ApiAnswer("Some items of an array.", AS_VALUE | {"multipart/byteranges": STRING}, {"Content-Range": "Which ones."}),
    304: ApiAnswer("What `If-None-Match` names is what there is."),
} | some(REFUSED, 416) | COMMON  # fmt: skip
WRITTEN = {201: ApiAnswer("Kept.", {}, {"Location": "The store."})} | some(REFUSED, 409, 413, 415) | COMMON
REMOVED = {204: ApiAnswer("There is nothing any more.")} | COMMON
UNACCEPTABLE = ApiAnswer("`Accept` rules JSON out.", AS_PROBLEM)
LISTED = {200: ApiAnswer("The stores.", {JSON: ref("DataStores")}), 304: READ[304], 406: UNACCEPTABLE} | COMMON

TABLE: Schema = {"type": ["object", "array", "null"]}
REPLACED = ApiBody({JSON: Media(TABLE, {"theme": "dark"}), LUA: Media(STRING, 'return { ["theme"] = "dark" };')})
ADDED = ApiBody({JSON: Media({}, {"text": "Buy milk"}), LUA: Media(STRING, 'return { ["text"] = "Buy milk" };')})

NAME: Schema = {"type": "string", "pattern": "^[A-Za-z_]{1,200}$"}
HOST = Parameter("host", "path", "The hosted domain.", example="localhost")
USER = Parameter("user", "path", "The name of the account.", example="juliet")
STORE = Parameter("store", "path", "The name of the store.", NAME, "private")
FORMAT = Parameter("format", "path", "How the value is written.", choice(*FORMATS), "json")
RANGE = Parameter("Range", "header", "Items of an array, such as `items=0-99`.", example="items=0-99")
IF_RANGE = Parameter("If-Range", "header", "The range counts only while this is the entity tag.")
IF_MATCH = Parameter("If-Match", "header", "Only if the store has this entity tag, or `*`.", example="*")
IF_NONE = Parameter("If-None-Match", "header", "Only if the store has not this entity tag, or with `*` nothing.")
WHOLE, OWN = "/data/{host}/{user}/{store}", "/data/{store}"
IN = {WHOLE: (HOST, USER, STORE), OWN: (STORE,)}
READING, WRITING = (RANGE, IF_RANGE, IF_MATCH, IF_NONE), (IF_MATCH, IF_NONE)
WHERE = {WHOLE: ("", ""), OWN: ("Own", " of the caller's")}
"""Path → what its operations are called more, and what their summaries say more."""


def _of(path: str) -> list[ApiOperation]:
    name, where = WHERE[path]
    place = IN[path]
    return [
        ApiOperation("get", path, f"dataRead{name}", f"Read a store{where}, as `Accept` has it", READ, (*place, *READING)),
        ApiOperation("put", path, f"dataReplace{name}", f"Replace a store{where}", WRITTEN, (*place, *WRITING), REPLACED),
        ApiOperation("post", path, f"dataAppend{name}", f"Add an item to a store{where}", WRITTEN, (*place, *WRITING), ADDED),
        ApiOperation("delete", path, f"dataRemove{name}", f"Remove a store{where}", REMOVED, (*place, *WRITING)),
        ApiOperation("get", path + "/{format}", f"dataReadAs{name}", f"Read a store{where} in a format", READ, (*place, FORMAT, *READING)),
    ]


OPERATIONS = (
    ApiOperation("get", "/data/{host}/{user}/", "dataList", "The stores of an account", LISTED, (HOST, USER)),
    *_of(WHOLE),
    *_of(OWN),
)
SCHEMAS = {
    "DataStores": record({"host": STRING, "user": STRING, "stores": array(record({"store": STRING, "sort": STRING}, {"url": STRING}))}),
}


def describe() -> Description:
    """The API at /data."""
    return Description("data", "What is stored of accounts, compatible with Prosody's mod_data_access.", OPERATIONS, SCHEMAS)
