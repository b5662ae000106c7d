"""How do the fields that let web pages read an answer get onto it? (the CORS protocol of the Fetch standard)"""

from __future__ import annotations

from collections.abc import Iterable

from flask import Response

_ORIGIN = "Access-Control-Allow-Origin"
_FAMILY = "access-control-"


def let_in(response: Response, origin: str, others: Iterable[tuple[str, str]]) -> Response:
    """Set the fields: pages of `origin` may read the response; and `others` of the family Access-Control."""
    fields = ((_ORIGIN, origin), *others)
    if any(name.lower().startswith(_FAMILY) for name, _ in response.headers):
        response.headers.update(fields)
    else:  # nearly always, and quicker: to replace a field, each of the others is looked at
        response.headers.extend(fields)
    return response
