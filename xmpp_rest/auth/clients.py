"""Which programs may ask for tokens with their users' passwords under a name of their own? (RFC 6749 §2.2, §2.3.1)"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from drivers import Driver

CLIENTS = "oauth_client"  # the store, of the host
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

    def remove(self, identifier: str) -> None:
        """Forget a client; nothing happens where there is none."""
        self._driver.update(None, self._domain, CLIENTS, lambda old: {k: v for k, v in _table(old).items() if k != identifier})

    def check(self, identifier: str, secret: str) -> bool:
        """Whether there is a client of this name with this secret."""
        row = _table(self._driver.load(None, self._domain, CLIENTS)).get(identifier)
        salt, kept = (str(row.get("salt", "")), str(row.get("secret", ""))) if isinstance(row, dict) else ("", "")
        return hmac.compare_digest(_hash(secret, salt), kept) and bool(kept)


def _table(stored: object) -> dict[str, object]:
    return dict(stored) if isinstance(stored, dict) else {}


def _hash(secret: str, salt: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", secret.encode("utf-8", "surrogateescape"), salt.encode(), ITERATIONS).hex()
