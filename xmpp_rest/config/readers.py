"""Readers of the values of settings: each returns the value, or raises ValueError with what would be right."""

from __future__ import annotations

import base64
import binascii
import difflib
import ipaddress
import math
import os
import re
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.prep import PrepError, nameprep

T = TypeVar("T")
EVENTS = ("bare", "full", "host")
CONTENT_TYPES = {  # short name → media type that a stanza can be written in
    "xml": "application/xmpp+xml",
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "cbor": "application/cbor",
}


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def portion(whole: int, percent: int) -> int:
    """`percent` of `whole`, rounded up: at least 1."""
    return -(-whole * percent // 100)


def text(value: str) -> str:
    return value


def networks(value: str) -> tuple[Network, ...]:
    """Addresses and networks."""
    try:
        return tuple(ipaddress.ip_network(entry, strict=False) for entry in value.replace(",", " ").split())
    except ValueError:
        raise ValueError("write addresses and networks, separated by commas, such as 192.0.2.7, 198.51.100.0/24") from None


def _bare(value: str, what: str) -> str:
    """A text without comments and quotation marks."""
    if not value or re.search(r"[\0\n]|(?:^|\s)[;#]", value) or value[0] in "'\"":
        raise ValueError(f"write {what}")
    return value


def line(value: str) -> str:
    """A text that no program takes for two, or for the end of one."""
    if re.search(r"[\0\n]", value):
        raise ValueError("write one line without control characters")
    return value


def _path(value: str, what: str) -> str:
    """A path that the system can have: NAME_MAX and PATH_MAX of Linux, of which something is left for what stands below."""
    if len(os.fsencode(value)) > 3072 or any(len(os.fsencode(part)) > 255 for part in value.split("/")):
        raise ValueError(f"write {what} that is shorter")
    return _bare(value, what)


def folder(value: str) -> str:
    return _path(value, "the path of a folder")


def file_path(value: str) -> str:
    return _path(value, "the path of a file")


def host_name(value: str) -> str:
    """The host of a server: a name, or an address with or without brackets."""
    bare = value.removeprefix("[").removesuffix("]")
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        pass
    example = "a name or address alone, such as 127.0.0.1 or xmpp.example.net"
    if re.fullmatch(r"[^/:]+:[0-9]+|\[.*\]:[0-9]+", value):
        raise ValueError(f"write {example}; port is a key of its own: port = {value.rpartition(':')[2]}")
    if not re.fullmatch(r"[^\s/:@;#'\"\[\]]+", value):
        raise ValueError(f"write {example}, without port, scheme and path")
    return value


def class_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*", value):
        raise ValueError("write xmpp_rest.serving.worker.Worker, gthread or gevent")
    return value


def optional(read: Callable[[str], str]) -> Callable[[str], str]:
    """A reader for which an empty value means: none."""
    return lambda value: read(value) if value else ""


def number(low: int, high: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,18}", value) or not low <= int(value) <= high:
            raise ValueError(f"write a whole number from {low} to {high}")
        return int(value)

    return read


def processes(most: int) -> Callable[[str], int]:
    """A number of processes; auto: one for each processor that may be used, up to `most`."""

    def auto() -> int:
        usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(usable, most)

    return number_or_auto(1, 64, auto)


def number_or_auto(low: int, high: int, auto: Callable[[], int] = lambda: 0) -> Callable[[str], int]:
    """An integer within these bounds; auto: what `auto` returns; 0 lets the user of the setting choose."""
    fixed = number(low, high)

    def read(value: str) -> int:
        try:
            return auto() if value == "auto" else fixed(value)
        except ValueError as e:
            raise ValueError(f"{e}, or auto") from None

    return read


def api_version(value: str) -> int:
    """A version of the command API; a release is compared as text (COMPAT ejabberd)."""
    if re.fullmatch(r"[0-3]", value):
        return int(value)
    if not re.fullmatch(r"[0-9]{2}\.[0-9]{2}(\.[0-9]+|-[0-9]+)?", value):
        raise ValueError("write a number from 0 to 3, or a release such as 24.06")
    return 2 if value >= "24.06" else int(value > "23.10")


def seconds(low: float, high: float) -> Callable[[str], float]:
    def read(value: str) -> float:
        if not re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,18})?", value) or not low <= float(value) <= high:
            raise ValueError(f"write a number of seconds from {low:g} to {high:g}")
        return float(value)

    return read


YEAR = 365.25  # days
DAYS = {"d": 1.0, "m": YEAR / 12, "y": YEAR}


def keep(value: str) -> float:
    """How long something is kept, in seconds; infinity forever."""
    if value == "forever":
        return math.inf
    match = re.fullmatch(r"([1-9][0-9]{0,4})([dmy])", value)
    if not match:
        raise ValueError("write a number of days, months or years, such as 30d, 12m or 1y, or forever")
    return int(match[1]) * DAYS[match[2]] * 86400


