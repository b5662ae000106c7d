"""`/api-docs/openapi.json`: serves the description of the client API."""

from __future__ import annotations

from typing import Any

from xmpp_rest.api.client.openapi import describe
from xmpp_rest.api.resource import ApiResource
from xmpp_rest.config.table import ClientSettings


class DescriptionResource(ApiResource):
    """The description; it says nothing of anybody, so it needs no credentials."""

    def __init__(self, settings: ClientSettings) -> None:
        self.settings = settings

    def content_types_provided(self) -> list[tuple[tuple[str, str, str], str]]:
        return [(("application", "json", "*"), "to_json")]

    def to_json(self) -> dict[str, Any]:
        return describe(self.settings)
