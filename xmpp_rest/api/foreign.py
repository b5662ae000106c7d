"""Tells requests that a foreign web page has caused from those of programs and of the user (decision 0019).

A browser adds what it remembers of HTTP authentication to whatever any page makes it ask. What it says of the page cannot be forged by
pages: Sec-Fetch-Site and Sec-Fetch-Dest (Fetch Metadata §2), and Origin (Fetch §3.1). Programs send none of them; Node's `fetch` sends
Sec-Fetch-Mode alone, which therefore says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from xmpp_rest.auth.authenticator import may_be_remembered
from xmpp_rest.config.table import Settings

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110 §9.2.1
OWN_SITES = frozenset({"same-origin", "none"})  # none: the user typed the address, or opened a bookmark
Environ = Mapping[str, Any]


def is_foreign(environ: Environ, settings: Settings) -> bool:
    """Whether a page of another origin, one that [server] origins does not list, has caused the request."""
    site, origin = environ.get("HTTP_SEC_FETCH_SITE"), environ.get("HTTP_ORIGIN")
    if site is None and origin is None:
        return False
    if origin is not None and origin in settings.server.origins:  # `*` is not an origin: it lets nobody act
        return False
    if site is not None:
        return site.strip(" \t").lower() not in OWN_SITES
    return not _is_own(origin or "", environ, settings)


def is_own_page(environ: Environ, settings: Settings) -> bool:
    """Whether a page of this gateway has caused the request. A program can pretend to be one; a page cannot."""
    site, origin = environ.get("HTTP_SEC_FETCH_SITE"), environ.get("HTTP_ORIGIN")
    if site is not None:
        return str(site).strip(" \t").lower() == "same-origin"
    return origin is not None and _is_own(origin, environ, settings)


def acts_by_itself(environ: Environ) -> bool:
    """Whether the credentials are such as browsers add by themselves. They add no token of ours (RFC 6750 §2.1)."""
    field = environ.get("HTTP_AUTHORIZATION")
    return field is not None and may_be_remembered(field)


def is_misused(environ: Environ, settings: Settings) -> bool:
    """Whether a foreign page would act with the user's remembered password."""
    return is_foreign(environ, settings) and acts_by_itself(environ)


def is_from_browser(environ: Environ) -> bool:
    """Whether a browser asks, whichever page made it.

    Over plain HTTP browsers say nothing of the page (Fetch Metadata §2.1): there they are told by the two fields that all of them send
    and no page can suppress.
    """
    if "HTTP_SEC_FETCH_SITE" in environ or "HTTP_SEC_FETCH_DEST" in environ or "HTTP_ORIGIN" in environ:
        return True
    return "HTTP_ACCEPT_LANGUAGE" in environ and str(environ.get("HTTP_USER_AGENT", "")).startswith("Mozilla/")


def _is_own(origin: str, environ: Environ, settings: Settings) -> bool:
    """Whether this is the origin that the request went to. Schemes are not compared: a proxy may have taken the TLS away."""
    asked = _authority(origin)
    return bool(asked) and asked in (_authority(f"//{environ.get('HTTP_HOST', '')}"), _authority(settings.server.public_url))


def _authority(url: str) -> str:
    """Host and port of a URL, without the port that HTTP and HTTPS have by themselves; "" where there are none."""
    try:
        return urlsplit(url).netloc.lower().removesuffix(":80").removesuffix(":443")
    except ValueError:  # brackets that are not an address
        return ""
