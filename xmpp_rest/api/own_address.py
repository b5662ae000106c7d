"""Where clients find the gateway: below `public_url`, else below the host and path that the client, or a trusted proxy, says."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote, urlsplit

from flask import Request, redirect, request
from werkzeug.wrappers import Response

from xmpp_rest.api.gateway import Gateway

_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")  # RFC 1035 §2.3.4
LONGEST_NAME = 254  # characters, with a dot at its end


def redirected(gateway: Gateway, path: str) -> Response:
    """A redirection for good to this path of the gateway."""
    return redirect((gateway.settings.server.public_url or request.root_path).rstrip("/") + path, 301)


def base_url(asked: Request, gateway: Gateway) -> str:
    """The gateway's address as this client sees it, without a slash at the end; the path alone where the Host field names none.

    The host stays as it was sent: Werkzeug's `root_url` decodes a name of another script, and fails at what only looks like one.
    """
    if public := gateway.settings.server.public_url:
        return public.rstrip("/")
    path = quote(asked.root_path.rstrip("/"), safe="%!$&'()*+,/:;=@~")
    return f"{asked.scheme}://{asked.host}{path}" if is_host(asked.host) else path


def base_path(asked: Request, gateway: Gateway) -> str:
    """The path of that address, which Location fields begin with."""
    return urlsplit(base_url(asked, gateway)).path


@lru_cache(maxsize=64)
def is_host(text: str) -> bool:
    """Whether this can be the host of a URL, with a port or without."""
    try:
        parts = urlsplit(f"//{text}")  # ValueError: brackets around what is not an address
        parts.port  # noqa: B018  # ValueError: above 65535
    except ValueError:
        return False
    if text.startswith("["):
        return bool(parts.hostname)
    return len(text.partition(":")[0]) <= LONGEST_NAME and bool(_NAME.fullmatch(text.partition(":")[0]))
