"""Tells browsers which web pages may read an answer: the CORS protocol of the Fetch standard (§3.2), one policy for all APIs.

`[server] origins` lists the pages. `*` lets in any, but never with credentials that a browser adds by itself; a page that is listed may
use those as well (decision 0019).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from flask import Flask, Response, request

ANY = "*"
ALLOWED_FIELDS = (
    "Authorization, Content-Type, Content-Disposition, Nick, Last-Event-ID, Idempotency-Key, Prefer, Send-At, Delay, Cache-Control, "
    "Prosody-Rest-Timeout, If-Match, If-None-Match, If-Range, Range, X-Admin"
)
"""What a page may send. X-Admin: COMPAT ejabberd, where it means nothing, either."""
EXPOSED_FIELDS = (
    "Stanza-Id, Retry-After, ETag, Location, Link, Allow, Accept-Ranges, Content-Range, Debug, Error-Detail, Idempotent-Replayed, "
    "Nick, Preference-Applied, RateLimit, RateLimit-Policy, WWW-Authenticate, X-Request-Id"
)
"""What a page may read besides the fields that every page may."""
_SHOWN = re.compile(r"[!-~]{1,300}")  # an Origin field that is sent back: bounded, and visible ASCII

Fields = tuple[tuple[str, str], ...]


class Dialect(NamedTuple):
    """How an API speaks of CORS."""

    methods: str = ""  # "": those that the answer's Allow field names
    max_age: str = "7200"  # seconds that a browser remembers a preflight
    names_page: bool = True  # a page that is let in with any other is named; else it is told `*`
    to_programs: Fields = ()  # COMPAT: what the peer sends to those without an Origin field, who need none of it


DIALECTS: Mapping[str, Dialect] = {
    "rest": Dialect(
        "GET, OPTIONS, POST",
        to_programs=(
            ("Access-Control-Allow-Origin", ANY),
            ("Access-Control-Allow-Methods", "GET, OPTIONS, POST"),
            ("Access-Control-Allow-Headers", "Content-Type"),
            ("Access-Control-Max-Age", "7200"),
        ),
    ),
    "data": Dialect(
        "OPTIONS, GET, PUT, POST, DELETE",
        to_programs=(
            ("Access-Control-Allow-Origin", ANY),
            ("Access-Control-Allow-Methods", "OPTIONS, GET, PUT, POST, DELETE"),
            ("Access-Control-Expose-Headers", EXPOSED_FIELDS),
        ),
    ),
    "commands": Dialect(
        "GET, POST, OPTIONS",
        "86400",
        names_page=False,  # COMPAT ejabberd
        to_programs=(
            ("Access-Control-Allow-Origin", ANY),
            ("Access-Control-Allow-Headers", "Content-Type, Authorization, X-Admin"),
        ),
    ),
    "files": Dialect(),
    "oauth": Dialect(),
    "rooms": Dialect(),
    "client": Dialect(),
    "ops": Dialect(),
}
"""By the name of the blueprint, which is the first part of the path as well where no route was found."""


def add_cors(response: Response, origins: frozenset[str]) -> Response:
    """The response to the request at hand, with the fields for its origin."""
    asked = request._get_current_object()  # type: ignore[attr-defined]  # once, as each look through the proxy costs
    dialect = DIALECTS.get(asked.blueprint or asked.path.split("/", 2)[1])
    if dialect is None:
        return response
    origin = asked.environ.get("HTTP_ORIGIN")
    if origin:
        _to_page(response, origin, origins, dialect)
    elif ANY in origins and dialect.to_programs:
        for name, value in dialect.to_programs:
            response.headers.add(name, value)  # quicker than `extend`, for every answer
    if origin or ANY not in origins:
        response.vary.add("Origin")
    return response


def _to_page(response: Response, origin: str, origins: frozenset[str], dialect: Dialect) -> None:
    listed = origin in origins
    if not listed and ANY not in origins:
        return
    fields = response.headers
    fields["Access-Control-Allow-Origin"] = origin if listed or (dialect.names_page and _SHOWN.fullmatch(origin)) else ANY
    fields["Access-Control-Allow-Methods"] = dialect.methods or fields.get("Allow", "OPTIONS")
    fields["Access-Control-Allow-Headers"] = ALLOWED_FIELDS
    fields["Access-Control-Expose-Headers"] = EXPOSED_FIELDS
    fields["Access-Control-Max-Age"] = dialect.max_age
    if listed:
        fields["Access-Control-Allow-Credentials"] = "true"


def install(app: Flask, origins: Callable[[], frozenset[str]]) -> None:
    """Let every answer of the application carry the fields, also those to paths and methods that no route takes, and errors."""

    def add(response: Response) -> Response:
        return add_cors(response, origins())

    app.after_request(add)
