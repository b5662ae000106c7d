"""Callers: the account or role that credentials prove, or the reason why they prove none."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from xmpp_rest.auth.scopes import ACCOUNT_SCOPES, ADMIN_SCOPE, matches
from xmpp_rest.protocol.jid import JID


class DenialReason(Enum):
    """Why there is no caller."""

    MISSING = "missing"  # no Authorization field
    WRONG = "wrong"  # the account is unknown, or the password is wrong
    FORBIDDEN = "forbidden"  # the token is good, but not for this
    THROTTLED = "throttled"  # too many wrong passwords lately
    ELSEWHERE = "elsewhere"  # the account is another server's, and this is not for such; nobody looked at the password


class Denial(NamedTuple):
    """Why there is no caller, and for a throttled one when to try again (seconds); `account`: the one that is elsewhere."""

    reason: DenialReason
    retry_after: int = 0
    account: JID | None = None


WRONG = Denial(DenialReason.WRONG)


class CallerKind(Enum):
    """The kind of identity that credentials prove."""

    ACCOUNT = "account"
    COMPONENT = "component"  # the fixed token of [rest] credentials, or the component's secret: the gateway's domain itself
    FOREIGN = "foreign"  # an account of another server, whose session speaks for it


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a bare JID of an account, or the hosted domain for the component.

    `admin`: whether the caller is a configured administrator, and the credentials are good for that.
    `scopes`: those of a token, None for a password.
    `session`: of an account of another server the full address of its session; None for all others.
    `recipients`: a token lets its bearer do nothing but send messages to these addresses (globs); None: there is no such limit.
    """

    jid: JID
    kind: CallerKind = CallerKind.ACCOUNT
    admin: bool = False
    scopes: frozenset[str] | None = None
    recipients: tuple[str, ...] | None = None
    session: JID | None = None

    @property
    def by_token(self) -> bool:
        """Whether the caller used a token instead of the password."""
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
