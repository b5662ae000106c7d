"""OAuth clients: programs that may ask for tokens under a name of their own, and their secrets (RFC 6749 §2.2).

Those of the password grant have a secret (§2.3.1); those of the implicit grant have a URI that users are sent back to (§3.1.2.2).
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
from urllib.parse import urlsplit

from drivers import Driver

CLIENTS = "oauth_client"  # the store, of the host
_URI = re.compile(r"[a-z][a-z0-9+.\-]*:[!$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+")  # RFC 3986 §4.3
_AUTHORITY = re.compile(r"([a-z0-9.\-]+|\[[0-9a-f:.]+\])?(:[0-9]{1,5})?")
_PRIVATE = re.compile(r"[a-z][a-z0-9+\-]*(\.[a-z0-9+\-]+)+")  # RFC 8252 §7.1: a domain name reversed, so with a dot
REDIRECTS = "https, http on the loopback address, or an app's own scheme with a dot in it, such as com.example.app:/back; no fragment"
ITERATIONS = 10_000  # PBKDF2


class Clients:
    """The registered clients of `domain`. Only a salted hash of a secret is kept. Methods raise StorageError."""

    def __init__(self, driver: Driver, domain: str) -> None:
        self._driver = driver
        self._domain = domain

    def add(self, identifier: str, name: str, secret: str) -> None:
        """Register a client, or give it another name and secret."""
        salt = secrets.token_hex(16)
        row = {"name": name, "salt": salt, "secret": _hash(secret, salt)}
        self._driver.update(None, self._domain, CLIENTS, lambda old: {**_table(old), identifier: row})

    def add_implicit(self, identifier: str, name: str, redirect_uri: str) -> None:
        """Register a client of the implicit grant, or change it. Raises ValueError for what is not a URI to be sent back to."""
        if not _is_redirect(redirect_uri):
            raise ValueError(f"redirect_uri: write a whole URI such as https://app.example.net/back: {REDIRECTS}")
        row = {"name": name, "redirect_uri": redirect_uri}
        self._driver.update(None, self._domain, CLIENTS, lambda old: {**_table(old), identifier: row})

    def implicit(self, identifier: str) -> tuple[str, str] | None:
        """Name and redirection URI of a client of the implicit grant; None if there is no such client, or its URI is none to be sent to."""
        row = _table(self._driver.load(None, self._domain, CLIENTS)).get(identifier)
        if not isinstance(row, dict) or not isinstance(row.get("redirect_uri"), str) or not _is_redirect(row["redirect_uri"]):
            return None
        return str(row.get("name", "")), row["redirect_uri"]

    def remove(self, identifier: str) -> None:
        """Remove a client, if there is one."""
        self._driver.update(None, self._domain, CLIENTS, lambda old: {k: v for k, v in _table(old).items() if k != identifier})

    def check(self, identifier: str, secret: str) -> bool:
        """Whether there is a client of this name with this secret."""
        row = _table(self._driver.load(None, self._domain, CLIENTS)).get(identifier)
        salt, kept = (str(row.get("salt", "")), str(row.get("secret", ""))) if isinstance(row, dict) else ("", "")
        return hmac.compare_digest(_hash(secret, salt), kept) and bool(kept)


def _is_redirect(uri: str) -> bool:
    """Whether a user may be sent back there: RFC 9700 §2.1, RFC 8252 §7.1 and §7.3."""
    try:
        parts = urlsplit(uri)
        parts.port  # noqa: B018  # raises for one that there cannot be
    except ValueError:
        return False
    if not (_URI.fullmatch(uri) and _AUTHORITY.fullmatch(parts.netloc)):
        return False
    match parts.scheme:
        case "https":
            return bool(parts.hostname)
        case "http":
            return _is_loopback(parts.hostname or "")
    return bool(_PRIVATE.fullmatch(parts.scheme))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _table(stored: object) -> dict[str, object]:
    return dict(stored) if isinstance(stored, dict) else {}


def _hash(secret: str, salt: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", secret.encode("utf-8", "surrogateescape"), salt.encode(), ITERATIONS).hex()
