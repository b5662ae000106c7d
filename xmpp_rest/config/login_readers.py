"""Readers of the settings of accounts of other servers. Each raises ValueError with the sentence that tells what would be right."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

from xmpp_rest.config import room_readers
from xmpp_rest.config.readers import file_path, split_list
from xmpp_rest.protocol.prep import PrepError, nameprep

EVERY = "*"
BELOW = "*."
"""In front of a domain: any domain below it."""
DNS_PORT = 53
MOST_OF_RESOURCE = 1000  # bytes: a resource has at most 1023 (RFC 6122 §2.1)
_SERVER = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<v4>[0-9.]+))(?::(?P<port>[0-9]{1,5}))?")


def pattern(entry: str) -> str:
    """A domain, prepared, `*.` and a domain, or `*`."""
    if entry == EVERY:
        return entry
    mark = BELOW if entry.startswith(BELOW) else ""
    try:
        return mark + nameprep(entry.removeprefix(mark))
    except PrepError as e:
        raise ValueError(f"{entry[:100]!r}: write domains such as example.org, *.example.org, or * for all ({e})") from e


def patterns(value: str) -> tuple[str, ...]:
    """One or more of them, separated by commas, each once."""
    found = tuple(dict.fromkeys(pattern(entry) for entry in split_list(value)))
    if not found:
        raise ValueError("write at least one domain, such as example.org, *.example.org, or * for all")
    return found


def optional_path(value: str) -> Path | None:
    """The path of a file, or nothing."""
    return Path(file_path(value)) if value else None


def resource_beginning(value: str) -> str:
    """The beginning of a resource, prepared, behind which there is room for what tells accounts apart."""
    found = room_readers.resource(value)
    if len(found.encode()) > MOST_OF_RESOURCE:
        raise ValueError(f"write at most {MOST_OF_RESOURCE} bytes, such as xmpp-rest")
    return found


def nameservers(value: str) -> tuple[tuple[str, int], ...]:
    """Addresses of DNS servers with their ports; or nothing."""
    return tuple(_nameserver(entry) for entry in split_list(value))


def _nameserver(entry: str) -> tuple[str, int]:
    try:
        return str(ipaddress.ip_address(entry)), DNS_PORT
    except ValueError:
        pass
    match = _SERVER.fullmatch(entry)
    try:
        if match and 1 <= int(match["port"] or DNS_PORT) <= 65535:
            return str(ipaddress.ip_address(match["v6"] or match["v4"])), int(match["port"] or DNS_PORT)
    except ValueError:
        pass
    raise ValueError(f"{entry[:100]!r}: write addresses of DNS servers, such as 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53")
