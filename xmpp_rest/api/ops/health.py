"""The health of the gateway."""

from __future__ import annotations

from typing import Any

from xmpp_rest.api.gateway import Gateway
from xmpp_rest.http.resource import Resource


class Health(Resource):
    """Whether the process answers; says nothing else, so it needs no credentials."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def content_types_provided(self) -> list[tuple[tuple[str, str, str], str]]:
        return [(("application", "json", "*"), "to_json")]

    def to_json(self) -> dict[str, Any]:
        return {"status": "ok"}
