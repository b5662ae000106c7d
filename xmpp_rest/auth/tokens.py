"""Bearer tokens: their scopes, lifetime and storage (commands-api §13).

A token is kept as the hash of its text, under that hash, so that a copy of the storage opens nothing and a look-up reads one record.
It is bound to the account as it was when the token was issued: to its credentials by a digest, and to the time. Changing the
password, or removing the account and creating another of that name, ends the token, whichever program does so.
"""

from __future__ import annotations

import hashlib
import math
import re
import secrets
import string
import time
from collections.abc import Callable
from typing import NamedTuple

from drivers import Driver, Table
from xmpp_rest.auth.lifetimes import require_bounded
from xmpp_rest.auth.record import ACCOUNTS, Record, fingerprint, updated
from xmpp_rest.auth.remembered import RememberedTables
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid

TOKENS = "oauth_token"  # the store; its user is the hash
TOKENS_OF = "oauth_tokens"  # a store of each account: the hashes of its tokens, in the order in which they were issued
MAX_TOKENS = 1000  # of one account; the one that ends first gives way
SWEEP = 60  # seconds between two searches for tokens that are long expired: each reads them all
LENGTH = 32  # letters and digits: 190 bits
KEPT = 86400  # seconds for which an expired token can still be seen
_FOREVER = 2**53  # Unix time
_LETTERS = string.ascii_letters + string.digits
_HASH = re.compile(r"[0-9a-f]{64}")


class Token(NamedTuple):
    """What is kept of a token: its hash in lower-case hex, whose it is, what it is for, and Unix time of its end.

    `issued`: Unix time. `account`: the fingerprint of the account's credentials at that time, "" without an account; None for a
    token that is bound to the time alone.
    """

    hash: str
    owner: JID
    scopes: frozenset[str]
    expires: float
    issued: float = 0
    account: str | None = None

    def is_of(self, record: Record | None) -> bool:
        """Whether this record of the owner's account, or that there is none, is what the token was issued for."""
        bound = self.account is None or self.account == fingerprint(self.hash, record)
        # COMPAT Prosody 13: a grant of the very second in which the account was updated is good
        return bound and self.issued >= updated(record)


class Tokens:
    """The tokens issued at `domain`. Methods raise StorageError."""

    def __init__(self, driver: Driver, domain: str) -> None:
        self._driver = driver
        self._domain = domain
        self._known = RememberedTables(driver, TOKENS, _token_of)
        self._swept = -math.inf  # monotonic time

    def issue(self, owner: JID, scopes: list[str], seconds: int) -> str:
        """A new token that lasts so long (see lifetimes.py). Raises ValueError for a time that is too long."""
        require_bounded(seconds)
        self._forget_expired()
        text = "".join(secrets.choice(_LETTERS) for _ in range(LENGTH))
        now, hosted = int(time.time()), bool(owner.local) and owner.domain == self._domain
        kept = self._driver.load(owner.local, owner.domain, ACCOUNTS) if hosted else None
        account = kept if isinstance(kept, dict) else None
        issued = max(now, math.ceil(min(updated(account), _FOREVER)))  # another machine's clock may be ahead of this one's
        record = {
            "owner": str(owner), "scopes": sorted(set(scopes)), "expires": now + seconds,
            "issued": issued, "account": fingerprint(_hash(text), account),
        }  # fmt: skip
        self._driver.store(_hash(text), self._domain, TOKENS, record)
        if hosted:  # others cannot authenticate with one
            self._make_room(owner, _hash(text))
        return text

    def _make_room(self, owner: JID, newest: str) -> None:
        """Record the account's newest token, and drop the oldest ones, so that tokens cannot fill the storage."""
        names = self._note(owner, lambda names: [*names, newest])
        if len(names) <= MAX_TOKENS:
            return
        now = time.time()
        alive = [token for name in names if (token := self._load(name)) and token.owner == owner and token.expires > now]
        ending = sorted((token for token in alive if token.hash != newest), key=lambda token: token.expires)
        for token in ending[: max(0, len(alive) - MAX_TOKENS)]:
            self.revoke(token.hash)
            alive.remove(token)
        gone = set(names) - {token.hash for token in alive}
        self._note(owner, lambda names: [name for name in names if name not in gone])

    def _note(self, owner: JID, change: Callable[[list[str]], list[str]]) -> list[str]:
        """Change the list of the account's tokens; what it is then."""
        noted: list[str] = []

        def work(old: Table | None) -> Table:
            noted[:] = change([name for name in old if isinstance(name, str)] if isinstance(old, list) else [])
            return list(noted)

        self._driver.update(owner.local, owner.domain, TOKENS_OF, work)
        return noted

    def check(self, text: str) -> Token | None:
        """The token of this text, unless it is unknown or expired."""
        token = self._known.get(_hash(text), self._domain)
        return token if token and token.expires > time.time() else None

    def revoke(self, text: str) -> None:
        """Revoke a token, by its text or by the hash that `all` shows, if there is one."""
        name = text if _HASH.fullmatch(text) else _hash(text)
        self._driver.store(name, self._domain, TOKENS, None)

    def revoke_all(self, owner: JID) -> int:
        """Take back every token of this hosted account; how many there were."""
        noted: list[str] = []

        def take(names: list[str]) -> list[str]:
            noted[:] = names
            return []

        self._note(owner, take)
        tokens = [token for name in dict.fromkeys(noted) if (token := self._load(name)) and token.owner == owner]
        for token in tokens:
            self.revoke(token.hash)
        return len(tokens)

    def all(self) -> list[Token]:
        """Every token that is kept, expired ones included."""
        found = [self._load(name) for name in self._driver.users(self._domain, TOKENS)]
        return [token for token in found if token]

    def _forget_expired(self) -> None:
        if time.monotonic() - self._swept < SWEEP:
            return
        self._swept = time.monotonic()
        for token in self.all():
            if token.expires + KEPT < time.time():
                self.revoke(token.hash)

    def _load(self, name: str) -> Token | None:
        record = self._driver.load(name, self._domain, TOKENS)
        return None if record is None else _token_of(name, record)


def _token_of(name: str, record: Table) -> Token | None:
    """The token of a table; None for what another program has written."""
    if not isinstance(record, dict):
        return None
    try:
        owner = parse_jid(str(record["owner"]))
        scopes, account = frozenset(map(str, record.get("scopes") or ())), record.get("account")
        issued = float(record.get("issued", 0))  # of a token of an older gateway: unknown
        return Token(name, owner, scopes, int(record["expires"]), issued, None if account is None else str(account))
    except (KeyError, TypeError, ValueError, InvalidJID):
        return None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
