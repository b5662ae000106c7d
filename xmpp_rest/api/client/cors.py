"""Which web pages may use the client API? (spec client-api §1.8, the CORS protocol of the Fetch standard)"""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, request


def allow_origin(origins: frozenset[str]) -> Callable[[Response], Response]:
    """What adds the CORS fields to every answer to a page of these origins; `*` stands for any."""

    def add(response: Response) -> Response:
        origin = request.environ.get("HTTP_ORIGIN")
        if origin and ("*" in origins or origin in origins):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Credentials"] = "true"
            response.headers["Access-Control-Allow-Headers"] = "authorization, content-type"
            # Allow is on every answer but those to unknown paths
            response.headers["Access-Control-Allow-Methods"] = response.headers.get("Allow", "OPTIONS")
        if origin:
            response.vary.add("Origin")
        return response

    return add
