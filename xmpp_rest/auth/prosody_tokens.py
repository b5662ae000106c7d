"""The bearer tokens of a Prosody 13 on the same storage. They are read, and never written.

The text is `secret-token:` and the base64 of `2;GRANT;SECRET;JID`, where SECRET is 18 bytes. The store `auth_tokens` of the account has the
grant by its id, and in its `tokens` the SHA-256 of the secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import re
import time
from collections.abc import Mapping

from drivers import Driver, Value
from xmpp_rest.auth.roles import ACCOUNT_ROLES
from xmpp_rest.auth.scopes import USER_SCOPE
from xmpp_rest.auth.tokens import Token
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid

GRANTS = "auth_tokens"  # the store, of the account
_PREFIX = "secret-token:"  # RFC 8959
_CONTENT = re.compile(rb"2;([^;]+);(.{18});(.+)", re.DOTALL)


class ProsodyTokens:
    """The tokens that a Prosody has issued at `domain`."""

    def __init__(self, driver: Driver, domain: str) -> None:
        self._driver = driver
        self._domain = domain

    def check(self, text: str) -> Token | None:
        """The token of this text, unless it is unknown or expired. It acts as the account, and never as an administrator.

        Raises StorageError.
        """
        read = _parse(text) if text.startswith(_PREFIX) else None
        if read is None or read[2].domain != self._domain or not read[2].local:
            return None
        identifier, secret, owner = read
        grants = self._driver.load(owner.local, owner.domain, GRANTS)
        grant = _table(_table(grants).get(identifier))
        digest = hashlib.sha256(secret).hexdigest()
        token = _table(grant.get("tokens")).get(f"sha256:{digest}")
        created = _time(grant.get("created"), math.nan)
        expires = min(_time(row.get("expires"), math.inf) for row in (grant, _table(token)))
        if not isinstance(token, Mapping) or math.isnan(created) or not expires > time.time():
            return None
        if token.get("role") not in (None, *ACCOUNT_ROLES):  # the rights of other ones are unknown
            return None
        return Token(digest, owner, frozenset((USER_SCOPE,)), expires, created)


def _parse(text: str) -> tuple[str, bytes, JID] | None:
    """Id of the grant, secret, and bare address in the text of a token."""
    try:
        found = _CONTENT.fullmatch(base64.b64decode(text.removeprefix(_PREFIX), validate=True))
        return (found[1].decode(), found[2], parse_jid(found[3].decode()).bare) if found else None
    except (binascii.Error, ValueError, InvalidJID):  # not ASCII, or not UTF-8
        return None


def _table(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, dict) else {}


def _time(value: Value, default: float) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default