def choice(*words: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in words:
            close = difflib.get_close_matches(value.lower(), [w.lower() for w in words], 1)
            meant = next((f" (did you mean {w}?)" for w in words if [w.lower()] == close), "")
            raise ValueError(f"write one of {', '.join(words)}{meant}")
        return value

    return read


def yes_or_no(value: str) -> bool:
    return choice("yes", "no")(value) == "yes"


def some_of(*words: str) -> Callable[[str], frozenset[str]]:
    def read(value: str) -> frozenset[str]:
        chosen = frozenset(split_list(value))
        if not chosen or not chosen <= set(words):
            wrong = "".join(f"{word!r}: " for word in sorted(chosen - set(words))[:1])
            raise ValueError(f"{wrong}write one or more of {', '.join(words)}, separated by commas")
        return chosen

    return read


def some_of_or_auto(*words: str) -> Callable[[str], frozenset[str]]:
    """As `some_of`; auto: none, and the user of the setting chooses."""
    fixed = some_of(*words)

    def read(value: str) -> frozenset[str]:
        try:
            return frozenset() if value == "auto" else fixed(value)
        except ValueError as e:
            raise ValueError(f"{e}, or auto") from None

    return read


def split_list(value: str) -> list[str]:
    """The parts of a text separated by commas or blanks."""
    return [part for part in re.split(r"[,\s]+", value) if part]


def mode(value: str) -> int:
    """Permissions, octal."""
    if not re.fullmatch(r"0?[0-7]{3}", value):
        raise ValueError("write three octal digits, such as 660")
    return int(value, 8)


def domain_name(value: str) -> str:
    try:
        return nameprep(value)
    except PrepError as e:
        raise ValueError(f"write a domain such as gateway.example.net ({e})") from e


def callers(value: str) -> tuple[str, ...]:
    """The callers of a rule: words, addresses with globs, networks."""
    found = tuple(split_list(value))
    for entry in found:
        if entry not in ("admin", "account", "anonymous", "all") and not re.fullmatch(r"[^@/]+@[^@/]+", entry):
            try:
                ipaddress.ip_network(entry)
            except ValueError as e:
                known = "admin, account, anonymous, all, an address such as romeo@montague.example, or a network such as 192.0.2.0/24"
                raise ValueError(f"{entry}: write {known} ({e})") from e
    if not found:
        raise ValueError("write at least one of admin, account, anonymous, all, an address or a network")
    return found


def commands(value: str) -> tuple[str, ...]:
    """The commands of a rule."""
    found = tuple(split_list(value))
    if wrong := [entry for entry in found if not re.fullmatch(r"!?(\*|[a-z0-9_]+|\[tag:[a-z0-9_]+\])", entry)]:
        raise ValueError(f"{wrong[0]}: write names of commands, [tag:NAME] or *, each optionally after a !")
    return found


def front_ends(value: str) -> tuple[str, ...]:
    """The front ends of calls, by their names in rules (COMPAT ejabberd)."""
    names = {"api": "mod_http_api", "ctl": "ejabberd_ctl", "mod_http_api": "mod_http_api", "ejabberd_ctl": "ejabberd_ctl"}
    if wrong := [entry for entry in split_list(value) if entry not in names]:
        raise ValueError(f"{wrong[0]}: write api, ctl, or both")
    return tuple(names[entry] for entry in split_list(value))


def scopes(value: str) -> frozenset[str]:
    found = frozenset(split_list(value))
    if wrong := [entry for entry in found if not re.fullmatch(r"[a-z0-9_:]+", entry)]:
        raise ValueError(f"{wrong[0]}: write scopes such as ejabberd:user, or names of commands")
    return found


def generation(value: str) -> int:
    return int(choice("6", "3")(value))


def url_prefix(value: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", value):
        raise ValueError("write a path such as /api, without a slash at its end")
    return value


def optional_prefix(value: str) -> str | None:
    """A path below which something is served, without a slash at its end: "" for /, None where it is not served."""
    if not value:
        return None
    return "" if value == "/" else url_prefix(value)


def origins(value: str) -> frozenset[str]:
    """`*`, or origins as browsers send them (RFC 6454 §6.2), those of apps and extensions too (capacitor://localhost)."""
    chosen = frozenset(split_list(value))
    for origin in chosen - {"*"}:
        if not re.fullmatch(r"[a-z][a-z0-9+.\-]*://[a-z0-9._\-\[\]:]+", origin):
            raise ValueError("write origins such as https://app.example.net, in lower case and without a path, separated by commas; or *")
    return chosen


def header_text(value: str) -> str:
    if not re.fullmatch(r"[ !#-\[\]-~]+", value):
        raise ValueError("write printable ASCII without quotation marks and backslashes")
    return value


def jid(value: str) -> JID:
    try:
        return parse_jid(value)
    except InvalidJID as e:
        raise ValueError(f"{value!r}: write an address such as romeo@montague.example ({e})") from e


def jids(value: str) -> tuple[JID, ...]:
    addresses = tuple(jid(part) for part in split_list(value))
    if wrong := [a for a in addresses if a.resource]:
        raise ValueError(f"{wrong[0]}: write addresses without a resource, such as {wrong[0].bare}")
    if not addresses:
        raise ValueError("write at least one address, such as romeo@montague.example")
    return addresses


def http_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError as e:  # the value is not part of the sentence: it may hold a password
        raise ValueError("write a URL that begins with http:// or https://, whose port, if it has one, is at most 65535") from e
    if parts.scheme not in ("http", "https") or not host or re.search(r"\s", value):
        raise ValueError("write a URL that begins with http:// or https://, without blanks")
    return value


def bearer(value: str) -> str:
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "bearer" or not re.fullmatch(r"[!-~]+", token):
        raise ValueError("write `Bearer TOKEN`, the whole value of the Authorization field")
    return f"Bearer {token}"


def opaque_token(value: str) -> str:
    if not re.fullmatch(r"[!-~]+", value):
        raise ValueError("write a token alone, in printable ASCII without blanks")
    return value


def content_type(value: str) -> str:
    full = CONTENT_TYPES.get(value, value)
    if full not in CONTENT_TYPES.values():
        raise ValueError(f"write one of {', '.join(CONTENT_TYPES.values())}, or in short {', '.join(CONTENT_TYPES)}")
    return full


def signing_secret(value: str) -> bytes:
    """The key of Standard Webhooks signatures: `whsec_` and base64, or literal text."""
    if not value.startswith("whsec_"):
        return value.encode()
    try:
        key = base64.b64decode(value.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise ValueError("write whsec_ and the secret in base64, or any other text, which is then the secret itself")
    return key
