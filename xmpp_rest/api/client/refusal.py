"""Errors of the client API: a JSON string, or in generation 3 nothing (client-api §1.6, §10)."""

from __future__ import annotations

from flask import Response

from xmpp_rest.api.detail import detail_field
from xmpp_rest.errors import GatewayError
from xmpp_rest.http.body import dump_json

JSON = "application/json"


class Refusal(Exception):
    """A request that ends with `status` and `text`.

    `old_status`: what generation 3 answers instead. `old_text`: its body there, as text/plain; "" for none.
    `detail`: what was wrong and what would be right, where the text of this API does not say.
    """

    def __init__(
        self, status: int, text: str, *, old_status: int | None = None, old_text: str = "",
        retry_after: int | None = None, detail: str = "",
    ) -> None:  # fmt: skip
        self.status = status
        self.text = text
        self.old_status = status if old_status is None else old_status
        self.old_text = old_text
        self.retry_after = retry_after  # seconds
        self.detail = detail
        super().__init__(f"{status} {text}")

    def response(self, generation: int) -> Response:
        """The refusal as this generation of the API words it."""
        if generation == 3:
            response = _response(self.old_status, self.old_text.encode(), "text/plain")
        else:
            response = _response(self.status, dump_json(self.text), JSON)
        response.headers.update(detail_field(self.detail))
        if self.retry_after is not None:
            response.headers["Retry-After"] = str(self.retry_after)
        return response


def refusal_of(error: GatewayError) -> Refusal:
    """What a service's error is here."""
    return Refusal(error.row.status, error.text, retry_after=error.retry_after)


def _response(status: int, body: bytes, content_type: str) -> Response:
    response = Response(body, status, content_type=content_type)
    if not body:
        del response.headers["Content-Type"]
    return response
