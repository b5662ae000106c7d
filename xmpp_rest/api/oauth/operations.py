"""The operations of /oauth, for its OpenAPI description (RFC 6749, RFC 7009)."""

from __future__ import annotations

from xmpp_rest.api.openapi.model import (
    AS_PROBLEM,
    FORM,
    JSON,
    OPEN,
    STRING,
    ApiAnswer,
    ApiBody,
    ApiOperation,
    Description,
    Media,
    Parameter,
    Schema,
    choice,
    record,
    ref,
    refusals,
    some,
)  # fmt: skip

TEXTS = {
    400: "The form is wrong; `error` says which code of RFC 6749 §5.2 it is.",
    401: "There is no such client, or its secret is wrong.",
    403: "A web page of another origin has caused it.",
    406: "`Accept` rules out all that there is.",
    412: "A condition of the request does not hold.",
    413: "The form is too large.",
    415: "The body is not a form, or has a coding that is not known here.",
    429: "Too many wrong passwords or secrets.",
    500: "The gateway has met an error of its own.",
    503: "Not now: see `Retry-After`.",
}
AS_ERROR: dict[str, Schema] = {JSON: ref("OAuthError")}
REFUSED = refusals(TEXTS, AS_ERROR | AS_PROBLEM)
HTML: dict[str, Schema] = {"text/html": STRING}
SHOWN = {status: answer._replace(content=AS_ERROR | AS_PROBLEM | HTML) for status, answer in REFUSED.items()}
BACK = ApiAnswer("Back to the client, with the token or an error in the fragment.", {}, {"Location": "A URI of the client's."})


def _form(required: dict[str, Schema], optional: dict[str, Schema], **example: str) -> ApiBody:
    return ApiBody({FORM: Media(record(required, optional, closed=False), example)})


OF_CLIENT: dict[str, Schema] = {"client_id": STRING, "client_secret": STRING}
OF_TOKEN: dict[str, Schema] = {"scope": STRING, "ttl": {"type": "string", "description": "Seconds that the token is good for."}}
WHO: dict[str, Schema] = {"username": STRING, "password": STRING}
PASSWORD = _form(
    {"grant_type": choice("password"), **WHO}, OF_CLIENT | OF_TOKEN,
    grant_type="password", username="juliet@localhost", password="R0m30-forever", client_id="bot", client_secret="hand-in-glove",  # noqa: S106
)  # fmt: skip
SIGNED = _form(WHO, OF_TOKEN, username="juliet@localhost", password="R0m30-forever", ttl="3600")  # noqa: S106
TOKEN = _form({"token": STRING}, OF_CLIENT | {"token_type_hint": STRING}, token="hand-in-glove")  # noqa: S106
ASKED = (
    Parameter("response_type", "query", "Always `token`.", choice("token"), "token", required=True),
    Parameter("client_id", "query", "The client, as it was registered.", example="page", required=True),
    Parameter("redirect_uri", "query", "The URI that the client was registered with."),
    Parameter("scope", "query", "Scopes, separated by blanks."),
    Parameter("state", "query", "Comes back as it is."),
)
ISSUED = {200: ApiAnswer("A token.", {JSON: ref("OAuthToken")})}
REVOKED = {200: ApiAnswer("It is no longer good, if it ever was.", {JSON: record({})})}
FOR_ALL = some(SHOWN, 400, 401, 406, 412, 429, 500, 503)
OPERATIONS = (
    ApiOperation("post", "/oauth/token", "oauthToken", "A token for a password", ISSUED | REFUSED, body=PASSWORD, security=OPEN),
    ApiOperation("post", "/oauth/revoke", "oauthRevoke", "End a token", REVOKED | REFUSED, body=TOKEN, security=OPEN),
    ApiOperation(
        "get", "/oauth/authorization_token", "oauthForm", "The page on which a user signs in for a client (the implicit grant)",
        {200: ApiAnswer("The page.", HTML), 303: BACK, 304: ApiAnswer("As before.")} | FOR_ALL, ASKED, security=OPEN,
    ),
    ApiOperation(
        "post", "/oauth/authorization_token", "oauthGrant", "The answer of that page: a token for the client",
        {303: BACK} | SHOWN, ASKED, SIGNED, security=OPEN,
    ),
)  # fmt: skip
SCHEMAS = {
    "OAuthToken": record({"access_token": STRING, "token_type": STRING, "expires_in": {"type": "integer"}, "scope": STRING}),
    "OAuthError": record({"error": STRING}, {"error_description": STRING}),
}


def describe() -> Description:
    """The API at /oauth."""
    return Description("oauth", "Tokens that programs obtain with a password.", OPERATIONS, SCHEMAS)
