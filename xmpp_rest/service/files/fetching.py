"""Fetches a file from elsewhere, where `[files] fetch` allows it (files §7).

It is the callers of the gateway who choose the URL, so it must lead nobody to what only the gateway can reach: a name is looked up once,
each of its addresses has to be public, and the connection goes to the address that was looked at.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from xmpp_rest.config.file_tables import FileSettings
from xmpp_rest.service.callbacks.deadline_connections import Endpoint
from xmpp_rest.service.callbacks.deadline_socket import Addresses, resolve
from xmpp_rest.service.callbacks.http_client import target_of
from xmpp_rest.service.files.http_exchange import HttpExchange, HttpFailed
from xmpp_rest.service.files.refused import FileRefused, too_large
from xmpp_rest.threads.apart import Apart
from xmpp_rest.threads.daemon_pool import DaemonPool

REDIRECTS = 3
PIECE = 64 << 10  # bytes
LONGEST_URL = 8190  # characters
PORTS = (80, 443)
MOVED = (301, 302, 303, 307, 308)
RESOLVERS = 8  # threads that look names up; a name server may be slow
FETCHING = 16  # files that one process fetches at once
_SHARED = ipaddress.ip_network("100.64.0.0/10")  # RFC 6598
_TRANSLATED = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")))  # IPv4 in IPv6


class FetchedHead(NamedTuple):
    """What is told of a file that is fetched. `media_type`, `disposition`: "" for none; `size`: None if not said; `url`: the last one."""

    media_type: str
    size: int | None
    disposition: str
    url: str


OnHead = Callable[[FetchedHead], Callable[[bytes], None]]
"""Gets the head of the answer; returns what takes the pieces. Both may raise FileRefused."""


class BadUrl(Exception):
    """A URL that is not fetched; the sentence says why."""


class FileFetching:
    """Fetches; waits with the thread that calls it. Safe to be used by several threads."""

    def __init__(self, settings: FileSettings) -> None:
        self._settings = settings
        self._resolvers = DaemonPool(RESOLVERS, "fetched names")
        self._apart = Apart(FETCHING, "fetched files")

    def configure(self, settings: FileSettings) -> None:
        """Work by these settings from now on."""
        self._settings = settings

    @property
    def is_allowed(self) -> bool:
        """Whether anything is fetched."""
        return self._settings.fetch

    def require_allowed(self) -> None:
        """Refuse where nothing is fetched at all. Raises FileRefused."""
        if not self._settings.fetch:
            raise FileRefused(403, "not-allowed", "This gateway fetches no files: [files] fetch is off")

    def check(self, url: str) -> None:
        """Raise BadUrl for what is never fetched, before anything is looked up."""
        self._target(url)

    def fetch_apart(self, url: str, begin: OnHead) -> None:
        """As `fetch`; a task parks meanwhile."""
        self._apart.run(lambda: self.fetch(url, begin))

    def fetch(self, url: str, begin: OnHead) -> None:
        """Fetch it. Raises FileRefused, BadUrl."""
        self.require_allowed()
        last = time.monotonic() + self._settings.fetch_timeout
        try:
            self._fetch(url, begin, last)
        except HttpFailed as e:
            if e.timed_out:
                raise FileRefused(504, "remote-server-timeout", f"The file could not be fetched: {e} ([files] fetch_timeout)") from e
            raise FileRefused(502, "remote-server-not-found", f"The file could not be fetched: {e}") from e

    def _fetch(self, url: str, begin: OnHead, last: float) -> None:
        for _ in range(1 + REDIRECTS):
            target = self._target(url)
            with HttpExchange(target, self._addresses(target, last), self._settings.fetch_timeout, last) as exchange:
                exchange.send_head("GET", {"Accept": "*/*"})
                answer = exchange.answer("GET")
                location = answer.headers.get("Location")
                if answer.status in MOVED and location:
                    url = _moved(url, location)
                    continue
                if answer.status != 200:
                    raise FileRefused(502, "undefined-condition", f"The file could not be fetched: the server has answered {answer.status}")
                if answer.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity"):  # which was not asked for
                    raise FileRefused(502, "undefined-condition", "The file could not be fetched: the server sends it compressed")
                self._take(exchange, FetchedHead(
                    answer.headers.get("Content-Type", ""), answer.length, answer.headers.get("Content-Disposition", ""), url
                ), begin)  # fmt: skip
                return
        raise FileRefused(502, "redirect", f"The file could not be fetched: more than {REDIRECTS} redirects")

    def _take(self, exchange: HttpExchange, head: FetchedHead, begin: OnHead) -> None:
        most = self._settings.max_size
        if head.size is not None and head.size > most:
            raise too_large(most)
        put, size = begin(head), 0
        while piece := exchange.read(PIECE):
            size += len(piece)
            if size > most:
                raise too_large(most)
            put(piece)

    # where it goes

    def _target(self, url: str) -> Endpoint:
        if len(url) > LONGEST_URL or any(c.isspace() or not c.isprintable() for c in url):
            raise BadUrl(f"write a URL of at most {LONGEST_URL} printable characters")
        try:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise BadUrl("write a URL that begins with http:// or https://, and names a host")
            if "@" in parts.netloc:
                raise BadUrl("a user or password in it is not sent")
            target = target_of(url)
        except ValueError as e:  # UnicodeError is one
            raise BadUrl(f"this is not a URL: {e}") from e
        if target.port not in PORTS and not self._names(target, with_port=True):
            raise BadUrl("only the ports 80 and 443 are fetched from, and those that [files] fetch_hosts names")
        return target

    def _names(self, target: Endpoint, *, with_port: bool) -> bool:
        """Whether `fetch_hosts` names this host; `with_port`: together with its port."""
        return any(_fits(pattern, target, with_port=with_port) for pattern in self._settings.fetch_hosts)

    def _addresses(self, target: Endpoint, last: float) -> Addresses:
        """Where to connect to. Raises FileRefused, HttpFailed."""
        if self._settings.fetch_hosts and not self._names(target, with_port=False):
            raise FileRefused(403, "policy-violation", f"{target.host} is not among [files] fetch_hosts")
        try:
            found = resolve(target.host, target.port, last, self._resolvers)
        except TimeoutError as e:
            raise HttpFailed("its name could not be looked up in time", timed_out=True) from e
        except (OSError, UnicodeError) as e:
            raise HttpFailed("the host name cannot be resolved") from e
        if not self._names(target, with_port=True) and not (found and all(map(is_public, ips_of(found)))):
            raise FileRefused(
                403, "policy-violation", f"{target.host} is not public, and [files] fetch_hosts does not name it with its port"
            )
        return found


def _moved(url: str, location: str) -> str:
    """Where a redirect leads. Raises BadUrl."""
    try:
        return urljoin(url, location)
    except ValueError as e:
        raise BadUrl(f"it leads to what is not a URL: {e}") from e


def _fits(pattern: str, target: Endpoint, *, with_port: bool) -> bool:
    host, colon, port = pattern.rpartition(":")
    if not colon or port.endswith("]") or not port.isdigit():
        host, port = pattern, ""
    if with_port and port != str(target.port):
        return False
    if port and port != str(target.port):
        return False
    name, wanted = target.host.lower().rstrip("."), host.strip("[]")
    return name.endswith(wanted[1:]) if wanted.startswith("*.") else name == wanted


def ips_of(addresses: Addresses) -> Iterator[str]:
    for family, _, _, _, address in addresses:
        yield address[0] if family in (socket.AF_INET, socket.AF_INET6) else ""


def is_public(text: str) -> bool:
    """Whether this address is one that anybody can reach: no loopback, private, link-local, shared, multicast or reserved one."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(str(address.ipv4_mapped))
        if address.is_site_local or any(address in network for network in _TRANSLATED) or int(address) < 1 << 32:
            return False
    elif address in _SHARED:
        return False
    unreachable = address.is_private or address.is_loopback or address.is_link_local or address.is_multicast or address.is_reserved
    return address.is_global and not unreachable and not address.is_unspecified
