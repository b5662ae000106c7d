"""Compresses answers by gzip (`[server] compress`), for clients that ask for it."""

from __future__ import annotations

import gzip
import re
from functools import lru_cache

from flask import Flask, Response, request

from xmpp_rest.http.conditional import OF_GZIP

LEVEL = 5  # 60 kB of history become 8.7 kB in 0.4 ms; level 9 takes twice as long for 2 % less
SMALLEST = 1024  # bytes; what is smaller travels in one packet either way
_STATUSES = frozenset((200, 201, *range(400, 500)))
_TYPES = re.compile(r"text/.*|application/(?:(?:.*\+)?(?:json|xml)|x-ndjson|javascript|openmetrics-text)")
_ELEMENT = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:[ \t]*;[ \t]*[qQ]=([01](?:\.[0-9]{0,3})?))?")  # RFC 9110 §12.4.2


def install(app: Flask) -> None:
    """Compress the answers of this application. Installed before all else that works on answers, so that it comes last (Flask's order)."""
    app.after_request(compressed)


@lru_cache(maxsize=128)
def allows_gzip(field: str) -> bool:
    """Whether an Accept-Encoding field names gzip, or `*`, and nothing better (RFC 9110 §12.5.3)."""
    weights = {m[1].lower(): float(m[2] or 1) for part in field.split(",") if (m := _ELEMENT.fullmatch(part.strip(" \t")))}
    weight = weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    return weight > 0 and weight >= weights.get("identity", 0.0)


def compressed(response: Response) -> Response:
    """The answer, compressed if it may be and the client asks for it; with Vary in any case where it may be."""
    asked = allows_gzip(request.environ.get("HTTP_ACCEPT_ENCODING", ""))
    if response.status_code == 304:
        response.vary.add("Accept-Encoding")
        if asked:
            _keep_tag(response)
    elif _may_be(response):
        response.vary.add("Accept-Encoding")
        if asked:
            _compress(response)
    return response


def _may_be(response: Response) -> bool:
    fields = response.headers
    if response.status_code not in _STATUSES or not response.is_sequence or response.direct_passthrough or "Content-Encoding" in fields:
        return False
    known = response.content_length
    if (known if known is not None else response.calculate_content_length() or 0) < SMALLEST:  # most of them
        return False
    kind = response.mimetype or ""
    return bool(_TYPES.fullmatch(kind)) and kind != "text/event-stream" and "no-transform" not in fields.get("Cache-Control", "").lower()


def _compress(response: Response) -> None:
    if request.method == "HEAD":  # there is nothing to be measured
        response.headers.remove("Content-Length")
        response.automatically_set_content_length = False
    else:
        response.set_data(gzip.compress(response.get_data(), LEVEL, mtime=0))
    response.headers["Content-Encoding"] = "gzip"
    if tag := response.headers.get("ETag"):
        response.headers["ETag"] = of_gzip(tag)


def _keep_tag(response: Response) -> None:
    """Name the entity tag of the compressed answer to a client that has that one (RFC 9110 §15.4.5)."""
    tag = response.headers.get("ETag")
    if tag and of_gzip(tag).removeprefix("W/") in request.environ.get("HTTP_IF_NONE_MATCH", ""):
        response.headers["ETag"] = of_gzip(tag)


def of_gzip(tag: str) -> str:
    """The entity tag of a representation that is compressed: another one, as its bytes are others (RFC 9110 §8.8.3.3)."""
    return tag.removesuffix('"') + OF_GZIP
