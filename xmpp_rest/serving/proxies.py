"""Believes the forwarding fields of the configured proxies alone (RFC 7239 §8.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

from werkzeug.middleware.proxy_fix import ProxyFix

Network = IPv4Network | IPv6Network
WSGI = Callable[[dict[str, Any], Any], Iterable[bytes]]
_PREFIX = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*/?")  # one slash at the start: with two it would be a host (RFC 3986 §4.2)

_SCHEMES = frozenset({"http", "https"})


class TrustedProxies:
    """WSGI: X-Forwarded-For, -Proto, -Host and -Prefix count if the peer is in `networks`, and as far as `count` proxies wrote them."""

    def __init__(self, app: WSGI, count: int, networks: Sequence[Network], ignored: Callable[[str], None]) -> None:
        """`ignored` is called with the address of a client that sends such a field and is not believed."""
        self._ignored = ignored
        self._app = app
        self._proxied = ProxyFix(self._checked, x_for=count, x_proto=count, x_host=count, x_prefix=count)
        self._networks = networks
        self._is_proxy = lru_cache(maxsize=1024)(self._look)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        peer = environ.get("REMOTE_ADDR", "")
        if self._is_proxy(peer):
            return self._proxied(environ, start_response)
        if "HTTP_X_FORWARDED_FOR" in environ:
            self._ignored(peer)
        return self._app(environ, start_response)

    def _checked(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Ignore a prefix that is not a path, and a scheme that is not of HTTP: proxies may hand on what a client wrote."""
        before = environ["werkzeug.proxy_fix.orig"]
        if not _PREFIX.fullmatch(environ.get("SCRIPT_NAME", "")):
            environ["SCRIPT_NAME"] = before["SCRIPT_NAME"] or ""
        if environ["wsgi.url_scheme"].lower() not in _SCHEMES:
            environ["wsgi.url_scheme"] = before["wsgi.url_scheme"]
        return self._app(environ, start_response)

    def _look(self, peer: str) -> bool:
        """A peer without an address has come by a socket of this machine, which only a proxy knows of."""
        if not peer:
            return True
        try:
            address = ip_address(peer.partition("%")[0])
        except ValueError:
            return peer.startswith("unix:")
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)
