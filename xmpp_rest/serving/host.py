"""Checks of the value of a Host field (RFC 9110 §7.2, RFC 3986 §3.2.2)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

# a registered name, without the comma, which joins fields that were there twice; or an address in brackets
_HOST = re.compile(r"(?:(?P<name>(?:[A-Za-z0-9._~!$&'()*+;=-]|%[0-9A-Fa-f]{2})+)|\[(?P<address>[0-9A-Fa-f:.]+)\])(?::(?P<port>[0-9]*))?")
_MAX_PORT = 65535


@lru_cache(maxsize=256)
def is_host(value: str) -> bool:
    """Whether it names a host, perhaps with a port; nothing and user information (RFC 9110 §4.2.4) do not."""
    match = _HOST.fullmatch(value)
    if match is None or len(match["port"] or "") > len(str(_MAX_PORT)) or int(match["port"] or 0) > _MAX_PORT:
        return False
    if match["address"] is None:
        return True
    try:
        ipaddress.IPv6Address(match["address"])
    except ValueError:
        return False
    return True


def names_host(environ: Mapping[str, Any]) -> bool:
    """Whether a WSGI request has the Host field that it has to have (RFC 9112 §3.2): from HTTP/1.1 on one, and never a wrong one."""
    host = environ.get("HTTP_HOST")
    if host is None:
        return str(environ.get("SERVER_PROTOCOL", "HTTP/1.0")) in ("HTTP/1.0", "HTTP/0.9")
    return is_host(host)
