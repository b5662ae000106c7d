"""`/console/`: a page that logs in, sends, and shows what arrives (operations §6.4)."""

from __future__ import annotations

from xmpp_rest.api.web.files import HTML, WebContent, content_of
from xmpp_rest.api.web.resource import WebResource, navigation, to_slash

OWN = frozenset({"console.js", "console.css"})
SILENCES = 2  # heartbeats that may be late before the page takes the stream for dead


class Console(WebResource):
    """The page, and the files that it names."""

    def find(self) -> WebContent | None:
        name = self.args["file"]
        if not name:
            return content_of(self._page().encode(), HTML)
        return self.files.own(name) if name in OWN else None

    def _page(self) -> str:
        """The page, with what the module has to know of this gateway."""
        settings = self.gateway.settings
        values = {
            "client": f"..{settings.client.prefix}/",
            "rooms": settings.gateway.rooms_domain,
            "silence": f"{SILENCES * settings.streams.heartbeat + 5:g}",
        }
        return self.files.page("console.html", values, links=navigation(self.gateway, "console"))


class ConsoleToSlash(WebResource):
    """Redirects to the page."""

    def find(self) -> WebContent | None:
        to_slash(self, self.gateway, "/console/")
