"""Checks credentials against the accounts, tokens and secrets of the gateway: a table of schemes, and a checker for each."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from drivers import Driver
from xmpp_rest.auth.authorization import BASIC, BEARER, Credentials, Policy, read_authorization
from xmpp_rest.auth.caller import WRONG, Caller, CallerKind, Denial, DenialReason
from xmpp_rest.auth.foreign_credentials import ForeignCredentials
from xmpp_rest.auth.foreign_door import ForeignDoor
from xmpp_rest.auth.passwords import Passwords
from xmpp_rest.auth.prosody_tokens import ProsodyTokens
from xmpp_rest.auth.record import ACCOUNTS, Record, enabled, record_of
from xmpp_rest.auth.record import BANNED as BANNED_SINCE
from xmpp_rest.auth.refusals import BANNED, MALFORMED, PASSWORD, TOKEN, UNKNOWN, Refusals
from xmpp_rest.auth.remembered import RememberedTables
from xmpp_rest.auth.scopes import ADMIN_SCOPE, Use, recipients
from xmpp_rest.auth.throttle import Key, Throttle
from xmpp_rest.auth.tokens import Token, Tokens
from xmpp_rest.config.login_domains import LoginDomains
from xmpp_rest.protocol.jid import JID, InvalidJID
from xmpp_rest.protocol.prep import PrepError, nameprep
from xmpp_rest.request_notes import note_account
from xmpp_rest.threads.tasks import offload


class AuthAttempt(NamedTuple):
    """Credentials to be checked: from which address, by which policy, for what, and whether the account may be another server's."""

    given: Credentials
    address: str
    policy: Policy
    use: Use
    foreign: bool


