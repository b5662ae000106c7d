"""Readers of the settings of files. Each raises ValueError with the sentence that tells what would be right."""

from __future__ import annotations

import re

from xmpp_rest.config.readers import split_list
from xmpp_rest.protocol.jid import InvalidJID, parse_jid

WORDS = frozenset({"account", "callback", "all"})
"""What may stand in `access` besides addresses and domains."""
_WORD = r"[A-Za-z0-9!#$&^_.+-]+"
_TYPES = re.compile(rf"{_WORD}/(?:\*|{_WORD})")
_HOST = re.compile(r"(?:\*\.)?(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


def uploaders(value: str) -> tuple[str, ...]:
    """Who may upload: words, bare addresses, and domains, also written `*@domain`; each once."""
    found = tuple(dict.fromkeys(_uploader(entry) for entry in split_list(value)))
    if not found:
        raise ValueError("write one or more of account, callback, all, addresses and domains, separated by commas")
    return found


def _uploader(entry: str) -> str:
    if entry in WORDS:
        return entry
    try:
        address = parse_jid(entry.removeprefix("*@"))
    except InvalidJID as e:
        raise ValueError(f"{entry!r}: write account, callback, all, an address, or a domain such as capulet.example ({e})") from e
    if address.resource or (address.local and entry.startswith("*@")):
        raise ValueError(f"{entry!r}: write an address without a resource, or *@ and a domain")
    return str(address)


def media_types(value: str) -> tuple[str, ...]:
    """Media types, in lower case, also as `image/*`; none for an empty value."""
    found = split_list(value)
    if wrong := [entry for entry in found if not _TYPES.fullmatch(entry)]:
        raise ValueError(f"{wrong[0]!r}: write media types such as image/* or text/plain, separated by commas")
    return tuple(dict.fromkeys(entry.lower() for entry in found))


def hosts(value: str) -> tuple[str, ...]:
    """Hosts of URLs in lower case, also `*.example.net`, each with a port or without."""
    found = split_list(value)
    if wrong := [entry for entry in found if not _HOST.fullmatch(entry)]:
        raise ValueError(f"{wrong[0]!r}: write hosts such as files.example.net, *.example.net or 192.0.2.7:8080, separated by commas")
    return tuple(dict.fromkeys(entry.lower() for entry in found))
