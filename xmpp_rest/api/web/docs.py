"""`/docs/`: Swagger UI over the description of all APIs (operations §6.3).

Its own page has an inline script, which our policy forbids, so page and start are ours: `docs.html`, `docs.js`.
"""

from __future__ import annotations

from xmpp_rest.api.web.files import HTML, WebContent, content_of
from xmpp_rest.api.web.resource import WebResource, navigation, to_slash

OWN = frozenset({"docs.js", "docs.css"})
SWAGGER = frozenset({"swagger-ui-bundle.js", "swagger-ui.css", "favicon-16x16.png", "favicon-32x32.png"})


class Docs(WebResource):
    """The page, and the files that it names."""

    def find(self) -> WebContent | None:
        name = self.args["file"]
        if name in SWAGGER:
            return self.files.swagger(name)
        if not name:
            links = navigation(self.gateway, "docs", '<a href="../openapi.json">openapi.json</a>')
            return content_of(self.files.page("docs.html", {}, links=links).encode(), HTML)
        return self.files.own(name) if name in OWN else None


class DocsToSlash(WebResource):
    """Redirects to the page."""

    def find(self) -> WebContent | None:
        to_slash(self, self.gateway, "/docs/")