class Authenticator:
    """Checks the credentials of requests against the account records of the hosted domain.

    `secret`: what the server knows for the component; "" if there is none. `on_authenticated` gets every account that authenticates.
    `login_domains`: whose accounts `foreign` lets in.
    """

    def __init__(
        self, driver: Driver, passwords: Passwords, throttle: Throttle, tokens: Tokens, *,
        domain: str, admins: tuple[JID, ...], token: str, secret: str, on_authenticated: Callable[[JID], None], refusals: Refusals,
        login_domains: LoginDomains, foreign: ForeignDoor,
    ) -> None:  # fmt: skip
        self._records = RememberedTables(driver, ACCOUNTS, record_of)
        self._passwords = passwords
        self._throttle = throttle
        self._tokens = tokens
        self._domain = domain
        self._component = Caller(JID("", domain, ""), CallerKind.COMPONENT)
        self._secret = secret.encode("utf-8", "surrogateescape")
        self._refusals = refusals
        self._foreign = ForeignCredentials(foreign, login_domains, throttle, refusals)
        self.configure(admins, token, throttle.limit, login_domains)
        self._prosody_tokens = ProsodyTokens(driver, domain)
        self._on_authenticated = on_authenticated

    def configure(self, admins: tuple[JID, ...], token: str, failures: int, login_domains: LoginDomains) -> None:
        """Who administers, what the fixed token is, how many wrong passwords there may be, and which other domains come in, from now on."""
        self._admins = frozenset(admins)
        self._token = token.partition(" ")[2].encode()
        self._throttle.configure(failures)
        self._foreign.configure(login_domains)

    def check(self, field: str | None, address: str, policy: Policy, use: Use = Use.ACCOUNT, *, foreign: bool = True) -> Caller | Denial:
        """The caller that the value of an Authorization field proves; `address` is the client's, for the throttle.

        `use`: what the request is about, which the scopes of a token may not cover: then it is FORBIDDEN. `foreign`: whether it is for
        accounts of other servers too, where the policy is. Raises StorageError; GatewayError where such an account cannot be let in now.
        """
        given = read_authorization(field, bare=policy.bare)
        if given is None:
            return Denial(DenialReason.MISSING)
        scheme = SCHEMES.get(given.scheme)
        if scheme is None or given.is_too_long:
            return self._refusals.refuse(WRONG, MALFORMED, None, address)
        who = scheme.check(self, AuthAttempt(given, address, policy, use, policy.foreign and foreign))
        if isinstance(who, Caller):
            note_account(who.jid)
        return who

    def still_valid(self, field: str | None, policy: Policy) -> bool:
        """Whether credentials that were good for an account are so still. Counts no failure. Raises StorageError."""
        given = read_authorization(field, bare=policy.bare)
        scheme = SCHEMES.get(given.scheme) if given else None
        return bool(given and scheme and scheme.still_valid(self, AuthAttempt(given, "", policy, Use.ACCOUNT, policy.foreign)))

    def is_admin(self, jid: JID) -> bool:
        """Whether this bare address is one of the configured administrators."""
        return jid in self._admins

    # -- Bearer: a good token is never refused for others that were wrong, as nobody guesses it

    def _bearer(self, attempt: AuthAttempt) -> Caller | Denial:
        who = self._by_token(attempt)
        if who is not None:
            return who
        wait = self._throttle.failed(("", attempt.address))
        account, reason = self._owner_of_refused(attempt.given.text)
        return self._refusals.refuse(Denial(DenialReason.THROTTLED, wait) if wait else WRONG, reason, account, attempt.address)

    def _owner_of_refused(self, text: str) -> tuple[str | None, str]:
        """Whose token this would be, if the owner were not banned, and why it is refused."""
        token = self._tokens.check(text) or self._prosody_tokens.check(text)
        if token is None:
            return None, TOKEN
        return str(token.owner), BANNED if (self._record(token.owner) or {}).get(BANNED_SINCE) else TOKEN

    def _bearer_still_valid(self, attempt: AuthAttempt) -> bool:
        return isinstance(self._by_token(attempt), Caller)

    def _by_token(self, attempt: AuthAttempt) -> Caller | Denial | None:
        """Who comes with this token, FORBIDDEN if it is not for this, None for one that is not good."""
        text = attempt.given.text
        if self._token and hmac.compare_digest(text.encode("utf-8", "surrogateescape"), self._token):
            return self._component if attempt.policy.component else self._refusals.refuse(WRONG, TOKEN, None, attempt.address)
        token = self._tokens.check(text) or self._prosody_tokens.check(text)
        if token is None:
            return None
        record = self._record(token.owner)
        if not token.is_of(record) or (record and record.get(BANNED_SINCE)) or (record is None and attempt.use is not Use.COMMAND):
            return None
        if record:
            self._on_authenticated(token.owner)
        return self._owner(token, attempt.use) or Denial(DenialReason.FORBIDDEN)

    def _owner(self, token: Token, use: Use) -> Caller | None:
        """The owner, so far as the scopes let the bearer be."""
        admin = token.owner in self._admins
        if use is Use.COMMAND:
            return Caller(token.owner, admin=admin, scopes=token.scopes)
        caller = Caller(token.owner, admin=admin and ADMIN_SCOPE in token.scopes, scopes=token.scopes)
        if caller.is_account or (caller.may_administer and use is Use.ADMINISTER):
            return caller
        globs = recipients(token.scopes)
        return Caller(token.owner, scopes=token.scopes, recipients=globs) if globs and use is Use.SEND else None

    # -- Basic

    def _basic(self, attempt: AuthAttempt) -> Caller | Denial:
        pair = attempt.given.pair
        if pair is None:
            return self._refusals.refuse(WRONG, MALFORMED, None, attempt.address)
        name, password = pair
        if self._names_component(name, attempt.policy):
            return self.guess_noted(self._domain, self._domain, attempt.address, lambda: self._is_secret(password)) or self._component
        try:
            jid = attempt.policy.account(name, self._domain)
        except InvalidJID:
            return self._refusals.refuse(WRONG, MALFORMED, name, attempt.address)
        if jid.domain != self._domain and attempt.foreign and self._foreign.has(jid):
            return self._foreign.check(jid, password, attempt.address)
        return self.password(jid, password, attempt.address)

    def _basic_still_valid(self, attempt: AuthAttempt) -> bool:
        pair = attempt.given.pair
        if pair is None:
            return False
        name, password = pair
        if self._names_component(name, attempt.policy):
            return self._is_secret(password)
        jid = attempt.policy.account(name, self._domain)
        if jid.domain != self._domain and self._foreign.has(jid):
            return attempt.foreign and self._foreign.still_good(jid, password)
        return self._opens(jid, password)

    def _names_component(self, name: str, policy: Policy) -> bool:
        """Whether a user name is the component's domain (COMPAT mod_rest's README), where that is good."""
        if not (policy.component and self._secret) or "@" in name:
            return False
        try:
            return nameprep(name) == self._domain
        except PrepError:
            return False

    def _is_secret(self, password: str) -> bool:
        """Whether this is the component's secret; says nothing by the time that it takes."""
        return hmac.compare_digest(password.encode("utf-8", "surrogatepass"), self._secret)

    def password(self, jid: JID, password: str, address: str) -> Caller | Denial:
        """The account of `jid`, if `password` opens it.

        After too many wrong ones the right one still opens the account, at once; the others are answered late, and few are looked at.
        That of an account of another server is not looked at.
        """
        if jid.domain != self._domain and self._foreign.has(jid):
            return self._foreign.refuse(jid, address)
        if denied := self.guess(str(jid), address, lambda: self._opens(jid, password), lambda: self._tried(jid, password)):
            return self._refusals.refuse(denied, self._why(jid), str(jid), address)
        self._on_authenticated(jid)
        return Caller(jid, admin=jid in self._admins)

    def _why(self, jid: JID) -> str:
        """Why no password opens this account, or which was not its."""
        record = self._record(jid)
        return UNKNOWN if record is None else BANNED if record.get(BANNED_SINCE) else PASSWORD

    def guess_noted(self, who: str, what: str, address: str, right: Callable[[], bool]) -> Denial | None:
        """As `guess`, of what belongs to no account; that it was not right is noted of `who`."""
        denied = self.guess(what, address, right)
        return denied and self._refusals.refuse(denied, PASSWORD, who, address)

    def malformed(self, account: str | None, address: str) -> None:
        """Note that an account was named that cannot exist, or (None) that credentials cannot be read."""
        self._refusals.refuse(WRONG, MALFORMED, account, address)

    def unknown_token(self, of: str, address: str) -> int:
        """Note a token, or a signature, that is none. 0; or, after too many from this address, the seconds until the next may come.

        `of`: what it would be good for. A good one is never refused for others that were wrong, as nobody guesses it.
        """
        wait = self._throttle.failed((of, address))
        self._refusals.refuse(Denial(DenialReason.THROTTLED, wait) if wait else WRONG, TOKEN, None, address)
        return wait

    def guess(self, what: str, address: str, right: Callable[[], bool], tried: Callable[[], bytes] | None = None) -> Denial | None:
        """None if a secret that a person may have chosen is `right`.

        After too many that were not, wrong ones are answered late, and only few a second are looked at.

        `tried`: a digest of the secret and what it was compared with; the same can only be wrong again.
        """
        key = (what, address)
        if wait := self._throttle.admit(key, tried):
            return Denial(DenialReason.THROTTLED, wait)
        if self._judge(key, right):
            self._throttle.succeeded(key)
            return None
        if wait := self._throttle.failed(key, tried):
            self._throttle.hold()
            return Denial(DenialReason.THROTTLED, wait)
        return WRONG

    def _judge(self, key: Key, right: Callable[[], bool]) -> bool:
        """Whether the secret is right; where that costs the client its share of processor time, it is measured."""
        if not self._throttle.charges(key):
            return right()
        passes, seconds = offload(partial(_timed, right))  # measured in one thread, which does nothing else meanwhile
        self._throttle.cost(key, seconds)
        return passes

    def unban(self, network: str) -> int:
        """Forget the wrong passwords from an address or a network; the number of accounts with any. Raises ValueError."""
        return self._throttle.unban(network)

    def _opens(self, jid: JID, password: str) -> bool:
        """Whether the password opens the account. What another program has changed within the last second opens it at once."""
        record = self._record(jid)
        if self._passwords.check(enabled(record), password):
            return True
        now = self._records.read(jid.local, jid.domain) if self._is_hosted(jid) else None
        return now != record and self._passwords.check(enabled(now), password)

    def _tried(self, jid: JID, password: str) -> bytes:
        return self._passwords.digest(enabled(self._record(jid)), password)

    def _record(self, jid: JID) -> Record | None:
        """The record of the account; None without one. Nobody may change it."""
        return self._records.get(jid.local, jid.domain) if self._is_hosted(jid) else None

    def _is_hosted(self, jid: JID) -> bool:
        return bool(jid.local) and jid.domain == self._domain


def _timed(right: Callable[[], bool]) -> tuple[bool, float]:
    """Whether a secret is right, and the seconds of processor time that the answer took."""
    began = time.thread_time()
    return right(), time.thread_time() - began


class Scheme(NamedTuple):
    """How one scheme is checked, and checked again later. `remembered`: browsers add its credentials by themselves."""

    check: Callable[[Authenticator, AuthAttempt], Caller | Denial]
    still_valid: Callable[[Authenticator, AuthAttempt], bool]
    remembered: bool = False


SCHEMES: Mapping[str, Scheme] = {
    BASIC: Scheme(Authenticator._basic, Authenticator._basic_still_valid, remembered=True),
    BEARER: Scheme(Authenticator._bearer, Authenticator._bearer_still_valid),
}
"""Every scheme that the gateway knows, by its name in lower case."""


def may_be_remembered(field: str | None) -> bool:
    """Whether browsers may have added these credentials by themselves: they remember any scheme but those of ours that they do not know."""
    given = read_authorization(field)
    scheme = SCHEMES.get(given.scheme) if given else None
    return scheme is None or scheme.remembered
