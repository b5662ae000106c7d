"""`/`: says what this is, and how a first message is sent; for people, for curl and for programs (operations §6.2)."""

from __future__ import annotations

import json
import shlex
from textwrap import indent

from flask import abort

from xmpp_rest import __version__
from xmpp_rest.api.own_address import base_url
from xmpp_rest.api.web.files import HTML, JSON, TEXT, WebContent, content_of
from xmpp_rest.api.web.resource import FileResource, WebResource
from xmpp_rest.config.table import PagesSettings

PLACES = {"docs": "docs/", "console": "console/"}  # of the pages that may be switched off
ABOUT = "HTTP in front of XMPP: send, receive, and administer accounts and rooms with plain HTTP requests."
HOOKS = "Programs for Slack, ntfy, Gotify, Alertmanager, GitHub and others send by the URL of a hook; an account makes one:"
LINKS = {
    "docs": ("docs/", "the APIs, to read and to try"),
    "openapi": ("openapi.json", "the same for programs"),
    "console": ("console/", "log in, send and receive in a browser"),
    "manual": ("manual.txt", "all settings and what they mean"),
    "health": ("health", "whether the gateway lives"),
}
"""Name → place below `/`, and what it is."""
HTML_TYPE, TEXT_TYPE = HTML.partition(";")[0], TEXT.partition(";")[0]


class Landing(WebResource):
    """The page, the same as text, or the links as JSON. `*/*` is text: that is curl."""

    ignored_fields = frozenset()

    def content_types_provided(self) -> list[tuple[str, str]]:
        self.set_field("Vary", "Accept")  # of 406 too
        return [(TEXT, "to_bytes"), (HTML, "to_bytes"), (JSON, "to_bytes")]

    def find(self) -> WebContent | None:
        write = {HTML_TYPE: self._page, TEXT_TYPE: self._text, JSON: self._json}[self.media_type or TEXT_TYPE]
        return content_of(write(base_url(self.request, self.gateway)).encode(), "")

    def resource_exists(self) -> bool:
        self._found = self.find()
        return True

    def _links(self, url: str) -> dict[str, str]:
        """Name → address of what this gateway serves."""
        return {name: f"{url}/{place}" for name, (place, _) in LINKS.items() if self._is_served(name)}

    def _is_served(self, name: str) -> bool:
        pages: PagesSettings = self.gateway.settings.pages
        return bool(getattr(pages, name)) if name in PLACES else True

    def _title(self) -> str:
        return f"xmpp-rest {__version__}" if self.gateway.settings.pages.version else "xmpp-rest"

    def _command(self, url: str) -> str:
        domain = self.gateway.settings.gateway.domain
        body = json.dumps({"to": f"friend@{domain}", "body": "Hello"}, separators=(",", ":"))
        return _curl(domain, f"{url}/rest", body)

    def _hook_command(self, url: str) -> str:
        return _curl(self.gateway.settings.gateway.domain, f"{url}/hooks", '{"name":"alerts"}')

    def _text(self, url: str) -> str:
        links = self._links(url)
        told = [f"{name:8}  {address}" for name, address in links.items()]
        command, hook = (indent(shown, "  ") for shown in (self._command(url), self._hook_command(url)))
        return "\n".join([self._title(), "", ABOUT, "", "Send a message:", "", command, "", HOOKS, "", hook, "", *told]) + "\n"

    def _page(self, url: str) -> str:
        values = {
            "title": self._title(), "about": ABOUT, "command": self._command(url), "hooks": HOOKS, "hook": self._hook_command(url),
        }  # fmt: skip
        rows = [f'<li><a href="{place}">{name}</a> {what}</li>' for name, (place, what) in LINKS.items() if self._is_served(name)]
        return self.files.page("landing.html", values, links="\n".join(rows))

    def _json(self, url: str) -> str:
        links = {name: address for name, address in self._links(url).items() if name != "manual"}
        return json.dumps({"name": "xmpp-rest", "links": links}) + "\n"


def _curl(domain: str, url: str, body: str) -> str:
    """A command that POSTs JSON: a line each, which stays short however long the names are."""
    parts = f"curl -u you@{domain}", shlex.quote(url), "-H 'Content-Type: application/json'", f"-d '{body}'"
    return " \\\n     ".join(parts)


class NoLanding(WebResource):
    """There is no page: 404, whatever the method is."""

    def init(self) -> None:
        abort(404)

    def find(self) -> WebContent | None:
        return None


class LandingStyle(FileResource):
    """The stylesheet of the page."""

    file = "landing.css"


class Manual(WebResource):
    """All settings and what they mean."""

    def find(self) -> WebContent | None:
        return self.files.manual()
