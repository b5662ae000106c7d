"""What all pages and their files have in common (operations §6.1)."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple, NoReturn

from flask import Response

from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.own_address import base_url
from xmpp_rest.api.resource import ApiResource
from xmpp_rest.api.web.files import Files, WebContent
from xmpp_rest.http.resource import Resource, Stop

METHODS = "GET, HEAD, OPTIONS"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FIELDS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
"""Of every answer, errors included."""


PAGES = {
    "landing": '<a href="../">Start</a>',
    "docs": '<a href="../docs/">APIs</a>',
    "console": '<a href="../console/">Console</a>',
}
"""Links between pages, by the settings that switch those off."""


class Web(NamedTuple):
    """What pages are made of."""

    gateway: Gateway
    files: Files


def navigation(gateway: Gateway, here: str, *beside: str) -> str:
    """Links from the page `here` to the others that are switched on; `beside`: more of them."""
    pages = gateway.settings.pages
    links = [link for name, link in PAGES.items() if name != here and getattr(pages, name)]
    return " ".join((*links, *beside))


class WebResource(ApiResource):
    """A page or a file, whatever `Accept` says; it says nothing of anybody, so it needs no credentials."""

    ignored_fields = frozenset({"Accept"})
    _found: WebContent | None = None

    def __init__(self, web: Web) -> None:
        self.gateway, self.files = web

    def allowed_methods(self) -> list[str]:
        return METHODS.split(", ")

    def content_types_provided(self) -> list[tuple[str, str]]:
        self._found = self.find()
        return [("application/octet-stream" if self._found is None else self._found.type, "to_bytes")]

    @abstractmethod
    def find(self) -> WebContent | None:
        """What is sent; None: there is nothing at this path."""

    def resource_exists(self) -> bool:
        return self._found is not None

    def generate_etag(self) -> tuple[str, str] | None:
        return None if self._found is None else ("strong", self._found.tag)

    def to_bytes(self) -> bytes:
        assert self._found is not None
        return self._found.data


def to_slash(resource: Resource, gateway: Gateway, page: str) -> NoReturn:
    """End the request for a page whose address lacks its slash: the links of the page would lead to places beside it."""
    query = resource.request.query_string.decode("ascii", "ignore")
    location = base_url(resource.request, gateway) + page + (f"?{query}" if query else "")
    raise Stop(Response(b"", 308, {"Location": location}, content_type="text/plain"))


class FileResource(WebResource):
    """One file; the class says which."""

    file: str

    def find(self) -> WebContent | None:
        return self.files.own(self.file)


class Favicon(FileResource):
    """The icon that browsers ask for, whatever the page says."""

    file = "favicon.ico"
