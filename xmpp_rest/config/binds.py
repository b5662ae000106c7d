"""The addresses to listen on: `[server] bind`."""

from __future__ import annotations

import ipaddress
import re
from itertools import combinations
from typing import NamedTuple

LOOPBACK = "127.0.0.1"
MOST_PORT = 65535
FORM = "write HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080, PORT alone for loopback, or unix:PATH; several are separated by commas"


class Bind(NamedTuple):
    """One address: host and port, or the path of a Unix socket, as it is written."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if self.is_ipv6 else f"{self.host}:{self.port}"

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.host


def parse(value: str) -> tuple[Bind, ...]:
    """The addresses of a value of `[server] bind`. Raises ValueError: what would be right."""
    found = tuple(_read(part) for part in (part.strip() for part in value.split(",")) if part)
    if not found:
        raise ValueError(f"there is no address; {FORM}")
    for one, other in combinations(found, 2):
        if _overlap(one, other):
            raise ValueError(f"{one} and {other} are one address; write one of them")
    return found


def _read(text: str) -> Bind:
    if text.startswith("unix:"):
        return Bind(path=_path(text.removeprefix("unix:")))
    host, colon, port = text.rpartition(":")
    if not re.fullmatch(r"[0-9]+", port) or (colon and not re.fullmatch(r"|\[[^\[\]]*\]|[^\s/@:'\";#\[\]]+", host)):
        brackets = "; an IPv6 address stands in brackets" if text.count(":") > 1 and "[" not in text else ""
        raise ValueError(f"{FORM}{brackets}")
    if len(port) > len(str(MOST_PORT)) or int(port) > MOST_PORT:
        raise ValueError(f"a port is at most {MOST_PORT}; {FORM}")
    if host == "*":
        raise ValueError(f"write 0.0.0.0:{port} for all addresses of this machine, or [::]:{port} for those of IPv6 as well")
    return Bind(_host(host), int(port))


def _host(text: str) -> str:
    if not text:
        return LOOPBACK
    if text[0] != "[":
        return text
    try:
        return str(ipaddress.IPv6Address(text[1:-1]))
    except ValueError:
        raise ValueError(f"{text} holds no IPv6 address; {FORM}") from None


def _path(text: str) -> str:
    if not text or re.search(r"[\0\s'\";#]|/$", text):
        raise ValueError("write unix: and the path of a file without blanks, such as unix:/run/xmpp-rest/http.sock")
    return text


def _overlap(one: Bind, other: Bind) -> bool:
    """Whether only one of them could be listened on. Addresses of both families beside each other are two."""
    if one.path or other.path:
        return one.path == other.path
    if one.port == 0 or one.port != other.port or one.is_ipv6 != other.is_ipv6:
        return False
    return one.host == other.host or _is_every(one.host) or _is_every(other.host)


def _is_every(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:  # a name
        return False
