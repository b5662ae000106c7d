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
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from drivers import Driver, Place, Table, Write
from xmpp_rest.auth.account_tokens import AccountTokens
from xmpp_rest.auth.lifetimes import require_bounded
from xmpp_rest.auth.record import ACCOUNTS, Record, fingerprint, updated
from xmpp_rest.auth.remembered import RememberedTables
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid

TOKENS = "oauth_token"  # the store; its user is the hash
MAX_TOKENS = 1000  # of one account; the ones that end first give way
MORE = 20  # that part of them may be there beyond, so that not each new token makes all be read
SWEEP = 60  # seconds between two searches for tokens that are long expired, each in one page of them all
SWEPT = 100  # tokens of such a page; twice as many are looked at as are issued
PAGE = 500  # tokens that a listing reads at once
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
        self._of_accounts = AccountTokens(driver, self._end_of)
        self._swept = -math.inf  # monotonic time
        self._issued = 0  # since then
        self._last = secrets.token_hex(2)  # the hash up to which was looked; commands that issue one token begin anywhere

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
            full = self._of_accounts.add(owner, _hash(text), now + seconds, MAX_TOKENS, MAX_TOKENS // MORE)
            if full:  # so that tokens cannot fill the storage
                self._drop(owner, _hash(text))
        return text

    def _drop(self, owner: JID, newest: str) -> None:
        """Drop the account's tokens beyond MAX_TOKENS, and what is known of those that have ended."""
        ends, now = self._of_accounts.ends(owner), time.time()
        ended = [name for name, end in ends.items() if end <= now and name != newest]
        alive = sorted(ends.keys() - {*ended, newest}, key=lambda name: ends[name])
        beyond = alive[: max(0, len(alive) + 1 - MAX_TOKENS)]
        self._remove(self._of(owner, beyond))
        self._of_accounts.forget(owner, {*ended, *beyond})

    def _end_of(self, name: str) -> float | None:
        token = self._load(name)
        return token.expires if token else None

    def _of(self, owner: JID, names: Sequence[str]) -> list[str]:
        """Those of the tokens that are there, and are of this account."""
        tables = self._driver.bulk_read([Place(name, self._domain, TOKENS, "keyval") for name in names])
        tokens = (_token_of(name, table) for name, table in zip(names, tables, strict=True) if isinstance(table, dict))
        return [token.hash for token in tokens if token and token.owner == owner]

    def _remove(self, names: Sequence[str]) -> None:
        if not names:
            return
        errors = self._driver.write_all([Write(name, self._domain, TOKENS, None) for name in names])
        for error in filter(None, errors):
            raise error

    def check(self, text: str) -> Token | None:
        """The token of this text, unless it is unknown or expired."""
        token = self._known.get(_hash(text), self._domain)
        return token if token and token.expires > time.time() else None

    def revoke(self, text: str) -> None:
        """Revoke a token, by its text or by the hash that `all` shows, if there is one."""
        name = text if _HASH.fullmatch(text) else _hash(text)
        token = self._load(name)
        self._remove([name])
        if token and token.owner.local and token.owner.domain == self._domain:
            self._of_accounts.forget(token.owner, [name])

    def revoke_all(self, owner: JID) -> int:
        """Take back every token of this hosted account; how many there were."""
        names = self._of(owner, [*self._of_accounts.take(owner)])
        self._remove(names)
        return len(names)

    def all(self) -> Iterator[Token]:
        """Every token that is kept, expired ones included, in the order of their hashes."""
        last = ""
        while page := self._driver.tables_page(self._domain, TOKENS, after=last, limit=PAGE):
            last = page[-1][0]
            yield from filter(None, (_token_of(name, table) for name, table in page))

    def _forget_expired(self) -> None:
        """Look at the next tokens from time to time, and remove those that have expired long ago."""
        self._issued += 1
        if time.monotonic() - self._swept < SWEEP and self._issued < SWEPT // 2:
            return
        self._swept, self._issued = time.monotonic(), 0
        page = self._driver.tables_page(self._domain, TOKENS, after=self._last, limit=SWEPT)
        if len(page) < SWEPT:  # from the first one again
            page += self._driver.tables_page(self._domain, TOKENS, limit=SWEPT - len(page))
        self._last = page[-1][0] if page else ""
        tokens = filter(None, (_token_of(name, table) for name, table in page))
        self._remove([token.hash for token in tokens if token.expires + KEPT < time.time()])

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
