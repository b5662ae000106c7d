"""Whom does an Authorization field name, and is it true? (RFC 9110 §11.6.2, RFC 7617, RFC 6750)"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import NamedTuple

from drivers import Driver
from xmpp_rest.auth.grants import Grants
from xmpp_rest.auth.passwords import Passwords
from xmpp_rest.auth.record import ACCOUNTS, BANNED, Record
from xmpp_rest.auth.scopes import ACCOUNT_SCOPES, ADMIN_SCOPE, Use, matches, recipients
from xmpp_rest.auth.throttle import Throttle
from xmpp_rest.auth.tokens import Token, Tokens
from xmpp_rest.protocol.jid import JID, InvalidJID, local_jid, parse_jid

MAX_HEADER = 8192  # bytes; a password has at most 1023


class Outcome(Enum):
    """Why there is no caller."""

    MISSING = "missing"  # no Authorization field
    WRONG = "wrong"  # it names nobody, or the password is wrong
    FORBIDDEN = "forbidden"  # the token is good, but not for this
    THROTTLED = "throttled"  # too many wrong passwords lately


class Kind(Enum):
    """What stands after the credentials."""

    ACCOUNT = "account"
    COMPONENT = "component"  # the fixed token of [rest] credentials: the gateway's domain itself


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a bare JID of an account, or the hosted domain for the component token.

    `admin`: whether the caller is a configured administrator, and the credentials are good for that.
    `scopes`: those of a token, None for a password.
    `recipients`: a token lets its bearer do nothing but send messages to these addresses (globs); None: there is no such limit.
    """

    jid: JID
    kind: Kind = Kind.ACCOUNT
    admin: bool = False
    scopes: frozenset[str] | None = None
    recipients: tuple[str, ...] | None = None

    @property
    def by_token(self) -> bool:
        """Whether the caller came with a token in place of the password."""
        return self.scopes is not None

    @property
    def is_account(self) -> bool:
        """Whether the credentials are good for what the account itself may."""
        return self.scopes is None or not ACCOUNT_SCOPES.isdisjoint(self.scopes)

    @property
    def may_administer(self) -> bool:
        """Whether the credentials are good for administration, if the account is an administrator's at all."""
        return self.scopes is None or ADMIN_SCOPE in self.scopes

    def may_send_to(self, to: JID) -> bool:
        """Whether a message may go there, as far as the credentials say."""
        return self.recipients is None or matches(to, self.recipients)


class Refused(NamedTuple):
    """Why not, and for a throttled one when again (seconds)."""

    outcome: Outcome
    retry_after: int = 0


def basic_pair(header: str | None) -> tuple[str, str] | None:
    """User id and password of a Basic field; None where there is no field, another scheme, or nothing that can be decoded."""
    if not header or len(header) > MAX_HEADER:
        return None
    scheme, _, rest = header.partition(" ")
    return _pair(rest.strip(" ")) if scheme.lower() == "basic" else None


def is_bearer(header: str | None) -> bool:
    """Whether this is a field with a token (RFC 6750 §2.1)."""
    return bool(header) and str(header).partition(" ")[0].lower() == "bearer"


def _pair(encoded: str) -> tuple[str, str] | None:
    """RFC 7617 §2: UTF-8, parted by the first colon."""
    try:
        name, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):  # UnicodeDecodeError is a ValueError
        return None
    return (name, password) if colon else None


def _nobody_minds(account: JID) -> None:
    """Nobody keeps account of who comes in."""


