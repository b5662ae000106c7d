"""The operations of the public side of files, for their OpenAPI description."""

from __future__ import annotations

from xmpp_rest.api.openapi.model import AS_PROBLEM, OPEN, ApiAnswer, ApiBody, ApiOperation, Media, Parameter, Schema, refusals, some

TEXTS = {
    400: "A field of the request cannot be read, or the body broke off.",
    401: "No token.",
    403: "This is not the token of this file's slot, or its time is over.",
    404: "There is no file at this address.",
    409: "The slot was used.",
    411: "An upload needs its length.",
    412: "A condition of the request does not hold.",
    413: "The slot is for another size.",
    415: "The slot is for another media type.",
    416: "The file has no such part.",
    429: "Too many requests.",
    500: "The gateway has met an error of its own.",
    503: "The storage failed.",
    507: "There is no room for the file.",
}
REFUSED = refusals(TEXTS, AS_PROBLEM)
BINARY: Schema = {"description": "The file as it is."}
ANY: dict[str, Schema] = {"*/*": BINARY}
PATH = (
    Parameter("id", "path", "The id of the file.", example="Yl5oH0rQm3s1c2UeXo9xSw9t"),
    Parameter("name", "path", "Its name.", example="rose.png"),
)
CONDITIONS = (
    Parameter("Range", "header", "The part that is wanted; several make a `multipart/byteranges`.", example="bytes=0-1023"),
    Parameter("If-Range", "header", "The entity tag of the file of which it is to be a part."),
    Parameter("If-None-Match", "header", "The entity tag of what is known already."),
)
FIELDS = {
    "ETag": "The SHA-256 of the file.",
    "Content-Disposition": "Whether browsers show or save it, and its name.",
    "Cache-Control": "How long it may be kept: until it goes.",
}
OPERATIONS = (
    ApiOperation(
        "get", "/files/{id}/{name}", "filesGet", "A file",
        {
            200: ApiAnswer("The file.", ANY, FIELDS),
            206: ApiAnswer("A part of it.", ANY, FIELDS | {"Content-Range": "Which part."}),
            304: ApiAnswer("What `If-None-Match` names is what there is."),
        } | some(REFUSED, 400, 404, 412, 416, 500, 503),
        (*PATH, *CONDITIONS), security=OPEN,
        text="Whoever knows the address may read the file; nothing else leads to it, and there is no list. HEAD has the same fields.",
    ),
    ApiOperation(
        "put", "/files/{id}/{name}", "filesPut", "Upload a file to a slot (XEP-0363)",
        {201: ApiAnswer("It is there.")} | some(REFUSED, 400, 401, 403, 404, 409, 411, 412, 413, 415, 500, 503, 507),
        (*PATH, Parameter("Authorization", "header", "Bearer, and the token of the slot.")),
        ApiBody({"application/octet-stream": Media(BINARY, "The bytes.")}), security=OPEN,
        text="Size and media type are those of the slot, which an iq to the gateway's domain asks for. A failed upload may be repeated.",
    ),
)  # fmt: skip
