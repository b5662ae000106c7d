"""Whom does an Authorization field name, and is it true? (RFC 9110 §11.6.2, RFC 7617, RFC 6750)"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from drivers import Driver
from xmpp_rest.auth.passwords import Passwords, Record
from xmpp_rest.auth.scopes import ACCOUNT_SCOPES, ADMIN_SCOPE, Use, matches, recipients
from xmpp_rest.auth.throttle import Throttle
from xmpp_rest.auth.tokens import Token, Tokens
from xmpp_rest.protocol.jid import JID, InvalidJID, local_jid, parse_jid

BANNED = "disabled"  # member of an account record: nobody may log in with it (COMPAT Prosody 13)
MAX_HEADER = 8192  # bytes; a password has at most 1023


class Outcome(Enum):
    """Why there is no caller."""

    MISSING = "missing"  # no Authorization field
    WRONG = "wrong"  # it names nobody, or the password is wrong
    FORBIDDEN = "forbidden"  # the token is good, but not for this
    THROTTLED = "throttled"  # too many wrong passwords lately


class Kind(Enum):
    """What stands behind the credentials."""

    ACCOUNT = "account"
    COMPONENT = "component"  # the fixed token of [rest] credentials: the gateway's domain itself


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a bare JID of an account, or the hosted domain for the component token.

    `recipients`: a token lets its bearer do nothing but send messages to these addresses (globs); None: there is no such limit.
    """

    jid: JID
    kind: Kind = Kind.ACCOUNT
    admin: bool = False
    recipients: tuple[str, ...] | None = None

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

    def _bearer(self, text: str, address: str, use: Use) -> Caller | Refused:
        key = ("", address)
        if wait := self._throttle.wait(key):
            return Refused(Outcome.THROTTLED, wait)
        who = self._bearer_now(text, use)
        if isinstance(who, Refused) and who.outcome is Outcome.WRONG:
            self._throttle.failed(key)
        return who

    def _bearer_now(self, text: str, use: Use) -> Caller | Refused:
        if self._token and hmac.compare_digest(text.encode("utf-8", "surrogateescape"), self._token):
            return self._component
        token = self._tokens.check(text)
        if token is None or not self._record(token.owner):
            return Refused(Outcome.WRONG)
        self.seen(token.owner)
        return self._by_token(token, use) or Refused(Outcome.FORBIDDEN)

    def _by_token(self, token: Token, use: Use) -> Caller | None:
        """The owner, so far as the scopes let the bearer be."""
        admin = token.owner in self._admins and ADMIN_SCOPE in token.scopes
        if not ACCOUNT_SCOPES.isdisjoint(token.scopes) or (admin and use is Use.ADMINISTER):
            return Caller(token.owner, admin=admin)
        globs = recipients(token.scopes)
        return Caller(token.owner, recipients=globs) if globs and use is Use.SEND else None

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
        """The account of `jid`, if `password` opens it."""
        key = (str(jid), address)
        if wait := self._throttle.wait(key):
            return Refused(Outcome.THROTTLED, wait)
        record = self._record(jid)
        if not self._passwords.check(record, password):
            self._throttle.failed(key)
            return Refused(Outcome.WRONG)
        self._throttle.succeeded(key)
        self.seen(jid)
        return Caller(jid, admin=jid in self._admins)

    def holds(self, header: str | None) -> bool:
        """Whether credentials that were good for an account are so still. Counts no failure. Raises StorageError."""
        if header and is_bearer(header):
            return isinstance(self._bearer_now(header.partition(" ")[2].strip(" "), Use.ACCOUNT), Caller)
        pair = basic_pair(header)
        return pair is not None and self._passwords.check(self._record(self._named(pair[0])), pair[1])

    def is_admin(self, jid: JID) -> bool:
        """Whether this bare address is an administrator's."""
        return jid in self._admins

    def lift(self, address: str) -> int:
        """Forget the wrong passwords that came from `address`; for how many accounts there were any."""
        return self._throttle.lift(address)

    def _record(self, jid: JID) -> Record | None:
        if jid.domain != self._domain or not jid.local:
            return None
        record = self._driver.load(jid.local, jid.domain, "accounts")
        return record if isinstance(record, dict) and not record.get(BANNED) else None


