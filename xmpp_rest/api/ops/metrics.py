"""The metrics of the gateway, for Prometheus and others that read its text (decision 0048)."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from xmpp_rest.api.authentication import Authenticated
from xmpp_rest.api.foreign import is_foreign
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.auth.authorization import BEARER, OPERATION, read_authorization
from xmpp_rest.auth.caller import Caller
from xmpp_rest.auth.scopes import Use
from xmpp_rest.errors import ERRORS
from xmpp_rest.metrics.exposition import OPEN, TEXT, Exposition

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
LOOPBACK = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))
FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED")
BELIEVED = "werkzeug.proxy_fix.orig"  # in the environ of a request that came by a trusted proxy
_PARAMETER = re.compile(r';[ \t]*(?!q[ \t]*=)[^;,="]+=(?:"[^"]*"|[^;,]*)', re.IGNORECASE)


def without_parameters(accept: str) -> str:
    """An Accept field of media types alone: each format has one version here, whichever versions a scraper names."""
    return _PARAMETER.sub("", accept)


class Metrics(Authenticated):
    """All figures of the gateway, over all its processes."""

    uses = dict.fromkeys(("GET", "HEAD"), Use.ADMINISTER)
    policy = OPERATION
    field_readers: ClassVar = {"Accept": without_parameters}

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def content_types_provided(self) -> list[tuple[tuple[str, str, dict[str, str]], str]]:
        self.set_field("Cache-Control", "no-store")
        return [(TEXT, "to_text"), (OPEN, "to_open_text")]

    def is_authorized(self) -> bool | str:
        if read_authorization(self.authorization) is None or self._has_token():
            return True
        return super().is_authorized()

    def admits(self, caller: Caller) -> bool:
        return caller.admin

    def forbidden(self) -> bool:
        if self.request.method in self.open_methods or self._has_token():
            return False
        if read_authorization(self.authorization) is not None:
            return super().forbidden()
        if why := self._why_not_admitted():
            self.problem.setdefault("detail", why)
        return bool(why)

    def _has_token(self) -> bool:
        """Whether the request has the token that may read the metrics and nothing else."""
        given, token = read_authorization(self.authorization), self.gateway.settings.metrics.token
        if given is None or given.scheme != BEARER or not token:
            return False
        return hmac.compare_digest(given.text.encode("utf-8", "surrogateescape"), token.encode())

    def _why_not_admitted(self) -> str:
        """Why somebody without credentials is not admitted; "" if he is."""
        settings = self.gateway.settings
        if is_foreign(self.request.environ, settings):  # a page in the browser of somebody who is admitted
            return ERRORS["foreign"].text
        addresses = client_addresses(self.request.environ, settings.server.proxies)
        if any(address in network for address in addresses for network in settings.metrics.allow):
            return ""
        return "Metrics are read from the networks in [metrics] allow, with [metrics] token as a Bearer token, or as an administrator"

    def to_text(self) -> bytes:
        return Exposition(self.gateway.parts.collection.figures()).text()

    def to_open_text(self) -> bytes:
        return Exposition(self.gateway.parts.collection.figures()).open_text()


def client_addresses(environ: Mapping[str, Any], proxies: int) -> tuple[Address, ...]:
    """The client's address; none where it is not known, both of the loopback for a client at a Unix socket.

    A field that names other addresses, and is not believed, comes from a proxy that nobody has configured: then the peer is not the client.
    """
    if any(name in environ for name in FORWARDED) and not _is_believed(environ, proxies):
        return ()
    text = str(environ.get("REMOTE_ADDR", ""))
    if not text or text.startswith("unix:"):
        return LOOPBACK
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ()
    return (getattr(address, "ipv4_mapped", None) or address,)


def _is_believed(environ: Mapping[str, Any], proxies: int) -> bool:
    """Whether trusted proxies have told the client's address, each of them."""
    told = str(environ.get("HTTP_X_FORWARDED_FOR", ""))
    return proxies > 0 and BELIEVED in environ and told.count(",") + 1 >= proxies and bool(told.strip())
