"""`/openapi.json` and `/openapi/{name}.json`: serves the descriptions."""

from __future__ import annotations

from functools import cached_property

from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.openapi.documents import ALL, Documents, Prefixes, Texts
from xmpp_rest.api.resource import ApiResource


class OpenAPI(ApiResource):
    """A description; it says nothing of anybody, so it needs no credentials."""

    def __init__(self, gateway: Gateway, documents: Documents) -> None:
        self.settings = gateway.settings
        self.documents = documents

    def resource_exists(self) -> bool:
        self.problem["detail"] = f"There is no such description; write one of {', '.join(self.documents.names)}"
        return self.args.get("name", ALL) in (ALL, *self.documents.names) and self.args.get("name") != ALL

    def content_types_provided(self) -> list[tuple[tuple[str, str, str], str]]:
        self.set_field("Cache-Control", "no-cache")
        return [(("application", "json", "*"), "to_json")]

    @cached_property
    def _texts(self) -> Texts:
        return self.documents.texts(self.args.get("name", ALL), self.settings.client, self.settings.commands, Prefixes.of(self.settings))

    @cached_property
    def _url(self) -> str:
        """What stands before the paths: the prefix by which the request came, or the URL of the configuration."""
        return (self.settings.server.public_url or self.request.script_root).rstrip("/") or "/"

    def generate_etag(self) -> str:
        return self._texts.tag(self._url)

    def to_json(self) -> bytes:
        return self._texts.at(self._url)
