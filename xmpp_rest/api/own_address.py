"""Where clients find the gateway: below `public_url`, else below the path that a trusted proxy, or the server, says."""

from __future__ import annotations

from flask import redirect, request
from werkzeug.wrappers import Response

from xmpp_rest.api.gateway import Gateway


def redirected(gateway: Gateway, path: str) -> Response:
    """A redirection for good to this path of the gateway."""
    return redirect((gateway.settings.server.public_url or request.root_path).rstrip("/") + path, 301)