class Authenticator:
    """Checks the credentials of requests against the account records of the hosted domain."""

    def __init__(
        self, driver: Driver, passwords: Passwords, throttle: Throttle, *, domain: str, admins: tuple[JID, ...], token: str
    ) -> None:
        self._driver = driver
        self._passwords = passwords
        self._throttle = throttle
        self._domain = domain
        self._component = Caller(JID("", domain, ""), Kind.COMPONENT)
        self.configure(admins, token, throttle.limit)
        self._tokens = Tokens(driver, domain)
        self._grants = Grants(driver, domain)
        self.seen: Callable[[JID], None] = _nobody_minds
        """Told of every account that has come in."""

    def configure(self, admins: tuple[JID, ...], token: str, failures: int) -> None:
        """Who administers, what the fixed token is, and how many wrong passwords there may be, from now on."""
        self._admins = frozenset(admins)
        self._token = token.partition(" ")[2].encode()
        self._throttle.limit = failures

    def check(self, header: str | None, address: str, use: Use = Use.ACCOUNT) -> Caller | Refused:
        """The caller whom the value of an Authorization field proves; `address` is the client's, for the throttle.

        `use`: what the request is about, which the scopes of a token may not cover: then it is FORBIDDEN.

        Scheme names are compared without case (RFC 9110 §11.1).
        """
        if not header:
            return Refused(Outcome.MISSING)
        if len(header) > MAX_HEADER:
            return Refused(Outcome.WRONG)
        scheme, _, rest = header.partition(" ")
        match scheme.lower():
            case "basic":
                return self._basic(rest.strip(" "), address)
            case "bearer":
                return self._bearer(rest.strip(" "), address, use)
        return Refused(Outcome.WRONG)

    def is_admin(self, jid: JID) -> bool:
        """Whether this bare address is one of the configured administrators."""
        return jid in self._admins

    def bearer(self, text: str, address: str) -> Token | Refused:
        """The token of this text, if it is good now; else WRONG, or THROTTLED after too many that were not. Raises StorageError.

        A good one is never refused for others that were wrong: nobody guesses it. Its owner may have no account.
        """
        good = self._token_now(text)
        return good[0] if good else self._wrong_token(address)

    def _token_now(self, text: str) -> tuple[Token, bool] | None:
        """The token of this text, if it is good now, and whether its owner has an account."""
        token = self._tokens.check(text) or self._grants.check(text)
        if token is None:
            return None
        record = self._stored(token.owner)
        if not token.is_of(record) or (record and record.get(BANNED)):
            return None
        if record:
            self.seen(token.owner)
        return token, record is not None

    def _wrong_token(self, address: str) -> Refused:
        wait = self._throttle.failed(("", address))
        return Refused(Outcome.THROTTLED, wait) if wait else Refused(Outcome.WRONG)

    def _bearer(self, text: str, address: str, use: Use) -> Caller | Refused:
        return self._bearer_now(text, use) or self._wrong_token(address)

    def _bearer_now(self, text: str, use: Use) -> Caller | Refused | None:
        """Who comes with this token, FORBIDDEN if it is not for this, None for one that is not good."""
        if self._token and hmac.compare_digest(text.encode("utf-8", "surrogateescape"), self._token):
            return self._component
        good = self._token_now(text)
        if good is None or not good[1]:
            return None
        return self._by_token(good[0], use) or Refused(Outcome.FORBIDDEN)

    def _by_token(self, token: Token, use: Use) -> Caller | None:
        """The owner, so far as the scopes let the bearer be."""
        caller = Caller(token.owner, admin=token.owner in self._admins and ADMIN_SCOPE in token.scopes, scopes=token.scopes)
        if caller.is_account or (caller.may_administer and use is Use.ADMINISTER):
            return caller
        globs = recipients(token.scopes)
        return Caller(token.owner, scopes=token.scopes, recipients=globs) if globs and use is Use.SEND else None

    def _basic(self, encoded: str, address: str) -> Caller | Refused:
        pair = _pair(encoded)
        if pair is None:
            return Refused(Outcome.WRONG)
        name, password = pair
        try:
            return self.password(self._named(name), password, address)
        except InvalidJID:
            return Refused(Outcome.WRONG)

    def _named(self, name: str) -> JID:
        """The account that a user id of Basic means. Raises InvalidJID."""
        return parse_jid(name).bare if "@" in name else local_jid(name, self._domain)

    def password(self, jid: JID, password: str, address: str) -> Caller | Refused:
        """The account of `jid`, if `password` opens it.

        After too many wrong ones the right one still opens the account, at once; the others are answered late, and few are looked at.
        """
        record = self._record(jid)
        tried = partial(self._passwords.digest, record, password)
        if refused := self.guess(str(jid), address, lambda: self._passwords.check(record, password), tried):
            return refused
        self.seen(jid)
        return Caller(jid, admin=jid in self._admins)

    def guess(self, what: str, address: str, right: Callable[[], bool], tried: Callable[[], bytes] | None = None) -> Refused | None:
        """None if a secret that a person may have chosen is `right`.

        After too many that were not, wrong ones are answered late, and only few a second are looked at.

        `tried`: a digest of the secret and what it was compared with; the same can only be wrong again.
        """
        key = (what, address)
        if wait := self._throttle.admit(key, tried):
            return Refused(Outcome.THROTTLED, wait)
        began = time.thread_time()
        passes = right()
        self._throttle.cost(key, time.thread_time() - began)
        if passes:
            self._throttle.succeeded(key)
            return None
        if wait := self._throttle.failed(key, tried):
            self._throttle.hold()
            return Refused(Outcome.THROTTLED, wait)
        return Refused(Outcome.WRONG)

    def holds(self, header: str | None) -> bool:
        """Whether credentials that were good for an account are so still. Counts no failure. Raises StorageError."""
        if header and is_bearer(header):
            return isinstance(self._bearer_now(header.partition(" ")[2].strip(" "), Use.ACCOUNT), Caller)
        pair = basic_pair(header)
        return pair is not None and self._passwords.check(self._record(self._named(pair[0])), pair[1])

    def lift(self, network: str) -> int:
        """Forget the wrong passwords that came from an address or a network; for how many accounts there were any. Raises ValueError."""
        return self._throttle.lift(network)

    def _record(self, jid: JID) -> Record | None:
        record = self._stored(jid)
        return None if record and record.get(BANNED) else record

    def _stored(self, jid: JID) -> Record | None:
        if jid.domain != self._domain or not jid.local:
            return None
        record = self._driver.load(jid.local, jid.domain, ACCOUNTS)
        return record if isinstance(record, dict) else None


